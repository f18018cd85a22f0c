"""Streams of many machines are taken apart: each thing is named by its place; one that is broken is lost alone."""

from __future__ import annotations

import gzip
import io
import json
import lzma
import sys
import tarfile
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdiag.commands.compare import compare
from kdiag.commands.report import reports
from kdiag.compare.reading import stream
from kdiag.compare.reading.inputs import BadInput, documents
from kdiag.compare.reading.stream import Document
from kdiag.recording import pack
from kdiag.report.faces.json import render
from tests.support.comparison_samples import broken, report

WHOLE = render(report()).encode()
LINE = json.dumps(json.loads(WHOLE)).encode() + b"\n"
OTHER = render(broken()).encode()


def tar(kernel: str = "6.1.0-50-amd64") -> bytes:
    """A recording as tar(1) writes it, padded to a record of 10,240 bytes."""
    index = json.dumps(
        {"schema": "kdiag.recording/1", "uname": {"release": kernel, "machine": "x86_64"}}
    ).encode()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for name, data in (
            ("x/recording.json", index),
            ("x/report.json", WHOLE),
            ("x/root/etc/os-release", b"ID=debian\n" * 900),
        ):
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    return out.getvalue()


def taken(*parts: bytes) -> list[Document]:
    return [*stream.documents(io.BytesIO(b"".join(parts)), "standard input", path=False)]


def told(*parts: bytes) -> list[str]:
    """A letter for each thing: j for a report that can be read, t for a recording, ? for what has a problem."""
    letters = []
    for one in taken(*parts):
        if one.problem:
            letters.append("?")
        elif one.recording:
            pack.archive(one.text, one.name)
            letters.append("t")
        else:
            try:
                letters.append("j" if json.loads(one.text) else "")
            except ValueError:
                letters.append("x")
    return letters


TAR = tar()
PACKED = {
    "tar": TAR,
    "tar.gz": gzip.compress(TAR),
    "tar.xz": lzma.compress(TAR),
    "tar.zst": pack.packed({"recording.json": b"{}"}, "x.tar.zst", 0),
}


@pytest.mark.parametrize("kind", PACKED)
def test_recordings_and_reports_of_every_form_follow_one_another(kind: str) -> None:
    archive = PACKED[kind]
    assert told(archive) == ["t"]
    assert taken(archive)[0].name == "standard input"
    assert told(archive, archive, WHOLE, archive, LINE, LINE, archive) == [*"ttjtjjt"]


def test_each_is_named_by_its_place() -> None:
    names = [one.name for one in taken(LINE, b"\n", WHOLE, LINE, TAR, LINE)]
    lines = 3 + WHOLE.count(b"\n")
    place = len(LINE) * 2 + 1 + len(WHOLE)
    assert names == [
        "line 1 of standard input",
        "line 3 of standard input",
        f"line {lines} of standard input",
        f"line {lines + 1} of standard input",
        f"byte {place + len(TAR)} of standard input",
    ]
    assert [one.name for one in taken(WHOLE)] == ["standard input"]


@pytest.mark.parametrize(
    "prefix", [b"[pod/kdiag-x2k/kdiag] ", b"kdiag-x2k: ", b"kdiag-x2k | ", b"kdiag-x2k\t"]
)
def test_a_name_before_a_line_is_the_machines(prefix: bytes) -> None:
    """As `kubectl logs --prefix` and pdsh write it."""
    first, second = taken(prefix + LINE, LINE)
    assert "kdiag-x2k" in first.name
    assert first.name.endswith(" (line 1 of standard input)")
    assert json.loads(first.text) == json.loads(LINE)
    assert second.name == "line 2 of standard input"


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ((LINE, b"Connection to db7 closed.\nbye\n", LINE), "j?j"),
        ((b"Welcome to db7\n\n** authorised use only **\n", TAR, b"bye\n", WHOLE), "?t?j"),
        ((LINE[:300] + b"\n", LINE), "xj"),
        ((LINE[:300], LINE), "xj"),
        ((WHOLE[:300] + b"\n", WHOLE, OTHER), "xjj"),
        ((WHOLE[:300], WHOLE, LINE), "xjj"),
        ((WHOLE[:300], LINE, WHOLE), "xjj"),
        ((b"\xff\xfe\x00garbage\n", LINE), "?j"),
        ((LINE, LINE[:200]), "jx"),
        ((TAR[:5000], TAR, LINE), "?tj"),
        ((PACKED["tar.gz"][:100], TAR, LINE), "?tj"),
        ((PACKED["tar.xz"][:-8], PACKED["tar.xz"]), "?t"),
        ((TAR[:3000] + b"\n", LINE), "?j"),
        ((b"\n\n\0\0", LINE), "j"),
        ((b"[]\n",), "?"),
    ],
)  # fmt: skip
def test_what_is_broken_does_not_take_others_along(parts: tuple[bytes, ...], expected: str) -> None:
    assert told(*parts) == [*expected]


def test_what_was_passed_over_is_told() -> None:
    words, damaged, *_ = taken(b"Welcome \x1b[2Jto db7\n", TAR[:5000] + b"\n", LINE)
    assert words.problem == r"neither a report nor a recording: it begins with 'Welcome \x1b[2Jto db7'"
    assert "damaged archive" in damaged.problem
    assert "5001 bytes were passed over" in damaged.problem


class Endless(io.RawIOBase):
    """A machine that sends the same again and again, and then a report."""

    def __init__(self, piece: bytes, size: int) -> None:
        self._piece, self._left, self._rest = piece, size, LINE

    def read(self, size: int = -1) -> bytes:
        if self._left > 0:
            self._left -= size
            return (self._piece * (size // len(self._piece) + 1))[:size]
        data, self._rest = self._rest[:size], b""
        return data


@pytest.mark.slow
@pytest.mark.parametrize("piece", [b"x", b"yes\n", b'{"a":', b"{\n  1,", b"\x1f\x8b\x08\0abcd\0\x03", b"\0"])
def test_a_machine_that_sends_without_end_is_held_to_a_limit(
    piece: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "DOCUMENT_LIMIT", 4 << 20)
    monkeypatch.setattr(stream, "_ARCHIVE_LIMIT", 4 << 20)
    held = 0
    more = stream._Source.more

    def counted(source: stream._Source) -> bool:
        nonlocal held
        held = max(held, len(source.held))
        return more(source)

    monkeypatch.setattr(stream._Source, "more", counted)
    found = [*stream.documents(Endless(piece, 40 << 20), "-", path=False)]  # type: ignore[arg-type]
    assert len(found) < 300, "not a complaint for each line"
    last = found[-1]
    assert held < 8 << 20
    if piece != b"x" and b"{" not in piece:
        assert json.loads(last.text) == json.loads(LINE)


THINGS = [
    LINE,
    WHOLE,
    TAR,
    PACKED["tar.gz"],
    b"words\n",
    LINE[:500],
    TAR[:2000],
    b"\0" * 600,
    zlib.compress(LINE),
]


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from(THINGS), max_size=5), st.integers(0, 3000), st.integers(0, 3000))
def test_whatever_comes_is_told_and_ends(parts: list[bytes], start: int, stop: int) -> None:
    data = b"".join(parts)
    data = data[start:] if start < len(data) else data
    data = data[:-stop] if stop and stop < len(data) else data
    found = taken(data)
    assert bool(found) == bool(data.strip(b"\0 \t\r\n\f\v"))
    assert sum(len(one.text) for one in found) <= len(data)


# -- through the commands ----------------------------------------------------------------------------------------------


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> io.BytesIO:
    buffer = io.BytesIO()
    monkeypatch.setattr(sys, "stdin", type("Standard", (), {"buffer": buffer}))
    return buffer


def send(stdin: io.BytesIO, *parts: bytes) -> None:
    stdin.write(b"".join(parts))
    stdin.seek(0)


def test_compare_names_a_bad_line_and_goes_on(stdin: io.BytesIO) -> None:
    send(stdin, LINE, b"oops\n", LINE, TAR)
    found = compare(["-"])
    assert found.comparison.total == 3
    assert found.note == "line 2 of standard input: neither a report nor a recording: it begins with 'oops'"
    assert found.status == 2


def test_report_names_a_bad_line_and_goes_on(stdin: io.BytesIO) -> None:
    send(stdin, b"oops\n", LINE, b'{"schema": "kdiag.report/9"}\n', TAR)
    found = [*reports(["-"])]
    bad = [str(one) for _, one in found if isinstance(one, BadInput)]
    assert bad == [
        "line 1 of standard input: neither a report nor a recording: it begins with 'oops'",
        "line 3 of standard input: schema: kdiag.report/9 is newer than this kdiag, which reads kdiag.report/1: "
        "update kdiag",
    ]
    assert [one.machine.release for _, one in found if not isinstance(one, BadInput)] == [
        report().machine.release,
        "6.1.0-50-amd64",
    ]


def test_a_recording_from_a_process_substitution(tmp_path: Path) -> None:
    """`<(ssh HOST sh -s < collect.sh)` cannot be read twice."""
    import os

    path = tmp_path / "x.json"
    path.write_bytes(LINE + TAR)
    assert [d.name for d in documents(str(path))] == [f"{path}:1", f"{path}:2"]
    reader, writer = os.pipe()
    with os.fdopen(writer, "wb") as out:
        out.write(TAR)
    (found,) = documents(f"/dev/fd/{reader}")
    os.close(reader)
    assert found == Document(f"/dev/fd/{reader}", TAR[: len(found.text)], recording=True)
