"""The catalogue of messages is read strictly: a row that cannot be used is named with its file and number."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kdiag.knowledge.tables import table
from kdiag.knowledge.tools import catalogue
from kdiag.knowledge.tools.catalogue import FILES, BadRow, messages
from tests.support.paths import REPOSITORY
from tests.support.waiting import HANG

PLACE = REPOSITORY / "kdiag" / "knowledge" / "messages"
LISTS = {"refused": ["privileges.root", "privileges.userns"]}
ROW: dict[str, Any] = {
    "id": "tool.thing",
    "pattern": ["the thing is (?P<state>gone)", "no thing"],
    "weight": "cause",
    "causes": ["btf.vmlinux", "@refused"],
    "meaning": "There is no thing.",
    "example": "the thing is gone",
    "since": "0.25",
    "until": "0.26.1",
}


def _file(*rows: object) -> dict[str, object]:
    return {"tool": "tool", "source": "somewhere", "messages": list(rows)}


def test_a_row_becomes_a_message() -> None:
    (found,) = messages("tool", _file(ROW), LISTS)
    assert found.pattern == "the thing is (?P<state>gone)|no thing"
    assert found.findings == ("btf.vmlinux", "privileges.root", "privileges.userns")
    assert (found.since, found.until, found.tool) == ((0, 25, 0), (0, 26, 1), "tool")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ([], "a row is an object"),
        ({**ROW, "colour": "red"}, "colour"),
        ({key: value for key, value in ROW.items() if key != "meaning"}, "meaning"),
        ({**ROW, "meaning": ""}, "a text is absent"),
        ({**ROW, "weight": "heavy"}, "`weight` is one of"),
        ({**ROW, "causes": "btf.vmlinux"}, "lists of texts"),
        ({**ROW, "causes": ["@nobody"]}, "no list @nobody"),
        ({**ROW, "pattern": []}, "`pattern`"),
        ({**ROW, "pattern": ["", "x"]}, "`pattern`"),
        ({**ROW, "since": "1"}, "not a release: 1"),
    ],
)
def test_a_bad_row_is_refused_with_its_file_and_number(row: object, words: str) -> None:
    with pytest.raises(BadRow, match=r"^tool\.json, row 2 ") as refused:
        messages("tool", _file(ROW, row), LISTS)
    assert words in str(refused.value)


@pytest.mark.parametrize("content", [[], {"messages": []}, {**_file(), "more": 1}])
def test_another_file_is_refused(content: object) -> None:
    with pytest.raises(BadRow, match=r"tool\.json: requires"):
        messages("tool", content, LISTS)


def test_every_file_is_read() -> None:
    assert {path.stem for path in PLACE.glob("*.json")} == {*FILES, "about", "causes", "calls"}


@pytest.mark.parametrize("path", sorted(PLACE.glob("*.json")), ids=lambda path: path.stem)
def test_no_key_stands_twice(path: Path) -> None:
    """JSON takes the last one and is silent."""

    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        assert len({key for key, _ in pairs}) == len(pairs), pairs
        return dict(pairs)

    json.loads(path.read_text(encoding="utf-8"), object_pairs_hook=once)


def test_every_list_of_causes_is_used() -> None:
    lists = table("messages/causes")
    assert isinstance(lists, dict)
    text = "".join((PLACE / f"{name}.json").read_text() for name in (*FILES, "calls"))
    assert [name for name in lists if f'"@{name}"' not in text] == []


def test_the_catalogue_is_not_loaded_by_a_check_of_the_machine() -> None:
    code = (
        "import kdiag.cli\nfrom kdiag.knowledge.tools import catalogue\n"
        "kdiag.cli.run(['check', '--only', 'kernel.identity'])\n"
        "print(catalogue.catalogue.cache_info().currsize)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], check=False, capture_output=True, text=True, timeout=HANG
    )
    assert done.stdout.splitlines()[-1:] == ["0"], done.stderr
    assert catalogue.catalogue()
