"""The lab's one expected error: what went wrong and what to do about it."""

from __future__ import annotations


class LabError(Exception):
    """Something the person at the keyboard can act on; ``hint`` says how."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
