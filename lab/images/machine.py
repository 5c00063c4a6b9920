"""This machine's way to Debian and PyPI, handed to a build.

Mirrors, proxies and certificates are read from apt's and pip's own configuration and mounted while an image
is built, so that no image and no file here knows them.
"""

import ast
import json
import shutil
import subprocess
import sys
from pathlib import Path

# What pip calls the places that packages come from, and uv's names for them.
UV_NAMES = {
    "index-url": "index-url",
    "extra-index-url": "extra-index-url",
    "trusted-host": "allow-insecure-host",
}
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


def debian_sources() -> list[str]:
    """This machine's own sources of Debian bookworm, as lines of a sources.list."""
    sources = _indexed()
    if not sources:
        _output("apt-get", "update")
        sources = _indexed()
    return sources


def apt_options(file: Path) -> Path:
    """Writes how this machine's apt fetches (proxies, checks) as an apt configuration file; returns it."""
    file.write_text("\n".join(line for line in _output("apt-config", "dump") if line.startswith("Acquire::")))
    return file


def registries(folder: Path) -> Path:
    """A folder that, mounted on /mnt, lets apt, pip and uv in an image fetch as apt and pip do here.

    The Containerfiles point each program's own variable (APT_CONFIG, PIP_CONFIG_FILE, …) there.
    """
    folder.mkdir()
    (folder / "sources.list").write_text("".join(f"{line}\n" for line in debian_sources()))
    apt = ['Dir::Etc::SourceList "/mnt/sources.list";', 'APT::Install-Recommends "false";']
    if CERTIFICATES.exists():
        shutil.copy(CERTIFICATES, folder)
        apt.append(f'Acquire::https::CaInfo "/mnt/{CERTIFICATES.name}";')
    with apt_options(folder / "apt.conf").open("a") as file:
        file.write("\n" + "\n".join(apt))
    pip, uv = ["[global]"], []
    for option, values in _indexes().items():
        pip.append(f"{option} = {' '.join(values)}")
        # to pip every value is a list; uv has exactly one index that replaces PyPI
        uv.append(f"{UV_NAMES[option]} = {json.dumps(values[0] if option == 'index-url' else values)}")
    (folder / "pip.conf").write_text("\n".join(pip))
    (folder / "uv.toml").write_text("\n".join(uv))
    return folder


def _indexes() -> dict[str, list[str]]:
    """Locations of packages as pip is configured, by file or environment."""
    listed = (line.partition("=") for line in _output(sys.executable, "-m", "pip", "config", "list"))
    options = {key.rpartition(".")[2]: ast.literal_eval(value).split() for key, _, value in listed}
    return {option: options[option] for option in UV_NAMES if option in options}


def _indexed() -> list[str]:
    """Entries of Debian itself in apt's lists: other origins have suites called bookworm too."""
    wanted = "$(ORIGIN) $(RELEASE) $(COMPONENT) $(REPO_URI)"
    fields = (line.split() for line in _output("apt-get", "indextargets", "--format", wanted))
    return sorted(
        {
            f"deb {address} {suite} {component}"
            for origin, suite, component, address in (found for found in fields if len(found) == 4)
            if origin == "Debian" and suite.startswith("bookworm") and component == "main"
        }
    )


def _output(*command: str) -> list[str]:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()
