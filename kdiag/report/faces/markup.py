"""Untrusted words in Markdown: nothing in them is markup, a link, a mention, HTML, or an order to the log of a job."""

from __future__ import annotations

import re
from collections.abc import Iterator

from kdiag.console.printable import inert
from kdiag.report.faces.plain import line

#: What Markdown, or the HTML in it, takes as markup; `@`, `#` and the parts of addresses because GitHub makes
#: mentions and links of them; at the start of a line also the marks of lists, headings and rules, and of
#: an order to the log of a job.
_MARKUP = re.compile(r"[&<>\\`*_{}\[\]#!|~@$]|:(?=//)|(?<=www)\.|^[-+=]|(?<!\S):(?=:)")
_NUMBERED = re.compile(r"^(\d{1,9})([.)])(?=\s|$)")


def prose(words: str) -> str:
    """Prose: each character that could be markup as an entity, which tables and HTML take, too."""
    escaped = _MARKUP.sub(lambda match: f"&#{ord(match[0])};", line(words))
    return _NUMBERED.sub(lambda match: f"{match[1]}&#{ord(match[2])};", escaped)


def code(words: str) -> str:
    """A code span. As HTML: back quotes in the text need no counting, and a pipe does not end a cell."""
    return f"<code>{prose(words)}</code>" if words else ""


def fenced(words: str, language: str = "text") -> Iterator[str]:
    """A code block whose fence is longer than any run of back quotes in it."""
    longest = max((len(run) for run in re.findall(r"`+", words)), default=0)
    fence = "`" * max(3, longest + 1)
    yield from (f"{fence}{language}", *inert(words).split("\n"), fence, "")
