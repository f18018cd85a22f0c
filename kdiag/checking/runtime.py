"""Small texts that are kept until the next boot, each under a key: all that the text depends on.

In /run/kdiag for root, in $XDG_RUNTIME_DIR/kdiag for others; both are gone with the boot. A file counts only if the
room of trust accepts it and if its first line is the key. Anything else, and whatever goes wrong, means that nothing is
remembered; nothing fails for lack of it.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

from kdiag import trust

#: A survey of the BTF has a hundred names of modules or some; more is not one of ours.
_LIMIT = 256 * 1024
_END = "end\n"


def _place() -> Path | None:
    if os.geteuid() == 0:
        return Path("/run/kdiag")
    own = os.environ.get("XDG_RUNTIME_DIR", "")
    return Path(own) / "kdiag" if os.path.isabs(own) else None


def recall(name: str, key: str) -> str | None:
    """The text that was kept by this name, if it was under this key."""
    place = _place()
    if place is None:
        return None
    try:
        with trust.directory(place) as at:
            fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=at)
            with os.fdopen(fd, "rb") as file:
                info = os.fstat(fd)
                if not stat.S_ISREG(info.st_mode) or trust.problem(info, name):
                    return None
                found, _, text = file.read(_LIMIT).decode("utf-8").partition("\n")
    except (OSError, ValueError, trust.Untrusted):
        return None
    return text.removesuffix(_END) if found == key and text.endswith(f"\n{_END}") else None


def keep(name: str, key: str, text: str) -> None:
    """Keep whole lines for the next run, if there is a place for them."""
    place = _place()
    data = f"{key}\n{text}{_END}".encode()
    if place is None or not os.path.isdir(place.parent) or "\n" in key or len(data) > _LIMIT:
        return
    # Only a run that saw something new writes.
    from kdiag.trust import write

    with contextlib.suppress(OSError), trust.directory(place, make=0o700) as at:
        # One name for what is not finished: a killed run leaves it for the next one to take away. Should two runs write
        # at once, what lacks its end is not read.
        write.replace(at, name, data, 0o600, by=f".{name}.new")
