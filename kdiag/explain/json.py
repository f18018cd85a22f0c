"""Explanations as one stable JSON document, `kdiag.explain/1`: additions keep the number, a key that goes away or
changes its meaning raises it.
"""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Sequence

from kdiag import __version__
from kdiag.console.printable import in_json
from kdiag.console.wrap import clean
from kdiag.explain.value import Answer, Section

SCHEMA = "kdiag.explain/1"


def render(answers: Sequence[Answer], place: str = "") -> str:
    """The document, ending in a newline; all text in it is printable and can be encoded as UTF-8."""
    document = {
        "schema": SCHEMA,
        "kdiag": __version__,
        "place": clean(place),
        "answers": [_answer(answer) for answer in answers],
    }
    return in_json(json.dumps(document, indent=2, ensure_ascii=False)) + "\n"


def schema_text() -> str:
    """The JSON Schema (draft 2020-12) of the document, as shipped."""
    return (pkgutil.get_data(__package__, "explain.schema.json") or b"").decode()


def _answer(answer: Answer) -> dict[str, object]:
    return {
        "subject": clean(answer.subject),
        "kind": answer.kind,
        "title": clean(answer.title),
        "outcome": answer.outcome,
        "verdict": clean(answer.verdict),
        "with_root": answer.with_root or "",
        "sections": [_section(section) for section in answer.sections],
    }


def _section(section: Section) -> dict[str, object]:
    return {
        "title": clean(section.title),
        "text": [clean(text) for text in section.text],
        "head": [clean(cell) for cell in section.head],
        "rows": [[clean(cell) for cell in row] for row in section.rows],
        "commands": [clean(command) for command in section.commands],
    }
