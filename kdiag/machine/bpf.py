"""What the kernel answers when asked: harmless bpf(2) and perf_event_open(2) calls, each made once."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from kdiag.machine.text import read_text
from kdiag.system import ProbeResult, Unavailable

if TYPE_CHECKING:
    from kdiag.machine import Machine


class Bpf:
    """Outcomes of the probes of `kdiag.system.probes`. All raise Unavailable where no kernel can be asked."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._system = machine.system

    @cached_property
    def create_map(self) -> ProbeResult:
        """BPF_MAP_CREATE."""
        return self._system.probe("bpf:map")

    @cached_property
    def reached(self) -> ProbeResult:
        """bpf(2) with a descriptor that is none: EBADFD is the kernel's own answer, so no filter was in the way.

        A recording may not have it: Unavailable.
        """
        return self._system.probe("bpf:reached")

    @cached_property
    def perf_reached(self) -> ProbeResult:
        """perf_event_open(2) with flags that there are not: the kernel says EINVAL to all, before any permission.

        A recording may not have it: Unavailable.
        """
        return self._system.probe("perf:reached")

    @cached_property
    def perf_ioctl(self) -> ProbeResult:
        """Whether an event that opens may be used, too. A recording may not have it: Unavailable."""
        return self._system.probe("perf:ioctl")

    @cached_property
    def btf_by_id(self) -> ProbeResult:
        """BPF_BTF_GET_NEXT_ID: ENOENT means that the kernel provides no BTF objects (5.10 has none for
        vmlinux).
        """
        return self._system.probe("bpf:btf-ids")

    @cached_property
    def charges_memcg(self) -> ProbeResult:
        """Success: BPF memory is charged to the memory cgroup and RLIMIT_MEMLOCK does not matter (5.11)."""
        return self._system.probe("bpf:memcg")

    @cached_property
    def kprobe_multi(self) -> ProbeResult:
        """ESRCH is the good answer: the kernel looked for the function (CONFIG_FPROBE, 5.18)."""
        return self._system.probe("bpf:kprobe-multi")

    def feature(self, name: str) -> ProbeResult:
        """`ring-buffer`, `uprobe-multi`, `kprobe-session`, `uprobe-session`: what came late and some tools need.

        A recording may not have it: Unavailable.
        """
        return self._system.probe(f"bpf:{name}")

    @cached_property
    def test_run(self) -> ProbeResult:
        """An empty raw tracepoint program run once by BPF_PROG_TEST_RUN (5.10).

        A recording may not have it: Unavailable.
        """
        return self._system.probe("bpf:test-run")

    @cached_property
    def read_kernel(self) -> ProbeResult:
        """A program that reads kernel memory loads: lockdown is not at confidentiality."""
        return self._system.probe("bpf:read-kernel")

    @cached_property
    def read_any(self) -> ProbeResult:
        """The same with the helper that every kernel has: tells a kernel without the newer one from one that is locked.

        A recording may not have it: Unavailable.
        """
        return self._system.probe("bpf:read-any")

    @cached_property
    def _programs(self) -> dict[str, ProbeResult]:
        return {}

    def program(self, kind: str) -> ProbeResult:
        """BPF_PROG_LOAD of an empty kprobe, tracepoint, perf_event or raw_tracepoint program."""
        if kind not in self._programs:
            self._programs[kind] = self._system.probe(f"bpf:prog:{kind}")
        return self._programs[kind]

    def _tracing(self, what: str, function: str) -> ProbeResult:
        type_id = self._machine.btf.vmlinux.function(function)
        if type_id is None:
            raise Unavailable(f"the kernel's BTF has no function {function} to probe with")
        return self._system.probe(f"bpf:{what}:{type_id}")

    @cached_property
    def fentry(self) -> ProbeResult:
        """fentry loaded and attached to bpf_fentry_test1, a function that only kernel self-tests call."""
        return self._tracing("fentry", "bpf_fentry_test1")

    @cached_property
    def iterator(self) -> ProbeResult:
        """A task iterator program loaded."""
        return self._tracing("iter", "bpf_iter_task")

    @cached_property
    def profile(self) -> ProbeResult:
        """A software clock event on one CPU, what profile: and interval: open."""
        return self._system.probe("perf:profile")

    @cached_property
    def hardware(self) -> ProbeResult:
        """The cycle counter of one CPU; ENOENT in most virtual machines."""
        return self._system.probe("perf:hardware")

    @cached_property
    def uprobe(self) -> ProbeResult:
        """A uprobe of no program: EINVAL where the caller may have uprobes.

        A recording may not have it: Unavailable.
        """
        path = "/sys/bus/event_source/devices/uprobe/type"
        source = read_text(self._system, path, 4096)
        if source is None or not source.strip().isdigit():
            raise Unavailable(f"{path} does not tell the number of the event source")
        return self._system.probe(f"perf:uprobe:{source.strip()}")

    @cached_property
    def output(self) -> ProbeResult:
        """PERF_COUNT_SW_BPF_OUTPUT, through which bpftrace prints."""
        return self._system.probe("perf:bpf-output")
