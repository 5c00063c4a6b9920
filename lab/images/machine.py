"""What this machine knows about reaching Debian and PyPI, handed to a build.

Mirrors, proxies and certificates are read from apt's and pip's own configuration and mounted while an image
is built, so that no image and no file here knows them.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
PIP_OPTIONS = {"index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "default-timeout"}


def ensure_programs(*programs: str) -> None:
    """Installs the Debian packages, named as their programs, that are missing."""
    missing = [program for program in programs if not shutil.which(program)]
    if not missing:
        return
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    install = ["apt-get", "install", "--yes", "--no-install-recommends", *missing]
    if subprocess.run(install, env=environment, capture_output=True).returncode:
        # no lists yet, or stale ones
        _output("apt-get", "update")
        subprocess.run(install, env=environment, check=True, stdout=subprocess.DEVNULL)


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
    """A folder that, mounted on /mnt, lets apt and pip in an image work as they do here; returns it.

    The Containerfiles point APT_CONFIG and PIP_CONFIG_FILE there.
    """
    folder.mkdir()
    (folder / "sources.list").write_text("".join(f"{line}\n" for line in debian_sources()))
    apt = ['Dir::Etc::SourceList "/mnt/sources.list";', 'APT::Install-Recommends "false";']
    pip = ["[global]", *_pip_options()]
    if CERTIFICATES.exists():
        shutil.copy(CERTIFICATES, folder)
        apt.append(f'Acquire::https::CaInfo "/mnt/{CERTIFICATES.name}";')
        pip.append(f"cert = /mnt/{CERTIFICATES.name}")
    with apt_options(folder / "apt.conf").open("a") as file:
        file.write("\n" + "\n".join(apt))
    (folder / "pip.conf").write_text("\n".join(pip))
    return folder


def _pip_options() -> list[str]:
    """Of `global.index-url='…'` and `:env:.index-url='…'` alike: `index-url = …`."""
    listed = (line.partition("=") for line in _output(sys.executable, "-m", "pip", "config", "list"))
    options = {key.rpartition(".")[2]: value.strip("'") for key, _, value in listed}
    return [f"{option} = {value}" for option, value in options.items() if option in PIP_OPTIONS]


def _indexed() -> list[str]:
    """What apt's lists know of Debian itself: other origins have suites called bookworm too."""
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
