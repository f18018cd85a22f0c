"""User-space headers: taken for the kernel's, standing in for them, or missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from kdiag.check import check
from kdiag.machine import Machine
from kdiag.model import Evidence, Finding, expected, fail, ok, skip, unknown, warn
from kdiag.parse.event_format import not_for_user_space
from kdiag.remedies.packages import install, libc_package
from kdiag.system import Unavailable

_SOCKET = "sys/socket.h"


@check("headers.uapi", "User-space headers mistaken for kernel headers")
def uapi(machine: Machine) -> Iterator[Finding]:
    """/usr/include/linux belongs to packages for compiling programs (linux-libc-dev, kernel-headers,
    linux-api-headers). Without a kernel tree bpftrace's clang picks it up, and stops at `unknown type name
    '__aligned_u64'`.
    """
    path = "/usr/include/linux/types.h"
    if machine.system.stat(path) is None:
        yield ok("none installed, so none mistaken", evidence=(Evidence(path, "absent"),))
        return
    if machine.headers.for_bpftrace is not None:
        yield ok(
            "user-space headers are installed; bpftrace has a kernel tree before them",
            evidence=(Evidence(path, "exists"),),
        )
        return
    yield warn(
        "/usr/include/linux is user-space headers: they do not replace kernel headers",
        reason="clang picks them up for #include <linux/...> and stops at types that only kernel headers have",
        evidence=(Evidence(path, "exists"), *(Evidence("package", name) for name in machine.packages.uapi)),
        causes=("headers.tree",),
    )


#: The tracepoints of a first session, and whether the header for user space defines their types on every kernel.
_EVENTS = (
    ("headers.user-syscalls", "syscalls", "sys_enter_openat", False),
    ("headers.user-sock", "sock", "inet_sock_set_state", True),
    ("headers.user-sched", "sched", "sched_process_fork", False),
)


@check(
    "headers.user-space",
    "User-space headers instead of the kernel's",
    ids=("headers.user-types", *(event[0] for event in _EVENTS)),
)
def user_space(machine: Machine) -> Iterator[Finding]:
    """Where bpftrace 0.12 to 0.24 has neither BTF nor kernel headers, clang finds <linux/types.h> of the packages for
    compiling programs (linux-libc-dev). That is enough for a tracepoint whose fields are of C's types and `__u16`, not
    for `pid_t` or the `s64` of system calls: `unknown type name`. See it yourself:
    `cat /sys/kernel/tracing/events/sock/inet_sock_set_state/format`.
    """
    why = _no_use(machine)
    paths = (
        ["", ""]
        if why
        else [machine.headers.user_space(name) or "" for name in ("linux/types.h", "asm/types.h")]
    )
    if not why and not all(paths):
        why = "they are not installed"
    if why:
        for finding_id in ("headers.user-types", *(event[0] for event in _EVENTS)):
            yield skip("the headers for compiling programs do not stand in here", reason=why, id=finding_id)
        return
    seen = tuple(Evidence(path, "exists") for path in paths)
    yield ok(
        "linux/types.h for user space stands in for the kernel's", id="headers.user-types", evidence=seen
    )
    for finding_id, group, name, simple in _EVENTS:
        yield replace(
            _types_of(machine, group, name, simple=simple), id=finding_id, title=f"Types of {group}:{name}"
        )


def _no_use(machine: Machine) -> str:
    """Why the installed bpftrace does not come to look for them."""
    behaviour = machine.tools.behaviour
    if behaviour is None or behaviour.args_need_btf:
        return (
            "no bpftrace is installed that takes types from headers"
            if behaviour is None
            else "it takes BTF only"
        )
    if machine.headers.for_bpftrace is not None:
        return "bpftrace takes a directory of kernel headers"
    if not behaviour.types_header.endswith("without-btf"):
        return "this release was seen to fail with them"
    if machine.headers.has_btf:
        return "BTF has the types"
    return ""


def _types_of(machine: Machine, group: str, name: str, *, simple: bool) -> Finding:
    try:
        text = machine.tracing.event_format(group, name)
        gap = "" if text is not None else "this kernel does not have it"
    except Unavailable as refused:
        text, gap = None, refused.reason
    if text is None:
        make = expected if simple else unknown
        return make(f"the types of {group}:{name} were not looked at", reason=gap)
    evidence = (Evidence(f"events/{group}/{name}/format", "read"),)
    missing = not_for_user_space(text)
    if not missing:
        return ok("the headers for user space define all its types", evidence=evidence)
    return fail(
        f"the headers for user space do not define {', '.join(missing)}",
        evidence=evidence,
        causes=("headers.tree",),
    )


@check("headers.libc", "The C library's headers")
def libc(machine: Machine) -> Iterator[Finding]:
    """Whether <sys/socket.h> is installed, which no kernel tree has: the tcp*.bt tools of bpftrace 0.15 to 0.20
    include it. See it yourself: `ls /usr/include/sys/socket.h /usr/include/*/sys/socket.h`.
    """
    behaviour = machine.tools.behaviour
    if behaviour is not None and not behaviour.tools_including_libc:
        yield skip("this release's tools do not include them")
        return
    try:
        path = machine.headers.user_space(_SOCKET)
    except Unavailable as gap:
        yield expected("whether the C library's headers are installed was not seen", reason=gap.reason)
        return
    if path is not None:
        yield ok("the C library's headers are installed", evidence=(Evidence(path, "exists"),))
        return
    yield fail(
        "the C library's headers are not installed",
        reason="some of bpftrace's own tools include <sys/socket.h>",
        evidence=(Evidence(f"/usr/include/{_SOCKET}", "absent"),),
        remedies=install(machine, "headers.libc", libc_package(machine)),
    )
