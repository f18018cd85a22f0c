"""The kernel's log of this boot, in one bounded look that changes nothing and waits for nothing.

/dev/kmsg gives one record for each read(2), marked with who wrote it and with line breaks escaped (Documentation/ABI/
testing/dev-kmsg). Where it is not there or may not be opened, syslog(2) gives the newest part of the same buffer in one
call (man 2 syslog). Both ask for CAP_SYSLOG where kernel.dmesg_restrict is 1 (kernel/printk/printk.c,
check_syslog_permissions). The journal has a copy, which members of some groups may read (man 8 systemd-journald,
"Access Control"): the third way, taken only where its file can be opened, since it starts a program.
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat

from kdiag import errnos
from kdiag.parse.kernel_log import LIMIT, PATH
from kdiag.system.base import CommandResult, Unavailable
from kdiag.system.commands import launch

_MOST_RECORDS = 30_000
#: A read with less room than a record has fails with EINVAL (CONSOLE_EXT_LOG_MAX was 8192).
_RECORD = 16 * 1024
#: Documentation/admin-guide/devices.txt
_DEVICE = os.makedev(1, 11)
#: SYSLOG_ACTION_READ_ALL: reads, removes nothing.
_READ_ALL = 3


#: Lines of the kernel itself, of this boot (man 7 systemd.journal-fields); the newest of them.
_JOURNAL = (
    "journalctl",
    "--boot",
    "--quiet",
    "--no-pager",
    "--output=cat",
    "--lines=5000",
    "_TRANSPORT=kernel",
    "SYSLOG_FACILITY=0",
)
#: Persistent, else until the next boot (man 8 systemd-journald, "Files").
_JOURNALS = ("/var/log/journal", "/run/log/journal")
_SECONDS = 3.0


def read() -> bytes:
    """The records, one in a line, the oldest first. Raises Unavailable with the reasons of all ways."""
    reasons: list[str] = []
    number: int | None = None
    for name, way in ((PATH, _records), ("syslog(2)", _by_call)):
        try:
            return way()
        except OSError as error:
            reasons.append(f"{name}: {_words(error)}")
            number = error.errno
    try:
        return from_journal(_journal())
    except OSError as error:
        reasons.append(f"the journal: {_words(error)}")
    except Unavailable as gap:
        reasons.append(f"the journal: {gap.reason}")
    raise Unavailable("; ".join(reasons), number)


def from_journal(result: CommandResult) -> bytes:
    """The lines as syslog(2) would give them. Raises Unavailable where journalctl gave none."""
    if result.status != 0 or not result.stdout:
        why = result.stderr.strip().partition("\n")[0]
        raise Unavailable(why or f"{_JOURNAL[0]} ended with status {result.status} and no line")
    # Of level and time nothing is asked; that the kernel wrote it is what SYSLOG_FACILITY=0 selects.
    return "".join(f"<4>{line}\n" for line in result.stdout.splitlines()).encode()


def _journal() -> CommandResult:
    with open("/etc/machine-id", "rb") as file:
        name = file.read(64).decode("ascii", "replace").strip()
    first: OSError | None = None
    for place in _JOURNALS:
        try:
            os.close(os.open(f"{place}/{name}/system.journal", os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC))
        except OSError as error:
            first = first if isinstance(first, PermissionError) else error
        else:
            return launch(_JOURNAL, _SECONDS).result()
    raise first or FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))


def _words(error: OSError) -> str:
    number = error.errno or 0
    return f"{errnos.name(number)}: {errnos.words(number)}"


def _records() -> bytes:
    descriptor = _opened()
    kept: list[bytes] = []
    size = 0
    try:
        for _ in range(_MOST_RECORDS):
            try:
                record = os.read(descriptor, _RECORD)
            except BlockingIOError:
                break
            except BrokenPipeError:  # overwritten meanwhile: the next read has the oldest that is left
                continue
            # What follows the first line are properties (SUBSYSTEM=, DEVICE=).
            line = record.partition(b"\n")[0] + b"\n"
            size += len(line)
            if not record or size > LIMIT:
                break
            kept.append(line)
    finally:
        os.close(descriptor)
    return b"".join(kept)


def _opened() -> int:
    """The log's device and nothing else: containers have links to their console under this name."""
    if not _is_the_log(os.lstat(PATH)):
        raise FileNotFoundError(errno.ENXIO, os.strerror(errno.ENXIO))
    descriptor = os.open(PATH, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    if not _is_the_log(os.fstat(descriptor)):
        os.close(descriptor)
        raise FileNotFoundError(errno.ENXIO, os.strerror(errno.ENXIO))
    return descriptor


def _is_the_log(info: os.stat_result) -> bool:
    return stat.S_ISCHR(info.st_mode) and info.st_rdev == _DEVICE


def _by_call() -> bytes:
    libc = ctypes.CDLL(None, use_errno=True)
    block = ctypes.create_string_buffer(LIMIT)
    ctypes.set_errno(0)
    length = int(libc.klogctl(ctypes.c_int(_READ_ALL), block, ctypes.c_int(LIMIT)))
    if length < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return block.raw[:length]
