"""The formats by name: which module renders one, which file names mean it. Nothing is imported before it is needed."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from functools import partial
from importlib import import_module
from inspect import cleandoc
from typing import TYPE_CHECKING, NamedTuple, Protocol, cast

from kdiag.report.story.next_step import elsewhere
from kdiag.report.story.tools import of_tools
from kdiag.words import did_you_mean

if TYPE_CHECKING:
    from kdiag.checking.registry import Registry
    from kdiag.model import Report

#: From the id of a finding to what its check says about itself; an empty string where that is not known.
Explain = Callable[[str], str]


class Format(NamedTuple):
    """A face of the report. suffixes: of file names that mean it. utf8: whether the document is UTF-8 whatever
    the locale; the others are for a terminal or a log, in its encoding.
    """

    name: str
    summary: str
    suffixes: tuple[str, ...] = ()
    utf8: bool = True


class Options(NamedTuple):
    """What renderers may need to know besides the report. The first four are for `text` only; explain: for
    `sarif` and `html`, which carry the checks' own words. place: where the examined machine is, if it is not this one;
    in `json` what is to be done on the examined machine is `here` wherever that is. name: of one of several reports,
    for `line`.
    """

    width: int = 80
    color: bool = False
    verbose: bool = False
    unicode: bool = True
    explain: Explain | None = None
    place: str = ""
    name: str = ""


FORMATS: dict[str, Format] = {
    f.name: f
    for f in (
        Format("text", "for a person at a terminal", (".txt",), utf8=False),
        Format("line", "one line, as --quiet prints: a message of the day", utf8=False),
        Format("json", "everything, for programs; its schema: kdiag schema", (".json",)),
        Format("markdown", "for a job's summary, an issue, a chat", (".md", ".markdown")),
        Format("html", "one file for a browser, without scripts", (".html", ".htm")),
        Format("junit", "JUnit XML for Jenkins, GitLab and others", (".xml",)),
        Format("sarif", "SARIF 2.1.0 for code scanning", (".sarif", ".sarif.json")),
        Format("github", "annotations in a log of GitHub Actions"),
        Format("tap", "TAP 13 for test harnesses", (".tap",)),
        Format("prometheus", "metrics for node_exporter's textfile collector", (".prom",)),
        Format("nagios", "one line of a monitoring plug-in, with its exit statuses", utf8=False),
    )
}

NAMES: tuple[str, ...] = tuple(FORMATS)


class UnknownFormat(ValueError):
    """A format that is not there; the message names the nearest one."""


class _Renderer(Protocol):
    def render(self, report: Report) -> str: ...


class _ExplainingRenderer(Protocol):
    def render(self, report: Report, explain: Explain | None = None) -> str: ...


def named(name: str) -> Format:
    """The format of this name. Raises UnknownFormat."""
    if name in FORMATS:
        return FORMATS[name]
    raise UnknownFormat(f"no format is called {name!r}{did_you_mean(name, NAMES)} ({', '.join(NAMES)})")


def of_path(path: str) -> str | None:
    """The name of the format that a file name means, None if it means none; the longest suffix decides."""
    low = path.casefold()
    matching = [(len(s), f.name) for f in FORMATS.values() for s in f.suffixes if low.endswith(s)]
    return max(matching)[1] if matching else None


def render_as(name: str, report: Report, options: Options | None = None) -> str:
    """The report in a format, ending in a newline; it can always be encoded as UTF-8. Raises UnknownFormat."""
    options = options or Options()
    module = import_module(f"kdiag.report.faces.{named(name).name}")
    if name != "json":
        report = of_tools(elsewhere(report, options.place) if options.place else report)
    if name == "text":
        from kdiag.report.faces.text import render

        return render(
            report,
            width=options.width,
            color=options.color,
            verbose=options.verbose,
            unicode=options.unicode,
        )
    if name == "line":
        from kdiag.report.faces.line import render as one_line

        return one_line(report, options.name)
    if name in ("sarif", "html"):
        return cast(_ExplainingRenderer, module).render(report, options.explain)
    return cast(_Renderer, module).render(report)


def explainer(registry: Registry) -> Explain:
    """Looks the words of checks up in a registry, by the ids of their findings."""
    return partial(_explain, registry)


def _explain(registry: Registry, finding_id: str) -> str:
    for found in registry.checks:
        if any(fnmatchcase(finding_id, pattern) for pattern in (found.check.id, *found.check.finding_ids)):
            return cleandoc(found.check.doc)
    return ""
