"""What the kernel's BTF was found to be, kept until the next boot: a running kernel's BTF does not change.

In /run/kdiag for root, in $XDG_RUNTIME_DIR/kdiag for others; both are gone with the boot. The file counts only if the
room of trust accepts it and if it is about this very BTF, read by this very kdiag: see `key`. Anything else, and
whatever goes wrong, means that the BTF is read again; nothing fails for lack of it.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from kdiag import __version__, parse, trust
from kdiag.machine.btf import SYSFS, VMLINUX, ModuleBtf, Survey

_NAME = "btf-survey"
#: A survey has a hundred names of modules or some; more is not one of ours.
_LIMIT = 256 * 1024
#: Changed whenever a `Survey` gets other fields.
_FORM = 1


def key() -> str | None:
    """All that a survey depends on, in one line; None where one of it cannot be known.

    The boot; the BTF that is there (device and inode tell one that was mounted over it); the modules' BTF, by name;
    and the code that reads it.
    """
    try:
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            boot = file.read(64).strip()
        shown = os.stat(VMLINUX)
        reader = [os.stat(part).st_mtime_ns for part in _code()]
        names = sorted(os.listdir(SYSFS))
    except (OSError, ValueError):
        return None
    if not boot or not stat.S_ISREG(shown.st_mode) or any("\n" in name or " " in name for name in names):
        return None
    place = (shown.st_dev, shown.st_ino, shown.st_size)
    return " ".join(map(str, (_FORM, __version__, *reader, boot, *place, *names)))


def _code() -> list[str]:
    home = os.path.join(os.path.dirname(parse.__file__), "btf")
    return [
        home,
        *(entry.path for entry in sorted(os.scandir(home), key=lambda e: e.name) if entry.is_file()),
    ]


def _place() -> Path | None:
    if os.geteuid() == 0:
        return Path("/run/kdiag")
    own = os.environ.get("XDG_RUNTIME_DIR", "")
    return Path(own) / "kdiag" if os.path.isabs(own) else None


def recall(known: str) -> Survey | None:
    """The survey that was kept under this key."""
    place = _place()
    if place is None:
        return None
    try:
        with trust.directory(place) as at:
            fd = os.open(_NAME, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=at)
            with os.fdopen(fd, "rb") as file:
                info = os.fstat(fd)
                if not stat.S_ISREG(info.st_mode) or trust.problem(info, _NAME):
                    return None
                text = file.read(_LIMIT).decode("utf-8")
        return _parsed(text, known)
    except (OSError, ValueError, trust.Untrusted):
        return None


def keep(known: str, found: Survey) -> None:
    """Keep it for the next run, if there is a place for it."""
    place = _place()
    if place is None or not os.path.isdir(place.parent):
        return
    text = _text(known, found)
    if len(text) > _LIMIT:
        return
    from kdiag.trust import write

    with contextlib.suppress(OSError), trust.directory(place, make=0o700) as at:
        write.replace(at, _NAME, text.encode(), 0o600)


def _text(known: str, found: Survey) -> str:
    """One fact a line; the last word of a line may have spaces (a message)."""
    lines = [
        known,
        f"{found.size} {found.n_types} {found.byteorder} {found.highest} {found.modules.parsed}",
        *(f"kind {name} {count}" for name, count in found.counts),
        *(f"id {name} {number}" for name, number in found.ids),
        *(f"broken {name} {message}" for name, message in found.modules.broken),
        *(f"module {name} " for name in found.modules.names),
    ]
    if found.task_struct is not None:
        lines.append(f"task_struct {found.task_struct[0]} {found.task_struct[1]}")
    return "\n".join(line.replace("\n", " ") for line in lines) + "\nend\n"


def _parsed(text: str, known: str) -> Survey | None:
    lines = text.splitlines()
    if len(lines) < 3 or lines[0] != known or lines[-1] != "end":
        return None
    size, n_types, byteorder, highest, parsed = lines[1].split(" ")
    parts = [line.split(" ", 2) for line in lines[2:-1]]
    rows: dict[str, list[tuple[str, str]]] = {}
    for word, name, rest in parts:
        rows.setdefault(word, []).append((name, rest))
    task = rows.get("task_struct")
    return Survey(
        size=int(size),
        n_types=int(n_types),
        byteorder=byteorder,
        counts=tuple((name, int(count)) for name, count in rows.get("kind", ())),
        highest=highest,
        ids=tuple((name, int(number)) for name, number in rows.get("id", ())),
        task_struct=None if task is None else (int(task[0][0]), int(task[0][1])),
        modules=ModuleBtf(
            tuple(name for name, _ in rows.get("module", ())), int(parsed), tuple(rows.get("broken", ()))
        ),
    )
