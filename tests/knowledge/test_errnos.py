"""The error number in a message, in the ways in which tools print it, and what it means of a call."""

from __future__ import annotations

import errno

import pytest

from kdiag.knowledge.tables import table
from kdiag.knowledge.tools.errnos import answer, calls, errno_in
from tests.support.known_machines import debian_12, orbstack_container
from tests.support.reports import report_on


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("libbpf: map 'events': failed to create: Operation not permitted(-1)", "EPERM"),
        ("libbpf: prog 'sys_execve': failed to attach: -ENOTSUPP", "ENOTSUPP"),
        ("libbpf: prog 'tp': failed to auto-attach: -13", "EACCES"),
        ("libbpf: prog 'tp': failed to load: -524", "ENOTSUPP"),
        ("Error in bpf_object__probe_loading():Permission denied(13). Couldn't load", "EACCES"),
        ("map create: operation not permitted (MEMLOCK may be too low)", "EPERM"),
        ("Error loading BPF program for kprobe:f. Error code: -22 (Invalid argument).", "EINVAL"),
        ("PermissionError: [Errno 13] '/sys/kernel/tracing/set_event'", "EACCES"),
        ("failed to open file: os error 2", "ENOENT"),
        ("Additional Info - helper: probe_read, retcode: -14", "EFAULT"),
        ("something failed: Unknown error 524", "ENOTSUPP"),
        ("CONFIG_EPERM_OF_SOMETHING is not set", ""),
        ("a line of 22 numbers, the last of cpu 13", ""),
        ("", ""),
    ],
)
def test_the_error_number_in_a_message(text: str, name: str) -> None:
    assert errno_in(text) == name


def test_what_is_not_in_the_table_has_no_answer() -> None:
    assert answer("bpf.map", "EXDEV") is None
    assert answer("bpf.map", "") is None


def test_a_capability_is_eperm_and_a_security_module_is_eacces() -> None:
    denied, refused = answer("bpf.map", "EPERM"), answer("bpf.map", "EACCES")
    assert denied is not None
    assert refused is not None
    assert "privileges.capabilities" in denied.causes
    assert "privileges.capabilities" not in refused.causes
    assert "privileges.lsm" in refused.causes


def test_the_table_is_sound() -> None:
    known = {
        finding.id
        for make in (orbstack_container, debian_12)
        for finding in report_on(make().recording()).findings
    }
    assert isinstance(table("messages/calls"), dict)
    for call, told in calls().items():
        assert told.keys() == {"does", "source", "errnos"}, call
        for name, entry in told["errnos"].items():
            assert hasattr(errno, name) or name == "ENOTSUPP", (call, name)
            assert set(entry) <= {"causes", "meaning", "else_program", "misfit"}, (call, name)
            said = answer(call, name)
            assert said is not None
            assert set(said.causes) <= known, (call, name, set(said.causes) - known)
            number = getattr(errno, name, 524)
            assert said.meaning.startswith(f"{name} ({number}): "), (call, name)
