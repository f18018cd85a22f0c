"""The terminal report: its order, its columns, its manners, on every width and with strings that mean harm.

`sample-80.txt` is what `sample.json` looks like; where a change of it is meant, it is written anew by

    python -c 'import tests.report.test_text as t; t.GOLDEN.write_text(t.shown(t.SAMPLE), encoding="utf-8")'
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdiag.console.wrap import clean, columns, wrap
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
    fail,
    ok,
    skip,
    unknown,
    warn,
)
from kdiag.report.document import load
from kdiag.report.faces.text import render
from kdiag.report.story.order import in_the_way, not_in_the_way

HERE = Path(__file__).parent
GOLDEN = HERE / "sample-80.txt"
SAMPLE = load((HERE / "sample.json").read_text(encoding="utf-8"))
SGR = re.compile(r"\x1b\[[0-9;]*m")


def shown(
    report: Report, width: int = 80, *, color: bool = False, verbose: bool = False, unicode: bool = True
) -> str:
    return render(report, width=width, color=color, verbose=verbose, unicode=unicode)


def report(
    *findings: Finding,
    capabilities: tuple[Capability, ...] = (),
    required: tuple[str, ...] = ("openat",),
    blocks: Mapping[str, tuple[str, ...]] | None = None,
    machine: MachineInfo | None = None,
) -> Report:
    """A report of these findings, each of which blocks what is required unless `blocks` says otherwise."""
    return Report(
        kdiag="0.1.0",
        created="2025-01-02T03:04:05Z",
        machine=machine or MachineInfo("6.12.0", arch="x86_64"),
        findings=findings,
        capabilities=capabilities,
        required=required,
        verdict=Verdict(Readiness.NOT_READY, "a required capability does not work.", "kdiag fix"),
        blocks={f.id: ("openat",) for f in findings} if blocks is None else dict(blocks),
    )


def can(
    name: str, status: Works, because: str = "", tool: str = "bpftrace", root: Works | None = None
) -> Capability:
    return Capability(name, name, tool, status, because, (), root)


HEADLINE = re.compile(r"^[✓!✗?·] ([\w., ]+?):", re.MULTILINE)


def told(text: str) -> list[str]:
    """Ids of the findings that are told in full, in the order of their headlines."""
    story = text.partition("What stands in the way\n")[2].partition("Also limited here\n")[0]
    return HEADLINE.findall(story)


def sketched(text: str) -> list[str]:
    """Ids of the findings that are told in few lines, in the order of their headlines."""
    return HEADLINE.findall(re.split(r"^(?:Also l|L)imited here$", text, maxsplit=1, flags=re.MULTILINE)[-1])


def test_the_sample_looks_as_it_did() -> None:
    assert shown(SAMPLE) == GOLDEN.read_text(encoding="utf-8")


def test_sections_come_in_their_order() -> None:
    lines = shown(SAMPLE).splitlines()
    assert lines[0].startswith("CANNOT TELL: 3 of the 4")
    places = [
        lines.index("Next: sudo kdiag check"),
        next(i for i, line in enumerate(lines) if line.startswith("6.18.44-fc-v669 x86_64 · ")),
        lines.index("What you can trace here"),
        lines.index("  bpftrace"),
        lines.index("  other tools"),
        next(i for i, line in enumerate(lines) if line.startswith("Do I need kernel headers? ")),
        lines.index("What stands in the way"),
        lines.index("Also limited here"),
        lines.index("--verbose shows all evidence and 2 findings that nothing here waits for."),
    ]
    assert places == sorted(places)
    assert places[-1] == len(lines) - 1


# -- where we are ------------------------------------------------------------------------------------------


def place(text: str) -> list[str]:
    """The lines between the verdict and the table."""
    return text.split("\n\n")[1].splitlines()


def test_where_we_are_says_what_is_known_and_nothing_else() -> None:
    machine = MachineInfo(
        release="6.15.11-orbstack-00", arch="aarch64", kernel="OrbStack", container="Docker",
        vm="the OrbStack VM", bpftrace="no bpftrace", user="root", root="/mnt",
    )  # fmt: skip
    [text] = place(shown(report(machine=machine), 120))
    assert text == (
        "6.15.11-orbstack-00 aarch64 · OrbStack kernel · Docker · no bpftrace · root · examined from outside: /mnt"
    )
    assert place(shown(report(machine=MachineInfo()))) == ["Nothing is known about this machine."]


def test_where_we_are_breaks_between_its_parts() -> None:
    text = place(shown(SAMPLE))
    assert text[0].endswith(" ·") and text[1].startswith("  Debian GNU/Linux 12 · ")


def test_where_we_are_has_the_kernel_on_its_first_line_and_what_runs_on_it_on_the_next() -> None:
    machine = MachineInfo("6.18.44-fc-v669", arch="x86_64", kernel="Firecracker microVM", user="root",
                          distribution="Debian GNU/Linux 12 (bookworm)", container="no container",
                          bpftrace="not installed")  # fmt: skip
    assert place(shown(report(machine=machine))) == [
        "6.18.44-fc-v669 x86_64 · Firecracker microVM kernel ·",
        "  Debian GNU/Linux 12 (bookworm) · no container · bpftrace not installed · root",
    ]
    assert place(shown(report(machine=machine), 120))[0].endswith("kernel ·")
    assert place(shown(report(machine=machine._replace(user="user 1000"))))[2] == "  user 1000"
    short = machine._replace(distribution="", container="", bpftrace="0.17.0")
    assert place(shown(report(machine=short))) == [
        "6.18.44-fc-v669 x86_64 · Firecracker microVM kernel · bpftrace 0.17.0 · root"
    ]


# -- the table ---------------------------------------------------------------------------------------------

FOUR = (
    can("hello", Works.WORKS, "bpf() loads programs"),
    can("kprobe", Works.FAILS, "no kprobes"),
    can("kretprobe", Works.FAILS, "no kprobes"),
    can("bcc", Works.UNKNOWN, "could not look", tool="BCC"),
    can("kstack", Works.CAVEAT, "addresses are hidden", root=Works.WORKS),
    can("usdt", Works.WORKS),
)


def table(text: str) -> list[str]:
    return text.partition("What you can trace here\n\n")[2].partition("\n\nWhat")[0].splitlines()


def test_the_table() -> None:
    assert table(shown(report(capabilities=FOUR, required=("kprobe", "hello"), blocks={}))) [:13] == [
        "  ✗ * kprobe     no kprobes",
        "  ✓ * hello      bpf() loads programs",
        "",
        "  bpftrace",
        "  ✓   usdt",
        "  ~   kstack     addresses are hidden · expected as root: works",
        "  ✗   kretprobe  no kprobes",
        "",
        "  other tools",
        "  ?   bcc        could not look",
        "",
        "  ✓ works   ~ works with a caveat   ✗ does not work   ? cannot tell",
        "  * required: a first session's exercises, or what --require names",
    ]  # fmt: skip


def test_a_reason_is_not_said_twice_in_a_row() -> None:
    rows = table(shown(report(capabilities=FOUR, blocks={})))
    assert rows[rows.index("  ✗   kprobe     no kprobes") + 1] == "  ✗   kretprobe  as above"
    assert not any("* required" in row for row in rows)


def test_a_tool_is_named_where_its_title_does_not() -> None:
    rows = table(shown(report(capabilities=(can("CO-RE", Works.WORKS, tool="libbpf"), FOUR[3]), blocks={})))
    assert "  ✓   libbpf: CO-RE" in rows
    assert "  ?   bcc            could not look" in rows


def test_long_titles_and_reasons_hang_in_their_columns() -> None:
    long = Capability("x", "a title " * 8, "bpftrace", Works.FAILS, "the reason for it " * 6)
    rows = table(shown(report(capabilities=(long,), blocks={})))
    body = rows[1 : rows.index("", 1)]
    start = body[0].index("the reason")
    assert body[0].startswith("  ✗   a title")
    assert all(row[:6] == "      " for row in body[1:])
    assert all(len(row) <= start or (row[start - 1] == " " and row[start] != " ") for row in body)


def test_a_narrow_page_has_the_reason_below() -> None:
    rows = table(shown(report(capabilities=FOUR, blocks={}), 40))
    assert rows[rows.index("  ~   kstack") + 1] == "        addresses are hidden"
    assert rows[rows.index("  ~   kstack") + 2] == "        expected as root: works"
    assert "bpf()" not in "".join(rows)


GONE = fail("bpftrace is not installed", id="tools.bpftrace")


def without_bpftrace(*rows: tuple[str, str, tuple[str, ...]]) -> Report:
    """A report of a machine without bpftrace: capabilities by name, reason and findings."""
    capabilities = [
        Capability(name, name, "bpftrace", Works.FAILS, because, findings) for name, because, findings in rows
    ]
    return report(GONE, capabilities=(*capabilities, FOUR[3]), required=("hello",))


def test_what_bpftrace_would_lack_is_said_beside_each_thing() -> None:
    text = shown(
        without_bpftrace(
            ("hello", "only bpftrace is missing", ("tools.bpftrace",)),
            ("usdt", "only bpftrace is missing", ("tools.bpftrace",)),
            ("iter", "only bpftrace is missing", ("tools.bpftrace",)),
            ("multi", "bpftrace is missing; with it: one by one", ("tools.bpftrace", "bpf.kprobe_multi")),
            ("kprobe", "no kprobes", ("tracing.kprobes", "tools.bpftrace")),
        )
    )
    rows = text.partition("What you can trace here\n")[2].splitlines()
    assert rows[:4] == ["", "  ✗ * hello   only bpftrace is missing", "", "  bpftrace"]
    beside = [
        "  ✗   usdt    only bpftrace is missing",
        "  ✗   iter    as above",
        "  ✗   multi   bpftrace is missing; with it: one by one",
        "  ✗   kprobe  no kprobes",
    ]
    assert rows[4:8] == beside
    assert rows[8:11] == ["", "  other tools", "  ?   bcc     could not look"]


def test_the_question_about_headers_follows_the_table() -> None:
    made = report(fail("no headers", id="headers.tree"), ok("whole", id="btf.vmlinux"), capabilities=FOUR,
                  required=("hello",))  # fmt: skip
    _, _, after = shown(made).partition("or what --require names\n\n")
    assert after.startswith(
        "Do I need kernel headers? Not for the required capabilities (*): BTF is\n  enough.\n"
    )
    assert "\x1b[1mDo I need kernel headers?\x1b[0m Not for" in shown(made, color=True)
    assert "kernel headers?" not in shown(replace(made, required=()))


# -- the order ---------------------------------------------------------------------------------------------


def test_failures_before_warnings_before_unknowns_required_ones_first() -> None:
    findings = (
        unknown("?", id="a.unknown"),
        warn("!", id="a.warn"),
        fail("x", id="a.fail"),
        fail("x", id="a.needed"),
        ok("fine", id="a.ok"),
    )
    assert told(shown(report(*findings))) == ["a.fail", "a.needed", "a.warn", "a.unknown"]
    blocks = {f.id: ("kprobe",) for f in findings} | {"a.needed": ("hello",)}
    made = report(*findings, required=("hello",), blocks=blocks)
    assert told(shown(made, verbose=True))[:4] == ["a.needed", "a.fail", "a.warn", "a.unknown"]
    assert told(shown(made)) == ["a.needed"]


def test_of_equals_what_a_command_repairs_comes_first() -> None:
    by_hand = Remedy("h", "Ask for another kernel", "manual")
    findings = (
        fail("1", id="a.none"),
        fail("2", id="a.hand", remedies=(by_hand,)),
        fail("3", id="a.repaired", remedies=(FIX,)),
        warn("4", id="a.warned", remedies=(FIX,)),
    )
    assert told(shown(report(*findings))) == ["a.repaired", "a.none", "a.hand", "a.warned"]


def test_a_cause_comes_before_its_symptoms_even_if_it_is_less_severe_and_blocks_nothing() -> None:
    findings = (
        fail("s", id="a.symptom", causes=("a.between",)),
        fail("b", id="a.between", causes=("a.root", "a.fine")),
        unknown("r", id="a.root"),
        ok("o", id="a.fine"),
        fail("f", id="a.other"),
    )
    made = report(*findings, blocks={"a.symptom": ("openat",)})
    assert told(shown(made, verbose=True))[0] == "a.root"
    assert "    so       a.between: b\n             a.symptom: s\n" in shown(made, verbose=True)
    assert told(shown(made)) == ["a.root"] and "    so       a.symptom: s\n" in shown(made)
    assert [f.id for f in not_in_the_way(made)] == ["a.other"]


def test_a_symptom_stays_with_the_last_of_its_causes_unless_something_worse_is_left() -> None:
    findings = (
        fail("1", id="a.one"),
        fail("2", id="a.two"),
        fail("3", id="a.three"),
        fail("s", id="a.both", causes=("a.two", "a.one")),
        unknown("u", id="a.unknown", causes=("a.one",)),
        warn("w", id="a.warn", causes=("a.three",)),
    )
    for text in (shown(report(*findings)), shown(report(*findings), verbose=True)):
        assert told(text) == ["a.one", "a.two", "a.three"]
        assert [re.findall("^ +(?:so +)?(a.*: .)$", part, re.M) for part in text.split("✗ a.")[1:]] == [
            ["a.unknown: u"],
            ["a.both: s"],
            ["a.warn: w"],
        ]


def test_only_the_nearest_causes_are_named() -> None:
    fix = (FIX,)
    findings = (
        fail("1", id="a.one", remedies=fix),
        fail("2", id="b.one", remedies=fix),
        fail("3", id="b.two", causes=("b.one",)),
        fail("4", id="c.both", causes=("a.one", "b.one", "b.two", "b.gone"), remedies=fix),
    )
    for verbose in (False, True):
        text = shown(report(*findings), verbose=verbose)
        assert told(text) == ["a.one", "b.one"]
        first, _, second = text.partition("✗ b.one")
        assert "c.both" not in first and re.search(r"^ +(so +)?c.both: 4$", second, re.M)
        assert "because  of" not in text


def chain(*middle: Finding) -> Report:
    """A cause, what it causes, and so on, and at the end what decides about a required capability."""
    ids = ["a.cause", *(f.id for f in middle), "a.end"]
    findings = [fail("c", id="a.cause"), *middle, fail("e", id="a.end")]
    linked = [replace(f, causes=(before,)) for f, before in zip(findings[1:], ids, strict=False)]
    return replace(
        report(findings[0], *linked),
        capabilities=(Capability("openat", "openat", "bpftrace", Works.FAILS, "e", ("a.end",)),),
    )


def test_what_only_stands_between_cause_and_symptom_is_left_to_verbose() -> None:
    made = chain(fail("1", id="a.one"), fail("2", id="a.two"))
    text = shown(made)
    assert told(text) == ["a.cause"] and "a.one" not in text and "a.two" not in text
    assert "    so       a.end: e\n" in text, "a symptom stays with its cause"
    assert "--verbose shows all evidence.\n" in text
    text = shown(made, verbose=True)
    assert "    so       a.one: 1\n             a.two: 2\n             a.end: e\n" in text


def test_verbose_tells_all_that_was_seen_of_what_explains_and_of_what_comes_of_it() -> None:
    """In the paragraph of the one thing that is wrong, further in than what it is about."""
    seen = (Evidence("/proc/one", "1"), Evidence("/proc/two", "2"))
    made = report(
        fail("c", id="a.cause", reason="built so", evidence=seen[:1]),
        fail("r", id="b.repaired", causes=("a.cause",), remedies=(FIX,)),
        fail("s", id="c.symptom", causes=("b.repaired",), reason="EPERM", evidence=seen),
    )
    text = shown(made, verbose=True)
    assert told(text) == ["b.repaired"]
    assert "because  a.cause: c\n               built so\n               /proc/one: 1\n" in text
    assert "so       c.symptom: s\n               EPERM\n               /proc/one: 1\n" in text
    assert "/proc/one" not in shown(made) and "--verbose shows all evidence." in shown(made)


def test_a_link_that_decides_or_can_be_repaired_is_told() -> None:
    made = chain(fail("1", id="a.one", remedies=(FIX,)), fail("2", id="a.two"), fail("3", id="a.three"))
    capability = made.capabilities[0]._replace(findings=("a.end", "a.three"))
    text = shown(replace(made, capabilities=(capability,)))
    assert told(text) == ["a.one"], "the paragraph is about what can be repaired"
    assert "    because  a.cause: c\n" in text
    assert "    so       a.three: 3\n             a.end: e\n    fix      Mount it" in text


def test_a_second_repair_is_a_paragraph_of_its_own() -> None:
    """Also where one cause without a repair stands behind both."""
    one, two = (
        replace(fail(name, id=f"a.{name}", causes=("a.cause",)), remedies=(FIX,)) for name in ("one", "two")
    )
    text = shown(report(fail("c", id="a.cause"), one, two, fail("s", id="b.s", causes=("a.one", "a.two"))))
    assert told(text) == ["a.one", "a.two"]
    first, _, second = text.partition("✗ a.two")
    assert "because  a.cause: c" in first and "because  of" not in first
    assert "so       b.s: s" in second


def test_a_symptom_that_only_repeats_its_cause_is_left_to_verbose() -> None:
    findings = (
        fail("needs root", id="a.root", remedies=(FIX,)),
        fail("needs root", id="a.caps", causes=("a.root",), remedies=(FIX,)),
        fail("needs root", id="b.other"),
    )
    assert told(shown(report(*findings))) == ["a.root", "b.other"]
    assert "    so       a.caps: needs root\n" in shown(report(*findings), verbose=True)
    made = replace(limited(*findings, core=("a.caps",)), blocks={"a.root": ("openat",), "a.caps": ("core",)})
    assert told(shown(made)) == ["a.root"] and "a.caps" not in shown(made)


def test_the_tempting_remedy_of_a_link_is_warned_of_where_it_leads() -> None:
    wrong = (WrongRemedy("modprobe kheaders", "there is no such module"),)
    made = chain(fail("1", id="a.one", wrong_remedies=wrong), fail("2", id="a.two", wrong_remedies=wrong))
    text = shown(made)
    assert text.count("modprobe kheaders — there is no such module") == 1
    assert "modprobe" in text.partition("a.end: e")[2]


@pytest.mark.parametrize("length", [1, 2, 3, 3000])
def test_causes_in_a_circle_or_a_long_chain_do_no_harm(length: int) -> None:
    ring = [fail("x", id=f"a.{i}", causes=(f"a.{(i + 1) % length}", "a.nowhere")) for i in range(length)]
    assert sorted(f.id for f in in_the_way(report(*ring))) == sorted(f.id for f in ring)


FIX = Remedy(
    "r", "Mount it", commands=("sudo mount",), run_on="the host", needs=("root", "network"), undo=("umount",)
)


def test_a_symptom_points_to_its_cause_and_does_not_repeat_the_repair() -> None:
    text = shown(
        report(
            fail("s", id="a.symptom", causes=("a.cause",), remedies=(FIX,)),
            fail("c", id="a.cause", remedies=(FIX,)),
        )
    )
    assert told(text) == ["a.cause"] and "    so       a.symptom: s\n" in text
    assert text.count("Mount it") == 1 and "$ sudo mount" in text and "run on   the host" in text


def test_a_symptom_keeps_its_repair_where_the_cause_has_none() -> None:
    text = shown(
        report(fail("s", id="a.symptom", causes=("a.cause",), remedies=(FIX,)), warn("c", id="a.cause"))
    )
    assert "Mount it" in text.partition("✗ a.symptom")[2]


def test_the_same_repair_and_the_same_warning_are_told_once() -> None:
    wrong = (WrongRemedy("apt install everything", "it is not there"),)
    text = shown(
        report(*(fail("x", id=i, remedies=(FIX,), wrong_remedies=wrong) for i in ("a.one", "a.two")))
    )
    assert text.count("$ sudo mount") == 1 and "fix      the same as for a.one" in text
    assert text.count("apt install everything — it is not there") == 1


# -- one finding -------------------------------------------------------------------------------------------

PATHS = (
    *(Evidence(f"/lib/modules/{i}", "absent") for i in range(5)),
    Evidence("/usr/src/x", "a broken link"),
)
STORY = fail(
    "no headers",
    id="headers.tree",
    reason="Nothing can be compiled.",
    evidence=PATHS,
    remedies=(FIX, Remedy("b", "Build another kernel", kind="unsafe")),
    wrong_remedies=(WrongRemedy("copy some", "they do not fit"),),
    with_root="more could be seen",
)


def test_a_finding_is_told_in_full_and_short() -> None:
    text = shown(report(STORY))
    assert text.partition("What stands in the way\n\n")[2].partition("\n\nNOT READY")[0].splitlines() == [
        "✗ headers.tree: no headers",
        "    Nothing can be compiled.",
        "    affects  openat",
        "    seen     /lib/modules/0: absent",
        "             /usr/src/x: a broken link",
        "    fix      Mount it (needs root, network)",
        "    run on   the host",
        "             $ sudo mount",
        "    not      copy some — they do not fit",
        "    as root  more could be seen",
        "",
        "--verbose shows all evidence.",
    ]


def test_verbose_has_every_path_every_remedy_and_every_finding() -> None:
    made = report(
        STORY,
        ok("fine", id="a.ok", evidence=(Evidence("/ok", "there"),)),
        skip("no", id="a.skip"),
        warn("hm", id="a.warn", reason="why"),
        blocks={"headers.tree": ("a", "b", "c", "d", "e", "f")},
    )
    text = shown(made, verbose=True)
    assert all(f"{e.source}: {e.observed}" in text for e in PATHS)
    assert "or       Build another kernel (changes how the machine behaves)" in text
    assert "undo     $ umount" in text and "affects  a, b, c, d, e, f" in text
    assert "Not in the way here\n\n! a.warn: hm\n    why\n" in text
    assert "As it should be\n\n✓ a.ok: fine\n    /ok: there\n" in text
    assert "Does not arise here\n\n· a.skip: no\n" in text
    assert "--verbose" not in text and "kdiag 0.1.0 · 2025-01-02T03:04:05Z" in text


def test_what_is_affected_takes_one_line() -> None:
    names = tuple(f"capability-{i}" for i in range(9))
    made = report(STORY, required=("capability-8",), blocks={"headers.tree": names})
    assert "    affects  capability-8, capability-0, capability-1, capability-2 and 5 more\n" in shown(made)


def test_a_symptom_is_told_in_few_words() -> None:
    text = shown(
        report(fail("c", id="a.cause"), replace(STORY, causes=("a.cause",), remedies=(), wrong_remedies=()))
    )
    paragraph = text.partition("a.cause: c\n")[2].partition("\n\n")[0]
    assert paragraph.splitlines() == ["    affects  openat", "    so       headers.tree: no headers"]


def test_evidence_that_only_repeats_the_summary_is_left_out() -> None:
    files = "only a running kernel can tell"
    evidence = (Evidence("kdiag", files), Evidence("/mnt", "a directory"))
    made = report(unknown(files, id="a.b", evidence=evidence))
    assert "    seen     /mnt: a directory\n" in shown(made) and "kdiag: only" not in shown(made)
    assert "--verbose" not in shown(made), "nothing is held back"
    assert "kdiag: only a running kernel can tell" in shown(made, verbose=True)


def test_a_remedy_by_hand_names_its_place_in_the_same_line() -> None:
    remedies = (Remedy("r", "Let the PMU through", "manual", run_on="the VM's settings", needs=("reboot",)),)
    text = shown(report(fail("x", id="a.b", remedies=remedies)))
    assert "    fix      Let the PMU through (by hand: the VM's settings; needs reboot)\n" in text
    assert "run on" not in text
    here = remedies[0]._replace(run_on="here", needs=())
    assert "    fix      Let the PMU through (by hand)\n" in shown(
        report(fail("x", id="a.b", remedies=(here,)))
    )


def test_what_could_not_be_looked_at_for_one_reason_is_told_together() -> None:
    files = "only a running kernel can tell"
    findings = (
        unknown(files, id="a.one", evidence=(Evidence("/sys/one", "not there"),)),
        unknown("who runs it is not known", id="a.two"),
        unknown(files, id="a.three", evidence=(Evidence("/sys/three", "not there"),)),
        fail(files, id="a.four"),
        fail(files, id="a.five"),
        unknown(files, id="a.six", remedies=(FIX,)),
    )
    made = report(*findings, blocks={f.id: (f.id, "openat") for f in findings})
    text = shown(made)
    assert told(text) == ["a.four", "a.five", "a.six", "a.one, a.three", "a.two"]
    assert text.partition("? a.one, a.three: only a running kernel can tell\n")[2].splitlines()[:3] == [
        "    affects  openat, a.one, a.three",
        "    seen     /sys/one: not there",
        "             /sys/three: not there",
    ]


def test_what_nothing_waits_for_is_only_counted() -> None:
    findings = [warn("hm", id=i) for i in ("a.one", "config.A", "config.B")]
    text = shown(report(*findings, blocks={}))
    assert text.endswith("\n\n--verbose shows 3 findings that nothing here waits for.\n")
    assert "config" not in text and "hm" not in text
    assert "--verbose shows 1 finding that nothing here waits for." in shown(report(findings[0], blocks={}))


# -- what no required capability waits for -----------------------------------------------------------------


def limited(*findings: Finding, **deciding: tuple[str, ...]) -> Report:
    """A report where openat works, and by keyword what does not work and the findings that decide it."""
    by_id = {f.id: f for f in findings}
    capabilities = tuple(
        Capability(name, name, "bpftrace", Works.FAILS, by_id[ids[0]].summary if ids else "", ids)
        for name, ids in deciding.items()
    )
    blocks: dict[str, tuple[str, ...]] = {}
    for name, ids in deciding.items():
        for id_ in ids:
            blocks[id_] = (*blocks.get(id_, ()), name)
    return report(*findings, capabilities=(can("openat", Works.WORKS), *capabilities), blocks=blocks)


def test_a_limit_is_sketched_in_few_lines() -> None:
    cause = fail("the kernel was built without", id="config.X", reason="no line", evidence=PATHS)
    text = shown(limited(cause, replace(STORY, causes=("config.X",)), include=("headers.tree",)))
    assert text.partition("Limited here\n\n")[2].partition("\n\nNOT READY")[0].splitlines() == [
        "✗ headers.tree: no headers",
        "    Nothing can be compiled.",
        "    because  config.X: the kernel was built without",
        "    affects  include",
        "    fix      Mount it (needs root, network)",
        "    run on   the host",
        "             $ sudo mount",
        "",
        "--verbose shows all evidence.",
    ]
    assert "stands in the way" not in text


def test_what_is_told_in_full_is_not_sketched_again() -> None:
    made = replace(
        limited(
            fail("x", id="a.told"), fail("y", id="a.sketched"), kprobe=("a.told",), fentry=("a.sketched",)
        ),
        blocks={"a.told": ("openat", "kprobe"), "a.sketched": ("fentry",)},
    )
    text = shown(made)
    assert told(text) == ["a.told"] and sketched(text) == ["a.sketched"]
    assert "\n\nAlso limited here\n\n✗ a.sketched: y\n    affects  fentry\n" in text
    verbose = shown(made, verbose=True)
    assert told(verbose) == ["a.told", "a.sketched"] and "imited here" not in verbose


def test_each_limit_is_told_by_what_its_reason_quotes_or_by_what_decides() -> None:
    findings = [fail(f"{name} is missing", id=f"a.{name}") for name in ("tool", "kprobes", "headers", "btf")]
    made = limited(
        *findings,
        kprobe=("a.tool", "a.kprobes"), include=("a.tool", "a.headers"), fentry=("a.tool", "a.btf"), bcc=(),
    )  # fmt: skip
    quoting = {
        "kprobe": "tool is missing; and kprobes is missing",
        "include": "it cannot be",
        "fentry": "btf is missing",
    }
    capabilities = tuple(c._replace(because=quoting.get(c.id, "")) for c in made.capabilities)
    blocks = {**made.blocks, "a.tool": ("openat", *made.blocks["a.tool"])}
    made = replace(made, capabilities=capabilities)
    assert sketched(shown(made)) == ["a.tool", "a.kprobes", "a.btf"]
    assert sketched(shown(replace(made, blocks=blocks))) == ["a.kprobes", "a.btf"]


def test_sketches_come_in_the_same_order_as_stories() -> None:
    findings = (
        unknown("?", id="a.unknown"),
        warn("!", id="a.warn"),
        fail("s", id="a.symptom", causes=("a.cause",)),
        fail("x", id="a.fail"),
        fail("c", id="a.cause"),
        fail("r", id="a.repaired", remedies=(FIX,)),
    )
    text = shown(limited(*findings, **{f"c{i}": (f.id,) for i, f in enumerate(findings)}))
    assert sketched(text) == ["a.repaired", "a.cause", "a.symptom", "a.fail", "a.warn", "a.unknown"]
    assert "because  config" not in text and "\n\n✗ a.symptom" not in text and "\n\n✗ a.fail" in text


def test_a_sketch_names_two_causes_and_points_to_those_that_are_told() -> None:
    findings = (
        fail("0", id="a.told"),
        *(fail(f"number {i}", id=f"a.{i}") for i in (1, 2, 3)),
        fail("e", id="a.end", causes=("a.told", "a.2", "a.3")),
        fail("f", id="a.far", causes=("a.1", "a.2", "a.3", "a.gone")),
    )
    made = limited(*findings, end=("a.end",), far=("a.far",))
    text = shown(replace(made, blocks={**made.blocks, "a.told": ("openat",)}))
    assert "✗ a.end: e\n    because  of a.told\n             a.2: number 2\n    affects  end\n" in text
    assert "✗ a.far: f\n    because  a.1: number 1\n             a.2: number 2\n    affects  far\n" in text


def test_a_sketch_has_the_repair_of_its_cause_where_it_has_none_itself() -> None:
    cause = fail("c", id="a.cause", remedies=(FIX,))
    by_hand = replace(cause, remedies=(Remedy("h", "Ask somebody", "manual"),))
    symptom = fail("s", id="a.symptom", causes=("a.cause",))
    assert "$ sudo mount" in shown(limited(cause, symptom, kprobe=("a.symptom",)))
    assert "Ask somebody" not in shown(limited(by_hand, symptom, kprobe=("a.symptom",)))
    both = shown(limited(cause, symptom, kprobe=("a.symptom",), fentry=("a.cause",)))
    assert both.count("$ sudo mount") == 1 and "✗ a.symptom: s\n    because  of a.cause\n" in both
    told_above = replace(limited(cause, symptom, kprobe=("a.symptom",)), blocks={"a.cause": ("openat",)})
    assert shown(told_above).count("Mount it") == 1 and "the same as" not in shown(told_above)


def test_a_sketch_says_what_root_would_add_where_nothing_else_helps() -> None:
    findings = (
        unknown("u", id="a.unseen", with_root="it could be seen", remedies=(FIX,)),
        fail("f", id="a.refused", with_root="it would be permitted"),
        fail("r", id="a.repaired", with_root="more", remedies=(FIX,)),
    )
    text = shown(limited(*findings, one=("a.unseen",), two=("a.refused",), three=("a.repaired",)))
    assert "as root  it could be seen\n" in text and "as root  it would be permitted\n" in text
    assert "as root  more" not in text


def test_what_is_fine_is_silent() -> None:
    text = shown(
        replace(report(ok("fine", id="a.ok"), capabilities=FOUR[:1]), verdict=Verdict(Readiness.READY, "go."))
    )
    assert "in the way" not in text and "a.ok" not in text and text.startswith("READY: go.\n")


@pytest.mark.parametrize(
    ("readiness", "word"),
    [(Readiness.READY, "READY"), (Readiness.NOT_READY, "NOT READY"), (Readiness.UNKNOWN, "CANNOT TELL")],
)
def test_the_first_words(readiness: Readiness, word: str) -> None:
    made = replace(report(), verdict=Verdict(readiness, "so it is", "kdiag check --verbose", "here"))
    assert shown(made).startswith(f"{word}: so it is\nNext: kdiag check --verbose\n\n")


@pytest.mark.parametrize(
    ("place", "label"),
    [
        ("", "Next: "),
        ("here", "Next: "),
        ("the host", "Next, on the host: "),
        ("Windows", "Next, on Windows: "),
        ("the shell that starts the tool", "Next, in the shell that starts the tool: "),
        ("outside of Docker", "Next, outside of Docker: "),
    ],
)
def test_the_next_step_says_where(place: str, label: str) -> None:
    made = replace(report(), verdict=Verdict(Readiness.NOT_READY, "so it is", "do it", place))
    assert shown(made).splitlines()[1] == f"{label}do it"


# -- the page ----------------------------------------------------------------------------------------------

LONG = report(
    fail(
        "the word " + "incomprehensibilities" * 9 + " is long",
        id="a." + "long-id" * 20,
        reason="see https://example.org/" + "deep/" * 40 + " and " + "x" * 300,
        evidence=(Evidence("/usr/src/" + "very-long-name/" * 12, "y" * 300),),
        remedies=(Remedy("r", "t" * 200, commands=("sudo sh -c '" + "word " * 60 + "'",), run_on="h" * 200),),
        wrong_remedies=(WrongRemedy("a" * 200, "w" * 200),),
        with_root="r" * 200,
    ),
    capabilities=(Capability("c", "t" * 200, "some tool", Works.FAILS, "b" * 200, (), Works.UNKNOWN),),
    required=("c",),
    machine=MachineInfo(*["m" * 200] * 10),
)
WIDTHS = (30, 40, 59, 60, 80, 100, 120, 250)


@pytest.mark.parametrize("verbose", [False, True])
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("made", [SAMPLE, LONG], ids=["sample", "long"])
def test_only_commands_and_paths_are_longer_than_a_line(made: Report, width: int, verbose: bool) -> None:
    for line in shown(made, width, verbose=verbose).splitlines():
        if columns(line) > width and not re.match(r" *(undo:? +)?\$ |Next: ", line):
            # a path or URL, alone on its line behind its label
            assert re.fullmatch(r" *(seen|not|fix|run on|as root|affects|because)?:? *\S*/\S*", line), line


@pytest.mark.parametrize("width", WIDTHS)
def test_commands_paths_and_links_stay_whole(width: int) -> None:
    text = shown(LONG, width, verbose=True)
    assert "$ sudo sh -c '" + "word " * 60 + "'\n" in text
    assert "https://example.org/" + "deep/" * 40 in text and "/usr/src/" + "very-long-name/" * 12 in text


@pytest.mark.parametrize("width", [0, *WIDTHS])
@pytest.mark.parametrize("unicode", [False, True])
@pytest.mark.parametrize("verbose", [False, True])
def test_colour_changes_nothing_but_colour(width: int, unicode: bool, verbose: bool) -> None:
    for made in (SAMPLE, LONG, report(STORY, capabilities=FOUR)):
        plain = shown(made, width, unicode=unicode, verbose=verbose)
        painted = shown(made, width, unicode=unicode, verbose=verbose, color=True)
        assert "\x1b" not in plain and "\x1b[" in painted
        assert SGR.sub("", painted) == plain
        assert painted.count("\x1b[0m") * 2 == painted.count("\x1b[")
        assert plain.isascii() or unicode
        assert not re.search(r"[ \t]$|\n\n\n", plain, re.MULTILINE) and plain.endswith("\n")


def test_without_unicode_nothing_is_lost() -> None:
    text = shown(report(fail("größer — “als” µ", id="a.b"), capabilities=FOUR), unicode=False)
    assert 'x a.b: gr\\xf6\\xdfer - "als" u' in text
    assert "  + works   ~ works with a caveat   x does not work   ? cannot tell" in text


def test_wide_characters_count_twice() -> None:
    text = shown(report(fail("漢字" * 100, id="a.b"), capabilities=(can("漢字", Works.FAILS, "no"), *FOUR)))
    assert max(map(columns, text.splitlines())) <= 80
    rows = [row for row in table(text) if row.endswith(("no kprobes", "  no"))]
    assert len({columns(row[: row.rindex("  ")]) for row in rows}) == 1


# -- harm --------------------------------------------------------------------------------------------------


def everywhere(text: str) -> Report:
    """A report with the text wherever text may be."""
    remedy = Remedy(text, text, "manual", (text,), text, (text,), (text,))
    findings = tuple(
        Finding(status, text, text, f"{text}{i}", text, (Evidence(text, text),) * 3, (text,), (remedy,) * 2,
                (WrongRemedy(text, text),), text)
        for i, status in enumerate(Status)
    )  # fmt: skip
    capabilities = tuple(
        Capability(f"{text}{s.value}", text, text, s, text, (text,), Works.WORKS) for s in Works
    )
    return Report(
        text, text, MachineInfo(*[text] * 10), findings, capabilities, (f"{text}works",),
        Verdict(Readiness.UNKNOWN, text, text), {f.id: (text,) for f in findings[:3]},
    )  # fmt: skip


def test_a_hostile_machine_does_not_paint_the_terminal() -> None:
    text = shown(everywhere("a\x1b[2J\x1b]0;owned\x07\x9b31m\nREADY: all is well\r\u202e\u200b\udc80\x7fz"))
    assert "\x1b" not in text and text.replace("\n", "").isprintable()
    assert "a\\x1b[2J\\x1b]0;owned\\x07\\x9b31m\\nREADY:" in text and "\\u202e\\u200b\\x80\\x7fz" in text
    assert not any(line.startswith("READY") for line in text.splitlines())
    text.encode("utf-8")


@given(text=st.text(st.characters()), width=st.integers(0, 130), verbose=st.booleans(), unicode=st.booleans())
@settings(deadline=None, max_examples=120)
def test_any_text_is_printable(text: str, width: int, verbose: bool, unicode: bool) -> None:
    out = shown(everywhere(text), width, verbose=verbose, unicode=unicode)
    assert out.replace("\n", "").isprintable()
    out.encode("utf-8" if unicode else "ascii")


@given(text=st.text(st.characters()))
@settings(deadline=None, max_examples=120)
def test_clean_is_done_once(text: str) -> None:
    assert clean(clean(text)) == clean(text)
    assert clean(clean(text, unicode=False)) == clean(text, unicode=False)


@given(text=st.text("ab/-漢 \u0301", max_size=60), width=st.integers(2, 12))
@settings(deadline=None, max_examples=200)
def test_wrapping_loses_nothing_and_keeps_the_width(text: str, width: int) -> None:
    lines = wrap(text, width)
    assert "".join(lines).replace(" ", "") == text.replace(" ", "")
    assert all(columns(line) <= width or "/" in line for line in lines)
    assert all(line == line.strip() and line for line in lines)


def test_an_empty_report() -> None:
    nothing = Report("0", "", MachineInfo(), (), (), (), Verdict(Readiness.UNKNOWN, "nothing was asked."))
    assert shown(nothing) == "CANNOT TELL: nothing was asked.\n\nNothing is known about this machine.\n"
    assert shown(replace(nothing, blocks={"a.b": ("x",)}, required=("y",))) == shown(nothing)


def test_the_import_stays_small() -> None:
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, kdiag.report.faces.text; print(*sys.modules)"],
        capture_output=True, text=True, check=True, cwd=HERE.parents[1],
    ).stdout.split()  # fmt: skip
    assert not {"rich", "tabulate", "typer", "textwrap", "json", "unicodedata"} & set(loaded)
