"""The page of a fleet: one file that loads nothing, in which what hosts say is text."""

from __future__ import annotations

import json
import re
from base64 import b64encode
from dataclasses import replace
from hashlib import sha256
from html.parser import HTMLParser
from pathlib import Path

import pytest

from kdiag.commands.compare import Reading
from kdiag.fleet.html import render
from kdiag.fleet.run import Asked, fleet
from kdiag.model import Readiness, Status, Verdict, Works
from tests.support.comparison_samples import capability, finding, report
from tests.support.fleets import lines, write
from tests.support.report_samples import HOSTILE


class Page(HTMLParser):
    """The tags of a page, and the text of its scripts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "script" and self.scripts[-1] == "":
            self.scripts[-1] = data


def page(*given: str, history: str = "", keys: tuple[str, ...] = ()) -> str:
    with fleet(Asked(given, history=history, keys=keys), Reading()) as found:
        return render(found.fleet, found.asking)


def test_every_machine_is_in_it_once(tmp_path: Path) -> None:
    bad = replace(
        report(finding("x.a", Status.FAIL, summary="a is missing"), capability("one", Works.FAILS, "x.a")),
        verdict=Verdict(Readiness.NOT_READY, "no"),
    )
    text = page(write(tmp_path / "a", web_1=report(), web_2=bad, web_3=bad))
    data = json.loads(Page(text).scripts[0])
    assert [(row[0], row[3]) for row in data["machines"]] == [("web-1", 0), ("web-2", 1), ("web-3", 1)]
    kinds = [data["kinds"][row[1]] for row in data["machines"]]
    assert [len(kind) for kind in kinds] == [0, 1, 1]
    ((what, status, cause, words),) = kinds[1]
    assert (data["capabilities"][what], status) == ("Do one", "fails")
    assert (data["causes"][cause], data["words"][words]) == (["x.a", "a is missing"], "a is missing")
    assert "a is missing" in text.partition('<script type="application/json"')[0]


def test_it_loads_and_runs_nothing_but_its_own(tmp_path: Path) -> None:
    text = page(write(tmp_path / "a", web=report()))
    tags = Page(text).tags
    policy = next(
        attrs["content"] or "" for tag, attrs in tags if attrs.get("http-equiv") == "Content-Security-Policy"
    )
    script = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    style = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    for (one,), name in ((script, "script-src"), (style, "style-src")):
        digest = b64encode(sha256(one.encode()).digest()).decode()
        assert f"{name} 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'; ")
    assert not [attrs for _, attrs in tags if {"src", "onclick", "onload", "style"} & attrs.keys()]
    assert [
        attrs["href"] for _, attrs in tags if "href" in attrs and not (attrs["href"] or "").startswith("#")
    ] == ["data:,"]


@pytest.mark.parametrize("words", HOSTILE)
def test_what_hosts_say_is_text(words: str, tmp_path: Path) -> None:
    ascii_words = words.encode("utf-8", "backslashreplace").decode()
    one = report(
        finding("x.a", Status.FAIL, summary=ascii_words, command=ascii_words),
        capability("one", Works.FAILS, "x.a"),
        release=ascii_words,
    )
    plain = page(lines(tmp_path / "plain.jsonl", ("a", one)))
    text = page(
        lines(tmp_path / "hostile.jsonl", (ascii_words.replace("{", "").replace("}", ""), one), site="x")
    )
    for some in (plain, text):
        assert [tag for tag, _ in Page(some).tags] == [tag for tag, _ in Page(plain).tags]
        assert "owned</h1>" not in some
        json.loads(Page(some).scripts[0])
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", some)


def test_collections_are_drawn_and_told(tmp_path: Path) -> None:
    history = str(tmp_path / "h.db")
    page(write(tmp_path / "a", web=report()), history=history)
    bad = report(finding("x.a", Status.FAIL), capability("one", Works.FAILS, "x.a"))
    text = page(write(tmp_path / "a", web=bad), history=history)
    assert 'id="trend"' in text
    assert "fails now" in text
    assert "Do one" in text.partition('id="trend"')[0]
