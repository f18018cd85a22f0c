"""The one place that writes to standard output and standard error.

Text from every source is made printable here: an escape sequence in a file name never reaches the terminal. Documents
(JSON, a recording, what `kdiag env` gives a shell) are exact bytes.
"""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TextIO

from kdiag.console import printable
from kdiag.console.called import spoken


class CannotWrite(Exception):
    """Standard output takes no more (a full disk): no defect of kdiag."""


def text(words: str, *, color: bool = False) -> None:
    """Text to standard output, in the stream's encoding. color: whether its colours are kept. Raises CannotWrite."""
    document(
        printable.lines(words, color=color).encode(_encoding(sys.stdout), "backslashreplace"),
    )


def rendering(words: str, *, exact: bool, color: bool = False) -> None:
    """A report: as UTF-8 and as it is if `exact`, else as text for a terminal. Raises CannotWrite."""
    if exact:
        document(words.encode())
    else:
        text(words, color=color)


def document(data: bytes) -> None:
    """Bytes to standard output, as they are. Raises CannotWrite."""
    try:
        sys.stdout.flush()
        buffer = getattr(sys.stdout, "buffer", None)
        if buffer is None:
            sys.stdout.write(data.decode("utf-8", "replace"))
        else:
            buffer.write(data)
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise CannotWrite(os.strerror(error.errno or 0)) from None


def error(message: str) -> None:
    """A message on standard error: one line, whatever is in it."""
    line(sys.stderr, f"kdiag: {printable.line(spoken(message))}")


def note(remarks: str) -> None:
    """Remarks on standard error, a line each."""
    for remark in filter(None, remarks.split("\n")):
        error(remark)


def usage(words: str) -> None:
    """How a command is used, on standard error, with its lines."""
    line(sys.stderr, printable.lines(words))


def below(words: str, *, color: bool) -> None:
    """Lines on standard error, with their colours if `color`, below what another program wrote there."""
    line(sys.stderr, printable.lines(words.rstrip("\n"), color=color))


def line(stream: TextIO, words: str) -> None:
    """A line of progress or a message. A stream that takes none changes nothing about what is done."""
    with contextlib.suppress(OSError, ValueError):
        sys.stdout.flush()
    with contextlib.suppress(OSError, ValueError):
        stream.write(printable.fitting(f"{words}\n", _encoding(stream)))
        stream.flush()


def problem() -> OSError | None:
    """Why standard output takes no more, None if it does."""
    try:
        sys.stdout.flush()
    except OSError as failed:
        return failed
    except ValueError:
        pass  # closed: its end was told before
    return None


def drop() -> None:
    """What is left in the buffer would fail again when the interpreter ends: it goes to /dev/null."""
    with contextlib.suppress(OSError, ValueError):
        nothing = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nothing, sys.stdout.fileno())
        os.close(nothing)


def _encoding(stream: TextIO) -> str:
    return stream.encoding or "ascii"
