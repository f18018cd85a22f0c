"""Files of reports as people and programs really leave them: packed, converted, linked, with names that are no text."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import os
from pathlib import Path

import pytest

from kdiag.commands.compare import Reading, compare
from kdiag.commands.report import reports
from kdiag.compare.json import render as render_json
from kdiag.compare.reading.inputs import BadInput, documents, paths
from kdiag.compare.reading.summary import Reader
from kdiag.fleet import json as fleet_json
from kdiag.fleet.run import Asked, fleet
from kdiag.report.faces.json import render
from tests.support.comparison_samples import broken, report
from tests.support.fleets import found

GOOD = render(report()).encode()
LINES = b"".join(json.dumps(json.loads(render(one))).encode() + b"\n" for one in (report(), broken()))


@pytest.mark.parametrize(
    ("name", "data", "machines"),
    [
        ("web.json.gz", gzip.compress(GOOD), 1),
        ("web.jsonl.gz", gzip.compress(LINES), 2),
        ("two.jsonl.gz", gzip.compress(LINES) + gzip.compress(LINES), 4),
        ("web.json.xz", lzma.compress(GOOD), 1),
        ("web.json", gzip.compress(GOOD), 1),
        ("big.jsonl.gz", gzip.compress(LINES * 400), 800),
        ("sequence.json", b"\x1e" + GOOD + b"\x1e" + GOOD, 2),
        ("bom.jsonl", b"\xef\xbb\xbf" + LINES, 2),
        ("crlf.jsonl", LINES.replace(b"\n", b"\r\n"), 2),
    ],
)
def test_reports_as_they_are_left(name: str, data: bytes, machines: int, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    assert [*paths((str(tmp_path),))] == [str(tmp_path / name)]
    reader = Reader()
    some = [*documents(str(tmp_path / name), reader)]
    assert [one.problem for one in some] == [""] * machines
    assert all(one.summary or reader.read(one.text) for one in some)


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("cut.json.gz", gzip.compress(GOOD)[:-200], "gzip data ends early"),
        ("cut.json.xz", lzma.compress(GOOD)[:-60], "xz data ends early"),
        ("damaged.json.gz", gzip.compress(os.urandom(4000))[:2000] + b"x" * 2000, "gzip data"),
        ("other.json", bz2.compress(GOOD), "neither a report nor a recording"),
        ("utf16.json", GOOD.decode().encode("utf-16"), "iconv -f UTF-16 -t UTF-8"),
    ],
)
def test_what_cannot_be_unpacked_is_named_and_the_rest_goes_on(
    name: str, data: bytes, why: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(data)
    for number in range(2):
        (tmp_path / f"web-{number}.json").write_bytes(GOOD)
    answer = found(str(tmp_path)).fleet
    assert answer.counts.machines == 2
    ((_, told),) = answer.skipped
    assert why in told


def test_links_pipes_and_devices_in_a_directory_are_named(tmp_path: Path) -> None:
    (tmp_path / "web.json").write_bytes(GOOD)
    (tmp_path / "loop.json").symlink_to("loop.json")
    (tmp_path / "nowhere.json").symlink_to("nothing")
    (tmp_path / "zero.json").symlink_to("/dev/zero")
    (tmp_path / "up.json").symlink_to("..")
    os.mkfifo(tmp_path / "pipe.json")
    answer = found(str(tmp_path)).fleet
    assert answer.counts.machines == 1
    assert sorted(os.path.basename(name) for name, _ in answer.skipped) == [
        "loop.json",
        "nowhere.json",
        "pipe.json",
        "zero.json",
    ]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_directory_below_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "web.json").write_bytes(GOOD)
    (tmp_path / "closed").mkdir(mode=0)
    answer = found(str(tmp_path)).fleet
    assert (answer.counts.machines, answer.unread) == (1, 1)


def test_half_a_character_in_names_and_words(tmp_path: Path) -> None:
    """JSON can write one, a file's name can be one; SQLite, UTF-8 and other readers of JSON take none."""
    one = GOOD.replace(b'"user": "root"', b'"user": "ro\\ud800ot"')
    labelled = json.loads(one)
    labelled["labels"] = {"host": "web-\ud812", "si\ude00te": "\udcff"}
    (tmp_path / "one.json").write_bytes(one)
    (tmp_path / "two.json").write_text(json.dumps(labelled))
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff\xfe.json")).write_bytes(one)
    except OSError:
        pytest.skip("the file system takes no such name")
    with fleet(Asked((str(tmp_path),)), Reading()) as answer:
        text = fleet_json.render(answer.fleet, answer.asking)
    assert len(json.loads(text)["machines"]) == 3
    for document in (text, render_json(compare((str(tmp_path),)).comparison)):
        assert json.loads(document.encode())
        assert "\\ud8" not in document.replace("\\\\", "")


def test_a_directory_that_cannot_be_read_at_all(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="without reports or recordings"):
        found(str(tmp_path))


def test_report_goes_on_after_a_file_that_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "a.json").symlink_to("nothing")
    (tmp_path / "b.json.gz").write_bytes(gzip.compress(GOOD)[:-200])
    (tmp_path / "c.json").write_bytes(GOOD)
    read = [*reports((str(tmp_path),))]
    assert [isinstance(one, BadInput) for _, one in read] == [True, True, False]
