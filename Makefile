# Everything here works from a fresh clone, as root on Debian with Python 3.11.

REQUIREMENTS := requirements.txt operations/requirements.txt lab/requirements.txt requirements-dev.txt
VENV := /var/cache/skillflaw-lab/venvs/$(shell cat $(REQUIREMENTS) | sha256sum | cut -c1-12)
PYTHON := .venv/bin/python

.PHONY: up down test bench unit lint environment
.DEFAULT_GOAL := up

up: environment
	@$(PYTHON) -m lab up

down: environment
	@$(PYTHON) -m lab down
	@$(PYTHON) -m lab down --simulated

test: environment
	@$(PYTHON) -m lab up
	@$(PYTHON) -m lab down --simulated  # with what a killed run left there
	@$(PYTHON) -m lab up --simulated
	$(PYTHON) -m pytest

bench: environment
	@$(PYTHON) -m lab up --simulated
	@$(PYTHON) -m bench

unit: environment
	$(PYTHON) -m pytest tests/unit

lint: environment
	$(PYTHON) -m ruff check
	$(PYTHON) -m ruff format --check

# One environment per content of the requirements, shared by every clone on the machine.
environment: $(VENV)/complete
	@ln -sfn $(VENV) .venv

$(VENV)/complete:
	@echo "Python environment: installing $(REQUIREMENTS)"
	@rm -rf $(VENV)
	@python3 -c 'import ensurepip' 2> /dev/null || { apt-get update --quiet=2 && \
		DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet=2 python3-venv > /dev/null 2>&1; }
	@python3 -m venv $(VENV)
	@$(VENV)/bin/pip install --quiet --disable-pip-version-check --requirement requirements-dev.txt
	@touch $@
