"""Two PostgreSQL servers, restic and the scripts of a backup, as a pod has them: one network, one user, the lab's image."""

import ctypes
import errno
import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.process import wait_for

USER = 10001
SCRIPTS = Path(__file__).parents[2] / "components" / "scripts"
LIVE, TRIAL = "127.0.0.2", "127.0.0.1"
"""Addresses of the live server and of the trial server next to the scripts."""


def unpack(archive: Path, root: Path) -> None:
    """Every layer of an image without deletions."""
    with tarfile.open(archive) as image:

        def blob(digest: str):
            return image.extractfile(f"blobs/{digest.replace(':', '/')}")

        index = json.load(image.extractfile("index.json"))
        manifest = json.load(blob(index["manifests"][0]["digest"]))
        for layer in manifest["layers"]:
            unpacked = subprocess.Popen(
                ["tar", "--extract", f"--directory={root}", "--exclude=dev/*"], stdin=subprocess.PIPE
            )
            shutil.copyfileobj(blob(layer["digest"]), unpacked.stdin)
            unpacked.stdin.close()
            assert unpacked.wait() == 0


# chown, fchown, lchown, fchownat, utime, utimes, futimesat, utimensat on x86-64.
REFUSED_CALLS = (92, 93, 94, 260, 132, 235, 261, 280)


def refuse_owners_and_times() -> None:
    """Makes the kernel answer EPERM to whatever would set an owner or a time, in this process and all it starts."""
    load, equal, answer = 0x20, 0x15, 0x06
    allow, refuse = 0x7FFF0000, 0x00050000 | errno.EPERM
    left = len(REFUSED_CALLS)
    program = [struct.pack("HBBI", load, 0, 0, 0)]
    for number in REFUSED_CALLS:
        program.append(struct.pack("HBBI", equal, left, 0, number))
        left -= 1
    program += [struct.pack("HBBI", answer, 0, 0, allow), struct.pack("HBBI", answer, 0, 0, refuse)]
    code = ctypes.create_string_buffer(b"".join(program))
    filters = struct.pack("HxxxxxxQ", len(program), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    # Inherited by what is started; root needs no promise to gain no privileges.
    if libc.prctl(22, 2, filters, 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")


class Sandbox:
    """A root file system of PostgreSQL's image with restic in it, and a network of its own."""

    def __init__(self, root: Path, pid: int) -> None:
        self.root, self.pid = root, pid

    def command(self, *words: str, user: int = USER) -> list[str]:
        """A command that runs inside."""
        return self.entered("/usr/sbin/chroot", f"--userspec={user}:{user}", str(self.root), *words)

    def entered(self, *words: str) -> list[str]:
        """A command of this machine on the sandbox's network and mounts."""
        return ["nsenter", f"--target={self.pid}", "--net", "--mount", *words]

    def inside(self, *words: str) -> str:
        """Output of such a command."""
        return subprocess.run(self.entered(*words), check=True, capture_output=True, text=True).stdout

    def run(self, *words: str, user: int = USER, fixed: bool = False, **variables: str):
        """A command that ran inside, however it ended; `fixed` stands for a file system with fixed owners and times."""
        environment = {"PATH": "/usr/lib/postgresql/15/bin:/usr/bin:/bin", "LANG": "C.UTF-8", **variables}
        return subprocess.run(
            self.command(*words, user=user),
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            preexec_fn=refuse_owners_and_times if fixed else None,
        )

    def folder(self, name: str) -> Path:
        """A new folder of the user's own; inside it is `/name`."""
        path = self.root / name
        path.mkdir(parents=True)
        os.chown(path, USER, USER)
        return path

    @contextmanager
    def server(self, address: str, user: str) -> Iterator[None]:
        """A PostgreSQL that the image's own entrypoint starts."""
        data = f"servers/{address}"
        self.folder(data)
        environment = {
            "PATH": "/usr/lib/postgresql/15/bin:/usr/bin:/bin", "LANG": "C.UTF-8",
            "POSTGRES_USER": user, "POSTGRES_DB": user, "POSTGRES_PASSWORD": "lab", "PGDATA": f"/{data}/pgdata",
        }  # fmt: skip
        options = [f"listen_addresses={address}", f"unix_socket_directories=/{data}", "fsync=off"]
        words = [word for option in [*options, "max_prepared_transactions=5"] for word in ("-c", option)]
        with (self.root / f"{data}.log").open("w") as log:
            process = subprocess.Popen(
                self.command("/entrypoint.sh", *words), env=environment, stdout=log, stderr=log
            )
        try:
            ready = ("pg_isready", f"--host={address}")
            wait_for(
                lambda: self.run(*ready).returncode == 0,
                60,
                f"PostgreSQL on {address}",
                alive=lambda: process.poll() is None,
            )
            yield
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)

    @contextmanager
    def late(self, refusals: int = 4) -> Iterator[int]:
        """The live server on another port, which closes so many connections at first, as a network does to a new pod."""
        words = self.entered(sys.executable, "-c", LATE, LIVE, str(LATE_PORT), str(refusals))
        process = subprocess.Popen(words, stdout=subprocess.PIPE)
        try:
            assert process.stdout.readline() == b"\n"
            yield LATE_PORT
        finally:
            process.kill()
            process.wait()


LATE_PORT = 6000
LATE = """
import asyncio, sys
address, port, refusals = sys.argv[1], *map(int, sys.argv[2:])

async def copy(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()

async def meet(reader, writer):
    global refusals
    refusals -= 1
    if refusals >= 0:
        return writer.close()
    to = await asyncio.open_connection(address, 5432)
    await asyncio.gather(copy(reader, to[1]), copy(to[0], writer))

async def main():
    async with await asyncio.start_server(meet, address, port) as server:
        print(flush=True)
        await server.serve_forever()

asyncio.run(main())
"""


@contextmanager
def sandbox(root: Path, archive: Path, *programs: Path) -> Iterator[Sandbox]:
    """A sandbox, while the block runs."""
    root.mkdir()
    unpack(archive, root)
    for program in programs:
        shutil.copyfile(program, root / "usr/bin" / program.name.partition("-")[0])
        (root / "usr/bin" / program.name.partition("-")[0]).chmod(0o755)
    (root / "dev").mkdir(exist_ok=True)
    mounts = f"mount --rbind /dev {root}/dev && mount -t proc proc {root}/proc"
    setup = f"ip link set lo up && {mounts} && echo && exec sleep infinity"
    holder = subprocess.Popen(["unshare", "--net", "--mount", "sh", "-c", setup], stdout=subprocess.PIPE)
    try:
        assert holder.stdout.readline() == b"\n"
        yield Sandbox(root, holder.pid)
    finally:
        holder.kill()
        holder.wait()
