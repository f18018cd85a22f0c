"""An explanation as one stable JSON document, `kdiag.why/1`.

A type of its own, copied field by field: additions keep the number, a key that goes away or changes its meaning raises
it.
"""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Sequence

from kdiag import __version__
from kdiag.console.printable import in_json
from kdiag.console.wrap import clean
from kdiag.model import Finding, Remedy
from kdiag.why.judging import verdict
from kdiag.why.value import Answer, Explanation, Log, Refusal, Strange

SCHEMA = "kdiag.why/1"


def render(explanation: Explanation) -> str:
    """The document, ending in a newline; all text in it is printable and can be encoded as UTF-8."""
    return in_json(json.dumps(document(explanation), indent=2, ensure_ascii=False)) + "\n"


def schema_text() -> str:
    """The JSON Schema (draft 2020-12) of the document, as shipped."""
    return (pkgutil.get_data(__package__, "why.schema.json") or b"").decode()


def document(explanation: Explanation) -> dict[str, object]:
    """The document as a value, for one that contains it."""
    machine, log = explanation.machine, explanation.log
    return {
        "schema": SCHEMA,
        "kdiag": __version__,
        "place": clean(explanation.place),
        "machine": {
            "release": clean(machine.release),
            "arch": clean(machine.arch),
            "bpftrace": clean(machine.bpftrace),
        },
        "verdict": verdict(explanation),
        "other_machine": [clean(words) for words in explanation.foreign],
        "text": _text(log),
        "answers": [_answer(answer) for answer in explanation.answers],
        "unknown": [_strange(one) for one in log.strange],
        "refusal": _refusal(log.refusal, log.refused) if log.refusal else None,
    }


def _text(log: Log) -> dict[str, object]:
    return {
        "lines": log.lines,
        "shortened_lines": log.shortened,
        "cut": log.cut,
        "binary_lines": log.binary,
        "other_complaints": log.untold,
    }


def _answer(answer: Answer) -> dict[str, object]:
    told, message = answer.told, answer.told.message
    return {
        "message": {
            "id": message.id,
            "weight": message.weight,
            "meaning": clean(message.meaning),
            "misleads": clean(message.misleads),
        },
        "line": told.line,
        "text": clean(told.text),
        "times": told.times,
        "details": {name: clean(value) for name, value in told.details},
        "errno": clean(answer.errno),
        "release": clean(answer.release),
        "outcome": answer.outcome,
        "cause": _finding(answer.cause) if answer.cause else None,
        "because": _findings(answer.because),
        "others": _findings(answer.others),
        "candidates": _findings(answer.candidates),
        "ruled_out": _findings(answer.ruled_out),
        "skipped": _findings(answer.skipped),
        "remedy": _remedy(answer.remedy) if answer.remedy else None,
    }


def _findings(findings: Sequence[Finding]) -> list[dict[str, object]]:
    return [_finding(one) for one in findings]


def _finding(finding: Finding) -> dict[str, object]:
    return {
        "id": clean(finding.id),
        "status": finding.status.value,
        "summary": clean(finding.summary),
        "reason": clean(finding.reason),
        "with_root": clean(finding.with_root),
        "evidence": [{"place": clean(e.place), "observed": clean(e.observed)} for e in finding.evidence],
        "does_not_help": [{"advice": clean(w.advice), "why": clean(w.why)} for w in finding.wrong_remedies],
    }


def _remedy(remedy: Remedy) -> dict[str, object]:
    return {
        "title": clean(remedy.title),
        "kind": clean(remedy.kind),
        "commands": [clean(command) for command in remedy.commands],
        "run_on": clean(remedy.run_on),
        "needs": [clean(need) for need in remedy.needs],
        "undo": [clean(command) for command in remedy.undo],
    }


def _strange(one: Strange) -> dict[str, object]:
    nearest = [{"id": message.id, "example": clean(message.example)} for message in one.nearest]
    return {"line": one.line, "text": clean(one.text), "times": one.times, "nearest": nearest}


def _refusal(refusal: Refusal, programs: int) -> dict[str, object]:
    return {
        "programs": programs,
        "line": refusal.line,
        "text": clean(refusal.text),
        "problem": clean(refusal.problem),
        "reason": clean(refusal.reason),
        "at": clean(refusal.at),
        "suggestion": clean(refusal.suggestion),
    }
