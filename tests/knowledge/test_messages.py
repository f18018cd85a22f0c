"""Messages as they were printed on booted kernels, and what is made of them."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdiag.knowledge.tools import messages
from kdiag.knowledge.tools.catalogue import catalogue
from kdiag.knowledge.tools.message import Message
from kdiag.knowledge.tools.message_literals import literals
from kdiag.knowledge.tools.messages import by_pattern, explain, patterns, recognised
from tests.support.known_machines import debian_12, orbstack_container
from tests.support.patterns import Counted
from tests.support.reports import report_on
from tests.support.steps import linear

MEMLOCK = (
    "ERROR: Unknown error -1: couldn't set RLIMIT_MEMLOCK for bpftrace. "
    "If your program is not loading, you can "
    'try "ulimit -l 8192" to fix the problem'
)
MAP_DENIED = (
    "ERROR: failed to create  map: Operation not permitted\nCreation of the required BPF maps has failed.\n"
    "Make sure you have all the required permissions and are not confined (e.g. like\nsnapcraft does)."
)
TYPES_H = "/bpftrace/include/clang_workarounds.h:14:10: fatal error: 'linux/types.h' file not found"
OBJECT = (
    'ERROR: Unknown BPF object load failure. Try using the "-d libbpf" option to see the full loading log.\n'
    "ERROR: Loading BPF object(s) failed."
)
HINT = (
    "WARNING: Could not find kernel headers in /lib/modules/6.12/source / /lib/modules/6.12/build. "
    "To specify a "
    "particular path to kernel headers, set the env variables\n"
    "modprobe kheaders && tar -C <directory> -xf /sys/kernel/kheaders.tar.xz"
)
EVENTS = "ERROR: Failed to open kernel function info: Error reading events from"

MESSAGES = catalogue()

if sys.version_info >= (3, 11):
    from re._parser import parse
else:
    from sre_parse import parse

# (output as seen, id of the most decisive message, a finding that can be its cause)
SEEN = [
    (
        "ERROR: bpftrace currently only supports running as the root user.",
        "bpftrace.root-only",
        "privileges.root",
    ),
    (
        "ERROR: Missing CAP_DAC_READ_SEARCH capability, please run bpftrace as the root user.",
        "bpftrace.capability",
        "privileges.capabilities",
    ),
    (MEMLOCK, "bpftrace.memlock", "privileges.memlock"),
    (f"{MEMLOCK}\n{MAP_DENIED}", "bpftrace.map-denied", "privileges.capabilities"),
    (
        "ERROR: failed to create map: '@': Operation not permitted",
        "bpftrace.map-denied",
        "privileges.capabilities",
    ),
    ("ERROR: failed to create  map: Invalid argument", "bpftrace.map-invalid", "environment.sysfs"),
    (f"{MEMLOCK}\n{OBJECT}", "bpftrace.load-unknown", "privileges.capabilities"),
    (TYPES_H, "clang.types-h", "btf.vmlinux"),
    (
        f"{HINT}\ndefinitions.h:2:10: fatal error: 'linux/types.h' file not found",
        "clang.types-h",
        "btf.vmlinux",
    ),
    (
        "definitions.h:2:10: fatal error: 'linux/sched.h' file not found",
        "clang.kernel-header",
        "headers.tree",
    ),
    ("definitions.h:2:10: fatal error: 'sys/socket.h' file not found", "clang.libc-header", "headers.libc"),
    (
        "<built-in>:1:10: fatal error: '/lib/modules/6.12.107/build/include/linux/kconfig.h' file not found",
        "clang.kconfig-of-tree",
        "headers.tree",
    ),
    (
        "fatal error: '/tmp/tmp.x/usr/src/linux-headers-6.12/include/linux/kconfig.h' file not found",
        "clang.kconfig-of-variable",
        "headers.env",
    ),
    (
        "include/uapi/linux/sched.h:44:2: error: unknown type name '__aligned_u64'",
        "clang.fixed-types",
        "headers.tree",
    ),
    (
        "/tmp/kheaders-6.15.11-orbstack-00542-g4f455d264886/include/uapi/linux/types.h:5:10: fatal error: "
        "'asm/types.h' file not found",
        "clang.kheaders-foreign",
        "headers.tree",
    ),
    (
        'stdin:1:1-37: ERROR: Could not parse arguments of "syscalls:sys_enter_openat": '
        "BTF is required for parsing "
        "tracepoint arguments",
        "bpftrace.args-need-btf",
        "btf.vmlinux",
    ),
    ('ERROR: Cannot resolve unknown type "struct task_struct"', "bpftrace.unknown-type", "btf.vmlinux"),
    ("ERROR: Unknown struct/union: 'struct path'", "bpftrace.unknown-type", "btf.vmlinux"),
    (
        "WARNING: BTF: failed to parse BTF from /lib/modules/6.12/build/vmlinux",
        "bpftrace.btf-variable",
        "btf.variable",
    ),
    ("ERROR: kfunc/kretfunc not available for your kernel version.", "bpftrace.no-fentry", "btf.vmlinux"),
    (
        "libbpf: kernel BTF is missing at '/sys/kernel/btf/vmlinux', was CONFIG_DEBUG_INFO_BTF enabled?",
        "libbpf.btf-missing",
        "btf.vmlinux",
    ),
    (
        "stdin:1:1-37: ERROR: tracepoint not found: syscalls:sys_enter_openat",
        "bpftrace.syscall-not-found",
        "tracing.tracefs",
    ),
    (
        "stdin:1:1-16: WARNING: vfs_read is not traceable (either non-existing, inlined, or marked as "
        '"notrace"); attaching to it will likely fail\n'
        "open(/sys/kernel/tracing/kprobe_events): No such file or directory",
        "bpftrace.kprobe-events",
        "tracing.tracefs",
    ),
    (
        f"{EVENTS} /sys/kernel/tracing/available_events (No such file or directory)",
        "bpftrace.events-absent",
        "tracing.tracefs",
    ),
    (
        f"{EVENTS} /sys/kernel/debug/tracing/available_events (Operation not permitted)",
        "bpftrace.events-denied",
        "kernel.lockdown",
    ),
    (
        "Kernel lockdown is enabled and set to 'confidentiality'. Lockdown mode blocks",
        "bpftrace.lockdown",
        "kernel.lockdown",
    ),
    (
        "perf_event_open: Permission denied\n"
        "(check your kernel for PERF_COUNT_SW_BPF_OUTPUT support, 4.4 or newer)\n"
        "ERROR: Failed to open perf buffer",
        "bcc.perf-denied",
        "privileges.capabilities",
    ),
    (
        "perf_event_open(/sys/kernel/debug/tracing/events/syscalls/sys_enter_openat/id): Permission denied\n"
        "ERROR: Error attaching probe: tracepoint:syscalls:sys_enter_openat",
        "bcc.event-denied",
        "privileges.capabilities",
    ),
    (
        "ERROR: Unable to attach probe: tracepoint:syscalls:sys_enter_openat. If this is expected, set the "
        "'missing_probes' config variable to 'warn'.",
        "bpftrace.attach-failed",
        "tracing.kprobes",
    ),
    (
        "error: <unknown>:0:0: in function tracepoint_syscalls_sys_enter_openat_1 i64 (ptr): "
        "A call to built-in "
        "function 'memset' is not supported.",
        "llvm.memset",
        "privileges.capabilities",
    ),
    (
        "bpftrace: ./src/utils.cpp:582: int bpftrace::get_max_cpu_id(): "
        "Assertion 'num_possible_cpus > 0' failed.",
        "bpftrace.no-sysfs",
        "environment.sysfs",
    ),
    (
        "modprobe: FATAL: Module kheaders not found in directory /lib/modules/6.1.0-50-amd64",
        "modprobe.kheaders-absent",
        "kheaders.archive",
    ),
    (
        "modprobe: ERROR: could not insert 'kheaders': Operation not permitted",
        "modprobe.kheaders-denied",
        "privileges.capabilities",
    ),
    (
        "chdir(/lib/modules/5.10.76-linuxkit/build): No such file or directory",
        "bcc.build-directory",
        "headers.tree",
    ),
    (
        "libbpf: failed to add legacy kprobe event for 'vfs_open+0x0': No such file or directory",
        "libbpf.legacy-kprobe",
        "tracing.kprobes",
    ),
    ("program of this type cannot use helper bpf_probe_read#4", "kernel.helper-denied", "kernel.lockdown"),
    (
        "WARNING: Kernel version (5.10.0-32-amd64) is lower than the "
        "minimum supported kernel version (5.15.0). "
        "Some features/scripts may not work as expected.",
        "bpftrace.kernel-too-old",
        None,
    ),
]


@pytest.mark.parametrize(("output", "message", "finding"), SEEN, ids=[case[1] for case in SEEN])
def test_messages_that_were_seen(output: str, message: str, finding: str | None) -> None:
    first = explain(output)[0].message
    assert first.id == message
    assert finding in (first.findings or (None,))


def test_the_memlock_line_alone_is_harmless_and_never_leads() -> None:
    assert [one.harmless for one in explain(MEMLOCK)] == [True]
    assert [one.harmless for one in explain(f"{MEMLOCK}\n{TYPES_H}")] == [False, True]


def test_a_refusal_leads_whatever_stands_above_it() -> None:
    text = f"{TYPES_H}\nKernel lockdown is enabled and set to 'confidentiality'. Lockdown mode blocks"
    assert [one.message.id for one in explain(text)] == ["bpftrace.lockdown", "clang.types-h"]


def test_consequences_follow_the_cause_and_lines_are_counted() -> None:
    found = explain(
        f"{HINT}\ndefinitions.h:2:10: fatal error: 'linux/sched.h' file not found\nClang parse error"
    )
    assert [(one.message.id, one.line) for one in found] == [
        ("clang.kernel-header", 3),
        ("bpftrace.headers-not-found", 1),
        ("bpftrace.kheaders-hint", 2),
        ("bpftrace.clang-failed", 4),
    ]


def test_details_name_what_the_line_named() -> None:
    (found,) = explain(
        "\x1b[31mERROR\x1b[0m: Missing CAP_DAC_OVERRIDE capabilityplease run bpftrace as root."
    )
    assert found.details == (("capability", "CAP_DAC_OVERRIDE"),)
    (tree,) = explain(
        "fatal error: '/lib/modules/6.1.0-50-amd64/build/include/linux/kconfig.h' file not found"
    )
    assert dict(tree.details)["release"] == "6.1.0-50-amd64"


def test_a_message_is_reported_once() -> None:
    assert len(explain("\n".join([TYPES_H] * 6))) == 1


@pytest.mark.parametrize("output", ["", "Attaching 1 probe...\nhello\n", "Attached 1 probe\n@[bash]: 12\n"])
def test_ordinary_output_needs_no_explanation(output: str) -> None:
    assert explain(output) == []


def test_the_table_is_sound() -> None:
    known = {
        finding.id
        for make in (orbstack_container, debian_12)
        for finding in report_on(make().recording()).findings
    }
    assert len({message.id for message in MESSAGES}) == len(MESSAGES)
    for message in MESSAGES:
        assert set(message.findings) <= known, (message.id, set(message.findings) - known)
        assert set(message.harmless_if) <= known, message.id
        assert message.meaning.endswith("."), message.id
        assert not message.misleads or message.misleads.endswith("."), message.id
        assert message.since is None or message.until is None or message.since <= message.until, message.id


@pytest.mark.parametrize("message", MESSAGES, ids=lambda message: message.id)
def test_every_example_is_known_as_what_it_is_an_example_of(message: Message) -> None:
    """No particular message is hidden by a general one before it, and no literal keeps a pattern from being tried."""
    found = recognised(message.example)
    assert found is not None
    assert found.message.id == message.id


@pytest.mark.parametrize("message", messages.patterns(), ids=lambda message: message.id)
def test_no_pattern_repeats_what_repeats(message: Message) -> None:
    """A quantifier inside a quantified group (`(a+)*`) takes exponential time on lines that almost fit."""
    assert not _nested(parse(message.pattern), inside=False)


def _nested(pattern: Iterable[tuple[object, Any]], *, inside: bool) -> bool:
    for name, argument in pattern:
        if str(name) in ("MAX_REPEAT", "MIN_REPEAT"):
            low, high, body = argument
            many = high > 1 and high != low
            if (many and inside) or _nested(body, inside=inside or many):
                return True
        elif (str(name) == "SUBPATTERN" and _nested(argument[-1], inside=inside)) or (
            str(name) == "BRANCH" and any(_nested(branch, inside=inside) for branch in argument[1])
        ):
            return True
    return False


@pytest.mark.parametrize(
    ("pattern", "found"),
    [
        ("a literal of (some|any) length", ("a literal of ",)),
        (r"open\((?P<path>x)\): refused?", ("): refuse",)),
        (
            r"plain words|other [a-z]+ words{2}|R\d+ is long enough",
            ("plain words", "other ", " is long enough"),
        ),
        (r"(all|of|it) x", ()),
        (r"ab?c*de+f", ()),
    ],
)
def test_literals(pattern: str, found: tuple[str, ...]) -> None:
    assert literals(pattern) == found


@pytest.mark.parametrize("before", ["", "ERROR: ", "x"])
def test_the_index_leaves_out_no_pattern_that_fits(before: str) -> None:
    for message in catalogue():
        line = f"{before}{message.example}"
        fits = [one.id for one in patterns() if re.search(one.pattern, line)]
        assert [one.id for one, _ in by_pattern(line)] == fits, line


def test_every_pattern_has_a_literal_so_that_few_are_tried_on_a_line() -> None:
    assert [message.id for message in messages.patterns() if not literals(message.pattern)] == []


@given(st.text(max_size=500))
@settings(deadline=None, max_examples=200)
def test_any_text_is_answered(text: str) -> None:
    for one in explain(text):
        assert one.line >= 1


@pytest.mark.slow
@pytest.mark.parametrize(
    "piece", ["failed to create ", "perf_event_open(", "'linux/", "Error creating map ", "a" * 50]
)
def test_a_hostile_text_does_not_hang(piece: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The work grows with the line, up to where lines are cut, and with the lines."""
    counted = [Counted(re.compile(message.pattern)) for message in messages.patterns()]
    monkeypatch.setattr(messages, "_compiled", counted.__getitem__)
    monkeypatch.setattr(messages, "candidates", lambda *_: range(len(counted)))

    def steps(text: str) -> int:
        before = sum(pattern.steps for pattern in counted)
        explain(text)
        return sum(pattern.steps for pattern in counted) - before

    linear(lambda size: steps((piece * size)[:size]), 400)
    linear(lambda lines: steps("\n".join([piece] * lines)), 10)
    monkeypatch.setattr(messages, "_MAX_LINE", 100)
    assert steps(piece * 200) == steps(piece * 200_000)
