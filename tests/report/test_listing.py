"""`kdiag list`: complete, within the page, and safe with a stranger's words."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdiag.capabilities.definitions import DEFAULT_REQUIRED, DEFINITIONS
from kdiag.check import Check
from kdiag.checking.registry import Problem, Registered, Registry, discover
from kdiag.console.wrap import columns
from kdiag.machine import Machine
from kdiag.model import Finding
from kdiag.report.story.listing import listing

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


@given(text=st.text(st.characters(), max_size=80), width=st.integers(40, 120))
@settings(deadline=None, max_examples=60)
def test_a_strangers_words_are_printable(text: str, width: int) -> None:
    registry = stranger(text, text, problem=text)
    assert listing(registry, width).replace("\n", "").isprintable()
