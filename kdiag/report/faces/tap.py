"""TAP 13 (testanything.org): a test per capability, with what decided it as a YAML block.

Version 13 and not 14, which the `prove` of Perl 5.36 still refuses. A required capability that fails or cannot be
told is `not ok`; what is not required, or waived, is `not ok ... # TODO` where it fails, which harnesses show but
do not count, and `ok ... # SKIP` where it cannot be told.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

from kdiag.console.printable import in_json
from kdiag.model import Capability, Finding, Report, Status, Works
from kdiag.report.faces.plain import line, pieces
from kdiag.report.story.grade import Grade, Grades, grades


def render(report: Report) -> str:
    """The document, ending in a newline."""
    graded = grades(report)
    by_id = {f.id: f for f in report.findings}
    lines = ["TAP version 13", f"1..{len(report.capabilities)}"]
    lines[1] += "" if report.capabilities else " # SKIP nothing was judged"
    lines += [f"# {_words(text)}" for text in _about(report)]
    for number, capability in enumerate(report.capabilities, 1):
        lines.append(_test(number, capability, graded))
        lines += _diagnosis(capability, report, graded, by_id)
    return "\n".join(lines) + "\n"


def _about(report: Report) -> Iterator[str]:
    yield f"kdiag {report.kdiag}, {report.created}"
    yield f"{report.machine.release} {report.machine.arch}, bpftrace {report.machine.bpftrace or 'unknown'}"
    yield f"{report.verdict.status.value}: {report.verdict.summary}"


def _test(number: int, capability: Capability, graded: Grades) -> str:
    told = f"{number} - {_words(capability.id)} ({_words(capability.title)})"
    grade, waiver = graded.capabilities[capability.id], graded.capability_waiver(capability)
    if grade is Grade.ERROR:
        return f"not ok {told}"
    if grade is not Grade.NOTE or capability.status is Works.CAVEAT:
        return f"ok {told}"
    why = "not required"
    if waiver is not None:
        why = f"waived until {waiver.until.isoformat()}, {waiver.reason}"
    if capability.status is Works.UNKNOWN:
        return f"ok {told} # SKIP {_words(why)}; cannot tell: {_words(capability.because)}"
    return f"not ok {told} # TODO {_words(why)}: {_words(capability.because)}"


def _words(text: str) -> str:
    """A description. Number signs begin directives, and few readers know the same escape for them."""
    return line(text, 300).replace("#", "")


def _diagnosis(
    capability: Capability, report: Report, graded: Grades, by_id: dict[str, Finding]
) -> Iterator[str]:
    """The YAML block of what does not simply work. JSON strings and lists are YAML."""
    if capability.status is Works.WORKS:
        return
    waiver = graded.capability_waiver(capability)
    yield "  ---"
    yield f"  message: {_string(capability.because or 'no reason was given')}"
    yield f"  severity: {'fail' if graded.capabilities[capability.id] is Grade.ERROR else 'comment'}"
    yield f"  capability: {_string(capability.id)}"
    yield f"  title: {_string(capability.title)}"
    yield f"  tool: {_string(capability.tool)}"
    yield f"  status: {capability.status.value}"
    yield f"  required: {'true' if capability.id in report.required else 'false'}"
    if waiver is not None:
        yield f"  waived: {_string(waiver.reason)}"
        yield f"  until: {_string(waiver.until.isoformat())}"
    decisive = [by_id[i] for i in capability.findings if i in by_id and by_id[i].status is not Status.OK]
    if decisive:
        yield "  findings:"
    for finding in decisive:
        yield f"    - id: {_string(finding.id)}"
        yield f"      status: {finding.status.value}"
        yield f"      summary: {_string(finding.summary)}"
        yield f"      reason: {_string(finding.reason)}"
        seen = [f"{source}: {observed}" for source, observed in pieces(finding.evidence, 500, 5_000)]
        yield f"      seen: {in_json(json.dumps(seen, ensure_ascii=False))}"
        fix = [line(command) for remedy in finding.remedies for command in remedy.commands]
        yield f"      fix: {in_json(json.dumps(fix, ensure_ascii=False))}"
    yield "  ..."


def _string(text: str) -> str:
    return in_json(json.dumps(line(text), ensure_ascii=False))
