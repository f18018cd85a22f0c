"""`kdiag fix` and `kdiag check` never disagree: one chooser of remedies, one next step, one exit status."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from kdiag.checking.analysis import analyse
from kdiag.checking.registry import discover
from kdiag.commands.repair.foresight import Foreseen, foreseen, outlook, readiness
from kdiag.console import exits
from kdiag.console.command_line import for_this_user
from kdiag.fix.options import Options
from kdiag.fix.store.places import Places
from kdiag.machine import Machine
from kdiag.model import Readiness, Works
from kdiag.recording.pack import opened
from kdiag.report.story.next_step import label
from kdiag.system import System
from tests.support import machines
from tests.support.cases import cases
from tests.support.description import Description
from tests.support.fix_runs import Run
from tests.support.fixable_machine import case
from tests.support.paths import FIXTURES, REPOSITORY

#: Recordings of others, where they are beside the repository; each is judged like a fixture.
RECORDED = sorted(
    path.parent
    for base in (FIXTURES, REPOSITORY.parent / "shared" / "inputs")
    for path in base.glob("*/recording.json")
)
REGISTRY = discover(plugins=False)


def look_ahead(system: System, tmp_path: Path) -> Foreseen:
    machine = Machine(system)
    report = analyse(machine, REGISTRY, REGISTRY.checks)
    store = tmp_path / "headers"
    return foreseen(
        machine, report, Places(store, (store,), tmp_path / "state", tmp_path / "modules"), Options()
    )


def one_line(text: str) -> str:
    return " ".join(text.split())


def agree(seen: Foreseen) -> None:
    """What both say of one machine, held against each other."""
    verdict, text = for_this_user(seen.before).verdict, outlook(seen, 100)
    ready = readiness(seen.before) == exits.READY
    assert ("Nothing to do" in text) == (ready and not seen.plan.steps)
    if verdict.status is Readiness.READY:
        assert not re.search("^(Next|Then|Or)\\b", text, re.M)
        return
    same = one_line(f"{label(verdict)}: {verdict.next}") in one_line(text)
    assert same or seen.plan.changes_something, "no plan, and not what check says"
    if same:
        assert readiness(seen.after) == readiness(seen.before)
    if re.search("kdiag fix", seen.before.verdict.next):
        assert seen.plan.changes_something, "check sends people to a fix that can do nothing"
    failed, fails = (
        {c.title for c in report.capabilities if c.status is Works.FAILS}
        for report in (seen.before, seen.after)
    )
    for step in seen.plan.steps:
        mends = not (failed - fails).isdisjoint(step.helps)
        assert not mends or fails.isdisjoint(step.helps), "it promises what it cannot mend"
    if os.geteuid() == 0:
        assert "sudo kdiag" not in text or verdict.run_on not in ("", "here")


@pytest.mark.parametrize("directory", RECORDED, ids=lambda path: path.name)
def test_on_every_recorded_machine(directory: Path, tmp_path: Path) -> None:
    agree(look_ahead(opened(str(directory)), tmp_path))


@pytest.mark.parametrize("name", cases())
def test_on_every_reported_machine(name: str, tmp_path: Path) -> None:
    agree(look_ahead(cases()[name].build().recording(), tmp_path))


def described(name: str) -> Description:
    """Machines on which the two could part: by what stands in the way, and where its remedy is."""
    healthy = machines.bpftrace(machines.linux(), "0.23.2")
    return {
        "ready": lambda: healthy,
        "user": lambda: machines.user(healthy),
        "user, tracefs unmounted": lambda: machines.user(machines.unmounted(healthy)),
        "tracefs unmounted": lambda: machines.unmounted(healthy),
        "no bpftrace, tracefs unmounted": lambda: machines.unmounted(machines.linux()),
        "locked down, kheaders": lambda: machines.lockdown(
            machines.kheaders(healthy, "builtin"), "confidentiality"
        ),
        "container": lambda: machines.container(healthy),
        "container, no BTF": lambda: machines.container(machines.without_btf(healthy)),
        "no BTF, kheaders": lambda: machines.kheaders(machines.without_btf(healthy), "builtin"),
        "no BTF": lambda: machines.without_btf(healthy),
    }[name]()


@pytest.mark.parametrize(
    ("name", "status", "steps", "says"),
    [
        ("ready", 0, [], "Nothing to do for"),
        ("user", 0, [], "Nothing to do for"),
        ("tracefs unmounted", 0, ["tracefs.mount"], ""),
        ("no bpftrace, tracefs unmounted", 1, ["tracefs.mount"], "Then: .*install bpftrace"),
        ("locked down, kheaders", 1, ["kheaders.extract"], "Next, in the boot loader: Boot with"),
        ("container", 1, [], "Next, on the host: docker run"),
    ],
)
def test_what_a_plan_does_not_bring_is_the_next_step(
    name: str, status: int, steps: list[str], says: str, tmp_path: Path
) -> None:
    seen = look_ahead(described(name).recording(), tmp_path)
    agree(seen)
    assert [step.id for step in seen.plan.steps] == steps
    assert readiness(seen.after) == status
    assert re.search(says, outlook(seen, 100))


@pytest.mark.parametrize(
    "name", ["user, tracefs unmounted", "container, no BTF", "no BTF, kheaders", "no BTF"]
)
def test_they_agree_elsewhere(name: str, tmp_path: Path) -> None:
    agree(look_ahead(described(name).recording(), tmp_path))


@pytest.mark.parametrize("variant", ["without_btf", "without_module"])
def test_the_status_is_one_however_it_is_asked(variant: str, tmp_path: Path) -> None:
    """With --dry-run, with --yes and without: what cannot be repaired here is no success of any of them."""
    variants = ("without_module", *([variant] if variant != "without_module" else []))
    run = Run(case(tmp_path, *variants, bpftrace="0.23.2"))
    statuses = {run.fix(dry_run=True), run.fix(yes=True), run.fix()}
    assert len(statuses) == 1 and "Do this?" not in run.text
