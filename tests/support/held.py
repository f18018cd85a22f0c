"""How much an object holds: what may grow without an end when a sender goes on for ever."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any


def held(of: Any) -> int:
    """The entries of all mappings, sets and lists that an object of kdiag's leads to."""
    seen: set[int] = set()
    waiting = deque([of])
    count = 0
    while waiting:
        one = waiting.popleft()
        if id(one) in seen or isinstance(one, str | bytes | int):
            continue
        seen.add(id(one))
        if isinstance(one, Mapping):
            count += len(one)
            waiting += [*one.keys(), *one.values()]
        elif isinstance(one, Iterable) and hasattr(one, "__len__"):
            count += len(one)
            waiting += one
        if type(one).__module__.startswith("kdiag."):
            waiting += getattr(one, "__dict__", {}).values()
    return count
