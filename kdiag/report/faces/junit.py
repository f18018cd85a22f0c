"""JUnit XML, as Jenkins, GitLab and the readers of GitHub take it (checked against Jenkins' two schemas).

Two suites: the capabilities (classname `kdiag.<tool>`), then the findings (classname `kdiag.<subject>`).
- a required capability that fails or cannot be told is a failure; one that works with a caveat passes, with the
  caveat as its output;
- a capability that is not required, or waived, and does not fully work is skipped, with the reason;
- a finding is a failure if a required capability fails for it, else it passes or is skipped in the same way.
So the numbers of failures are zero exactly where kdiag's exit status is.
"""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from kdiag.config.waivers import Waiver
from kdiag.console.printable import in_markup
from kdiag.model import Capability, Finding, MachineInfo, Report, Status, Works
from kdiag.report.faces.plain import line, pieces
from kdiag.report.story.grade import Grade, Grades, grades

_WORDS = {
    Works.WORKS: "works",
    Works.CAVEAT: "works with a caveat",
    Works.FAILS: "does not work",
    Works.UNKNOWN: "cannot tell",
}


def render(report: Report) -> str:
    """The document, ending in a newline."""
    graded = grades(report)
    by_id = {f.id: f for f in report.findings}
    capabilities = [_capability(c, graded, by_id) for c in report.capabilities]
    findings = [_finding(f, report, graded) for f in report.findings]
    root = Element("testsuites", {"name": "kdiag"})
    for name, cases in (("kdiag capabilities", capabilities), ("kdiag findings", findings)):
        suite = SubElement(root, "testsuite", {"name": name, **_counts(cases), **_timestamp(report)})
        suite.append(_properties(report))
        suite.extend(cases)
    every = _counts([*capabilities, *findings])
    # Of the two schemas, the elder one does not know `skipped` here.
    root.attrib.update({key: every[key] for key in ("tests", "failures", "errors")})
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + in_markup(tostring(root, encoding="unicode")) + "\n"


def _counts(cases: list[Element]) -> dict[str, str]:
    def having(tag: str) -> int:
        return sum(case.find(tag) is not None for case in cases)

    counts = {"tests": len(cases), "failures": having("failure"), "errors": 0, "skipped": having("skipped")}
    return {key: str(value) for key, value in counts.items()} | {"time": "0"}


def _timestamp(report: Report) -> dict[str, str]:
    """ISO 8601 without the zone, as the readers expect it."""
    return {"timestamp": line(report.created.removesuffix("Z"))} if report.created else {}


def _properties(report: Report) -> Element:
    """Where the report was made: what distinguishes the runs of a matrix of kernels."""
    properties = Element("properties")
    values = {"kdiag.version": report.kdiag, "kdiag.verdict": report.verdict.status.value}
    values |= {f"machine.{name}": getattr(report.machine, name) for name in MachineInfo._fields}
    for name, value in values.items():
        if value:
            SubElement(properties, "property", {"name": name, "value": line(value)})
    return properties


def _capability(capability: Capability, graded: Grades, by_id: dict[str, Finding]) -> Element:
    case = _case(f"kdiag.{_name(capability.tool)}", f"{capability.id}: {capability.title}")
    told = f"{_WORDS[capability.status]}: {capability.because}".removesuffix(": ")
    decisive = [by_id[i] for i in capability.findings if i in by_id and by_id[i].status is not Status.OK]
    text = "\n\n".join(_story(f) for f in decisive)
    excuse = _waived(graded.capability_waiver(capability)) or "not required"
    _result(case, graded.capabilities[capability.id], told, text, excuse)
    return case


def _finding(finding: Finding, report: Report, graded: Grades) -> Element:
    case = _case(f"kdiag.{_name(finding.id.partition('.')[0])}", f"{finding.id}: {finding.title}")
    grade = graded.findings[finding.id]
    if grade is Grade.FINE and finding.status is not Status.OK:
        words = "does not arise here" if finding.status is Status.SKIP else "not in the way here"
        _skip(case, f"{words}: {finding.summary}")
        _output(case, _story(finding))
        return case
    required = not set(report.required).isdisjoint(report.blocks.get(finding.id, ()))
    excuse = "what is required and waits for it is waived" if required else "nothing required waits for it"
    excuse = _waived(graded.finding_waiver(finding)) or excuse
    _result(case, grade, finding.summary, _story(finding), excuse)
    return case


def _waived(waiver: Waiver | None) -> str:
    return f"waived until {waiver.until.isoformat()} ({waiver.reason})" if waiver is not None else ""


def _result(case: Element, grade: Grade, told: str, text: str, excuse: str) -> None:
    if grade is Grade.ERROR:
        failure = SubElement(case, "failure", {"message": line(told), "type": "kdiag"})
        failure.text = text
        return
    if grade is Grade.NOTE:
        _skip(case, f"{excuse}; {told}")
    _output(case, text if grade is not Grade.WARNING else f"{line(told)}\n\n{text}")


def _case(classname: str, name: str) -> Element:
    return Element("testcase", {"classname": line(classname), "name": line(name), "time": "0"})


def _name(word: str) -> str:
    """A part of a classname: readers split those at dots."""
    return word.replace(".", "_").replace(" ", "_")


def _skip(case: Element, message: str) -> None:
    SubElement(case, "skipped", {"message": line(message)})


def _output(case: Element, text: str) -> None:
    if text.strip():
        SubElement(case, "system-out").text = text.strip()


def _story(finding: Finding) -> str:
    """A finding in lines: summary, reason, evidence, what to do."""
    return "\n".join(_lines(finding))


def _lines(finding: Finding) -> Iterator[str]:
    yield f"{line(finding.id)} ({finding.status.value}): {line(finding.summary)}"
    if finding.reason:
        yield line(finding.reason)
    if finding.causes:
        yield f"because of: {', '.join(map(line, finding.causes))}"
    yield from (f"seen: {source}: {observed}" for source, observed in pieces(finding.evidence))
    for remedy in finding.remedies:
        yield f"fix: {line(remedy.title)}"
        yield from (f"  $ {line(command)}" for command in remedy.commands)
