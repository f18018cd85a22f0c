"""What the user gets when kdiag itself is broken: a short message, and a file with the details to send."""

from __future__ import annotations

import platform
import sys
import traceback

from kdiag import HOME, __version__
from kdiag.trust import scratch


def write_report(error: BaseException) -> str:
    """Write the details to a private file and return the message for the terminal."""
    details = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    text = (
        f"kdiag {__version__}, Python {platform.python_version()}, {platform.platform()}\n"
        f"arguments: {sys.argv[1:]!r}\n\n{details}"
    )
    head = f"this is a defect of kdiag, not of your machine: {type(error).__name__}: {error}"
    try:
        path = scratch.kept("kdiag-report-", ".txt", text.encode("utf-8", "backslashreplace"))
    except OSError:
        return f"{head}\nPlease report it at {HOME}/issues, with all of this:\n\n{text}"
    return f"{head}\nPlease report it at {HOME}/issues, with the file {path} and the command that you typed."
