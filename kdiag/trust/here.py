"""The current directory: it may belong to another user, be gone, or not be searchable by this one."""

from __future__ import annotations

import os


def real() -> str:
    """Its real path; "" where it was deleted: no path leads there any more."""
    try:
        return os.path.realpath(os.curdir)
    except OSError:
        return ""


def absolute(path: str) -> str:
    """A path from the root. From a deleted directory no such path leads anywhere: the relative one stays."""
    try:
        return os.path.abspath(path)
    except OSError:
        return path
