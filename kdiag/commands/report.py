"""`kdiag report`: reports that were kept, shown again in any format."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from kdiag.commands.compare import played_back
from kdiag.compare.reading.inputs import BadInput, Document, documents, paths
from kdiag.console import exits
from kdiag.report.document import BadReport, load
from kdiag.system.recording_index import BadRecording

if TYPE_CHECKING:
    from kdiag.model import Report


def reports(given: Sequence[str]) -> Iterator[tuple[str, Report | BadInput]]:
    """(name, report) of every report or recording that is given, one at a time; of one that cannot be read, why. Raises
    BadInput for what is not there.
    """
    for path in paths(given):
        try:
            for document in documents(path):
                yield document.name, _report(document)
        except BadInput as bad:
            yield path, bad  # the other files are no worse for it


def _report(document: Document) -> Report | BadInput:
    name, told = document.name, document.problem
    if not told:
        try:
            return played_back(document) if document.recording else load(document.text)
        except (BadReport, BadRecording) as bad:
            told = str(bad)
    return BadInput(told if told.startswith(name) else f"{name}: {told}")


def worst(statuses: Sequence[int]) -> int:
    """One exit status for several reports: not ready, then not read, then unknown, then ready."""
    return next((s for s in (exits.NOT_READY, exits.USAGE, exits.CANNOT_TELL) if s in statuses), exits.READY)
