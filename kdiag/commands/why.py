"""`kdiag why`: a tool's message in, its cause on this machine out."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, BinaryIO

from kdiag.report.story.next_step import RECORDED, elsewhere
from kdiag.report.terminal.page import Page
from kdiag.trust import read
from kdiag.why.joining import join
from kdiag.why.judging import explained, status
from kdiag.why.reading import lines
from kdiag.why.text import render as render_text

if TYPE_CHECKING:
    from kdiag.console.terminal import Terminal
    from kdiag.model import Report
    from kdiag.why.value import Explanation, Log

FORMATS = ("text",)


class BadText(Exception):
    """There is no text to explain, or it cannot be read."""


def log_of(words: Sequence[str]) -> Log:
    """What is in the text that is given: a file's name, the message itself, or (nothing, or `-`) standard input.
    Raises BadText.
    """
    if not words or list(words) == ["-"]:
        if sys.stdin is None or sys.stdin.isatty():
            raise BadText("give a message, a file, or pipe a tool's output in: bpftrace ... 2>&1 | kdiag why")
        return _streamed(sys.stdin.buffer)
    text = " ".join(words)
    if len(words) == 1 and _names_file(text):
        try:
            with read.opened(text) as file:
                return _streamed(file)
        except OSError as error:
            raise BadText(f"cannot open {text}: {error.strerror or error}") from None
    return join(lines(io.BytesIO(os.fsencode(text))))


def _names_file(text: str) -> bool:
    """Whether an argument is a file's name: there is such a file, or it is an absolute path of one word."""
    if "\n" in text or len(text) > 4096:
        return False
    with suppress(OSError, ValueError):
        os.lstat(text)
        return True
    return text.startswith(("/", "./", "../")) and not any(c.isspace() or c == ":" for c in text)


def _streamed(stream: BinaryIO) -> Log:
    log = join(lines(stream))
    return log._replace(cut=bool(stream.read(1)))


def explain(log: Log, report: Report, *, recorded: bool = False) -> Explanation:
    """The log held against a report. recorded: of a machine that was recorded, not of this one."""
    place = RECORDED if recorded else ""
    return explained(log, elsewhere(report, place) if place else report, place)


def rendered(explanation: Explanation, terminal: Terminal, *, verbose: bool) -> tuple[str, int]:
    """The explanation as text, and the exit status."""
    page = Page(terminal.width, terminal.color, verbose, terminal.unicode)
    return render_text(explanation, page), status(explanation)
