"""What the kernel's BTF was found to be, kept until the next boot: a running kernel's BTF does not change.

It counts if it is about this very BTF, read by this very kdiag: see `key`. Else the BTF is read again.
"""

from __future__ import annotations

import os
import stat

from kdiag import __version__, parse
from kdiag.checking import runtime
from kdiag.machine.btf import SYSFS, VMLINUX, ModuleBtf, Survey

_NAME = "btf-survey"
#: Changed whenever a `Survey` gets other fields or other functions.
_FORM = 3


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
    """The files of the code that reads it; the one file that all of kdiag is in, if it is."""
    home = os.path.join(os.path.dirname(parse.__file__), "btf")
    archive = home
    while not os.path.exists(archive):
        archive = os.path.dirname(archive)
    if not os.path.isdir(archive):
        return [archive]
    return [
        home,
        *(entry.path for entry in sorted(os.scandir(home), key=lambda e: e.name) if entry.is_file()),
    ]


def recall(known: str) -> Survey | None:
    """The survey that was kept under this key."""
    text = runtime.recall(_NAME, known)
    try:
        return None if text is None else _parsed(text)
    except ValueError:
        return None


def keep(known: str, found: Survey) -> None:
    """Keep it for the next run."""
    runtime.keep(_NAME, known, _text(found))


def _text(found: Survey) -> str:
    """One fact a line; the last word of a line may have spaces (a message)."""
    lines = [
        f"{found.size} {found.n_types} {found.byteorder} {found.highest} {found.modules.parsed}",
        *(f"kind {name} {count}" for name, count in found.counts),
        *(f"id {name} {number}" for name, number in found.ids),
        *(f"broken {name} {message}" for name, message in found.modules.broken),
        *(f"module {name} " for name in found.modules.names),
    ]
    if found.task_struct is not None:
        lines.append(f"task_struct {found.task_struct[0]} {found.task_struct[1]}")
    return "".join(f"{line.replace(chr(10), ' ')}\n" for line in lines)


def _parsed(text: str) -> Survey:
    first, *lines = text.splitlines()
    size, n_types, byteorder, highest, parsed = first.split(" ")
    parts = [line.split(" ", 2) for line in lines]
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
