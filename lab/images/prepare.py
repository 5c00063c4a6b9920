"""Files that a few images need in addition to their folder's own, made before buildah reads the folder."""

import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

from lab.images import machine
from lab.images.command import Report, run
from lab.toolchain import golang
from lab.toolchain.catalogue import BARMAN_CLOUD, RESTIC

Prepare = Callable[[Path, Report], None]


def debian(folder: Path, report: Report) -> None:
    """Debian's smallest system that has apt, as `rootfs.tar`."""
    report("base: installing Debian")
    options = [f"--dpkgopt={folder}/dpkg.cfg", f"--aptopt={machine.apt_options(folder / 'apt.conf')}"]
    target = ["bookworm", f"{folder}/rootfs.tar"]
    run(["mmdebstrap", "--variant=minbase", *options, *target, *machine.debian_sources()], "base", report)


def web_ui(folder: Path, report: Report) -> None:
    """The built web UI out of the upstream's wheel, as `langflow/frontend`."""
    report("frontend: fetching the web UI")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes"]
    run([*pip, f"--requirement={folder}/requirements.lock", f"--dest={folder}"], "frontend", report)
    [wheel] = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as content:
        content.extractall(folder, [file for file in content.namelist() if "/frontend/" in file])


def restic(folder: Path, report: Report) -> None:
    """The keeper of backups, as `restic`."""
    shutil.copy(golang.built("restic", RESTIC, report), folder / "restic")


def barman(folder: Path, report: Report) -> None:
    """CloudNativePG's plugin for Barman Cloud, as `manager`."""
    shutil.copy(golang.built("barman-cloud", BARMAN_CLOUD, report), folder / "manager")


PREPARE: dict[str, Prepare] = {"base": debian, "barman": barman, "frontend": web_ui, "restic": restic}
