"""Host programs: which are needed, which package has them, and how they are run.

The lab installs nothing by itself: it says what is missing and the apt command that brings it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .errors import LabError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import pip._vendor.tomli as tomllib

#: program -> Debian package that has it
PACKAGES: Mapping[str, str] = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-system-i386": "qemu-system-x86",
    "qemu-system-aarch64": "qemu-system-arm",
    "qemu-system-arm": "qemu-system-arm",
    "mmdebstrap": "mmdebstrap",
    "mkfs.ext4": "e2fsprogs",
    "depmod": "kmod",
    "dpkg-deb": "dpkg",
    "apt-get": "apt",
    "ldconfig": "libc-bin",
    "tar": "tar",
    "xz": "xz-utils",
    "zstd": "zstd",
    "fakeroot": "fakeroot",
    "make": "make",
    "gcc": "gcc",
    "flex": "flex",
    "bison": "bison",
    "bc": "bc",
    "cpio": "cpio",
    "perl": "perl",
    "rsync": "rsync",
    "pahole": "dwarves",
    "ld": "binutils",
}
_SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def which(program: str) -> str | None:
    """Path of a program, looking also where an ordinary user's PATH does not."""
    return shutil.which(program, path=os.pathsep.join([os.environ.get("PATH", ""), *_SBIN]))


def require(programs: Iterable[str], *, why: str) -> None:
    """Raise LabError naming every missing program's package and the apt command."""
    missing = sorted({PACKAGES.get(name, name) for name in programs if which(name) is None})
    if missing:
        raise LabError(
            f"{why} needs Debian packages that are not installed: {', '.join(missing)}",
            f"apt-get install --no-install-recommends {' '.join(missing)}",
        )


def say(text: str) -> None:
    """A line of progress on standard error; standard output belongs to the guest."""
    print(f"lab: {text}", file=sys.stderr, flush=True)


def as_root(command: Sequence[str], memory: Path | None = None) -> list[str]:
    """The command with root's view of file ownership: itself for root, else under fakeroot.

    ``memory`` is a file in which fakeroot keeps who owns what from one command to the next.
    """
    if os.geteuid() == 0:
        return list(command)
    require(["fakeroot"], why="building images as an ordinary user")
    if memory is None:
        return ["fakeroot", "--", *command]
    memory.touch()
    return ["fakeroot", "-i", str(memory), "-s", str(memory), "--", *command]


def run(command: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> str:
    """Run a host program, return its standard output; LabError with its last words on failure."""
    done = subprocess.run(
        [_path(command[0]), *command[1:]],
        cwd=cwd,
        env={**os.environ, "LC_ALL": "C", **(env or {})},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
        errors="replace",
    )
    if done.returncode != 0:
        raise LabError(f"{_short(command)} ended with {done.returncode}\n{_tail(done.stderr or done.stdout)}")
    return done.stdout


def run_long(command: Sequence[str], log: Path, *, lock: int, env: Mapping[str, str] | None = None) -> None:
    """Run a host program that takes minutes: its output goes to ``log``, a line of progress comes now and then.

    It inherits the descriptor ``lock``: if we are killed and it lives on, nobody else starts in the same place.
    """
    started = time.monotonic()
    with log.open("ab") as sink:
        process = subprocess.Popen(
            [_path(command[0]), *command[1:]],
            env={**os.environ, "LC_ALL": "C", **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            pass_fds=(lock,),
        )
        try:
            while True:
                try:
                    status = process.wait(30)
                    break
                except subprocess.TimeoutExpired:
                    words = log.read_text(errors="replace").splitlines()
                    say(
                        f"{time.monotonic() - started:.0f} s, {len(words)} lines: {words[-1].strip() if words else ''}"
                    )
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait()
    if status != 0:
        raise LabError(
            f"{_short(command)} ended with {status} (log: {log})\n{_tail(log.read_text(errors='replace'))}"
        )


def _path(program: str) -> str:
    found = which(program)
    if found is None:
        require([program], why="this step")
        raise LabError(f"{program} not found")
    return found


def _short(command: Sequence[str]) -> str:
    return " ".join(command[:4]) + (" ..." if len(command) > 4 else "")


def _tail(text: str, lines: int = 15) -> str:
    return "\n".join(text.splitlines()[-lines:])


def toml(text: str) -> dict[str, Any]:
    """What a TOML text says. Raises ValueError; Python can read it since 3.11, and pip brings a reader along."""
    return tomllib.loads(text)
