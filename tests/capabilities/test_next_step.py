"""The first screen: why in one clause, and a next step that opens the way, or says that there is none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kdiag.capabilities.expression import Context, Expression, all_of, any_of, joined, need
from kdiag.capabilities.repair import remedy_of, repairs
from kdiag.capabilities.verdict import judge
from kdiag.model import Capability, Finding, Readiness, Remedy, Status, Works
from kdiag.recording.pack import opened
from kdiag.report.formats import Options, render_as
from kdiag.report.story.next_step import elsewhere, label
from tests.support import machines
from tests.support.description import Description
from tests.support.paths import FIXTURES
from tests.support.reports import Examine, report_on

RECORDED = sorted(path.parent for path in FIXTURES.glob("*/recording.json"))


def finding(
    name: str, status: Status = Status.FAIL, *causes: str, place: str = "", command: str = ""
) -> Finding:
    """With a remedy if there is a place; one by hand without a command."""
    remedy = Remedy(name, f"mend {name}", commands=(command,) if command else (), run_on=place)
    return Finding(status, f"{name} is wrong", id=name, causes=causes, remedies=(remedy,) if place else ())


def here(name: str, *causes: str, status: Status = Status.FAIL) -> Finding:
    return finding(name, status, *causes, place="here", command=f"mend-{name}")


def steps(expression: Expression, *findings: Finding) -> tuple[str, ...]:
    by_id = {f.id: f for f in findings}
    now = expression(Context(by_id))
    return repairs(lambda fine: expression(Context(by_id, fine)).works, now.works, now.findings, by_id)


def test_every_step_that_is_needed_and_no_other() -> None:
    both = all_of(need("a"), need("b"))
    assert steps(both, here("a"), here("b"), here("c")) == ("a", "b")


def test_one_side_of_an_alternative_is_enough() -> None:
    either = any_of(need("a"), need("b"))
    assert steps(either, here("a"), here("b")) == ("a",)
    assert steps(either, finding("a"), here("b")) == ("b",)


def test_a_remedy_helps_only_where_the_whole_way_opens() -> None:
    assert steps(all_of(need("a"), need("b")), here("a"), finding("b")) == ()


def test_the_cause_is_repaired_and_the_symptom_with_it() -> None:
    assert steps(need("b"), here("a"), here("b", "a")) == ("a",)
    assert steps(all_of(need("b"), need("c")), here("a"), finding("b", Status.FAIL, "a"), here("c")) == (
        "a",
        "c",
    )


def test_by_hand_and_elsewhere_count_after_what_is_typed_here() -> None:
    by_hand, outside = finding("a", place="the Mac"), finding("b", place="the host", command="mend")
    assert steps(need("a"), by_hand) == ("a",)
    assert steps(any_of(need("a"), need("b")), by_hand, here("b")) == ("b",)
    assert steps(any_of(need("a"), need("b")), by_hand, outside) == ("a",), "neither is here: the better one"


def test_to_learn_is_not_to_repair() -> None:
    """A configuration that can be read adds no option to the kernel."""
    config = here("config", status=Status.UNKNOWN)
    assert steps(need("feature"), config, finding("feature", Status.FAIL, "config")) == ()
    assert steps(need("feature"), config, finding("feature", Status.UNKNOWN, "config")) == ("config",)


def test_another_machine_leaves_everything_of_this_one_behind() -> None:
    vm = finding("environment.vm", place="Windows", command="convert")
    assert steps(all_of(need("environment.vm"), need("x")), vm, finding("x")) == ("environment.vm",)


def test_circles_of_causes_come_to_an_end() -> None:
    assert steps(need("a"), here("a", "b"), here("b", "a")) in (("a",), ("b",))


def test_who_knows_more_remedies_knows_the_order() -> None:
    """The tree could be made from the kernel's own archive; the package, which it names as well, comes after."""
    package = Remedy("p", "install", commands=("install-it",))
    unpack = Remedy("k", "unpack", commands=("unpack-it",))
    cause = Finding(Status.FAIL, "not installed", id="package", remedies=(package,))
    tree = Finding(Status.FAIL, "no tree", id="tree", causes=("package",), remedies=(unpack, package))
    assert remedy_of(cause, {"package": cause, "tree": tree}) == unpack
    assert remedy_of(cause, {"package": cause}) == package


@pytest.mark.parametrize(
    ("reasons", "clause"),
    [
        ([], ""),
        (["a b"], "a b"),
        (
            ["bpftrace finds no BTF", "bpftrace finds no kernel headers"],
            "bpftrace finds no BTF and no kernel headers",
        ),
        (
            ["the kernel has no BTF", "bpftrace is not there"],
            "the kernel has no BTF, and bpftrace is not there",
        ),
        (["it lacks x", "it lacks x"], "it lacks x, and it lacks x"),
    ],
)
def test_reasons_that_begin_alike_are_one_clause(reasons: list[str], clause: str) -> None:
    assert joined(reasons) == clause


def failing(*findings: str, because: str = "", works: Works = Works.FAILS) -> Capability:
    return Capability("c", "C", "bpftrace", works, because, findings)


def test_the_clause_is_the_cause_that_explains_all() -> None:
    cause, symptom = here("a"), finding("b", Status.FAIL, "a")
    verdict = judge([failing("b", because="b is wrong")], [cause, symptom], ("c",), {"c": ("a",)})
    assert verdict[1:] == ("a is wrong", "mend-a", "here")
    other = failing("b", "x", because="b is wrong")
    verdict = judge([other], [cause, symptom, finding("x")], ("c",), {"c": ("a",)})
    assert verdict.summary == "b is wrong", "x is not explained by it"


def test_where_nothing_helps_it_says_so_and_what_works() -> None:
    option = finding("config.UPROBES")
    broken = failing("a", because="a is wrong")
    other = Capability("o", "kprobe", "bpftrace", Works.WORKS, "")
    findings = [finding("a", Status.FAIL, "config.UPROBES"), option]
    verdict = judge([broken, other], findings, ("c",), {"c": ()})
    assert verdict.run_on == "" and "nothing on this machine helps" in verdict.next
    assert "CONFIG_UPROBES" in verdict.next and verdict.next.endswith("there work kprobe")


def test_what_cannot_be_told_can_be_tried() -> None:
    verdict = judge([failing(because="x was not seen", works=Works.UNKNOWN)], [], ("c",), {"c": ()})
    assert (verdict.status, verdict.next) == (Readiness.UNKNOWN, "kdiag smoke")


@pytest.mark.parametrize("directory", RECORDED, ids=lambda path: path.name)
def test_the_first_screen_of_every_recorded_machine(directory: Path) -> None:
    report = report_on(opened(str(directory)))
    verdict = report.verdict
    assert "; and" not in verdict.summary and "required capabilities do not" not in verdict.summary
    assert verdict.next and "--verbose" not in verdict.next, verdict
    if verdict.status is Readiness.NOT_READY and verdict.run_on:
        remedies = [r for f in report.findings for r in f.remedies]
        assert any(verdict.next in (" && ".join(r.commands), r.title) for r in remedies)
    told = elsewhere(report, "the recorded machine")
    assert label(told.verdict) != "Next" or not verdict.run_on
    assert not [r for f in told.findings for r in f.remedies if r.run_on == "here"]


@pytest.mark.parametrize("directory", RECORDED, ids=lambda path: path.name)
def test_what_stands_in_the_way_is_said_once_and_only_where_something_does(directory: Path) -> None:
    report = report_on(opened(str(directory)))
    faces = [(form, verbose) for form in ("text", "markdown", "html") for verbose in (False, True)]
    if report.verdict.status is Readiness.READY:
        for form, verbose in faces:
            assert "What stands in the way" not in render_as(form, report, Options(verbose=verbose)), form
    way = render_as("text", report, Options(width=400)).partition("What stands in the way\n")[2]
    said = re.findall(r"^[✗!?] [^ ].*?: (.+)$", way.partition("\nAlso limited")[0], re.M)
    assert len(said) == len(set(said)), said


# -- an old release ---------------------------------------------------------------------------------------------------


def of(version: str, system: str = machines.DEBIAN["12"]) -> Description:
    release = "6.12.107+deb13-amd64"
    return machines.bpftrace(machines.linux(release, system), version)


def test_where_the_release_is_the_cause_a_newer_one_is_the_next_step() -> None:
    """The distribution's own, if it is new enough; else who has one."""
    verdict = report_on(of("0.17.0").recording(), ("rawtracepoint",)).verdict
    assert verdict.summary == "bpftrace 0.17.0 is too old for Raw tracepoints: 0.18.0 or newer is required"
    assert verdict.next.startswith(
        "Use bpftrace 0.18.0 or newer: this distribution has 0.17.0, Debian 13 has 0.23.2"
    )
    verdict = report_on(of("0.14.0", machines.UBUNTU_2404).recording(), ("hello", "module-types")).verdict
    assert verdict.next == "sudo apt-get update && sudo apt-get install bpftrace"
    assert "0.14.0 is too old for Types of kernel modules: 0.17" in verdict.summary


def test_a_newer_release_is_one_of_the_steps() -> None:
    """What else is in the way has its own remedy, and the age of a release is none of what fails without it."""
    report = report_on(machines.unmounted(of("0.17.0")).recording(), ("rawtracepoint", "tracepoint-sched"))
    assert report.repairs == {"rawtracepoint": ("tools.bpftrace",), "tracepoint-sched": ("tracing.tracefs",)}
    told = report_on(machines.unmounted(of("0.17.0")).recording()).finding("tools.bpftrace")
    assert told is not None and told.status is Status.OK and not told.remedies


def test_no_release_helps_where_the_kernel_has_none_of_it() -> None:
    report = report_on(machines.without_btf(of("0.17.0")).recording(), ("fentry",))
    told = report.finding("tools.bpftrace")
    assert told is not None and told.status is Status.OK
    assert "bpftrace" not in report.verdict.next


# -- without root ---------------------------------------------------------------------------------------------------


def test_without_root_what_root_is_expected_to_do_has_a_mark_of_its_own(examine: Examine) -> None:
    """Not 21 crosses: what works, what works as root, what works for no user here."""
    described = machines.bpftrace(machines.user(machines.linux(config_at="/proc/config.gz")), "0.23.2")
    report = examine(described)
    assert (
        report.verdict.summary
        == "this user is not root; as root all 4 required capabilities are expected to work"
    )
    assert report.verdict.next == "sudo kdiag check"
    text = render_as("text", report)
    assert "  ↑ * Hello (BEGIN)\n" in text and "↑ expected to work as root" in text
    assert "🔑 expected to work as root" in render_as("markdown", report)


def test_without_root_the_machines_own_reason_comes_first(examine: Examine) -> None:
    """Becoming root would not be enough: what root has to do is the next step, and the cross is for every user."""
    described = machines.bpftrace(machines.user(machines.unmounted(machines.linux())), "0.23.2")
    report = examine(described)
    assert report.verdict.summary == "tracefs is not mounted"
    assert report.verdict.next == "sudo mount -t tracefs tracefs /sys/kernel/tracing"
    text = render_as("text", report)
    assert "  ✗ * Syscall tracepoints with arguments  tracefs is not mounted\n" in text
    assert "✗ works for no user here" in text and "for root, too" not in text


def test_for_root_there_is_one_cross(examine: Examine) -> None:
    text = render_as("text", examine(machines.bpftrace(machines.unmounted(machines.linux()), "0.23.2")))
    assert "✗ does not work" in text and "↑" not in text
