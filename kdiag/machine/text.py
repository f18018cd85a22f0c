"""Small readings that several facts share: one line, one number, one mounted kernel file."""

from __future__ import annotations

from kdiag.system import System, Unavailable


def read_text(system: System, path: str, limit: int = 1024 * 1024) -> str | None:
    """A small text file without surrounding white space, None if absent; undecodable bytes are replaced."""
    data = system.read(path, limit)
    return None if data is None else data.decode("utf-8", "replace").strip("\0\n\t ")


def read_number(system: System, path: str) -> int | None:
    """A file that holds one whole number, None if absent. Anything else in it is Unavailable."""
    text = read_text(system, path, 4096)
    if text is None:
        return None
    try:
        return int(text)
    except ValueError:
        raise Unavailable(f"{path}: holds {text!r:.60}, not a number") from None


def exists(system: System, path: str) -> bool:
    """Whether something is at `path` (links followed)."""
    return system.stat(path) is not None
