"""Header trees that are worse than none: wrong variables, broken trees, user-space headers taken for the kernel's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from kdiag.check import check
from kdiag.knowledge.recipes import RECIPE
from kdiag.knowledge.tools.bcc_history import enough, unmet
from kdiag.machine import Machine
from kdiag.machine.compilers.bcc import Bcc
from kdiag.model import Evidence, Finding, Remedy, expect, expected, fail, ok, skip, unknown, warn
from kdiag.parse.event_format import not_for_user_space
from kdiag.remedies.packages import install, libc_package
from kdiag.system import Unavailable

from .kheaders import unpack_again

_SOCKET = "sys/socket.h"


@check("headers.env", "Header variables point to header trees")
def variables(machine: Machine) -> Iterator[Finding]:
    """BPFTRACE_KERNEL_SOURCE, BPFTRACE_KERNEL_BUILD and BCC_KERNEL_SOURCE. bpftrace does not check that
    they exist: a wrong one is worse than none, because it also hides good trees and silences the warning
    about missing ones.

    `sudo` drops the variables unless told otherwise, so look at them as the program sees them: `sudo env |
    grep KERNEL`.
    """
    headers = machine.headers
    try:
        known = headers.variables
    except Unavailable as gap:
        yield skip("the environment is not part of this system", reason=gap.reason)
        return
    evidence = tuple(Evidence(f"${name}", _shown(value)) for name, value in known.items())
    for name in ("BPFTRACE_KERNEL_SOURCE", "BCC_KERNEL_SOURCE"):
        problem = "" if known[name] is None else _wrong(machine, name)
        if problem:
            yield fail(
                f"{name} {problem}",
                reason="the tool takes it unseen, and looks for headers nowhere else; "
                "scripts that go through clang stop at the first file that is not there",
                evidence=evidence,
                remedies=(
                    Remedy(
                        "headers.unset",
                        "Unset it, or set what `kdiag env` says",
                        commands=(f"unset {name}",),
                        run_on="the shell that starts the tool",
                    ),
                ),
                wrong_remedies=(RECIPE,),
            )
            return
    if known["BPFTRACE_KERNEL_BUILD"] is not None and known["BPFTRACE_KERNEL_SOURCE"] is None:
        yield warn(
            "BPFTRACE_KERNEL_BUILD alone does nothing",
            reason="bpftrace reads it only beside BPFTRACE_KERNEL_SOURCE",
            evidence=evidence,
        )
    elif any(known[name] is not None for name in ("BPFTRACE_KERNEL_SOURCE", "BCC_KERNEL_SOURCE")):
        yield ok("the variables point to complete trees", evidence=evidence)
    else:
        yield ok("no header variable is set", evidence=evidence)


def _shown(value: str | None) -> str:
    return "not set" if value is None else value or "set, and empty"


def _wrong(machine: Machine, name: str) -> str:
    """What is wrong with a variable that is set, empty where it names a complete tree."""
    headers = machine.headers
    if not headers.variable(name):
        return "is set and empty: that counts as a path"
    chosen, tree = headers.for_bpftrace, headers.bpftrace_tree
    if name == "BCC_KERNEL_SOURCE":
        chosen, tree = headers.for_bcc, headers.bcc_tree
    if chosen is None or chosen.via != name or tree is None:
        return ""
    if chosen.missing:
        return f"points to nothing: {chosen.source}"
    return f"names an incomplete tree: {tree.missing[0]} is not there" if tree.missing else ""


def _no_tree(machine: Machine) -> tuple[Evidence, ...]:
    return tuple(Evidence(chain.path, chain.describe()) for chain in machine.headers.links.values())


@check("headers.intact", "bpftrace does not stumble over a broken tree")
def intact(machine: Machine) -> Iterator[Finding]:
    """Whether what bpftrace finds as headers is at least not worse than nothing. Up to 0.24 it includes
    linux/kconfig.h of whatever directory it found: with half of a split package, or a variable that points
    to nothing, every script that goes through clang stops, also the ones that need no headers.
    """
    chosen = machine.headers.for_bpftrace
    if chosen is None:
        yield _finds_none(machine)
        return
    path = f"{chosen.source}/include/linux/kconfig.h"
    if machine.system.stat(path) is not None:
        yield ok(f"{path} is there", evidence=(Evidence(path, "exists"),))
        return
    yield fail(
        f"bpftrace stops at a broken header tree: {chosen.source}",
        reason="bpftrace takes the directory and stops at linux/kconfig.h, which is not in it; "
        "with no headers at all, scripts that need none would run",
        evidence=(Evidence(path, "absent"), Evidence(chosen.via, f"leads to {chosen.source}")),
        causes=("headers.env", "headers.tree"),
        remedies=_away(machine, chosen.source),
    )


def _finds_none(machine: Machine) -> Finding:
    """No tree: seen where the variable was seen, that leads bpftrace to one wherever it is."""
    name = "BPFTRACE_KERNEL_SOURCE"
    try:
        machine.system.env(name)
    except Unavailable as gap:
        return expected(
            f"bpftrace finds no tree to stumble over, unless {name} names one",
            reason=gap.reason,
            evidence=(*_no_tree(machine), expect(f"${name}", "not set")),
        )
    return ok("bpftrace finds no tree to stumble over", evidence=_no_tree(machine))


def _away(machine: Machine, source: str) -> tuple[Remedy, ...]:
    """Without the tree, where a tool unpacked it or a name of the module directory leads there."""
    if source == machine.headers.unpacked_place:
        return (unpack_again(source),)
    names = [chain.path for chain in machine.headers.links.values() if chain.is_dir]
    if source not in names:
        return ()
    return (
        Remedy(
            "headers.away",
            "Move it away, if no headers for this kernel are to be had",
            "unsafe",
            tuple(f"sudo mv {name} {name}.away" for name in names),
            needs=("root",),
            undo=tuple(f"sudo mv {name}.away {name}" for name in names),
        ),
    )


@check("headers.configured", "The header tree is configured")
def configured(machine: Machine) -> Iterator[Finding]:
    """Whether generated/autoconf.h is where clang looks for it. linux/kconfig.h includes it, and bpftrace includes that
    file first: a tree that was never configured, or the source half of a split one alone (before 0.15 bpftrace does not
    know BPFTRACE_KERNEL_BUILD), stops every script that goes through clang.
    """
    chosen = machine.headers.for_bpftrace
    kconfig = f"{chosen.source}/include/linux/kconfig.h" if chosen is not None else ""
    if chosen is None or machine.system.stat(kconfig) is None:
        evidence = _no_tree(machine) if chosen is None else (Evidence(kconfig, "absent"),)
        yield ok("no tree whose kconfig.h would look for it", evidence=evidence)
        return
    places = tuple(
        f"{top}/include/generated/autoconf.h" for top in dict.fromkeys((chosen.build, chosen.source))
    )
    for place in places:
        if machine.system.stat(place) is not None:
            yield ok(f"{place} is there", evidence=(Evidence(place, "exists"),))
            return
    if machine.headers.variable("BPFTRACE_KERNEL_BUILD") and chosen.source == chosen.build:
        reason = "BPFTRACE_KERNEL_BUILD requires bpftrace 0.15 or newer"
    else:
        reason = "every script that goes through clang stops there; without any headers, those that need none would run"
    yield fail(
        f"{kconfig} includes generated/autoconf.h, which is not there",
        reason=reason,
        evidence=(
            *(Evidence(place, "absent") for place in places),
            Evidence(chosen.via, f"leads to {chosen.source}"),
        ),
        causes=("headers.env", "headers.tree"),
    )


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


@check("headers.warning", "The warning `Could not find kernel headers`")
def warning(machine: Machine) -> Iterator[Finding]:
    """Whether this bpftrace prints `WARNING: Could not find kernel headers in ...`, and when: 0.20.4 to 0.21 before
    clang starts, for every script that needs a type (a tracepoint with arguments, not BEGIN), also if it then works;
    0.22 and 0.23 only after clang failed; no other release. See it yourself: `bpftrace -e
    'tracepoint:syscalls:sys_enter_openat { printf("%s\\n", str(args.filename)); exit(); }'`.
    """
    behaviour = machine.tools.behaviour
    if behaviour is None or behaviour.header_warning == "never":
        yield skip("no bpftrace that prints it is installed")
        return
    release = ".".join(map(str, behaviour.version))
    chosen = machine.headers.for_bpftrace
    # A variable is taken as it is, whether something is there or not.
    if chosen is not None or machine.headers.variable("BPFTRACE_KERNEL_SOURCE") is not None:
        via = "BPFTRACE_KERNEL_SOURCE" if chosen is None else chosen.via
        yield skip("bpftrace takes a directory for the headers, and does not print it", reason=via)
    elif behaviour.header_warning == "after-failure":
        yield skip(f"bpftrace {release} prints it only below the error of a script that did not compile")
    else:
        yield ok(
            f"bpftrace {release} prints `WARNING: Could not find kernel headers` from the first tracepoint with "
            "arguments on, not at BEGIN",
            reason="it means nothing where BTF has the types: the script then works",
            evidence=tuple(
                Evidence(chain.path, chain.describe()) for chain in machine.headers.links.values()
            ),
            wrong_remedies=(RECIPE,),
        )


@check("headers.bcc-age", "BCC can compile this kernel's headers")
def bcc_age(machine: Machine) -> Iterator[Finding]:
    """BCC puts a bpf.h of its own, of the kernel that was new when it was released, in the place of the kernel's. The
    headers of a newer kernel rely on structs and constants that are not in it, on extensions of C and on `asm goto`:
    clang ends with `incomplete type 'struct bpf_wq'`, `use of undeclared identifier`, `no member named`. Both are
    looked at, BCC's own header in its library and the kernel's in the tree; where one is not to be seen, a table of
    releases says what is expected. See it yourself: `strings $(ldconfig -p | grep -o '/.*libbcc.so.0') | grep bpf_wq`.
    """
    if machine.tools.bcc_tools is None:
        yield skip("BCC's tools are not installed")
        return
    library, bcc = machine.tools.libbcc, Bcc(machine)
    if library is None:
        yield expected(
            "which BCC this is was not seen", reason="no libbcc.so.0.* where libraries are looked for"
        )
        return
    name = f"BCC {'.'.join(map(str, library[1]))}"
    evidence: tuple[Evidence, ...] = (Evidence(library[0], name),)
    try:
        lacks = bcc.lacks
    except Unavailable as gap:
        yield _by_release(machine, name, library[1], evidence, gap.reason)
        return
    evidence += tuple(
        Evidence(f"{bcc.source}/{lack.file}", f"{name} lacks {', '.join(lack.names[:6])}") for lack in lacks
    )
    if not lacks:
        yield ok(
            f"{name} has what this kernel's headers rely on",
            evidence=(*evidence, Evidence(f"{bcc.source}/include/linux/bpf.h", "its own bpf.h is enough")),
        )
        return
    widest = lacks[-1]
    yield fail(
        f"{name} cannot compile {widest.what}: it lacks {widest.names[0]}",
        reason=f"{'; '.join(f'{lack.file} relies on {_some(lack.names)}' for lack in lacks)}; the other tools compile",
        evidence=evidence,
        remedies=_newer(enough(machine.kernel.version_numbers, library[1])),
    )


def _some(names: tuple[str, ...]) -> str:
    return f"{', '.join(names[:3])}{f' and {len(names) - 3} more' if len(names) > 3 else ''}"


def _newer(release: tuple[int, int, int] | None) -> tuple[Remedy, ...]:
    title = f"Use BCC {'.'.join(map(str, release))} or newer" if release else "Use a newer BCC"
    return (
        Remedy(
            "bcc.newer",
            f"{title}, BCC's libbpf-tools, or bpftrace: the last two read BTF and need no headers",
            "manual",
        ),
    )


def _by_release(
    machine: Machine, name: str, version: tuple[int, int, int], evidence: tuple[Evidence, ...], gap: str
) -> Finding:
    """What is expected of this pair where its header or the kernel's was not looked at."""
    kernel = machine.kernel.release
    lacks = unmet(machine.kernel.version_numbers, version)
    if lacks is None:
        return expected(
            f"whether {name} can compile the headers of {kernel} was not tried",
            reason=f"{gap}; nothing is known against this pair",
            evidence=(*evidence, expect("BCC's releases", "none is known to lack anything for this kernel")),
        )
    first = ".".join(map(str, lacks.bcc))
    return fail(
        f"{name} is too old for the headers of {kernel}: {lacks.hits} do not compile",
        reason=f"the headers of Linux {lacks.kernel[0]}.{lacks.kernel[1]} and newer have {lacks.what}, "
        f"which BCC reads from {first} on; the other tools compile",
        evidence=(*evidence, expect("BCC's releases", f"{first} is the first that can")),
        remedies=_newer(lacks.bcc),
    )
