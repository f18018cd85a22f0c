"""`kdiag explain uprobe:...` and `usdt:...`: what the program's file names, and what is said where it has no names."""

from __future__ import annotations

import pytest

from kdiag.explain.here import Here
from kdiag.explain.probe.explain import explain
from kdiag.system.recording import Recording
from tests.support import machines
from tests.support.explained import cells, here, said
from tests.support.paths import FIXTURES
from tests.support.usdt_program import note, program

OFFERS = "What the program offers"
FULL = program(
    symtab=(("main", 0x10, True), ("helper", 0x20, True), ("helped", 0x30, True)),
    dynsym=(("malloc", 0, False),),
    notes=note("app", "start", 0x1234, 0x4000, "8@%rdi") + note("app", "start", 0x1250, 0x4000, "8@%rsi"),
)
STRIPPED = program(dynsym=(("exported", 0x10, True), ("malloc", 0, False)), build_id=b"\xab\xcd\xef")


@pytest.fixture(scope="module")
def place() -> Here:
    described = machines.bpftrace(machines.linux(), "0.23.2")
    for name, data in (
        ("app", FULL),
        ("lean", STRIPPED),
        ("mute", program(build_id=b"\1")),
        ("text", b"#!/bin/sh\n"),
    ):
        described.file(f"/opt/{name}", data, mode=0o755)
    described.file(
        "/usr/lib/debug/.build-id/ab/cdef.debug", program(symtab=(("hidden", 0x40, True),)), mode=0o644
    )
    described.program("app", "/opt/app")
    return here(described, types=False)


@pytest.mark.parametrize(
    ("probe", "outcome", "words"),
    [
        ("uprobe:/opt/app:main", "works", "3 functions by name (.symtab and .dynsym)"),
        ("uprobe:app:main", "works", "/opt/app: 3 functions"),
        ("u:/opt/app:main+4", "works", ""),
        ("uretprobe:/opt/app:main+4", "fails", "cannot be put on an offset"),
        ("uprobe:/opt/app:helpr", "fails", "did you mean helper?"),
        ("uprobe:/opt/app:malloc", "fails", "only calls malloc"),
        ("uprobe:/opt/app:help*", "works", "It stands for 2 functions: helped, helper."),
        ("uprobe:/opt/app:zzz*", "fails", "no function of /opt/app matches"),
        ("uprobe:/opt/lean:exported", "works", "(.dynsym)"),
        (
            "uprobe:/opt/lean:inside",
            "fails",
            "is stripped, and inside is not among the 1 functions that it exports",
        ),
        ("uprobe:/opt/lean:hidden", "works", "its symbol is in /usr/lib/debug/.build-id/ab/cdef.debug"),
        ("uprobe:/opt/mute:main", "fails", "names no functions: it is stripped (build-id 01)"),
        ("uprobe:/opt/mute:0x40", "works", "whether a function is at the address was not looked at"),
        ("uprobe:/opt/text:main", "fails", "not an ELF file"),
        ("uprobe:/opt/app:cpp:f", "unknown", "demangle"),
        ("usdt:/opt/app:app:start", "works", "1 probe in 2 places"),
        ("usdt:/opt/app:start", "works", "semaphore"),
        ("usdt:/opt/app:*:*", "works", "1 probe in 2 places"),
        ("usdt:/opt/app:app:stop", "fails", "did you mean app:start?"),
        ("usdt:/opt/lean:x", "fails", "no USDT probes"),
        ("usdt::start", "unknown", "-p PID"),
    ],
)
def test_what_a_program_offers(place: Here, probe: str, outcome: str, words: str) -> None:
    answer = explain(probe, place)
    assert (answer.outcome, words in said(answer)) == (outcome, True), said(answer)


def test_more_probes_than_a_release_attaches_are_told_with_the_variable() -> None:
    many = tuple((f"f_{number}", number + 1, True) for number in range(600))
    described = machines.bpftrace(machines.linux(), "0.17.0").file(
        "/opt/many", program(symtab=many), mode=0o755
    )
    answer = explain("uprobe:/opt/many:f_*", here(described, types=False))
    assert answer.outcome == "fails" and "BPFTRACE_MAX_PROBES=600" in answer.verdict
    assert "one by one. Estimate: 60 s" in said(answer)


def test_the_places_of_a_probe_have_their_arguments(place: Here) -> None:
    rows = cells(explain("usdt:/opt/app:app:start", place), OFFERS)
    assert rows[0] == ("app:start", "0x1234", "yes", "8@%rdi")


def test_a_program_that_was_not_recorded_cannot_be_told_of() -> None:
    answer = explain("uprobe:/opt/app:main", here(Recording(FIXTURES / "lab-6.12-btf-kheaders")))
    assert answer.outcome == "unknown" and "not recorded" in answer.verdict
