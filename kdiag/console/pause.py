"""Waits for the reader of a terminal."""

from __future__ import annotations

import sys

from kdiag.console import output


def reader_is_there() -> bool:
    """Whether a person sees what is printed, and can answer."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()


def wait(question: str) -> None:
    """Until Enter is pressed; the end of input (Control-D) is taken for it."""
    output.text(question)
    if not sys.stdin.readline():
        output.text("\n")
