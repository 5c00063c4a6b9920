# Everything here works from a fresh clone, as root on Debian with Python 3.11.

CACHE := $(if $(filter 0,$(shell id -u)),/var/cache/skillflaw-lab,$(HOME)/.cache/skillflaw-lab)
# The Python counts too: machines with different ones may see one cache.
KEY := $(shell { cat requirements-dev.lock; python3 -c 'import sys; print(sys.base_prefix, sys.version)'; } | sha256sum | cut -c1-12)
SHARED := $(CACHE)/venvs/$(KEY)
# What Pulumi made by itself is a folder, and is filled; a link is ours.
OWN := $(shell [ -d .venv ] && [ ! -L .venv ] && echo .venv)
PYTHON := .venv/bin/python

.PHONY: up down test live drill sizing elsewhere thorough versions promtool bench unit lint environment lock sign-in preview review deploy repair drift
.DEFAULT_GOAL := up

up: environment
	@$(PYTHON) -m lab up

down: environment
	@$(PYTHON) -m lab down
	@$(PYTHON) -m lab down --simulated

test: environment
	@$(PYTHON) -m lab images
	@# What needs no real nodes runs next to what does, and gives way to it: a backend that is starved for half a minute
	@# is taken out of its Service, as it should be.
	@log=$$(mktemp); nice -n 19 $(MAKE) --silent elsewhere > $$log 2>&1 & elsewhere=$$!; \
		$(PYTHON) -m lab up && $(MAKE) --silent live; live=$$?; \
		wait $$elsewhere; elsewhere=$$?; cat $$log; rm $$log; exit $$((live + elsewhere))

live: environment
	@log=$$(mktemp); $(PYTHON) -m pytest tests/live -m "independent and not drill" > $$log 2>&1 & independent=$$!; \
		$(PYTHON) -m pytest tests/live -m "not independent and not drill"; lab=$$?; \
		wait $$independent; independent=$$?; cat $$log; rm $$log; exit $$((lab + independent))

# What an operator should have seen once: on the lab that `make up` leaves, with nothing else on the machine.
drill: environment
	$(PYTHON) -m pytest tests/live tests/drill -m drill

# What a pod carries: docs/sizing.md. On the lab that `make up` leaves, with nothing else on the machine.
sizing: environment
	$(PYTHON) -m pytest tests/sizing

# On simulated nodes and on none. The files that take longest come first, so that no process waits for one at the end.
elsewhere: environment
	@$(PYTHON) -m lab down --simulated  # with what a killed run left there
	@$(PYTHON) -m lab up --simulated
	@$(PYTHON) -m pytest -n 2 --dist=loadfile --no-loadscope-reorder -m "not thorough" tests/engine tests/lab tests/scan tests/unit

# What `make test` leaves out of the same rings, with nothing else on the machine.
thorough: environment
	@$(PYTHON) -m lab down --simulated
	@$(PYTHON) -m lab up --simulated
	@$(PYTHON) -m pytest -n 2 --dist=loadfile -m thorough tests/engine tests/lab

# API servers of other versions of Kubernetes: built once per machine, several minutes each.
versions: environment
	@nice -n 19 $(PYTHON) -m pytest tests/versions

# Prometheus' own evaluation of every alert: promtool is built once per machine.
promtool: environment
	@nice -n 19 $(PYTHON) -m pytest tests/promtool

bench: environment
	@$(PYTHON) -m lab up --simulated
	@$(PYTHON) -m bench

unit: environment
	$(PYTHON) -m pytest -m "not thorough" tests/unit tests/lab

lint: environment
	$(PYTHON) -m ruff check
	$(PYTHON) -m ruff format --check
	$(PYTHON) -m mypy
	@$(PYTHON) -m lab actionlint

# After a change of any requirements.txt: every package that they lead to, by version and hash.
lock: environment
	.venv/bin/uv pip compile --quiet --universal --generate-hashes --no-header --python-version=3.11 requirements-dev.txt --output-file=requirements-dev.lock

# What the workflows run, each for STACK or STACKS. Whoever reads a preview learns how pulumi ended from the file next to
# it: a policy pack that does not start leaves JSON without a step and without an error, as a stack without changes does.

# With a folder of its own for what it leaves behind: the Kubernetes provider writes a stack's kubeconfig there, and stays.
PULUMI = TMPDIR=$$(mktemp -d) && export TMPDIR && trap 'rm -rf "$$TMPDIR"' EXIT && pulumi

.PHONY: named
preview deploy repair drift: named

# Without a name, pulumi takes the stack that was selected last.
named:
	@: "$${STACK:?is not set: name the stack, as in STACK=dev}"

preview:
	@mkdir -p previews
	@$(PULUMI) preview --policy-pack=policies --stack="$$STACK" --json --non-interactive > "previews/$$STACK.json"; \
		echo $$? > "previews/$$STACK.json.exit"

review:
	@mkdir -p reviews
	-@$(PYTHON) -m operations review $(STACKS:%=previews/%.json) --format=markdown > reviews/review.md
	-@$(PYTHON) -m operations review $(STACKS:%=previews/%.json) --format=json > reviews/review.json
	-@$(PYTHON) -m operations review $(STACKS:%=previews/%.json)

deploy:
	@$(PULUMI) up --policy-pack=policies --stack="$$STACK" --yes --skip-preview --non-interactive

# By force: a field that was changed by hand belongs to whoever changed it.
repair:
	@export PULUMI_K8S_ENABLE_PATCH_FORCE=true; $(PULUMI) up --refresh --stack="$$STACK" --yes --skip-preview --non-interactive

# Not with --expect-no-changes: pulumi would end the same for drift as for a cluster that cannot be read.
drift:
	@mkdir -p previews reviews
	@$(PULUMI) preview --refresh --stack="$$STACK" --json --non-interactive > "previews/drift-$$STACK.json"; \
		echo $$? > "previews/drift-$$STACK.json.exit"
	@$(PYTHON) -m operations drift "previews/drift-$$STACK.json" --stack="$$STACK" > "reviews/drift-$$STACK.md"

# The job is known by a token that the forge signs for it: no credential is stored.
sign-in:
	@umask 077 && mkdir -p $(HOME)/.kube && printf '%s' "$$KUBECONFIG_CONTENT" > $(HOME)/.kube/config
	@umask 077 && $(PYTHON) -m operations identity "urn:pulumi:org:$$ORGANIZATION" > $(HOME)/.pulumi-identity
	@pulumi login --oidc-org="$$ORGANIZATION" --oidc-token=file://$(HOME)/.pulumi-identity
	@rm $(HOME)/.pulumi-identity
	@pulumi org set-default "$$ORGANIZATION"

# One environment per content of the requirements and Python, shared by every clone on the machine; or the one that Pulumi's
# first preview made here.
environment: $(or $(OWN),$(SHARED))/complete-$(KEY)
	@[ -n "$(OWN)" ] || ln -sfn $(SHARED) .venv

$(SHARED)/complete-$(KEY):
	@rm -rf $(SHARED)
	@python3 -c 'import ensurepip' 2> /dev/null || { apt-get update --quiet=2 && \
		DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet=2 python3-venv > /dev/null 2>&1; }
	@python3 -m venv $(SHARED)
	@$(call install,$(SHARED))

.venv/complete-$(KEY):
	@$(call install,.venv)

define install
echo "Python environment: installing requirements-dev.lock" && \
	$(1)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements-dev.lock && \
	touch $(1)/complete-$(KEY)
endef
