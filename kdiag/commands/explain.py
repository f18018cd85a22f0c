"""`kdiag explain`: each subject goes to the room that knows its kind."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from kdiag.console import exits
from kdiag.explain import names
from kdiag.explain.concepts import concept
from kdiag.explain.json import render as render_json
from kdiag.explain.object import answer as objects
from kdiag.explain.object.source import looks_like_one
from kdiag.explain.options import listing, naming
from kdiag.explain.probe import explain as probe
from kdiag.explain.profile import answer as profile
from kdiag.explain.script import explain as script
from kdiag.explain.script.source import as_script
from kdiag.explain.text import render as render_text
from kdiag.report.terminal.page import Page

if TYPE_CHECKING:
    from kdiag.console.terminal import Terminal
    from kdiag.explain.here import Here
    from kdiag.explain.value import Answer

__all__ = ["FORMATS", "answers", "as_script", "rendered", "status"]

FORMATS = ("text", "json")


class _Subject(NamedTuple):
    """A kind of subject. fits: whether a word is one; explain: the answer, or NotKnown."""

    fits: Callable[[str], bool]
    explain: Callable[[str, Here], Answer]


#: In the order in which they are asked; the last takes what is left.
_SUBJECTS: tuple[_Subject, ...] = (
    _Subject(concept.fits, concept.explain),
    _Subject(profile.fits, profile.explain),
    _Subject(script.fits, script.explain),
    _Subject(probe.fits, probe.explain),
    _Subject(naming.fits, naming.explain),
    _Subject(looks_like_one, objects.explain),
    _Subject(lambda _: True, names.explain),
)


def answers(words: Sequence[str], here: Here) -> Iterator[Answer]:
    """One answer for each word; a pattern that fits several names has them in a list. Raises NotKnown for what nothing
    knows.
    """
    for word, is_profile in profile.marked(words, here):
        if is_profile:
            yield profile.explain(word, here)
            continue
        if probe.fits(word) or script.fits(word) or not listing.fits(word):
            yield _answer(word, here)
            continue
        fitting = listing.matching(word, here.known)
        yield _answer(fitting[0].name, here) if len(fitting) == 1 else listing.listed(word, fitting, here)


def _answer(word: str, here: Here) -> Answer:
    return next(subject for subject in _SUBJECTS if subject.fits(word)).explain(word, here)


def rendered(given: Sequence[Answer], output_format: str, terminal: Terminal, place: str) -> str:
    """The answers in a format."""
    if output_format == "json":
        return render_json(given, place)
    return render_text(given, Page(terminal.width, terminal.color, False, terminal.unicode))


def status(given: Sequence[Answer]) -> int:
    """The exit status: 1 if one of the subjects will not run here, 3 if kdiag cannot tell of one, else 0."""
    outcomes = {answer.outcome for answer in given}
    return (
        exits.NOT_READY
        if "fails" in outcomes
        else exits.CANNOT_TELL
        if "unknown" in outcomes
        else exits.READY
    )
