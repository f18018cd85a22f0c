"""What a kprobe goes by: a name that several functions have, the part of a function that the compiler split off, and
the iterators that a release knows. Seen on Linux 6.1.0-50 (6.1.174) with bpftrace 0.17.
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from kdiag.explain.here import Here
from kdiag.explain.probe.explain import explain
from tests.support import machines
from tests.support.explained import SYMBOLS, TRACING, here, listed, said

MORE = (
    "ffffffff81000080 t setup_timer",
    "ffffffff81000090 t setup_timer",
    "ffffffff810000a0 t vfs_read.cold",
    "ffffffff810000b0 t irq_enter.cold",
)


TWICE = ("setup_timer", "setup_timer")


def on(
    kernel: str, bpftrace: str, functions: Sequence[str] = TWICE, version: str = "", signature: str = ""
) -> Here:
    machine = machines.bpftrace(machines.linux(kernel), bpftrace)
    machine.version = version or machine.version
    if signature:
        machine.file("/proc/version_signature", signature)
    machine.file(f"{TRACING}/available_filter_functions", listed(*functions))
    machine.file("/proc/kallsyms", "\n".join((*SYMBOLS, *MORE)) + "\n")
    return here(machine, types=False)


@pytest.mark.parametrize(
    ("kernel", "bpftrace", "outcome"),
    [
        ("6.1.60", "0.17.0", "fails"),
        ("6.1.59", "0.17.0", "works"),
        ("6.5.0", "0.20.0", "works"),
        ("6.6.0", "0.23.2", "fails"),
        ("6.12.30", "0.24.0", "unknown"),
        ("5.10.223", "0.17.0", "works"),
    ],
)
@pytest.mark.parametrize("kind", ["kprobe", "kretprobe"])
def test_a_name_of_several_functions(kind: str, kernel: str, bpftrace: str, outcome: str) -> None:
    answer = explain(f"{kind}:setup_timer", on(kernel, bpftrace))
    assert answer.outcome == outcome
    assert "2 functions have this name" in str(answer)


@pytest.mark.parametrize(
    ("probe", "outcome"),
    [
        ("kprobe:vfs_read.cold", "works"),
        ("kretprobe:vfs_read.cold", "works"),
        ("kprobe:irq_enter.cold", "fails"),
        ("kprobe:vfs_open.cold", "fails"),
    ],
)
def test_a_part_is_judged_by_the_whole_function(probe: str, outcome: str) -> None:
    """The whole is listed, the whole is not, and there is no such part."""
    assert explain(probe, on("6.1.100", "0.17.0")).outcome == outcome


@pytest.mark.parametrize(
    ("bpftrace", "known"), [("0.17.0", False), ("0.18.0", True), ("0.12.0", False), ("0.19.0", True)]
)
def test_iterators_by_release(bpftrace: str, known: bool) -> None:
    answer = explain("iter:task_vma", on("6.1.100", bpftrace))
    assert ("knows the iterators task and task_file only" in answer.verdict) is not known


@pytest.mark.parametrize(
    ("release", "version", "signature", "outcome"),
    [
        ("6.1.0-50-cloud-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.174-1 (2026-06-28)", "", "fails"),
        ("6.1.0-13-cloud-amd64", "#1 SMP PREEMPT_DYNAMIC Debian 6.1.55-1 (2023-09-29)", "", "works"),
        ("6.1.0-1033-oem", "#33-Ubuntu SMP PREEMPT_DYNAMIC", "Ubuntu 6.1.0-1033.33-oem 6.1.76\n", "fails"),
        ("6.1.0-1020-oem", "#20-Ubuntu SMP PREEMPT_DYNAMIC", "Ubuntu 6.1.0-1020.20-oem 6.1.45\n", "works"),
        ("6.1.0-custom", "#1 SMP 6.12.99 of something else", "", "works"),
    ],
)
def test_the_upstream_release_counts_not_the_distributions(
    release: str, version: str, signature: str, outcome: str
) -> None:
    kernel = on(release, "0.17.0", version=version, signature=signature)
    assert explain("kprobe:setup_timer", kernel).outcome == outcome


@pytest.mark.parametrize(
    ("bpftrace", "pattern", "number"),
    [
        ("0.17.0", "rcu_*", 2),
        ("0.20.0", "rcu_*", 2),
        ("0.21.0", "rcu_*", None),
        ("0.27.1", "rcu_*", None),
        ("0.23.2", "*_idle", None),
        ("0.20.0", "*_idle", 1),
        ("0.17.0", "vfs_parse*", 1),
        ("0.27.1", "vfs_parse*", 1),
    ],
)
def test_what_a_pattern_passes_over(bpftrace: str, pattern: str, number: int | None) -> None:
    more = ("rcu_read", "rcu_gp_init", "default_idle", "vfs_parse_fs_param", "vfs_parse_fs_param.part.0")
    answer = explain(f"kprobe:{pattern}", on("6.1.100", bpftrace, more))
    assert number is None or f"{number} function{'s' if number != 1 else ''}: " in said(answer)
    assert (answer.outcome == "works") is (number is not None)
    if number is None:
        assert "passes over all that" in answer.verdict


def test_what_is_passed_over_is_said_in_a_sentence() -> None:
    functions = ("vfs_parse_fs_param", "vfs_parse_fs_param.part.0", "vfs_parse_fs_string.part.0")
    text = said(explain("kprobe:vfs_parse*", on("6.1.100", "0.17.0", functions)))
    assert (
        "bpftrace 0.17.0 passes over 2 functions: vfs_parse_fs_param.part.0, vfs_parse_fs_string.part.0."
        in text
    )
    assert "It stands for 1 function: vfs_parse_fs_param." in text
