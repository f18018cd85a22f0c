"""Where PATH leads; who else decides on what is there is asked elsewhere (`program`)."""

from __future__ import annotations

import os


def find(name: str, path: str | None) -> str | None:
    """The first executable called `name` along `path`, the value of PATH; empty parts do not mean `.` here."""
    if "/" in name:
        return name if os.access(name, os.X_OK) else None
    for part in (path if path is not None else os.defpath).split(os.pathsep):
        candidate = os.path.join(part, name)
        if part.startswith("/") and os.path.isfile(candidate) and os.access(candidate, os.X_OK):
            return candidate
    return None
