"""The one exception that every parser raises for input it cannot make sense of."""

from __future__ import annotations


class ParseError(ValueError):
    """Input that is not what it claims to be.

    `message` says what was expected and what was found; `offset` is the byte offset (or line number, where the
    message says so) at which reading stopped, None where there is no single place.
    """

    def __init__(self, message: str, offset: int | None = None) -> None:
        super().__init__(message if offset is None else f"{message} (at offset {offset})")
        self.message = message
        self.offset = offset
