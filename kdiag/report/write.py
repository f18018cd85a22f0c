"""Reports into files, by the one room that writes (`kdiag.trust.write`): whole or not at all."""

from __future__ import annotations

from kdiag.console import output


class WriteError(Exception):
    """A file that could not be written; the message names it and says why."""

    def __init__(self, path: str, error: OSError) -> None:
        super().__init__(f"cannot write {path}: {error.strerror or error}")
        self.path = path


def write_atomically(path: str, text: str) -> None:
    """Write the text as UTF-8; `-` is standard output. Raises WriteError."""
    data = text.encode("utf-8", "backslashreplace")
    if path == "-":
        output.document(data)
        return
    from kdiag.trust import write

    try:
        write.file(path, data)
    except OSError as error:
        raise WriteError(path, error) from error
