"""`kdiag list` and `kdiag explain`: complete, within the page, and safe with a stranger's words."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdiag.capabilities.definitions import DEFAULT_REQUIRED, DEFINITIONS
from kdiag.check import Check
from kdiag.checking.registry import Problem, Registered, Registry, discover
from kdiag.checking.selection import UnknownName
from kdiag.console.wrap import columns
from kdiag.machine import Machine
from kdiag.model import Finding
from kdiag.report.story.listing import explanation, listing

OURS = discover(plugins=False)
WIDTHS = (40, 60, 80, 120)


def _run(_machine: Machine) -> Iterator[Finding]:
    yield from ()


def stranger(
    title: str = "SELinux lets bpf() through",
    doc: str = "",
    *,
    ids: tuple[str, ...] = (),
    problem: str = "cannot be imported",
) -> Registry:
    """Our checks and one of another package, and a package that could not be used."""
    check = Check("lsm.selinux", title, _run, doc, ids)
    found = Registered(check, "kdiag-selinux", "2.1", "kdiag_selinux.checks")
    return Registry(
        tuple(sorted((*OURS.checks, found), key=lambda f: f.check.id)),
        (Problem("kdiag_broken", "kdiag-broken", problem),),
    )


def test_everything_is_listed_once_with_its_title() -> None:
    lines = listing(OURS).splitlines()
    for found in OURS.checks:
        assert sum(line.split() == [found.check.id, *found.check.title.split()] for line in lines) == 1
    for definition in DEFINITIONS:
        mark = ["*"] if definition.id in DEFAULT_REQUIRED else []
        assert sum(line.split()[: len(mark) + 1] == [*mark, definition.id] for line in lines) == 1


def test_checks_stand_below_the_distribution_that_they_come_from_ours_first() -> None:
    text = listing(stranger())
    ours, _, theirs = text.partition("Checks of kdiag-selinux 2.1\n\n")
    assert ours.startswith(f"Checks of kdiag {OURS.checks[0].version}\n\n  bpf.fentry ")
    assert theirs.startswith("  lsm.selinux  SELinux lets bpf() through\n\nCapabilities of bpftrace")
    assert "lsm.selinux" not in ours
    assert "Packages of checks that could not be used\n\n  kdiag_broken (kdiag-broken): cannot be imp" in text
    assert "could not be used" not in listing(OURS)


@pytest.mark.parametrize("width", WIDTHS)
def test_the_list_keeps_to_the_page(width: int) -> None:
    text = listing(
        stranger("a title that goes on and on " * 6, problem="ImportError: " + "of a thing " * 20), width
    )
    assert max(map(columns, text.splitlines())) <= width
    assert not any(line != line.rstrip() for line in text.splitlines())


def test_a_long_title_hangs_in_its_column() -> None:
    lines = listing(stranger("a title that goes on and on " * 6)).splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("  lsm.selinux  a title"))
    column = lines[start].index("a title")
    assert all(lines[start + i].startswith(" " * column) and lines[start + i][column] != " " for i in (1, 2))


def test_a_narrow_page_has_the_title_below() -> None:
    assert "\n  kernel.arch\n      User space and kernel have the\n      same architecture\n" in listing(
        OURS, 40
    )


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    "name",
    [*(f.check.id for f in OURS.checks), *(d.id for d in DEFINITIONS), "config.KPROBES", "bpf.prog.kprobe"],
)
def test_an_explanation_keeps_to_the_page(name: str, width: int) -> None:
    for line in explanation(OURS, name, width).splitlines():
        # commands stay whole, as do paths
        assert columns(line) <= width or line.startswith("  $ ") or "/" in line, line


def test_an_explanation_has_the_text_and_its_commands_on_lines_of_their_own() -> None:
    doc = """What it looks at, in more words than fit on a line of the terminal: `getenforce
    -v` is one of them.

    Why it matters. See it yourself: `cat
    /proc/self/attr/current`, `sestatus`.
    """
    assert explanation(stranger(doc=doc), "lsm.selinux", 60).splitlines() == [
        "lsm.selinux: SELinux lets bpf() through",
        "",
        "What it looks at, in more words than fit on a line of the",
        "terminal: `getenforce -v` is one of them.",
        "",
        "Why it matters.",
        "",
        "See it yourself:",
        "  $ cat /proc/self/attr/current",
        "  $ sestatus",
        "",
        "from kdiag-selinux 2.1",
    ]


def test_code_is_not_broken_over_lines() -> None:
    text = explanation(stranger(doc="word " * 9 + "`modprobe -n -v kheaders` and so on"), "lsm.selinux", 60)
    assert "\n`modprobe -n -v kheaders` and so on\n" in text


def test_words_after_the_command_stay_with_it() -> None:
    text = explanation(OURS, "privileges.seccomp")
    assert "See it yourself: `grep Seccomp /proc/self/status` (2 is a filter)." in text and "$" not in text


def test_a_finding_is_explained_by_its_check() -> None:
    text = explanation(OURS, "bpf.prog.kprobe")
    assert text.startswith(
        "bpf.prog: Program types that this kernel loads\nbpf.prog.kprobe is one of its findings.\n"
    )
    assert "lsm.selinux.x is one of its findings" in explanation(
        stranger(ids=("lsm.selinux.*",)), "lsm.selinux.x"
    )


def test_a_check_is_not_taken_for_the_finding_of_another() -> None:
    assert explanation(OURS, "config.source").startswith("config.source: ")


def test_an_option_is_explained_by_what_it_unlocks() -> None:
    text = explanation(OURS, "config.KPROBES")
    assert text.startswith("config.options: ") and "\nCONFIG_KPROBES unlocks: " in text
    assert "unlocks:" not in explanation(OURS, "config.options")


def test_a_capability_is_explained_with_the_command_that_tells() -> None:
    text = explanation(OURS, "bcc-tools")
    assert text.startswith("bcc-tools: BCC tools\n") and text.endswith(
        "\n  $ kdiag check --require bcc-tools\n"
    )


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("header.tree", "headers.tree"),
        ("bpf.prog.kprobes", "bpf.prog.kprobe"),
        ("config.KPROBE", "config.KPROBES"),
        ("tracepoint-arg", "tracepoint-args"),
        ("CONFIG_BPF_SYSCALL", "config.BPF_SYSCALL"),
    ],
)
def test_the_nearest_name_is_offered(name: str, nearest: str) -> None:
    with pytest.raises(UnknownName, match=rf"nothing is called '{name}'; did you mean {nearest}\? "):
        explanation(OURS, name)


def test_a_part_of_names_offers_those_that_have_it() -> None:
    with pytest.raises(
        UnknownName, match=r"did you mean kheaders\.\w+, kheaders\.\w+, .* or kheaders\.\w+\?"
    ):
        explanation(OURS, "kheaders")
    with pytest.raises(UnknownName, match=r"did you mean .*btf\.vmlinux"):
        explanation(OURS, "BTF vmlinux")


@pytest.mark.parametrize("name", ["nosuch", "", "..", "x"])
def test_a_name_like_no_other_is_only_refused(name: str) -> None:
    with pytest.raises(UnknownName, match=rf"^nothing is called '{name}' \(`kdiag list` shows all"):
        explanation(OURS, name)


@given(text=st.text(st.characters(), max_size=80), width=st.integers(40, 120))
@settings(deadline=None, max_examples=60)
def test_a_strangers_words_are_printable(text: str, width: int) -> None:
    registry = stranger(text, text, problem=text)
    for out in (listing(registry, width), explanation(registry, "lsm.selinux", width)):
        assert out.replace("\n", "").isprintable()
