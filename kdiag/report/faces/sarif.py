"""SARIF 2.1.0 (OASIS): the findings as results, their checks as rules, for code scanning and its viewers.

No library writes it: Microsoft's sarif_om was archived years ago. Besides the specification this follows what
GitHub requires before it accepts a file (docs.github.com, "SARIF support for code scanning"): a physical location for
every result, texts for every rule, and `primaryLocationLineHash` as the fingerprint. Sections named below are those
of the specification.
"""

from __future__ import annotations

import json
import re
from hashlib import sha256
from posixpath import normpath
from typing import TYPE_CHECKING
from urllib.parse import quote

from kdiag.console.printable import in_json
from kdiag.model import Finding, Report, Status
from kdiag.report.faces.plain import block, line, pieces
from kdiag.report.story.grade import Grade, Grades, grades
from kdiag.report.story.order import own_remedies

if TYPE_CHECKING:
    from kdiag.report.formats import Explain

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_LEVELS = {Grade.FINE: "note", Grade.NOTE: "note", Grade.WARNING: "warning", Grade.ERROR: "error"}
_BASE = "MACHINE"
#: Where a result is that no file shows: whose kernel it is about. GitHub refuses results without a location.
_NOWHERE = "/proc/sys/kernel/osrelease"
_PATH = re.compile(r"(?:^|(?<=[\s(=:]))/[^\s,;:'\"<>|*?]*[^\s,;:'\"<>|*?./]")
_TITLE, _DESCRIPTION = 255, 1_000


def render(report: Report, explain: Explain | None = None) -> str:
    """The document, ending in a newline. What is as it should be, or does not arise, is no result.

    explain: gives rules the words of their checks; without it they have their titles.
    """
    graded = grades(report)
    told = [f for f in report.findings if f.status not in (Status.OK, Status.SKIP)]
    shown = {f.id: f for f in told}
    run = {
        "tool": {"driver": _driver(report, told, explain)},
        "automationDetails": {"id": f"kdiag/{_slug(report.machine.release)}/"},
        "originalUriBaseIds": {
            _BASE: {"uri": _root(report), "description": {"text": "The examined machine."}}
        },
        "invocations": [_invocation(report)],
        "columnKind": "unicodeCodePoints",
        "results": [_result(index, f, report, graded, shown) for index, f in enumerate(told)],
        "properties": _properties(report),
    }
    document = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return in_json(json.dumps(document, indent=2, ensure_ascii=False)) + "\n"


def _driver(report: Report, told: list[Finding], explain: Explain | None) -> dict[str, object]:
    rules = [_rule(f, explain) for f in told]
    return {
        "name": "kdiag",
        "version": line(report.kdiag) or "0",
        "shortDescription": {"text": "What can be traced with eBPF on a Linux machine."},
        "rules": rules,
    }


def _rule(finding: Finding, explain: Explain | None) -> dict[str, object]:
    """The rule of a finding: the same text on every machine."""
    title = line(finding.title, _TITLE) or line(finding.id, _TITLE)
    words = block(explain(finding.id)) if explain is not None else ""
    first = words.partition("\n\n")[0].replace("\n", " ")
    return {
        "id": line(finding.id),
        "name": "".join(part.capitalize() for part in re.findall(r"[^\W_]+", line(finding.id, _TITLE))),
        "shortDescription": {"text": _string(title)},
        "fullDescription": {"text": _string(line(first, _DESCRIPTION) or title)},
        "help": {"text": _string(words or title)},
        "properties": {"tags": ["eBPF", line(finding.id.partition(".")[0])]},
    }


def _result(
    index: int, finding: Finding, report: Report, graded: Grades, shown: dict[str, Finding]
) -> dict[str, object]:
    """An unknown is no failure: kind `open` (3.27.9), whose level must be `none` (3.27.10); but what fails the
    job is one, known or not.
    """
    grade = graded.findings[finding.id]
    if finding.status is Status.UNKNOWN and grade is not Grade.ERROR:
        kind, level = "open", "none"
    else:
        kind, level = "fail", _LEVELS[grade]
    result: dict[str, object] = {
        "ruleId": line(finding.id),
        "ruleIndex": index,
        "kind": kind,
        "level": level,
        "message": {"text": _string(_message(finding, report, shown))},
        "locations": [_location(finding)],
        "partialFingerprints": _fingerprints(finding),
        "properties": {
            "status": finding.status.value,
            "affects": [line(i) for i in report.blocks.get(finding.id, ())],
            "causes": [line(i) for i in finding.causes],
        },
    }
    waiver = graded.finding_waiver(finding)
    if waiver is not None:
        why = f"{line(waiver.reason)} (until {waiver.until.isoformat()})"
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": why}]
    return result


def _string(text: str) -> str:
    """A message string: braces would be placeholders (3.11.5), brackets before a parenthesis links (3.11.6)."""
    return text.replace("{", "{{").replace("}", "}}").replace("](", "] (")


def _message(finding: Finding, report: Report, shown: dict[str, Finding]) -> str:
    """Viewers show the first sentence where room is scarce."""
    lines = [f"{line(finding.summary)}."]
    if finding.reason:
        lines.append(line(finding.reason))
    blocked = report.blocks.get(finding.id, ())
    if blocked:
        lines.append(f"Affects: {', '.join(map(line, blocked))}")
    lines += [f"Seen: {source}: {observed}" for source, observed in pieces(finding.evidence)]
    for remedy in own_remedies(finding, shown):
        lines += [f"Fix: {line(remedy.title)}", *(f"  {line(command)}" for command in remedy.commands)]
    return "\n".join(lines)


def _location(finding: Finding) -> dict[str, object]:
    """The first path in the evidence, relative to the machine's root. The region is there because GitHub requires
    one.
    """
    paths = (match[0] for e in finding.evidence if (match := _PATH.search(line(e.source, 500))))
    path = normpath(next(paths, _NOWHERE))
    region = {"startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 1}
    return {
        "physicalLocation": {
            "artifactLocation": {"uri": quote(path.lstrip("/")), "uriBaseId": _BASE},
            "region": region,
        },
        "logicalLocations": [
            {"name": line(finding.id), "fullyQualifiedName": line(finding.id), "kind": "resource"}
        ],
    }


def _fingerprints(finding: Finding) -> dict[str, str]:
    """The same on every run: a finding happens once in a report. The colon and number are GitHub's form."""
    digest = sha256(finding.id.encode("utf-8", "backslashreplace")).hexdigest()[:16]
    return {"primaryLocationLineHash": f"{digest}:1", "kdiagFinding/v1": digest}


def _invocation(report: Report) -> dict[str, object]:
    invocation: dict[str, object] = {"executionSuccessful": True}
    if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", report.created):
        invocation["endTimeUtc"] = report.created
    return invocation


def _properties(report: Report) -> dict[str, object]:
    """What has no place of its own in SARIF: the verdict and the capabilities."""
    return {
        "verdict": report.verdict.status.value,
        "summary": line(report.verdict.summary),
        "release": line(report.machine.release),
        "capabilities": {line(c.id): c.status.value for c in report.capabilities},
        "required": [line(i) for i in report.required],
    }


def _root(report: Report) -> str:
    """A URI that ends in a slash, as bases must (3.14.14)."""
    root = line(report.machine.root).strip("/")
    return f"file:///{quote(root)}/" if root else "file:///"


def _slug(text: str) -> str:
    """The kernel's release distinguishes the runs of a matrix."""
    return re.sub(r"[^\w.+-]", "_", line(text, 100)) or "unknown"
