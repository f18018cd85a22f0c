"""Markdown, read by markdown-it with GitHub's tables: what strangers wrote stays text."""

from __future__ import annotations

import html
import re

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from kdiag.model import Readiness
from kdiag.report.faces.markdown import render
from tests.support.report_samples import HOSTILE, everything, hostile, huge, live, waived


def tokens(text: str) -> list[Token]:
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    flat: list[Token] = []
    for token in parser.parse(text):
        flat += [token, *(token.children or [])]
    return flat


def test_the_summary_has_its_parts() -> None:
    text = render(everything())
    assert text.startswith(
        "## ❌ Not ready: 2 of 4 required capabilities work\n\nNext: <code>sudo mount it</code>\n"
    )
    assert "6.1.0 x86&#95;64 · Debian · Debian 12 · no container · bpftrace 0.17.0 · root" in text
    headings = [
        t.content for t in tokens(text) if t.type == "inline" and t.level == 1 and t.content[0] != "<"
    ]
    assert [h for h in headings if h.startswith("What")] == [
        "What can be traced here",
        "What stands in the way",
    ]
    assert "🔑 expected to work as root" in text
    assert "```sh\nsudo mount -t tracefs tracefs /t\n```" in text
    assert "Undo:\n\n```sh\nsudo umount /t\n```" in text
    assert "Does not help: apt install x: no" in text
    assert "Change the VM's settings (manual; needs reboot; on the VM's settings)" in text
    assert "/proc/a.root: line one\nline two" in text


def test_every_finding_and_capability_is_told() -> None:
    for report in (live(), everything()):
        shown = html.unescape(render(report))
        assert all(f" {capability.title} " in shown for capability in report.capabilities)
        for finding in report.findings:
            ids = (f"<b>{finding.id}</b>: {finding.summary}", f"<code>{finding.id}</code>: {finding.summary}")
            assert sum(shown.count(id_) for id_ in ids) == 1, finding.id


@pytest.mark.parametrize("readiness", Readiness)
def test_the_verdict_comes_first(readiness: Readiness) -> None:
    words = {"ready": "Ready", "not-ready": "Not ready", "unknown": "Cannot tell"}
    assert re.match(rf"## \S+ {words[readiness.value]}: ", render(everything(readiness)))


def test_waivers_are_told_with_their_reasons() -> None:
    text = render(waived("broken", "c.unknown", "f.fine"))
    assert "**waived** until 2030-06-30: reason for broken" in text
    assert "- <code>c.unknown</code> until 2030-06-30: reason for c.unknown" in text
    assert "- <code>f.fine</code>: not needed any more, the waiver can go (reason for f.fine)" in text
    assert "### Waived" not in render(everything())


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_strings_stay_text(text: str) -> None:
    flat = tokens(render(hostile(text)))
    kinds = {t.type for t in flat}
    assert kinds.isdisjoint(
        {"link_open", "image", "s_open", "em_open", "hr", "lheading_open", "blockquote_open"}
    )
    markup = "".join(t.content for t in flat if t.type.startswith("html"))
    for tag in ("details", "summary", "b", "code"):
        assert markup.count(f"<{tag}>") == markup.count(f"</{tag}>")
    assert "<" not in re.sub(r"</?(details|summary|b|code)>", "", markup), "only our own tags"


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_strings_keep_the_table_whole(text: str) -> None:
    report = hostile(text)
    flat = tokens(render(report))
    rows = sum(t.type == "tr_open" for t in flat)
    cells = sum(t.type in ("td_open", "th_open") for t in flat)
    headers = sum(t.type == "thead_open" for t in flat)
    assert rows - headers == len(report.capabilities)
    assert cells == 3 * rows


def test_what_was_escaped_reads_as_it_was() -> None:
    text = "a*b_c <d> & `e` | [f](g) #h @i ~j~ \\k $l$ !m www.x https://x"
    shown = re.search(r"^## .*?: (.*)$", render(hostile(text)), re.MULTILINE)
    assert shown is not None and html.unescape(shown[1]) == text
    assert not re.search(r"[*_<>`|\[\]@~\\$!]|https://|www\.", shown[1])


def test_a_fence_is_longer_than_what_it_holds() -> None:
    text = render(hostile("````\nout"))
    flat = tokens(text)
    fences = [t for t in flat if t.type == "fence"]
    assert fences and all(len(t.markup) == 5 for t in fences if "````" in t.content)
    assert any("````\nout" in t.content for t in fences)


def test_a_summary_fits_github() -> None:
    assert len(render(huge()).encode()) <= 1024 * 1024
    assert "more characters: see --format json" in render(huge())
