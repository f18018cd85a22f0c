"""Programs: where one is found, who else decides what runs under that name, and the one way to start one.

As root a program is started only if every hop to it was judged: each directory, each link and the file itself belong to
root or to the caller, and no other user can write to them (`walk`). Then the name is as good as a descriptor: one who
could make it lead elsewhere is root. So what was judged is started by its name, as a shell would: through /proc/self/fd
a script would see a number for its name and look for its parts there (Ubuntu's bpftool and AppImages do), programs that
are several by their name (kmod, busybox, snap) and the kernel's own name of the process (comm) would be wrong, and
nothing would start where /proc is not mounted. Links of proc are the exception, they do not lead where they point: what
the name opens must be the very file that was judged.

The same holds for what the program starts: the interpreter in the first line of a script is judged like the script, and
its PATH has only directories that were judged (bpftrace runs `tar` to unpack kernel headers, a script whatever it
likes). What tells the linker to load other libraries is passed on only if all that it names was judged.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

from kdiag.trust.owner import Untrusted
from kdiag.trust.search import find
from kdiag.trust.walk import directory, place

#: A script's interpreter may be a script (fs/exec.c, exec_binprm); the first line counts so far (BINPRM_BUF_SIZE).
_MOST_SCRIPTS = 5
_FIRST_LINE = 256


def distrusted(path: str) -> str:
    """Who else could decide what runs as `path`, "" if no other user. Raises OSError where it cannot be walked."""
    try:
        _judge(path)
    except Untrusted as error:
        return str(error)
    return ""


def start(  # noqa: PLR0913  what a child is given
    argv: Sequence[str],
    *,
    judge: bool | None = None,
    env: Mapping[str, str] | None = None,
    stdin: int = subprocess.DEVNULL,
    stdout: int = subprocess.PIPE,
    stderr: int = subprocess.PIPE,
    pass_fds: Sequence[int] = (),
    cwd: str | None = None,
    before: Callable[[], None] | None = None,
) -> subprocess.Popen[bytes]:
    """Start a program in a session of its own.

    judge: None for "as root". argv[0]: a path, or a name to look for along PATH. env: None for ours. before: called in
    the child. Raises Untrusted, OSError, ValueError.
    """
    program = (
        find(argv[0], (os.environ if env is None else env).get("PATH")) if "/" not in argv[0] else argv[0]
    )
    if program is None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), argv[0])
    if judge or (judge is None and os.geteuid() == 0):
        _judge(program)
        env = _closed(os.environ if env is None else env)
    return subprocess.Popen(
        tuple(argv),
        executable=program,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
        env=None if env is None else dict(env),
        pass_fds=pass_fds,
        cwd=cwd,
        preexec_fn=before,  # noqa: PLW1509  there are no threads
    )


def _judge(path: str, scripts: int = 0) -> None:
    """Raises Untrusted, or OSError where the way to the program cannot be walked."""
    if not path.startswith("/"):
        raise Untrusted(f"{path} is not an absolute path")
    with place(path, strict=True) as found:
        if found.number is not None:
            raise Untrusted(f"{path} is no file but an open descriptor")
        if found.info is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        if not stat.S_ISREG(found.info.st_mode):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
        if not os.path.samestat(os.stat(path), found.info):
            raise Untrusted(f"{path} does not lead where its links point")
        interpreter = _interpreter(found.name, found.at)
    # A user who may change the interpreter that runs kdiag decides what kdiag is.
    if interpreter and interpreter != sys.executable:
        if scripts == _MOST_SCRIPTS:
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
        try:
            _judge(interpreter, scripts + 1)
        except Untrusted as error:
            raise Untrusted(f"{path} is a script for {interpreter}: {error}") from None


def _interpreter(name: str, at: int) -> str:
    """The program in the first line of a script; "" of anything else, and of what may be run and not read."""
    try:
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=at)
    except PermissionError:
        return ""
    try:
        line = os.read(fd, _FIRST_LINE).partition(b"\n")[0]
    finally:
        os.close(fd)
    words = line[2:].split(maxsplit=1) if line.startswith(b"#!") else []
    return os.fsdecode(words[0]) if words else ""


def _closed(env: Mapping[str, str]) -> Mapping[str, str]:
    """The environment with a PATH that no other user decides on, and no library that another user can put there."""
    kept = {name: value for name, value in env.items() if name not in _LINKER or _is_loadable(name, value)}
    return {**kept, "PATH": closed_path(kept["PATH"])} if "PATH" in kept else kept


def _is_loadable(name: str, value: str) -> bool:
    """Whether a variable for the linker names only what no other user can change: directories, or libraries by path.
    An empty part means the current directory, a $ something that only the linker knows.
    """
    separators, is_judged = _LINKER[name]
    return "$" not in value and all(map(is_judged, re.split(separators, value)))


def _is_judged_library(part: str) -> bool:
    try:
        return not part or ("/" in part and not distrusted(part))
    except OSError:
        return False


@lru_cache(maxsize=8)
def closed_path(value: str) -> str:
    """The directories of a PATH that no other user can put anything in; the system's own if there is none.

    What was judged once stays judged: only root can change it.
    """
    return os.pathsep.join(filter(_is_closed, value.split(os.pathsep))) or os.defpath


def _is_closed(part: str) -> bool:
    if not part.startswith("/"):
        return False
    try:
        with directory(Path(part)) as fd:
            return not os.fstat(fd).st_mode & stat.S_IWOTH
    except OSError:
        return False


#: What makes ld.so load or look for more (ld.so(8)): how a value is taken apart, and what judges a part. A library
#: without a path is looked for in the other directories, but nothing needs one.
_LINKER = {
    "LD_LIBRARY_PATH": ("[:;]", _is_closed),
    "LD_PRELOAD": ("[: ]", _is_judged_library),
    "LD_AUDIT": (":", _is_judged_library),
}
