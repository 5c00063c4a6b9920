"""What this machine knows about reaching Debian and PyPI, handed to a build so that no image and no file here knows it.

Mirrors, proxies and certificates are read from apt's and pip's own configuration and mounted while an image is built.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
PIP_OPTIONS = {"index-url", "extra-index-url", "trusted-host", "proxy", "timeout", "default-timeout"}


def ensure_packages(*packages: str) -> None:
    """Installs the Debian packages that are missing; fetches apt's lists only if they are needed and stale."""
    missing = [package for package in packages if not shutil.which(package)]
    if not missing:
        return
    install = ["apt-get", "install", "--yes", "--no-install-recommends", *missing]
    quiet = {"stdout": subprocess.DEVNULL, "env": os.environ | {"DEBIAN_FRONTEND": "noninteractive"}}
    if subprocess.run(install, stderr=subprocess.DEVNULL, check=False, **quiet).returncode:
        subprocess.run(["apt-get", "update"], check=True, **quiet)
        subprocess.run(install, check=True, **quiet)


def debian_sources() -> list[str]:
    """This machine's own sources of Debian bookworm, as lines of a sources.list."""
    return _indexed() or (subprocess.run(["apt-get", "update"], check=True) and _indexed())


def apt_options(file: Path) -> Path:
    """Writes how this machine's apt fetches (proxies, checks) as an apt configuration file; returns it."""
    dumped = subprocess.run(["apt-config", "dump"], check=True, capture_output=True, text=True).stdout
    file.write_text("".join(f"{line}\n" for line in dumped.splitlines() if line.startswith("Acquire::")))
    return file


def registries(folder: Path) -> Path:
    """A folder that, mounted on /mnt, lets apt and pip in an image work as they do on this machine; returns it.

    The Containerfiles point APT_CONFIG and PIP_CONFIG_FILE there.
    """
    folder.mkdir()
    sources = folder / "sources.list"
    sources.write_text("".join(f"{line}\n" for line in debian_sources()))
    with apt_options(folder / "apt.conf").open("a") as options:
        options.write('Dir::Etc::SourceList "/mnt/sources.list";\nAPT::Install-Recommends "false";\n')
    pip = {}
    listed = subprocess.run([sys.executable, "-m", "pip", "config", "list"], check=True, capture_output=True, text=True)
    for line in listed.stdout.splitlines():
        key, value = line.split("=", 1)
        option = key.removeprefix(":env:").rpartition(".")[2]
        if option in PIP_OPTIONS:
            pip[option] = value.strip("'")
    if CERTIFICATES.exists():
        shutil.copy(CERTIFICATES, folder)
        pip["cert"] = f"/mnt/{CERTIFICATES.name}"
        with (folder / "apt.conf").open("a") as options:
            options.write(f'Acquire::https::CaInfo "/mnt/{CERTIFICATES.name}";\n')
    (folder / "pip.conf").write_text("[global]\n" + "".join(f"{key} = {value}\n" for key, value in pip.items()))
    return folder


def _indexed() -> list[str]:
    wanted = "$(ORIGIN) deb $(REPO_URI) $(RELEASE) $(COMPONENT)"
    listed = subprocess.run(
        ["apt-get", "indextargets", "--format", wanted, "Created-By: Packages"],
        check=True, capture_output=True, text=True,
    ).stdout.splitlines()  # fmt: skip
    lines = (line.removeprefix("Debian ") for line in listed if line.startswith("Debian deb "))
    return sorted({line for line in lines if line.split()[2].startswith("bookworm") and line.endswith(" main")})
