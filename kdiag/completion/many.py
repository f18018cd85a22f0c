"""Sixty thousand functions are no list to choose from: where too many names fit, their beginnings are offered."""

from __future__ import annotations

from collections.abc import Iterable

from kdiag.completion.value import Candidate

#: More than a terminal shows at once; a shell takes a moment for each.
MOST = 400


def offered(names: Iterable[str], start: str, before: str = "") -> tuple[Candidate, ...]:
    """The names that begin with `start`, each after `before`; where they are more than `MOST`, how they go on up to the
    next underscore, or by one letter.
    """
    fitting = sorted({name for name in names if name.startswith(start)})
    if len(fitting) <= MOST:
        return tuple(Candidate(before + name) for name in fitting)
    parts = {_part(name, len(start)) for name in fitting}
    if len(parts) > MOST:
        parts = {name[: len(start) + 1] for name in fitting}
    whole = set(fitting)
    return tuple(Candidate(before + part, "", part not in whole) for part in sorted(parts))


def _part(name: str, length: int) -> str:
    """Up to the underscore behind the next letter."""
    at = name.find("_", length + 1)
    return name if at < 0 else name[: at + 1]
