"""JUnit XML: valid by both schemas that Jenkins' xunit plug-in has had, and read by junitparser.

`data/junit-10-jenkins-*.xsd` are of jenkinsci/xunit-plugin (MIT licence, in the files), the elder one and the
stricter newer one.
"""

from __future__ import annotations

from functools import cache
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree

import pytest
import xmlschema
from junitparser import Failure, JUnitXml, Skipped

from kdiag.capabilities.verdict import judge
from kdiag.console import exits
from kdiag.model import Report
from kdiag.report.faces.junit import render
from tests.support.report_samples import everything, samples, waived

SAMPLES = dict(samples())
SCHEMAS = sorted(Path(__file__).parent.glob("data/junit-10-*.xsd"))


@cache
def schema(path: Path) -> xmlschema.XMLSchema:
    return xmlschema.XMLSchema(str(path))


@pytest.mark.parametrize("sample", SAMPLES)
@pytest.mark.parametrize("path", SCHEMAS, ids=lambda p: p.stem)
def test_valid_by_jenkins_schemas(path: Path, sample: str) -> None:
    assert len(SCHEMAS) == 2
    schema(path).validate(StringIO(render(SAMPLES[sample])))


def test_the_schemas_can_refuse() -> None:
    broken = render(everything()).replace("<testcase ", "<testcase nonsense='1' ", 1)
    for path in SCHEMAS:
        assert not schema(path).is_valid(StringIO(broken))


def cases(report: Report) -> dict[str, tuple[str, str, str]]:
    """Name -> (classname, result, message)."""
    found: dict[str, tuple[str, str, str]] = {}
    for suite in JUnitXml.fromstring(render(report).encode()):
        for case in suite:
            name, results = case.name.partition(":")[0], case.result or []
            assert len(results) <= 1
            kind = type(results[0]).__name__.lower() if results else "passed"
            found[name] = (case.classname, kind, results[0].message if results else "")
    return found


def test_results() -> None:
    told = cases(everything())
    assert {name: kind for name, (_, kind, _) in told.items()} == {
        "works": "passed",
        "caveat": "passed",
        "broken": "failure",
        "unsure": "failure",
        "bcc-other": "skipped",
        "maybe": "skipped",
        "a.root": "failure",
        "a.symptom": "failure",
        "b.note": "passed",
        "c.unknown": "failure",
        "d.other": "skipped",
        "e.idle": "skipped",
        "f.fine": "passed",
        "g.skip": "skipped",
    }
    assert told["works"][0] == "kdiag.bpftrace" and told["bcc-other"][0] == "kdiag.BCC"
    assert told["a.root"][0] == "kdiag.a"
    assert told["broken"][2] == "does not work: why broken is fails"
    assert told["bcc-other"][2] == "not required; does not work: why bcc-other is fails"
    assert told["d.other"][2] == "nothing required waits for it; summary of d.other"
    assert told["e.idle"][2] == "not in the way here: summary of e.idle"
    assert told["g.skip"][2] == "does not arise here: summary of g.skip"


def test_what_failed_is_told_in_full() -> None:
    root = ElementTree.fromstring(render(everything()))
    (failure,) = root.findall(".//testcase[@name='broken: Title of broken']/failure")
    text = failure.text or ""
    assert "a.root (fail): summary of a.root\nreason of a.root\n" in text
    assert "seen: /proc/a.root: line one\nline two\n" in text
    assert "  $ sudo mount -t tracefs tracefs /t" in text
    (caveat,) = root.findall(".//testcase[@name='caveat: Title of caveat']/system-out")
    assert (caveat.text or "").startswith("works with a caveat: why caveat is caveat\n\nb.note (warn)")


def test_waived_is_skipped_with_the_reason() -> None:
    told = cases(waived("broken", "c.unknown"))
    assert told["broken"][1:] == (
        "skipped",
        "waived until 2030-06-30 (reason for broken); does not work: why broken is fails",
    )
    assert told["unsure"][1:] == (
        "skipped",
        "waived until 2030-06-30 (reason for c.unknown); cannot tell: why unsure is unknown",
    )
    assert told["a.root"][1:] == ("skipped", "what is required and waits for it is waived; summary of a.root")
    assert not any(kind == "failure" for _, kind, _ in told.values())


@pytest.mark.parametrize(
    "sample", [s for s in SAMPLES if not s.startswith(("hostile", "everything", "empty"))]
)
def test_there_are_failures_exactly_where_the_exit_status_is_not_zero(sample: str) -> None:
    report = SAMPLES[sample]
    if sample != "waived":  # the hand-made verdicts are not judged
        verdict = judge(report.capabilities, report.findings, report.required, report.blocks)
    else:
        verdict = report.verdict
    document = JUnitXml.fromstring(render(report).encode())
    failures = sum(isinstance(r, Failure) for suite in document for case in suite for r in case.result or [])
    assert (failures > 0) == (exits.of(verdict.status) != exits.READY)


@pytest.mark.parametrize("sample", SAMPLES)
def test_the_counts_are_right(sample: str) -> None:
    document = JUnitXml.fromstring(render(SAMPLES[sample]).encode())
    total = failures = 0
    for suite in document:
        results = [r for case in suite for r in case.result or []]
        assert suite.tests == len(list(suite))
        assert suite.failures == sum(isinstance(r, Failure) for r in results)
        assert suite.skipped == sum(isinstance(r, Skipped) for r in results)
        total, failures = total + suite.tests, failures + suite.failures
    assert (document.tests, document.failures) == (total, failures)
    assert total == len(SAMPLES[sample].capabilities) + len(SAMPLES[sample].findings)


def test_properties_tell_where_it_was() -> None:
    root = ElementTree.fromstring(render(everything()))
    for suite in root:
        values = {p.get("name"): p.get("value") for p in suite.findall("properties/property")}
        assert values["machine.release"] == "6.1.0" and values["kdiag.verdict"] == "not-ready"
        assert "machine.vm" not in values
        assert suite.get("timestamp") == "2025-01-02T03:04:05"
