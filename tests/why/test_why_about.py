"""What a line is about by its words, and the table that says so."""

from __future__ import annotations

import pytest

from kdiag.knowledge.tables import table
from kdiag.why.narrowing import about
from tests.support.known_machines import debian_12, orbstack_container
from tests.support.reports import report_on

CAUSES = ("bpf.ringbuf", "bpf.kprobe_multi", "config.SCHED_CLASS_EXT", "bpf.map")


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("failed to attach kprobe", {"kprobe"}),
        ("Failed to attach BPF to uretprobe", {"uprobe"}),
        ("failed to open raw_tracepoint sched_switch", {"raw"}),
        ("tracepoint not found: syscalls:sys_enter_open", {"tracepoint"}),
        ("failed to write to /sys/kernel/tracing/kprobe_events", {"kprobe", "tracefs"}),
        ("failed to load program", set()),
    ],
)
def test_the_kinds_that_a_line_names(text: str, kinds: set[str]) -> None:
    assert about.kinds(text) == kinds


def test_a_finding_that_stops_another_kind_is_no_cause() -> None:
    uprobe = about.kinds("Failed to attach BPF to uprobe")
    assert not about.fits("tracing.kprobes", uprobe) and not about.fits("tracing.tracefs", uprobe)
    assert about.fits("tracing.uprobes", uprobe) and about.fits("perf.events", uprobe)
    assert about.fits("tracing.kprobes", about.kinds("failed to load program"))
    assert about.fits("perf.uprobes", uprobe) and not about.fits(
        "perf.uprobes", about.kinds("failed to load program")
    )


def test_a_line_about_something_else_spares_a_cause_and_one_that_does_not_name_it_leaves_it_open() -> None:
    assert about.spared(CAUSES, "map '.rodata': failed to create") == (*CAUSES[1:],)
    assert about.spared(CAUSES, "prog 'x': failed to attach xdp") == ("bpf.ringbuf", *CAUSES[2:])
    assert about.spared(CAUSES, "map 'events': failed to create") == CAUSES
    assert not about.unsaid("bpf.ringbuf", "map 'events': failed to create")
    assert about.unsaid("bpf.ringbuf", "map 'm': failed to create")
    assert not about.unsaid("bpf.map", "map 'm': failed to create")


def test_the_table_is_sound() -> None:
    told = table("messages/about")
    assert isinstance(told, dict) and told.keys() == {"kinds", "findings"}
    reports = [report_on(make().recording()) for make in (orbstack_container, debian_12)]
    known = {finding.id for report in reports for finding in report.findings}
    assert set(told["findings"]) <= known
    for name, row in told["findings"].items():
        assert row and set(row) <= {"kinds", "named", "said", "not_said"}, name
        assert set(row.get("kinds", "").split()) <= set(told["kinds"]), name
