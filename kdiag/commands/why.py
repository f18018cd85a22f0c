"""`kdiag why`: a tool's message in, its cause on this machine out."""

from __future__ import annotations

import io
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from types import FrameType
from typing import TYPE_CHECKING

from kdiag.parse.compression import identify
from kdiag.report.story.next_step import RECORDED, elsewhere
from kdiag.report.terminal.page import Page
from kdiag.trust import read
from kdiag.why.joining import join
from kdiag.why.json import render as render_json
from kdiag.why.judging import explained, status
from kdiag.why.markdown import render as render_markdown
from kdiag.why.named import held
from kdiag.why.reading import Reading
from kdiag.why.text import BRIEF
from kdiag.why.text import render as render_text

if TYPE_CHECKING:
    from kdiag.btf.sources import Source
    from kdiag.console.terminal import Terminal
    from kdiag.model import Report
    from kdiag.why.value import Explanation, Log

#: What unpacks a compressed text. `lz4cat` reads frames of both kinds.
_UNPACKING = {
    "gzip": "zcat",
    "xz": "xzcat",
    "lzma": "lzcat",
    "bzip2": "bzcat",
    "zstd": "zstdcat",
    "lz4": "lz4cat",
    "lz4-frame": "lz4cat",
    "lzo": "lzop -dc",
}
#: One word that ends so is the name of a file that is not there, and no message.
_ENDINGS = (".log", ".txt", ".out", ".err", ".gz", ".xz", ".zst", ".json", ".md")

FORMATS = ("text", "json", "markdown")


class BadText(Exception):
    """There is no text to explain, or it cannot be read."""


def log_of(words: Sequence[str]) -> Log:
    """What is in the text that is given: a file's name, the message itself, or (nothing, or `-`) standard input.
    Raises BadText.
    """
    if not words or list(words) == ["-"]:
        if sys.stdin is None or sys.stdin.isatty():
            raise BadText(
                "give a message, a file, or pipe a tool's output in:\n"
                "  bpftrace ... 2>&1 | kdiag why\n"
                '  kdiag why "ERROR: ..."\n'
                "  kdiag why FILE\n"
                "  kdiag run -- bpftrace ...    says it by itself where the command fails"
            )
        with _interrupted_once():
            return join(Reading(sys.stdin.buffer))
    text = " ".join(words)
    if len(words) == 1 and _names_file(text):
        try:
            with read.opened(text) as file:
                if packed := identify(file.peek(16)[:16]):
                    raise BadText(
                        f"{text} is compressed: {_UNPACKING[packed]} {text} | kdiag why "
                        f"(a recording: --from {text})"
                    )
                return join(Reading(file))
        except OSError as error:
            raise BadText(f"cannot open {text}: {error.strerror or error}") from None
    return log_in(os.fsencode(text))


def log_in(said: bytes) -> Log:
    """What is in a text that is given as bytes."""
    return join(Reading(io.BytesIO(said)))


@contextmanager
def _interrupted_once() -> Iterator[None]:
    """An interrupt from the keyboard ends the tool before the pipe, which then says the rest; the next one ends us."""
    before = signal.getsignal(signal.SIGINT)

    def first(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, before)

    if before is signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGINT, first)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _names_file(text: str) -> bool:
    """Whether an argument is a file's name: there is such a file, or one word is a path, or ends as logs do."""
    if "\n" in text or len(text) > 4096:
        return False
    with suppress(OSError, ValueError):
        os.lstat(text)
        return True
    if any(c.isspace() or c == ":" for c in text):
        return False
    return text.startswith(("/", "./", "../")) or text.endswith(_ENDINGS)


def explain(
    log: Log, report: Report, types: Callable[[], Source] | None = None, *, recorded: bool = False
) -> Explanation:
    """The log held against a report, and the names in it against the kernel's types. types: may raise NoTypes; None
    where they are not to be had. recorded: of a machine that was recorded, not of this one.
    """
    place = RECORDED if recorded else ""
    explanation = explained(log, elsewhere(report, place) if place else report, place)
    return explanation if types is None else held(explanation, types)


def rendered(
    explanation: Explanation, output_format: str, terminal: Terminal, *, verbose: bool
) -> tuple[str, int]:
    """The explanation in a format, and the exit status."""
    if output_format == "json":
        return render_json(explanation), status(explanation)
    if output_format == "markdown":
        return render_markdown(explanation), status(explanation)
    page = Page(terminal.width, terminal.color, verbose, terminal.unicode)
    return render_text(explanation, page), status(explanation)


def in_brief(explanation: Explanation, terminal: Terminal) -> str:
    """What is said below a command's own words."""
    return render_text(explanation, Page(terminal.width, terminal.color, False, terminal.unicode), BRIEF)
