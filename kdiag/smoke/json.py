"""The smoke report as one stable JSON document, `kdiag.smoke/1`.

A type of its own, copied field by field: additions keep the number, a key that goes away or changes its meaning
raises it.
"""

from __future__ import annotations

import json
import pkgutil

from kdiag.console.printable import in_json
from kdiag.console.wrap import clean
from kdiag.smoke.model import Outcome, Result, SmokeReport
from kdiag.smoke.verdict import verdict

SCHEMA = "kdiag.smoke/1"


def render(report: SmokeReport) -> str:
    """The document, ending in a newline; all text in it is printable and can be encoded as UTF-8."""
    return in_json(json.dumps(document(report), indent=2, ensure_ascii=False)) + "\n"


def schema_text() -> str:
    """The JSON Schema (draft 2020-12) of the document, as shipped."""
    return (pkgutil.get_data(__package__, "smoke.schema.json") or b"").decode()


def document(report: SmokeReport) -> dict[str, object]:
    """The document as a value, for one that contains it."""
    judged = verdict(report)
    return {
        "schema": SCHEMA,
        "kdiag": clean(report.kdiag),
        "created": clean(report.created),
        "machine": {
            "release": clean(report.machine.release),
            "arch": clean(report.machine.arch),
            "bpftrace": clean(report.machine.bpftrace),
        },
        "programs": [_program(one) for one in report.programs],
        "required": [clean(one) for one in report.required],
        "seconds": round(report.seconds, 3),
        "remarks": [clean(one) for one in report.remarks],
        "summary": {
            "status": judged.status.value,
            "text": clean(judged.summary),
            **{outcome.value: report.count(outcome) for outcome in Outcome},
            "disagreements": [clean(one.id) for one in report.disagreements],
        },
    }


def _program(one: Result) -> dict[str, object]:
    return {
        "id": clean(one.id),
        "title": clean(one.title),
        "tool": clean(one.tool),
        "capability": clean(one.capability),
        "needs": [clean(need) for need in one.needs],
        "outcome": one.outcome.value,
        "message": clean(one.message),
        "meaning": clean(one.meaning),
        "here": clean(one.here),
        "predicted": one.predicted.value if one.predicted else None,
        "agrees": one.agrees,
        "seconds": round(one.seconds, 3),
        "arguments": [_lines(argument) for argument in one.arguments],
        "output": _lines(one.output),
    }


def _lines(text: str) -> str:
    """A cleaned text that keeps its lines and their indentation."""
    return "\n".join(
        " " * (len(line) - len(line.lstrip(" "))) + clean(line)
        for line in text.replace("\r\n", "\n").split("\n")
    )
