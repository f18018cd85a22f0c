"""The report as one stable JSON document, `kdiag.report/1`, and the way back.

A type of its own, copied field by field: a change of the model is not a change of what other programs read.
Additions keep the number; a key that goes away or changes its meaning raises it.
"""

from __future__ import annotations

import json

from kdiag.console.printable import in_json
from kdiag.model import Capability, Finding, Remedy, Report
from kdiag.report.read import SCHEMA, BadReport, load

__all__ = ["SCHEMA", "BadReport", "load", "render", "schema_text"]


def render(report: Report) -> str:
    """The document, ending in a newline; it can always be encoded as UTF-8: write bytes, whatever the locale.

    A byte that was not UTF-8 (a surrogate, which JSON cannot carry) becomes the text `\\x80`. All that
    is not printable is escaped, C1 and bidirectional characters too: the document may be shown on a terminal.
    """
    return in_json(json.dumps(_document(report), indent=2, ensure_ascii=False)) + "\n"


def joined(report: str, smoke: str) -> str:
    """One document of a rendered report and a rendered smoke run, which goes under `smoke`."""
    document = json.loads(report)
    document["smoke"] = json.loads(smoke)
    return in_json(json.dumps(document, indent=2, ensure_ascii=False)) + "\n"


def schema_text() -> str:
    """The JSON Schema (draft 2020-12) of the document, as shipped."""
    from pathlib import Path

    return Path(__file__).with_name("report.schema.json").read_text(encoding="utf-8")


def _document(report: Report) -> dict[str, object]:
    machine, verdict = report.machine, report.verdict
    return {
        "schema": SCHEMA,
        "kdiag": report.kdiag,
        "created": report.created,
        "machine": {
            "release": machine.release,
            "version": machine.version,
            "arch": machine.arch,
            "kernel": machine.kernel,
            "distribution": machine.distribution,
            "container": machine.container,
            "vm": machine.vm,
            "bpftrace": machine.bpftrace,
            "user": machine.user,
            "root": machine.root,
        },
        "findings": [_finding(f, report.blocks.get(f.id, ())) for f in report.findings],
        "capabilities": [_capability(c) for c in report.capabilities],
        "tools": report.tools,
        "required": report.required,
        "verdict": {
            "status": verdict.status.value,
            "summary": verdict.summary,
            "next": verdict.next,
            "run_on": verdict.run_on,
        },
    }


def _finding(finding: Finding, blocks: tuple[str, ...]) -> dict[str, object]:
    return {
        "id": finding.id,
        "title": finding.title,
        "status": finding.status.value,
        "summary": finding.summary,
        "reason": finding.reason,
        "evidence": [{"source": e.source, "observed": e.observed} for e in finding.evidence],
        "causes": finding.causes,
        "remedies": [_remedy(r) for r in finding.remedies],
        "wrong_remedies": [{"advice": w.advice, "why": w.why} for w in finding.wrong_remedies],
        "with_root": finding.with_root,
        "blocks": blocks,
    }


def _remedy(remedy: Remedy) -> dict[str, object]:
    return {
        "id": remedy.id,
        "title": remedy.title,
        "kind": remedy.kind,
        "commands": remedy.commands,
        "run_on": remedy.run_on,
        "needs": remedy.needs,
        "undo": remedy.undo,
    }


def _capability(capability: Capability) -> dict[str, object]:
    return {
        "id": capability.id,
        "title": capability.title,
        "tool": capability.tool,
        "status": capability.status.value,
        "because": capability.because,
        "findings": capability.findings,
        "with_root": capability.with_root.value if capability.with_root else None,
    }
