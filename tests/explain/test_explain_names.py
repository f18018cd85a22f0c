"""`kdiag explain` of checks, findings and capabilities: complete, within the page, safe with others' words, with
the state of the machine that is spoken of.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from kdiag.capabilities.definitions import DEFINITIONS
from kdiag.check import Check
from kdiag.checking.registry import Registered, Registry, discover
from kdiag.commands.explain import answers
from kdiag.console.wrap import columns
from kdiag.explain.here import Here
from kdiag.explain.json import render as render_json
from kdiag.explain.json import schema_text
from kdiag.explain.names import names
from kdiag.explain.text import render
from kdiag.explain.value import Answer, NotKnown
from kdiag.machine import Machine
from kdiag.model import Finding, Status
from kdiag.report.terminal.page import Page
from tests.support import machines
from tests.support.reports import report_on

OURS = discover(plugins=False)


def _run(_machine: Machine) -> Iterator[Finding]:
    yield from ()


def here(registry: Registry = OURS) -> Here:
    """A machine where all of it works but for the headers."""
    recorded = machines.bpftrace(machines.linux(), "0.23.2").recording()
    report = report_on(recorded)
    return Here(Machine(recorded), lambda: registry, lambda: report, "the recorded machine")


HERE = here()


def stranger(title: str = "SELinux lets bpf() through", doc: str = "", *, ids: tuple[str, ...] = ()) -> Here:
    """Our checks and one of another package."""
    check = Check("lsm.selinux", title, _run, doc, ids)
    found = Registered(check, "kdiag-selinux", "2.1", "kdiag_selinux.checks")
    return Here(
        HERE.machine, lambda: Registry((*OURS.checks, found), ()), lambda: HERE.report, "the recorded machine"
    )


def explain(name: str, place: Here) -> Answer:
    """As the command has it."""
    return next(answers([name], place))


def text(name: str, place: Here = HERE, width: int = 80) -> str:
    """What is printed."""
    return render([explain(name, place)], Page(width))


EVERYTHING = names(OURS)


@pytest.mark.parametrize("name", EVERYTHING)
def test_everything_is_explained_within_the_page_and_by_the_schema(name: str) -> None:
    schema = Draft202012Validator(json.loads(schema_text()))
    answer = explain(name, HERE)
    schema.validate(json.loads(render_json([answer])))
    for width in (40, 60, 80, 120):
        out = render([answer], Page(width))
        assert name in out.replace("\n  ", "") and len(out.split()) > 12
        for line in out.splitlines():
            # commands stay whole, as do paths and code
            assert columns(line) <= width or line.startswith("  $ ") or "/" in line or "`" in line, line


def test_an_explanation_has_the_text_and_its_commands_on_lines_of_their_own() -> None:
    doc = """What it looks at, in more words than fit on a line of the terminal: `getenforce
    -v` is one of them.

    Why it matters. See it yourself: `cat
    /proc/self/attr/current`, `sestatus`.
    """
    assert text("lsm.selinux", stranger(doc=doc), 60).splitlines() == [
        "lsm.selinux: SELinux lets bpf() through",
        "",
        "What it looks at, in more words than fit on a line of the",
        "terminal: `getenforce -v` is one of them.",
        "",
        "Why it matters.",
        "",
        "See it yourself",
        "  $ cat /proc/self/attr/current",
        "  $ sestatus",
        "",
        "from kdiag-selinux 2.1",
    ]


def test_code_is_not_broken_over_lines() -> None:
    out = text("lsm.selinux", stranger(doc="word " * 9 + "`modprobe -n -v kheaders` and so on"), 60)
    assert "\n`modprobe -n -v kheaders` and so on\n" in out


def test_words_after_the_command_stay_with_it() -> None:
    out = text("privileges.seccomp")
    assert "See it yourself: `grep Seccomp /proc/self/status` (2 is a filter)." in out and "$" not in out


def test_a_finding_is_explained_by_its_check_and_stands_alone() -> None:
    out = text("bpf.prog.kprobe")
    assert out.startswith(
        "bpf.prog.kprobe: Program types that this kernel loads\n\nbpf.prog.kprobe is one of the findings of bpf.prog.\n"
    )
    assert "bpf.prog.tracepoint" not in out.partition("On the recorded machine")[2]


def test_the_state_is_the_report_s() -> None:
    finding = HERE.report.finding("headers.tree")
    assert finding is not None and finding.status is Status.FAIL
    assert f"fail  headers.tree  {finding.summary}" in " ".join(
        text("headers.tree", width=120).split("  ")
    ) or (finding.summary in text("headers.tree", width=120))
    assert "\nOn the recorded machine\n  works " in text("kprobe")


def test_a_check_is_not_taken_for_the_finding_of_another() -> None:
    assert text("config.source").startswith("config.source: ")


def test_an_option_is_explained_by_what_it_unlocks() -> None:
    assert text("config.KPROBES").startswith("config.KPROBES: CONFIG_KPROBES, probes on kernel functions\n")
    assert text("config.options").startswith("config.options: What the kernel was built with\n")


def test_a_capability_is_explained_with_the_command_that_tells() -> None:
    out = text("bcc-tools")
    assert out.startswith("bcc-tools: BCC tools\n") and out.endswith(
        "\n  $ kdiag check --require bcc-tools\n"
    )


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("header.tree", "headers.tree"),
        ("bpf.prog.kprobes", "bpf.prog.kprobe"),
        ("config.KPROBE", "config.KPROBES"),
        ("tracepoint-arg", "tracepoint-args"),
    ],
)
def test_the_nearest_name_is_offered(name: str, nearest: str) -> None:
    with pytest.raises(NotKnown, match=rf"nothing is called '{name}'; did you mean {nearest}\?"):
        explain(name, HERE)


@pytest.mark.parametrize("name", ["nosuch", "..", "x"])
def test_a_name_like_no_other_is_only_refused(name: str) -> None:
    with pytest.raises(NotKnown, match=rf"^nothing is called '{name}'"):
        explain(name, HERE)


@given(words=st.text(st.characters(), max_size=80), width=st.integers(40, 120))
@settings(deadline=None, max_examples=60)
def test_anothers_words_are_printable(words: str, width: int) -> None:
    assert text("lsm.selinux", stranger(words, words), width).replace("\n", "").isprintable()


def test_every_capability_is_known() -> None:
    assert {d.id for d in DEFINITIONS} <= set(EVERYTHING)
