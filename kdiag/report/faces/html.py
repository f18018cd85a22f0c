"""The report as one HTML file: no scripts, nothing loaded from anywhere, every string escaped by the template engine.

The page's Content-Security-Policy lets in its own style sheet (by its hash) and nothing else, so that even a
mistake here could not make a browser run or fetch something. The templates are in `templates/`.
"""

from __future__ import annotations

import pkgutil
from base64 import b64encode
from collections.abc import Iterable
from functools import cache
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from kdiag.config.waivers import InForce, in_force
from kdiag.console.printable import in_markup
from kdiag.model import Report, Status
from kdiag.report.faces.html_view import VERDICTS, Card, cards, facts, rows, segments, waivers
from kdiag.report.faces.plain import line
from kdiag.report.story.next_step import in_words, label
from kdiag.report.story.order import heading, in_the_way, not_in_the_way, urgent
from kdiag.report.story.paragraphs import Paragraph, one_by_one, told_together

if TYPE_CHECKING:
    from jinja2 import Environment

    from kdiag.report.formats import Explain


def _template(name: str) -> str | None:
    """The text of a template; by the loader, since kdiag may be in an archive."""
    data = pkgutil.get_data(__package__, f"templates/{name}")
    return None if data is None else data.decode()


class _Section(NamedTuple):
    """Findings under a heading. folded: behind it, for those who want to see them; calm: without colours of alarm."""

    id: str
    heading: str
    note: str
    cards: tuple[Card, ...]
    folded: bool = False
    calm: bool = False


def render(report: Report, explain: Explain | None = None) -> str:
    """The page, ending in a newline. explain: the words of a finding's check, for those who unfold them."""
    force = in_force(report)
    return page(
        "report.html.j2",
        title=f"kdiag: {line(report.machine.release, 80) or 'report'}",
        made=" · ".join(filter(None, (f"kdiag {line(report.kdiag, 80)}", line(report.created, 80)))),
        verdict=VERDICTS[report.verdict.status],
        summary=line(report.verdict.summary),
        next=line(report.verdict.next),
        next_label=line(label(report.verdict)),
        next_in_words=in_words(report.verdict),
        facts=facts(report.machine),
        segments=segments(report),
        groups=rows(report, force),
        waivers=waivers(force),
        sections=[section for section in _sections(report, force, explain) if section.cards],
    )


def _sections(report: Report, force: InForce, explain: Explain | None) -> Iterable[_Section]:
    way = in_the_way(report)
    grave = urgent(report, way)
    ids = {f.id for f in grave}

    def shown(paragraphs: Iterable[Paragraph]) -> tuple[Card, ...]:
        return tuple(cards(report, paragraphs, force, explain, ids))

    told = told_together(report, way)
    first = [paragraph for paragraph in told if not ids.isdisjoint(f.id for f in paragraph.members)]
    rest = [paragraph for paragraph in told if paragraph not in first]
    others = shown(one_by_one(not_in_the_way(report)))
    fine = shown(one_by_one(f for f in report.findings if f.status is Status.OK))
    skipped = shown(one_by_one(f for f in report.findings if f.status is Status.SKIP))
    yield _Section("way", heading(report), "Of what is required here.", shown(first))
    yield _Section("limits", "Also limited", "Nothing that is required waits for these.", shown(rest))
    note = "Not as it could be, but nothing waits for it."
    yield _Section("others", "Not in the way", note, others, folded=True, calm=True)
    yield _Section("fine", "As it should be", "", fine, folded=True)
    yield _Section("skipped", "Does not arise here", "", skipped, folded=True, calm=True)


def page(template: str, assets: str = "", **values: object) -> str:
    """A page of ours from one of the templates, ending in a newline. assets: the name of a style sheet and a script of
    ours beside the template, which a page with nothing to sort or to filter does not have.
    """
    css = _css() + (_template(f"{assets}.css") or "" if assets else "")
    script = _template(f"{assets}.js") or "" if assets else ""
    policy = f"default-src 'none'; style-src {_hash(css)}; img-src data:; base-uri 'none'; form-action 'none'"
    policy += f"; script-src {_hash(script)}" if script else ""
    text: str = _environment().get_template(template).render(values, css=css, script=script, policy=policy)
    # No value is in the style sheet and the script, which must stay as they are: their hashes are in the policy.
    head, styled, rest = text.rstrip("\n").partition(css)
    body, scripted, tail = rest.rpartition(script) if script else (rest, "", "")
    return in_markup(head) + styled + in_markup(body) + scripted + in_markup(tail) + "\n"


def _hash(source: str) -> str:
    return f"'sha256-{b64encode(sha256(source.encode()).digest()).decode()}'"


@cache
def _css() -> str:
    """The style sheet, which is ours: the only text that goes into a page as it is."""
    return _template("style.css") or ""


@cache
def _environment() -> Environment:
    from jinja2 import Environment, FunctionLoader, StrictUndefined

    return Environment(
        loader=FunctionLoader(_template),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
