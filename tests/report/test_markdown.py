"""Markdown, read by markdown-it with GitHub's tables: what strangers wrote stays text."""

from __future__ import annotations

import html
import re
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt
from markdown_it.token import Token

from kdiag.model import Capability, Evidence, MachineInfo, Readiness, Remedy, Report, Verdict, Works, fail
from kdiag.report.faces.html import render as html_page
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
    assert [h for h in headings if h.startswith("What") and not h.endswith(":")] == [
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


def test_one_cause_is_one_fold_and_said_once() -> None:
    """With what comes of it inside; a reason of the table and a repair are said where they come first."""
    repair = (Remedy("r", "Give it the capability", "manual"),)
    made = Report(
        kdiag="1",
        created="",
        machine=MachineInfo(),
        findings=(
            fail("CAP_BPF is missing", id="a.cause", remedies=repair),
            fail("no maps", id="b.one", causes=("a.cause",), evidence=(Evidence("bpf(2)", "EPERM"),)),
            fail("no programs", id="b.two", causes=("a.cause",)),
            fail("no tracefs", id="c.other", remedies=repair),
        ),
        capabilities=tuple(
            Capability(name, name, "bpftrace", Works.FAILS, "CAP_BPF is missing", ("b.one",))
            for name in ("hello", "kprobe")
        ),
        verdict=Verdict(Readiness.NOT_READY, "CAP_BPF is missing", ""),
        required=("hello", "kprobe"),
        blocks={
            "a.cause": ("hello",),
            "b.one": ("hello", "kprobe"),
            "b.two": ("kprobe",),
            "c.other": ("hello",),
        },
    )
    text = html.unescape(render(made))
    way = text.partition("### What stands in the way")[2]
    assert way.count("<details>") == 2 and way.count("EPERM") == 1
    assert "- ❌ <code>b.one</code>: no maps\n- ❌ <code>b.two</code>: no programs\n" in way
    assert "affects <code>hello</code>, <code>kprobe</code>\n" in way
    assert way.count("Give it the capability") == 1 and "**Fix:** the same as for <code>a.cause</code>" in way
    assert text.count("| CAP_BPF is missing |") == 1 and "| as above" in text


@pytest.mark.parametrize("readiness", Readiness)
def test_the_verdict_comes_first(readiness: Readiness) -> None:
    words = {"ready": "Ready", "not-ready": "Not ready", "unknown": "Cannot tell"}
    assert re.match(rf"## \S+ {words[readiness.value]}: ", render(everything(readiness)))


def test_a_step_in_words_does_not_look_like_a_command() -> None:
    words = Verdict(Readiness.NOT_READY, "no BTF", "Update Docker Desktop", "the Mac")
    made = replace(everything(), verdict=words)
    assert "\n\nNext, on the Mac: **Update Docker Desktop**\n" in render(made)
    page = html_page(made)
    assert '<p class="step">Update Docker Desktop</p>' in page
    assert '<span class="command">Update' not in page and 'class="step"' not in html_page(everything())


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
