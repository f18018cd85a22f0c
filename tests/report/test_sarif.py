"""SARIF 2.1.0, valid by the schema, and what GitHub and the specification want beyond it.

`data/sarif-2.1.0-used.schema.json` was written for this test after the specification: of the official schema it has
the objects and properties that kdiag writes, with their types, required properties and enumerations, and allows no
others. KDIAG_SARIF_SCHEMA names a file with the official one (docs.oasis-open.org, sarif-schema-2.1.0.json): then
every report is validated by that as well, and it is held against the reduced one.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from jsonschema.validators import validator_for

from kdiag.checking.registry import discover
from kdiag.config.waivers import Waiver, apply
from kdiag.model import Evidence, Report, Status
from kdiag.report.faces.sarif import render
from kdiag.report.formats import explainer
from tests.support.report_samples import HOSTILE, everything, finding, hostile, live, samples, waived

SAMPLES = dict(samples())
REDUCED = json.loads((Path(__file__).parent / "data" / "sarif-2.1.0-used.schema.json").read_text("utf-8"))
OFFICIAL = os.environ.get("KDIAG_SARIF_SCHEMA", "")


def run(report: Report) -> dict[str, Any]:
    document = json.loads(render(report))
    assert (document["version"], len(document["runs"])) == ("2.1.0", 1)
    return dict(document["runs"][0])


def results(report: Report) -> dict[str, dict[str, Any]]:
    return {result["ruleId"]: result for result in run(report)["results"]}


def validate(document: Any, schema: dict[str, Any]) -> None:
    kind = validator_for(schema)
    kind.check_schema(schema)
    kind(schema, format_checker=kind.FORMAT_CHECKER).validate(document)


@pytest.mark.parametrize("sample", SAMPLES)
def test_valid_by_the_schema(sample: str) -> None:
    document = json.loads(render(SAMPLES[sample], explainer(discover(plugins=False))))
    validate(document, REDUCED)
    if OFFICIAL:
        validate(document, json.loads(Path(OFFICIAL).read_text("utf-8")))


def test_the_schema_can_refuse() -> None:
    document = json.loads(render(everything()))
    document["runs"][0]["results"][0]["level"] = "fatal"
    assert not validator_for(REDUCED)(REDUCED).is_valid(document)


@pytest.mark.skipif(not OFFICIAL, reason="KDIAG_SARIF_SCHEMA does not name the official schema")
def test_the_reduced_schema_is_part_of_the_official_one() -> None:
    official = json.loads(Path(OFFICIAL).read_text("utf-8"))
    pairs = [(REDUCED, official)]
    pairs += [
        (REDUCED["definitions"][name], official["definitions"][name]) for name in REDUCED["definitions"]
    ]
    for ours, theirs in pairs:
        assert ours.get("required", []) == theirs.get("required", [])
        for name, value in ours.get("properties", {}).items():
            for key in ("type", "enum", "$ref", "minimum", "pattern", "uniqueItems", "minItems"):
                if key in value:
                    theirs_too = theirs["properties"][name].get(key)
                    allowed = theirs_too if key == "type" and isinstance(theirs_too, list) else [theirs_too]
                    assert value[key] in allowed, (name, key)


def test_levels_and_kinds() -> None:
    told = {name: (r["kind"], r["level"]) for name, r in results(everything()).items()}
    assert told == {
        "a.root": ("fail", "error"),
        "a.symptom": ("fail", "error"),
        "b.note": ("fail", "warning"),
        "c.unknown": ("fail", "error"),
        "d.other": ("fail", "note"),
        "e.idle": ("fail", "note"),
    }


def test_unknown_is_open_where_nothing_fails_for_it() -> None:
    base = everything()
    report = Report(
        base.kdiag, base.created, base.machine, (finding("x.y", Status.UNKNOWN),), (), (), base.verdict
    )
    assert (results(report)["x.y"]["kind"], results(report)["x.y"]["level"]) == ("open", "none")


@pytest.mark.parametrize("sample", SAMPLES)
def test_what_github_wants(sample: str) -> None:
    """docs.github.com: SARIF support for code scanning; one result without a location and the file is refused."""
    told = run(SAMPLES[sample])
    rules = told["tool"]["driver"]["rules"]
    for index, result in enumerate(told["results"]):
        (location,) = result["locations"]
        uri = location["physicalLocation"]["artifactLocation"]["uri"]
        assert uri and not urlsplit(uri).scheme and not uri.startswith("/") and "/../" not in f"/{uri}/"
        assert set(location["physicalLocation"]["region"]) == {
            "startLine",
            "startColumn",
            "endLine",
            "endColumn",
        }
        assert result["message"]["text"]
        assert result["partialFingerprints"]["primaryLocationLineHash"].endswith(":1")
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["ruleIndex"] == index
    for rule in rules:
        assert len(rule["name"]) <= 255
        assert all(rule[key]["text"] for key in ("shortDescription", "fullDescription", "help"))
        assert all(len(rule[key]["text"]) <= 1024 for key in ("shortDescription", "fullDescription"))


def test_fingerprints_are_stable_and_differ() -> None:
    first, second = run(live()), run(live())
    prints = [r["partialFingerprints"]["primaryLocationLineHash"] for r in first["results"]]
    assert prints == [r["partialFingerprints"]["primaryLocationLineHash"] for r in second["results"]]
    assert len(set(prints)) == len(prints) > 0
    other = results(hostile("x"))["1.x"]["partialFingerprints"]
    assert other == results(hostile("x"))["1.x"]["partialFingerprints"]


def test_locations_are_the_paths_of_the_evidence() -> None:
    base = everything()

    def uri(*evidence: Evidence, root: str = "/") -> tuple[str, str]:

        report = replace(
            base,
            machine=base.machine._replace(root=root),
            findings=(finding("x.y", Status.FAIL, evidence=evidence),),
        )
        (result,) = run(report)["results"]
        place = result["locations"][0]["physicalLocation"]["artifactLocation"]
        return run(report)["originalUriBaseIds"][place["uriBaseId"]]["uri"], place["uri"]

    assert uri(Evidence("uname -r", "6.1"), Evidence("statfs /sys/kernel/tracing", "x")) == (
        "file:///",
        "sys/kernel/tracing",
    )
    assert uri(Evidence("/a b/c", "")) == ("file:///", "a")
    assert uri(Evidence("/lib/modules/6.1+x#y/build: gone", ""), root="/mnt/x y") == (
        "file:///mnt/x%20y/",
        "lib/modules/6.1%2Bx%23y/build",
    )
    assert uri(Evidence("bpf(2)", "EPERM")) == ("file:///", "proc/sys/kernel/osrelease")
    assert uri() == ("file:///", "proc/sys/kernel/osrelease")


def test_messages_tell_reason_evidence_and_remedy() -> None:
    text = results(everything())["a.root"]["message"]["text"]
    assert text.split("\n") == [
        "summary of a.root.",
        "reason of a.root",
        "Affects: broken",
        "Seen: /proc/a.root: line one",
        "line two",
        "Seen: bpf(2): EPERM",
        "Fix: Mount it",
        "  sudo mount -t tracefs tracefs /t",
        "Fix: Change the VM's settings",
    ]
    assert "Fix:" not in results(everything())["a.symptom"]["message"]["text"], "its cause has the remedy"


@pytest.mark.parametrize("text", HOSTILE)
def test_messages_hold_no_placeholders_and_no_links(text: str) -> None:
    """3.11.5 and 3.11.6 of the specification."""
    for result in results(hostile(text)).values():
        message = result["message"]["text"].replace("{{", "").replace("}}", "")
        assert "{" not in message and "}" not in message
        assert "](" not in message


def test_rules_have_the_words_of_their_checks() -> None:
    document = json.loads(render(live(), explainer(discover(plugins=False))))
    rules = {rule["id"]: rule for rule in document["runs"][0]["tool"]["driver"]["rules"]}
    assert any("CONFIG_" in rule["help"]["text"] for id_, rule in rules.items() if id_.startswith("config."))
    assert all(len(rule["help"]["text"]) > 20 for rule in rules.values())
    plain = json.loads(render(everything()))["runs"][0]["tool"]["driver"]["rules"][0]
    assert plain["help"]["text"] == plain["shortDescription"]["text"] == "Title of a.root"
    assert plain["name"] == "ARoot"


def test_a_rules_name_is_in_pascal_case() -> None:
    """As SARIF's 3.49.7 shows it, of ids with other characters between their words, too."""
    for written, name in (
        ("bpf.kprobe_multi", "BpfKprobeMulti"),
        ("config.BPF_JIT", "ConfigBpfJit"),
        ("a-b", "AB"),
    ):
        report = replace(everything(), findings=(finding(written, Status.FAIL),), capabilities=(), blocks={})
        (rule,) = run(report)["tool"]["driver"]["rules"]
        assert rule["name"] == name


def test_waivers_are_suppressions() -> None:
    told = results(waived("a.root", "broken"))
    assert told["a.root"]["suppressions"] == [
        {"kind": "external", "status": "accepted", "justification": "reason for a.root (until 2030-06-30)"}
    ]
    assert told["a.root"]["level"] == "note"
    assert "suppressions" not in told["c.unknown"]


def test_what_is_fine_is_no_result() -> None:
    assert {"f.fine", "g.skip"}.isdisjoint(results(everything()))
    assert run(everything())["properties"] == {
        "verdict": "not-ready",
        "summary": "2 of 4 required capabilities work",
        "release": "6.1.0",
        "capabilities": {
            "works": "works",
            "caveat": "caveat",
            "broken": "fails",
            "unsure": "unknown",
            "bcc-other": "fails",
            "maybe": "unknown",
        },
        "required": ["works", "caveat", "broken", "unsure"],
    }


def test_waived_without_an_id_in_the_report_changes_nothing() -> None:
    report = apply(everything(), (Waiver("other", "x", date(2030, 1, 1)),))
    assert run(report)["results"] == run(everything())["results"]
