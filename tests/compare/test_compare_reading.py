"""Reports are read quickly, and exactly as the reader of whole reports reads them; inputs of every kind are found."""

from __future__ import annotations

import io
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdiag.compare.reading import summary as reading
from kdiag.compare.reading.answers import MachineSummary
from kdiag.compare.reading.inputs import BadInput, Document, documents, paths
from kdiag.compare.reading.stream import documents as stream_documents
from kdiag.compare.reading.summary import Reader
from kdiag.report.document import DOCUMENT_LIMIT, BadReport, load
from kdiag.report.faces.json import render
from tests.support.comparison_samples import SAMPLE, broken, finding, report
from tests.support.paths import FIXTURES


def slowly(document: bytes) -> MachineSummary:
    return Reader().of(load(document))


def text(value: object, **layout: object) -> bytes:
    return json.dumps(value, **layout).encode()  # type: ignore[arg-type]


def whole(one: MachineSummary) -> tuple[object, ...]:
    return one.machine, one.required, one.capabilities, one.facts


@pytest.mark.parametrize("indent", [None, 0, 1, 2, 4])
def test_any_layout_says_the_same(indent: int | None) -> None:
    document = SAMPLE.read_bytes()
    other = text(json.loads(document), indent=indent)
    assert whole(Reader().read(other)) == whole(slowly(document))


LAYOUTS: dict[str, dict[str, object]] = {
    "own": {"indent": 2},
    "on one line": {},
    "tight": {"separators": (",", ":")},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_quick_way_is_taken(monkeypatch: pytest.MonkeyPatch, layout: str) -> None:
    """Layouts that programs write are neither read as a whole nor by values: that would be ten times as slow."""
    for one in (SAMPLE.read_bytes(), render(broken()).encode()):
        document = text(json.loads(one), **LAYOUTS[layout])
        expected = slowly(document)
        reader = Reader()
        with monkeypatch.context() as patched:
            patched.setattr(Reader, "of", lambda *_: pytest.fail("read as a whole"))
            patched.setattr(Reader, "_by_values", lambda *_: pytest.fail("read by values"))
            assert reader.read(document)._replace(answers=b"") == expected._replace(answers=b"")
            later = reader.read(document.replace(expected.created.encode(), b"2027-02-02T00:00:00Z"))
            assert later._replace(answers=b"") == expected._replace(
                answers=b"", created="2027-02-02T00:00:00Z"
            )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_other_evidence_is_another_block_only_to_be_checked(
    layout: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What no two machines have alike must not cost what a new finding costs, and is not taken unseen either."""
    document = text(json.loads(render(broken())), **LAYOUTS[layout])
    learnt: list[bytes] = []
    learn = Reader._finding
    monkeypatch.setattr(Reader, "_finding", lambda self, item: learnt.append(item) or learn(self, item))
    reader = Reader()
    known = reader.read(document)
    assert len(learnt) == len(known.facts)
    size = reader._lists[list(LAYOUTS).index(layout)].findings.size
    for number in range(20):
        assert reader.read(document.replace(b'"Linux"', b'"Linux %d \\u202e"' % number)) == known
    assert len(learnt) == len(known.facts)
    assert reader._lists[list(LAYOUTS).index(layout)].findings.size == size, "what no two have is not kept"
    for odd in (b"7", b'"x"}, 8, {"source": "s"', b'"x"]'):
        with pytest.raises(BadReport) as told:
            reader.read(document.replace(b'"Linux"', odd, 1))
        with pytest.raises(BadReport) as expected:
            slowly(document.replace(b'"Linux"', odd, 1))
        assert str(told.value) == str(expected.value)


def test_more_answers_than_any_machine_has_are_refused() -> None:
    """Each answer is remembered for the next machine: one hostile report must not fill the memory."""
    one = report()
    many = tuple(finding(f"x.{number}") for number in range(reading.MOST_ANSWERS))
    for document in (
        render(replace(one, findings=many)).encode(),
        text(json.loads(render(replace(one, findings=many))), indent=1),
    ):
        with pytest.raises(BadReport, match="more than 5000 findings and capabilities"):
            Reader().read(document)


def test_answers_tell_machines_apart() -> None:
    reader = Reader()
    same = [
        reader.read(render(r).encode()).answers
        for r in (report(), report(release="5.10"), report(created="x"))
    ]
    assert len(set(same)) == 1
    assert reader.read(render(broken()).encode()).answers not in same
    assert reader.of(broken()).answers == reader.read(render(broken()).encode()).answers


def test_what_is_forgotten_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_REMEMBERED", 3000)
    reader = Reader()
    for number in range(50):
        one = report(release=str(number))
        one = broken(command=f"repair {number}") if number % 2 else one
        assert whole(reader.read(render(one).encode())) == whole(Reader().of(one))


MANY = [
    report(),
    broken(),
    report(release="6.1"),
    broken(command="repair"),
    replace(report(), findings=report().findings[1:]),
    replace(broken(), findings=(*broken().findings, finding("x.more"))),
    replace(report(), capabilities=()),
    replace(report(), labels={"host": "h{1}", "site": "fra"}),
    replace(broken(), labels={"site": "ber"}),
]


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_any_order_of_reports_in_a_stream_says_what_each_says_alone(data: st.DataObject) -> None:
    """A list is compared with that of an earlier machine: what was before must not show in what comes after."""
    layouts = st.sampled_from([*LAYOUTS.values(), {"indent": 4}])
    parts = [
        text(json.loads(render(data.draw(st.sampled_from(MANY)))), **data.draw(layouts)) + b"\n"
        for _ in range(data.draw(st.integers(1, 12)))
    ]
    reader = Reader()
    held = b"".join(parts)
    for found, part in zip(
        stream_documents(io.BytesIO(held), "x", path=True, recogniser=reader), parts, strict=True
    ):
        one = found.summary or reader.read(found.text)
        alone = slowly(part)
        assert one._replace(answers=b"") == alone._replace(answers=b"")


def test_a_stream_names_the_line_of_each_report() -> None:
    reader = Reader()
    parts = [text(json.loads(render(one)), **LAYOUTS[layout]) + b"\n" for layout in LAYOUTS for one in MANY]
    lines = [b"".join(parts[:place]).count(b"\n") + 1 for place in range(len(parts))]
    some = [*stream_documents(io.BytesIO(b"".join(parts)), "x", path=True, recogniser=reader)]
    assert [one.name for one in some] == [f"x:{line}" for line in lines]
    assert sum(one.summary is not None for one in some) > len(parts) // 2


DOCUMENT = SAMPLE.read_bytes()
TIGHT = text(json.loads(DOCUMENT), separators=(",", ":"))


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_damage_is_told_as_by_the_reader_of_whole_reports(data: st.DataObject) -> None:
    document = data.draw(st.sampled_from([DOCUMENT, TIGHT]))
    spot = data.draw(st.integers(0, len(document) - 1))
    kind = data.draw(st.sampled_from(["cut", "flip", "drop", "insert"]))
    piece = data.draw(
        st.sampled_from(
            [b"", b'"', b"}", b"{", b",", b"]", b"\n", b"null", b'\n    },\n    {\n      "id": ', b'},{"id":']
        )
    )
    damaged = {
        "cut": document[:spot],
        "flip": document[:spot] + bytes([document[spot] ^ 1]) + document[spot + 1 :],
        "drop": document[:spot] + document[spot + data.draw(st.integers(1, 200)) :],
        "insert": document[:spot] + piece + document[spot:],
    }[kind]
    try:
        expected: object = whole(slowly(damaged))
    except BadReport as bad:
        expected = str(bad)
    try:
        got: object = whole(Reader().read(damaged))
    except BadReport as bad:
        got = str(bad)
    assert got == expected


def tricks() -> dict[str, bytes]:
    """Documents that look like kdiag's own layout at first sight."""
    good = render(broken()).encode()
    head, _, rest = good.partition(b'\n  "findings": [')
    findings, _, tail = rest.partition(b'\n  "capabilities": [')
    elsewhere = (
        b'\n  "other": {\n  "findings": [' + findings + b'\n  "capabilities": [' + tail.rstrip() + b"}"
    )
    split = b'"title": "y"\n    },\n    {\n      "id": "x.z",'
    return {
        "findings twice": good.replace(b'\n  "required":', b'\n  "findings": [],\n  "required":'),
        "findings elsewhere": head + elsewhere,
        "the same id twice": good.replace(b'"id": "x.b"', b'"id": "x.a"', 1),
        "a block in two": good.replace(b'"title": "title of x.a",', split, 1),
        "an unbalanced pair": good.replace(b'"causes": []', b'"causes": [\n    },\n    {\n      "id": "q"]', 1),
        "not an object": good.replace(b'"id": "x.c"', b'"id": "x.c"}, 7, {"id": "x.e"', 1),
        "wrong status": good.replace(b'"status": "warn"', b'"status": "odd"', 1),
        "newer": good.replace(b"kdiag.report/1", b"kdiag.report/2"),
        "something else": b'{"schema": "kdiag.comparison/1"}',
        "deep": b"[" * 100_000,
        "created with a quote": good.replace(b"2026-01-01T00:00:00Z", b'x\\",\\n'),
    }  # fmt: skip


@pytest.mark.parametrize("name", tricks())
def test_tricks(name: str) -> None:
    document = tricks()[name]
    reader = Reader()
    reader.read(render(broken()).encode())  # what is remembered must not help
    try:
        expected: object = whole(slowly(document))
    except BadReport as bad:
        with pytest.raises(BadReport) as told:
            reader.read(document)
        assert str(told.value) == str(bad)
        return
    assert whole(reader.read(document)) == expected


# -- inputs ------------------------------------------------------------------------------------------------------------


def names(*given: str) -> list[str]:
    return [document.name for path in paths(given) for document in documents(path)]


def test_directories_patterns_and_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "b/two.json",
        "a/one.json",
        "a/notes.txt",
        "a/.hidden.json",
        "c/recording.json",
        "c/root/x.json",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text("{}")
    monkeypatch.chdir(tmp_path)
    assert names(".") == ["./a/one.json", "./b/two.json", "./c"]
    assert names("?/*.json", "a/one.json") == ["a/one.json", "b/two.json", "c/recording.json", "a/one.json"]
    assert [d.recording for p in paths(("c", "c/recording.json")) for d in documents(p)] == [True, True]
    for missing in ("nowhere", "*.nothing"):
        with pytest.raises(BadInput, match="no such file"):
            names(missing)
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="without reports"):
        names("empty")


def test_links_do_not_make_it_endless(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text("{}")
    (tmp_path / "loop").symlink_to(tmp_path)
    assert names(str(tmp_path)) == [f"{tmp_path}/x.json"]


@pytest.mark.parametrize("compact", [True, False])
def test_many_reports_in_one_file(compact: bool, tmp_path: Path) -> None:
    values = [json.loads(render(report(release=f"6.{n}"))) for n in range(30)]
    parts = [text(v) + b"\n" if compact else text(v, indent=2) + b"\n" for v in values]
    path = tmp_path / "many.jsonl"
    path.write_bytes(b"\n".join(parts) if compact else b"".join(parts))
    found = [*documents(str(path))]
    assert [d.name for d in found][:2] == [
        f"{path}:1",
        f"{path}:{3 if compact else parts[0].count(bytes([10])) + 1}",
    ]
    assert [json.loads(d.text)["machine"]["release"] for d in found] == [f"6.{n}" for n in range(30)]


def test_standard_input_is_read_as_it_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    line = text({"filler": "x" * 1000}) + b"\n"

    class Counting(io.BytesIO):
        most = 0

        def read(self, size: int | None = -1) -> bytes:
            assert size is not None
            self.most = max(self.most, size)
            return super().read(size)

    stream = Counting(line * 5000)
    monkeypatch.setattr(sys, "stdin", type("Standard", (), {"buffer": stream}))
    assert len(names("-")) == 5000
    assert 0 < stream.most <= 1 << 20


def test_one_report_whatever_is_around_it(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    for content in (b"\n\n" + DOCUMENT, DOCUMENT + b"\n\n", DOCUMENT.rstrip(), b"\xef\xbb\xbf" + DOCUMENT):
        path.write_bytes(content)
        (one,) = documents(str(path))
        assert one.name == str(path)
        assert whole(Reader().read(one.text)) == whole(slowly(DOCUMENT))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty; expected a report"),
        (b"  \n", "empty"),
        (b"{" + b" " * (33 << 20), "more than 33554432 bytes"),
    ],
)
def test_files_that_hold_nothing_or_too_much(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    path.write_bytes(content)
    try:
        (one,) = documents(str(path))
        told = f"{one.name}: {one.problem}"
    except BadInput as bad:
        told = str(bad)
    assert told.startswith(f"{path}: ")
    assert message in told


def test_a_pipe_is_read_once(tmp_path: Path) -> None:
    """What a shell makes of `<(kdiag check --format json)`."""
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb") as out:
        out.write(render(report()).encode())
    found = [*documents(f"/dev/fd/{reader}")]
    os.close(reader)
    assert [whole(Reader().read(d.text)) for d in found] == [whole(Reader().of(report()))]


def test_recordings_are_told_by_their_first_bytes(tmp_path: Path) -> None:
    for name, content in {
        "a": b"\x28\xb5\x2f\xfdx",
        "b": b"\xfd7zXZ\x00x",
        "c": bytes(257) + b"ustar" + bytes(300),
    }.items():
        path = tmp_path / name
        path.write_bytes(content)
        assert [*documents(str(path))] == [Document(str(path), recording=True)]
    directory = str(FIXTURES / "minimal")
    assert [*documents(directory)] == [Document(directory, recording=True)]


@pytest.mark.parametrize("path", ["/nonexistent", "/etc/shadow/x", "nul\0"])
def test_what_cannot_be_opened(path: str) -> None:
    with pytest.raises(BadInput):
        [*documents(path)]


def test_limits_are_what_the_messages_say() -> None:
    assert DOCUMENT_LIMIT == 33554432


@pytest.mark.parametrize(
    ("evidence", "fine"),
    [
        ([{"source": "/proc/version", "observed": 'a "quote", a \\ and a \u00fc\n'}], True),
        ([{"source": "", "observed": "", "side": "host"}, {"source": "a", "observed": "b"}], True),
        ([{"observed": "b", "source": "a", "more": 7}], True),
        ([{"source": "a"}], False),
        ([{"source": "a", "observed": 7}], False),
        (["a"], False),
    ],
)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_evidence_of_its_own_is_validated(evidence: object, fine: bool, layout: str) -> None:
    """A finding that is known but for its evidence: the quick way says what the reader of whole reports says."""
    value = json.loads(render(report()))
    reader = Reader()
    reader.read(text(value, **LAYOUTS[layout]))
    value["findings"][0]["evidence"] = evidence
    for raw in (True, False):
        document = text(value, **{**LAYOUTS[layout], "ensure_ascii": raw})
        if fine:
            assert whole(reader.read(document)) == whole(slowly(document))
        else:
            with pytest.raises(BadReport, match="evidence"):
                reader.read(document)


@pytest.mark.parametrize(
    "broken_text", [rb"a\x", b"a\nb", rb"\u12", b'a",', b"\xff", b"\v", b'" \v, "x'], ids=ascii
)
def test_evidence_that_is_no_json(broken_text: bytes) -> None:
    document = text(json.loads(render(report())))
    reader = Reader()
    reader.read(document)
    with pytest.raises(BadReport):
        reader.read(document.replace(b'"observed": "Linux"', b'"observed": "%b"' % broken_text, 1))
