"""What is remembered of what machines send, and how much that may be: whoever sends decides what it is.

All of it can be found again, so all of it may be forgotten at any time between two documents.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")
#: What an entry takes besides its bytes.
OVERHEAD = 400


class Remembers(Protocol):
    """Something whose bytes are counted."""

    @property
    def size(self) -> int:
        """How many bytes it holds, about."""

    def clear(self) -> None:
        """Forget all."""


class Memory(dict[Key, Value]):
    """A mapping whose bytes are counted."""

    size = 0

    def keep(self, key: Key, value: Value, size: int) -> Value:
        """Remember a value. size: the bytes that it and its key take."""
        self[key] = value
        self.size += size + OVERHEAD
        return value

    def clear(self) -> None:
        """Forget all."""
        super().clear()
        self.size = 0


def within(most: int, memories: Sequence[Remembers]) -> None:
    """Forget everything if it is more than `most` bytes together."""
    if sum([memory.size for memory in memories]) > most:
        for memory in memories:
            memory.clear()
