"""The JSON document: the schema holds for whatever a report says, and what is read is what was written."""

from __future__ import annotations

import copy
import dataclasses
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from enum import Enum
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from kdiag.model import (
    Capability,
    Evidence,
    Finding,
    MachineInfo,
    Readiness,
    Remedy,
    Report,
    Status,
    Verdict,
    Works,
    WrongRemedy,
)
from kdiag.report.document import KINDS, SCHEMA, BadReport, load
from kdiag.report.faces.json import render, schema_text

SAMPLE = Path(__file__).with_name("sample.json").read_text(encoding="utf-8")
VALIDATOR = Draft202012Validator(json.loads(schema_text()))
ANYTHING = st.text(st.characters())  # surrogates and control characters too


def written(text: str = "text") -> Report:
    """A report in which every field is set, every status occurs, and the text is wherever text may be."""
    remedies = tuple(Remedy(text, text, kind, (text, text), text, (text,), (text,)) for kind in KINDS)
    findings = tuple(
        Finding(
            status,
            text,
            text,
            f"finding.{status.value}",
            text,
            (Evidence(text, text),),
            (f"cause {text}",),
            remedies,
            (WrongRemedy(text, text),),
            text,
        )
        for status in Status
    )
    capabilities = tuple(
        Capability(f"capability.{status.value}", text, text, status, text, (f"finding {text}",), root)
        for status, root in zip(Works, (None, Works.WORKS, Works.FAILS, Works.UNKNOWN), strict=True)
    )
    return Report(
        kdiag=text,
        created=text,
        machine=MachineInfo(*[text] * len(MachineInfo._fields)),
        findings=findings,
        capabilities=capabilities,
        required=("capability.works", "capability.fails"),
        verdict=Verdict(Readiness.NOT_READY, text, text),
        blocks={"finding.fail": ("capability.fails",), "finding.warn": ("capability.caveat",)},
    )


def empty() -> Report:
    return Report("0", "", MachineInfo(), (), (), (), Verdict(Readiness.UNKNOWN, ""))


def complaints(document: object) -> list[str]:
    return [f"{error.json_path}: {error.message}" for error in VALIDATOR.iter_errors(document)]


def objects(value: object, path: str = "$") -> Iterator[tuple[str, dict[str, object]]]:
    """Every object of a document with its path."""
    if isinstance(value, dict):
        yield path, value
        for key, item in value.items():
            yield from objects(item, f"{path}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from objects(item, f"{path}[{index}]")


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(json.loads(schema_text()))


def test_the_schema_is_the_published_one() -> None:
    """What the definition gives is what other programs were told; a key that is added is added to the file as well."""
    published = Path(__file__).with_name("report.schema.json").read_text(encoding="utf-8")
    assert json.loads(schema_text()) == json.loads(published)


def test_a_report_without_what_was_added_later_is_read() -> None:
    document = json.loads(SAMPLE)
    del document["tools"], document["verdict"]["run_on"]
    old = load(json.dumps(document))
    now = load(SAMPLE)
    assert old == replace(now, tools=(), verdict=now.verdict._replace(run_on="here"))


@pytest.mark.parametrize("report", [written(), empty(), load(SAMPLE)], ids=["full", "empty", "sample"])
def test_what_is_rendered_is_valid_and_reads_back_the_same(report: Report) -> None:
    text = render(report)
    assert complaints(json.loads(text)) == []
    assert text.endswith("}\n")
    assert load(text) == report
    assert load(text.encode()) == report


@pytest.mark.parametrize("readiness", Readiness)
def test_every_verdict_reads_back(readiness: Readiness) -> None:
    report = replace(empty(), verdict=Verdict(readiness, "so it is", "kdiag check"))
    assert complaints(json.loads(render(report))) == []
    assert load(render(report)).verdict == report.verdict


def test_the_document_is_stable() -> None:
    assert render(load(SAMPLE)) == SAMPLE
    assert list(json.loads(SAMPLE)) == [
        "schema", "kdiag", "created", "machine", "findings", "capabilities", "tools", "required", "verdict", "waivers",
    ]  # fmt: skip


#: Written where a container can see its host, and of a capability that is a part of another; nowhere else.
SELDOM = ("host", "side", "part_of")


@pytest.mark.slow
def test_the_schema_demands_every_key_and_allows_no_other() -> None:
    document = json.loads(render(written()))
    for path, item in objects(document):
        for key in list(item):
            value = item.pop(key)
            assert complaints(document) or key in SELDOM, f"{path}.{key} may be missing"
            item[key] = value
        item["surprise"] = "x"
        assert bool(complaints(document)) is (path != "$.machine"), f"{path}.surprise"
        del item["surprise"]
    assert complaints(document) == []


def test_the_schema_describes_every_key() -> None:
    for path, item in objects(json.loads(schema_text())):
        if path.endswith(".properties"):
            for key, shape in item.items():
                target = shape if isinstance(shape, dict) else {}
                name = str(target.get("$ref", "")).rpartition("/")[2]
                described = (
                    "description" in target or "description" in json.loads(schema_text())["$defs"][name]
                )
                assert described, f"{path}.{key}"


def test_the_schema_and_the_model_know_the_same_words() -> None:
    definitions = json.loads(schema_text())["$defs"]

    def words(kind: type[Enum]) -> list[str]:
        return [member.value for member in kind]

    assert definitions["finding"]["properties"]["status"]["enum"] == words(Status)
    assert definitions["works"]["enum"] == words(Works)
    assert definitions["verdict"]["properties"]["status"]["enum"] == words(Readiness)
    assert tuple(definitions["remedy"]["properties"]["kind"]["enum"]) == KINDS


def test_no_field_of_the_model_is_forgotten() -> None:
    schema = json.loads(schema_text())
    definitions = schema["$defs"]

    def fields(kind: type) -> set[str]:
        # What does not count when two are compared (Finding.likely) has done its work before the report is written.
        if dataclasses.is_dataclass(kind):
            return {field.name for field in dataclasses.fields(kind) if field.compare}
        return set(getattr(kind, "_fields"))  # noqa: B009  a NamedTuple's, which its type does not name

    assert fields(Report) - {"blocks"} | {"schema", "smoke", "waivers"} == set(schema["properties"])
    assert fields(Finding) | {"blocks"} == set(definitions["finding"]["properties"])
    for name, kind in {
        "machine": MachineInfo,
        "remedy": Remedy,
        "capability": Capability,
        "verdict": Verdict,
    }.items():
        assert fields(kind) == set(definitions[name]["properties"])


HOSTILE = (
    "os\udc80\udcff \x1b]0;owned\x07 \x9b31m \u202egpj.exe \x00\x7f \u2028 \U000e0041 \ud800 \u200d \r\n\ttab"
)


def test_hostile_strings_are_valid_utf8_and_cannot_paint() -> None:
    text = render(written(HOSTILE))
    text.encode("utf-8")
    assert text.replace("\n", "").isprintable()
    assert complaints(json.loads(text)) == []
    read = load(text)
    seen = HOSTILE.replace("\udc80", "\\x80").replace("\udcff", "\\xff").replace("\ud800", "\\ud800")
    assert read.machine.distribution == read.findings[0].evidence[0].observed == seen
    assert read == written(seen)


@given(text=ANYTHING)
@settings(deadline=None, max_examples=60)
def test_any_text_survives(text: str) -> None:
    rendered = render(written(text))
    rendered.encode("utf-8")
    assert complaints(json.loads(rendered)) == []
    assert render(load(rendered)) == rendered
    if not any("\ud800" <= char <= "\udfff" for char in text):
        assert load(rendered) == written(text)


def changed(path: list[str | int], value: object) -> str:
    """The sample with another value at a place; `...` takes the place away."""
    document = json.loads(SAMPLE)
    item = document
    for step in path[:-1]:
        item = item[step]
    if value is ...:
        del item[path[-1]]
    else:
        item[path[-1]] = value
    return json.dumps(document)


STATUS = "ok|warn|fail|unknown|skip"
WORKS = "works|caveat|fails|unknown"
FIRST = "bpftrace.hello"
NEWER = "kdiag.report/2 is newer than this kdiag, which reads kdiag.report/1: update kdiag"


@pytest.mark.parametrize(
    ("path", "value", "complaint"),
    [
        (["findings", 3, "status"], "x", f"expected one of {STATUS}, found 'x'"),
        (["findings", 3, "status"], [1], f"expected one of {STATUS}, found a list"),
        (["findings", 0, "status"], ..., f"expected one of {STATUS}, found nothing"),
        (["findings", 0, "summary"], ..., "expected a string, found nothing"),
        (["findings", 0, "id"], "", "expected an id, found an empty string"),
        (["findings", 1, "evidence", 1, "observed"], None, "expected a string, found null"),
        (["findings", 1, "evidence", 1], "seen", "expected an object, found 'seen'"),
        (["findings", 2, "causes"], "x", "expected a list, found 'x'"),
        (["findings", 3, "causes", 0], 7, "expected a string, found the number 7"),
        (["findings", 2, "remedies", 0, "kind"], "x", "expected one of safe|unsafe|manual, found 'x'"),
        (["findings", 2, "blocks", 0], True, "expected a string, found true"),
        (["findings", 4, "id"], "kernel.release", "'kernel.release' is the id of findings[0] already"),
        (["findings"], {}, "expected a list, found an object"),
        (["findings"], ..., "expected a list, found nothing"),
        (["capabilities", 0, "with_root"], "no", f"expected one of {WORKS}, found 'no'"),
        (["capabilities", 1, "id"], FIRST, f"'{FIRST}' is the id of capabilities[0] already"),
        (["machine"], ..., "expected an object, found nothing"),
        (["machine"], [], "expected an object, found a list"),
        (["machine", "arch"], 64, "expected a string, found the number 64"),
        (["verdict", "status"], "maybe", "expected one of ready|not-ready|unknown, found 'maybe'"),
        (["required", 0], {}, "expected a string, found an object"),
        (["schema"], ..., "expected a string, found nothing"),
        (["schema"], "kdiag.smoke/1", "expected kdiag.report/1, found 'kdiag.smoke/1'"),
        (["schema"], "kdiag.report/0", "expected kdiag.report/1, found 'kdiag.report/0'"),
        (["schema"], "kdiag.report/2", NEWER),
    ],
)  # fmt: skip
def test_a_wrong_value_is_named_with_its_place(path: list[str | int], value: object, complaint: str) -> None:
    place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)[1:]
    with pytest.raises(BadReport) as caught:
        load(changed(path, value))
    assert str(caught.value) == f"{place}: {complaint}"
    assert (caught.value.place, caught.value.message) == (place, complaint)


def test_a_strange_value_is_shown_short_and_harmless() -> None:
    with pytest.raises(BadReport) as caught:
        load(changed(["verdict", "status"], "\x1b]0;\u202e" + "A" * 10_000))
    assert str(caught.value).isascii() and str(caught.value).isprintable() and len(str(caught.value)) < 160


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON at line 1, column 1"),
        ("{}\n{", "not JSON at line 2, column 1"),
        (b"\xff\xfe{", "not UTF-8 at byte 0"),
        ('{"schema": "kdiag.rep', "not JSON at line 1, column 12"),
        ("[" * 200_000, "nested too deeply"),
        ('{"schema": ' + "9" * 5000 + "}", "too many digits|found the number 9{20}$"),
        ("[]", "expected an object, found a list"),
        ("NaN", "expected an object, found the number nan"),
        ("null", "expected an object, found null"),
        ("{}", "schema: expected a string, found nothing"),
    ],
)
def test_what_is_no_report_is_refused(text: str | bytes, message: str) -> None:
    with pytest.raises(BadReport, match=message):
        load(text)


def test_unknown_keys_are_ignored_and_optional_ones_have_their_meaning() -> None:
    document = json.loads(SAMPLE)
    for _, item in list(objects(document)):
        item["new in a later version"] = {"deep": [1, 2]}
    assert load(json.dumps(document)) == load(SAMPLE)
    short = {
        "schema": SCHEMA,
        "kdiag": "0.1.0",
        "created": "",
        "machine": {},
        "findings": [{"id": "a.b", "status": "ok", "summary": "fine"}],
        "capabilities": [],
        "required": [],
        "verdict": {"status": "ready", "summary": "fine"},
    }
    assert load(json.dumps(short)).findings == (Finding(Status.OK, "fine", id="a.b"),)
    assert load(json.dumps(short)).machine == MachineInfo()


def test_a_byte_order_mark_does_no_harm() -> None:
    assert load(b"\xef\xbb\xbf" + SAMPLE.encode()) == load(SAMPLE)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)


@given(data=st.data(), value=JSON_VALUES)
@settings(deadline=None, max_examples=150)
def test_a_lying_document_is_read_or_refused_with_a_place(data: st.DataObject, value: object) -> None:
    document = copy.deepcopy(DOCUMENT)
    path, item = data.draw(st.sampled_from(list(objects(document))))
    key = data.draw(st.sampled_from(sorted(item)))
    item[key] = value
    try:
        report = load(json.dumps(document))
    except BadReport as bad:
        assert f"$.{bad.place}".startswith((f"{path}.{key}", "$.findings", "$.capabilities"))
        assert bad.message
    else:
        assert load(render(report)) == report


DOCUMENT = json.loads(SAMPLE)


@given(garbage=st.binary(max_size=200))
@settings(deadline=None, max_examples=100)
def test_garbage_is_refused(garbage: bytes) -> None:
    with pytest.raises(BadReport):
        load(garbage)


def test_the_import_stays_small() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, kdiag.report.faces.json; print(*sys.modules)"],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2],
    ).stdout.split()  # fmt: skip
    assert not {
        "rich",
        "tabulate",
        "typer",
        "jsonschema",
        "elftools",
        "sqlite3",
        "importlib.resources",
    } & set(loaded)
