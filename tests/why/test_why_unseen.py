"""Messages of programs that no row was written for: what they say of a call and its error number is enough."""

from __future__ import annotations

import pytest

from kdiag.model import Capability, Finding, MachineInfo, Readiness, Report, Verdict, fail, ok
from kdiag.why.joining import join
from kdiag.why.judging import explained
from kdiag.why.value import Answer

CAPABILITIES = fail("CAP_BPF is missing", id="privileges.capabilities", title="")
NO_BTF = fail("the kernel does not provide BTF", id="btf.vmlinux", title="")
NO_RING = fail("this kernel has no ring buffers", id="bpf.ringbuf", title="")
NO_MULTI = fail("this kernel has no kprobe.multi", id="bpf.kprobe_multi", title="")
NO_BPFFS = fail("bpffs is not mounted", id="tracing.bpffs", title="")
LOCKDOWN = ok("lockdown: none", id="kernel.lockdown", title="")
ALL = (CAPABILITIES, NO_BTF, NO_RING, NO_MULTI, NO_BPFFS, LOCKDOWN)


def answer(text: str, *findings: Finding) -> Answer:
    none: tuple[Capability, ...] = ()
    report = Report("", "", MachineInfo(), findings, none, (), Verdict(Readiness.READY, ""))
    return explained(join(text.splitlines()), report).answers[0]


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("my-agent[3]: could not load eBPF object conn.o: Operation not permitted", CAPABILITIES),
        ("E0101 loader.go:7] loading eBPF collection: operation not permitted", CAPABILITIES),
        ("bpf_prog_load() failed: err=-1", CAPABILITIES),
        ("ERROR: unable to load BPF filter: Operation not permitted (os error 1)", CAPABILITIES),
        ("creating eBPF map flows: operation not permitted", CAPABILITIES),
        ("agent: attaching eBPF program to tracepoint failed: operation not permitted", CAPABILITIES),
        ("FATAL: sensor needs it, but kernel BTF not found", NO_BTF),
        ("sensor: cannot find kernel BTF, giving up", NO_BTF),
        ("map requests: map create: invalid argument", None),
        ("map ring_requests: map create: invalid argument", NO_RING),
        ("could not pin link: pin link to /sys/fs/bpf/agent/l: no such file or directory", NO_BPFFS),
        ("failed to auto-attach: attach to raw tracepoint: invalid argument", None),
        ("attach kprobe.multi: attaching eBPF program: invalid argument", NO_MULTI),
    ],
)
def test_the_call_and_the_number_decide(text: str, cause: Finding | None) -> None:
    assert answer(text, *ALL).cause == cause


def test_what_is_not_said_to_be_the_matter_stays_a_candidate() -> None:
    found = answer("map requests: map create: invalid argument", *ALL)
    assert (found.outcome, found.candidates) == ("candidates", (NO_RING,))
    assert NO_RING not in answer("map x.rodata: map create: invalid argument", *ALL).candidates


@pytest.mark.parametrize(
    "text",
    [
        "libbpf: prog 'x': failed to load: -22",
        "libbpf: prog 'tp': failed to create BPF link for perf_event FD 9: -EACCES",
        "program p: attach Tracing/TraceFEntry: fentry vfs_gone not supported",
        "unknown func unknown#201",
        "map create: read-only maps not supported (requires >= v5.9)",
        "Error: failed to load BPF program\nCaused by:\n    Argument list too long (os error 7)",
    ],
)
def test_a_kernel_that_refuses_what_a_program_asks_for_is_not_said_to_be_out_of_it(text: str) -> None:
    found = answer(text, LOCKDOWN, ok("", id="btf.vmlinux", title=""), ok("", id="bpf.fentry", title=""))
    assert found.outcome == "misfit"


def test_the_verifiers_words_decide_behind_those_of_the_program() -> None:
    text = "program a: load program: permission denied: 12: (79) r1 = *(u64 *)(r3 +0): R3 invalid mem access 'scalar'"
    found = answer(text, *ALL)
    assert (found.told.message.id, found.outcome) == ("verifier.memory", "elsewhere")


@pytest.mark.parametrize(
    "text",
    [
        "failed to load the map of the city: permission denied",
        "could not attach the volume: not found",
        "no BTF here",
    ],
)
def test_words_of_other_programs_are_not_taken_for_it(text: str) -> None:
    assert join([text]).told == ()


NO_KPROBES = fail("this kernel has no kprobes", id="tracing.kprobes", title="")
NO_TRACEFS = fail("tracefs is not mounted", id="tracing.tracefs", title="")
NO_LIST = fail("no list of traceable functions", id="tracing.functions", title="")
NO_UPROBES = fail("this kernel has no uprobes", id="tracing.uprobes", title="")


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("Failed to attach BPF to kprobe", NO_KPROBES),
        ("Failed to attach BPF to uprobe", None),
        ("Failed to attach BPF to uretprobe", None),
        ("ERROR: Unable to attach probe: uprobe:./a.out:4198694. If this is expected, set it", None),
        ("open(/sys/kernel/tracing/uprobe_events): No such file or directory", NO_TRACEFS),
        ("open(/sys/kernel/debug/tracing/kprobe_events): Permission denied", None),
        ("perf_event_open(/sys/kernel/debug/tracing/events/uprobes/p__x_1/id): Invalid argument", None),
        ("libbpf: prog 'ingress': failed to attach to tcx: Invalid argument", None),
        ("libbpf: prog 'sock': failed to attach to netns: Operation not supported", None),
    ],
)
def test_a_cause_of_another_kind_of_probe_is_none(text: str, cause: Finding | None) -> None:
    """A machine on which everything of kprobes and tracefs is broken, and uprobes are not."""
    assert answer(text, NO_KPROBES, NO_TRACEFS, NO_LIST).cause == cause


def test_a_kernel_without_uprobes_explains_them_only() -> None:
    assert answer("Failed to attach BPF to uprobe", NO_UPROBES).cause == NO_UPROBES
    assert answer("Failed to attach BPF to raw tracepoint", NO_UPROBES).cause is None


def test_options_that_a_message_names_are_looked_up_here() -> None:
    absent = fail("CONFIG_UPROBE_EVENTS is off", id="config.UPROBE_EVENTS", title="")
    there = ok("CONFIG_BPF_JIT=y", id="config.BPF_JIT", title="")
    source = ok("the configuration is there", id="config.source", title="")
    text = "sensor: please enable CONFIG_BPF_JIT and CONFIG_UPROBE_EVENTS in your kernel"
    assert answer(text, absent, there, source).cause == absent
    found = answer("FATAL: kernel requires CONFIG_BPF_JIT", absent, there, source)
    assert (found.outcome, found.ruled_out) == ("elsewhere", (there, source))


def test_a_configuration_that_is_shown_complains_of_nothing() -> None:
    shown = [
        "# CONFIG_BPF_JIT is not set",
        "CONFIG_BPF=y",
        "CONFIG_BPF_JIT_ALWAYS_ON is not set",
        "CONFIG_HZ is set to 250",
    ]
    assert not join(shown).told


@pytest.mark.parametrize(
    ("text", "known_as"),
    [
        ("mount: /sys/kernel/debug: must be superuser to use mount.", "any.mount"),
        ("head: cannot open '/sys/kernel/tracing/trace' for reading: Permission denied", "any.tracefs-file"),
        ("grep: /boot/config-6.6.87.2-microsoft-standard-WSL2: No such file or directory", "any.config-file"),
        ("xz: kheaders.tar.xz: Unexpected end of input", "any.kheaders-file"),
        ("-bash: /proc/sys/kernel/kptr_restrict: Permission denied", "any.sysctl"),
        ('avc:  denied  { map_create } for  pid=9 comm="agent" tclass=bpf permissive=0', "any.denied-bpf"),
        ('apparmor="DENIED" operation="capable" comm="bpftrace" capname="bpf"', "any.denied-apparmor"),
        ("sh: 1: clang: not found", "any.clang-absent"),
        ("main.c:3:10: fatal error: bpf/libbpf.h: No such file or directory", "any.build-library"),
        ("error while creating mount source path '/lib/modules': mkdir /lib/modules", "any.mount-source"),
        ("loader: error: 'vmlinux.h' file not found", "clang.vmlinux-h"),
        ("Lost 3 events", "bpftrace.lost"),
    ],
)
def test_what_people_type_at_the_known_places_is_known(text: str, known_as: str) -> None:
    assert [told.message.id for told in join([text]).told] == [known_as]


NO_UPROBES = fail("this kernel requires CAP_SYS_ADMIN for uprobes", id="perf.uprobes", title="")


@pytest.mark.parametrize(
    ("text", "is_cause"),
    [
        ("ERROR: Unable to attach probe: uprobe:/lib/libc.so.6:getppid. If this is expected, ...", True),
        ("libbpf: prog 'p': failed to create uprobe '/bin/bash:0x12' perf event: -EACCES", True),
        ("ERROR: Unable to attach probe: kprobe:vfs_open. If this is expected, ...", False),
        ("libbpf: tracepoint 'sched/sched_switch' perf_event_open() failed: -EACCES", False),
        ("perf_event_open() failed: -EACCES", False),
    ],
)
def test_what_is_closed_for_uprobes_alone_explains_nothing_else(text: str, is_cause: bool) -> None:
    assert (answer(text, NO_UPROBES).cause == NO_UPROBES) is is_cause
