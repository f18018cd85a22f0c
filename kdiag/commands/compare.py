"""`kdiag compare`: machines side by side, by their reports and recordings; with a baseline, a check for CI."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from kdiag.checking.analysis import analyse
from kdiag.checking.registry import discover
from kdiag.commands.information import gather, unseen
from kdiag.compare.differences import SHOWN
from kdiag.compare.differences import compare as compared
from kdiag.compare.grouping import Fold
from kdiag.compare.information import Information, same
from kdiag.compare.json import render as render_json
from kdiag.compare.markdown import render as render_markdown
from kdiag.compare.reading.answers import MachineSummary
from kdiag.compare.reading.inputs import BadInput, Document, Unread, documents, paths
from kdiag.compare.reading.summary import Reader
from kdiag.compare.text import render as render_text
from kdiag.console import exits, printable
from kdiag.machine import Machine
from kdiag.recording.pack import archive, opened
from kdiag.report.document import BadReport
from kdiag.system.recording import Recording
from kdiag.system.recording_index import BadRecording

if TYPE_CHECKING:
    from kdiag.checking.registry import Registry
    from kdiag.compare.value import Comparison
    from kdiag.model import Report
    from kdiag.report.formats import Options

FORMATS = ("text", "json", "markdown", "html")
#: How many machines' kernels are compared by content.
_INFORMED = 8
#: Complaints about inputs that are told one by one.
_TOLD = 10


class Compared(NamedTuple):
    """The comparison, the exit status, and for standard error ("" for nothing)."""

    comparison: Comparison
    status: int
    note: str


def compare(given: Sequence[str], baseline: str | None = None, *, every_column: bool = False) -> Compared:
    """Compare what is given: two machines or more, or one with a baseline. Raises BadInput for a usage that makes no
    sense, and for a baseline that cannot be read; other inputs that cannot be read are left out and told.
    """
    reader, fold = Reader(), Fold()
    kernels: list[Information] = []
    reference = None if baseline is None else _only(baseline, reader, kernels)
    unread = Unread()
    total = 0
    for path in paths(given):
        try:
            for document in documents(path, reader):
                try:
                    fold.add(document.name, summarise(document, reader, kernels))
                    total += 1
                except BadInput as bad:
                    unread.add(document.name, str(bad))
        except BadInput as bad:
            unread.add(path, str(bad))
    if total == 0:
        first, *more = _complaints(unread) or ["nothing to compare"]
        raise BadInput(first, more)
    if total == 1 and reference is None:
        raise BadInput(
            "one machine cannot be compared: name another one, or a --baseline", _complaints(unread)
        )
    found = compared(fold, reference, baseline or "", None if every_column else SHOWN)
    # Of many machines, a sentence would be a list.
    told = same(kernels) if len(kernels) <= _INFORMED and any(one.recorded for one in kernels) else ()
    rest = [(f"{unread.more} more", "could not be read")] if unread.more else []
    found = found._replace(skipped=(*unread.told, *rest), information=told)
    status = exit_status(found)
    note = "\n".join(map(printable.line, _complaints(unread)))
    return Compared(found, exits.USAGE if unread.count and status != exits.NOT_READY else status, note)


def _only(path: str, reader: Reader, kernels: list[Information]) -> MachineSummary:
    """The baseline: exactly one report or recording."""
    found = [document for some in paths((path,)) for document in documents(some)]
    if len(found) != 1:
        raise BadInput(f"{path}: a baseline is one report or recording, not {len(found)}")
    return summarise(found[0], reader, kernels)


class Reading:
    """Reads one document after the other, as `summarise` does. recogniser: knows reports like those before."""

    def __init__(self) -> None:
        self.recogniser = Reader()

    def __call__(self, document: Document) -> MachineSummary:
        """What a document says. Raises BadInput."""
        return summarise(document, self.recogniser, None)


def summarise(document: Document, reader: Reader, kernels: list[Information] | None) -> MachineSummary:
    """What a document says; what its kernel says of itself is added to `kernels`. Raises BadInput with its name and the
    place.
    """
    if document.problem:
        raise BadInput(f"{document.name}: {document.problem}")
    try:
        if not document.recording:
            summary = document.summary or reader.read(document.text)
            if kernels is not None and len(kernels) <= _INFORMED:
                kernels.append(unseen(document.name, summary.machine.release))
            return summary
        system = recording(document)
        machine = Machine(system)
        summary = reader.of(_examined(machine))
        if kernels is not None and len(kernels) <= _INFORMED:
            kernels.append(gather(document.name, machine, system.reduced))
        return summary
    except (BadReport, BadRecording) as bad:
        told = str(bad)
        raise BadInput(told if told.startswith(document.name) else f"{document.name}: {told}") from None


def recording(document: Document) -> Recording:
    """The recording that a document is, or leads to. Raises BadRecording."""
    return Recording(archive(document.text, document.name)) if document.text else opened(document.name)


def played_back(document: Document) -> Report:
    """The report on a recording, by the checks of this kdiag. Raises BadRecording."""
    return _examined(Machine(recording(document)))


def _examined(machine: Machine) -> Report:
    registry = _registry()
    return analyse(machine, registry, registry.checks)


@cache
def _registry() -> Registry:
    return discover()


def exit_status(comparison: Comparison) -> int:
    """A regression is a failure; what cannot be told any more is no success either."""
    kinds = {change.kind for change in comparison.changes}
    return exits.NOT_READY if "lost" in kinds else exits.CANNOT_TELL if "unknown" in kinds else exits.READY


def rendered(comparison: Comparison, output_format: str, options: Options) -> str:
    """The comparison in one of FORMATS."""
    if output_format == "json":
        return render_json(comparison)
    if output_format == "markdown":
        return render_markdown(comparison)
    if output_format == "html":
        from kdiag.compare.html import render

        return render(comparison)
    return render_text(
        comparison,
        width=options.width,
        color=options.color,
        verbose=options.verbose,
        unicode=options.unicode,
    )


def _complaints(unread: Unread) -> list[str]:
    lines = [f"{name}: {why}" for name, why in unread.told[:_TOLD]]
    if unread.count > _TOLD:
        lines.append(f"and {unread.count - _TOLD} more that could not be read")
    return lines
