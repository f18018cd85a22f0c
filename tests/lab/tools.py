"""Host programs: which are needed, which package has them, and how they are run.

The lab installs nothing by itself: it says what is missing and the apt command that brings it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from .errors import LabError

#: program -> Debian package that has it
PACKAGES: Mapping[str, str] = {
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-system-aarch64": "qemu-system-arm",
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


def run(
    command: Sequence[str],
    *,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    log: Path | None = None,
) -> str:
    """Run a host program, return its standard output; LabError with its last lines on failure.

    With ``log`` both streams go there (long builds) and the result is empty.
    """
    name = which(command[0])
    if name is None:
        require([command[0]], why="this step")
        raise LabError(f"{command[0]} not found")
    full_env = {**os.environ, "LC_ALL": "C", **(env or {})}
    if log is not None:
        with log.open("ab") as sink:
            done = subprocess.run(
                [name, *command[1:]], cwd=cwd, env=full_env, stdout=sink, stderr=subprocess.STDOUT, check=False
            )
        out, err = "", _tail(log.read_text(errors="replace"))
    else:
        result = subprocess.run(
            [name, *command[1:]], cwd=cwd, env=full_env, capture_output=True, check=False, text=True, errors="replace"
        )
        done, out, err = result, result.stdout, _tail(result.stderr)
    if done.returncode != 0:
        where = f" (log: {log})" if log is not None else ""
        raise LabError(f"{' '.join(command[:6])} ... ended with {done.returncode}{where}\n{err}")
    return out


def _tail(text: str, lines: int = 15) -> str:
    return "\n".join(text.splitlines()[-lines:])
