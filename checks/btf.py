"""BTF: the kernel's type information, parsed; that of its modules; and which user can read it here."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kdiag.check import check
from kdiag.machine import Machine
from kdiag.machine.btf import TAKES_BARE, VMLINUX, Fallback, NoBtf, fallback_paths
from kdiag.machine.programs.libbpf import Libbpf
from kdiag.model import (
    Evidence,
    Finding,
    Remedy,
    Status,
    WrongRemedy,
    expect,
    expected,
    fail,
    ok,
    skip,
    unknown,
    warn,
)
from kdiag.parse.btf import BtfError, Kind, kind_needs_libbpf, parse
from kdiag.system import ProbeResult, Unavailable

from .refusals import LISTING, explain, only_root_may, quoted

if TYPE_CHECKING:
    from kdiag.knowledge.tools.behaviour import Version
    from kdiag.parse.kernel_log import Notice
    from kdiag.parse.mountinfo import Mount

_NO_BTF_REMEDIES = {
    "docker-desktop": Remedy(
        "btf.update",
        "Update Docker Desktop: its kernels have BTF since about 4.30",
        "manual",
        (),
        "the Mac or Windows host",
    ),
    "linuxkit": Remedy(
        "btf.update",
        "Update Docker Desktop: its kernels have BTF since about 4.30",
        "manual",
        (),
        "the Mac or Windows host",
    ),
    "wsl2": Remedy(
        "btf.update",
        "Update WSL: its kernels have BTF since 5.15.74.2",
        "unsafe",
        ("wsl --update", "wsl --shutdown"),
        "Windows",
    ),
}


@check("btf.vmlinux", "The kernel's BTF")
def vmlinux(machine: Machine) -> Iterator[Finding]:
    """Reads /sys/kernel/btf/vmlinux whole: header, every type record, every name and type reference; and
    looks task_struct up.

    BTF gives bpftrace structs and tracepoint arguments without kernel headers, and CO-RE tools and fentry
    live by it. A file that exists is not yet sound BTF; and where this file is present but broken, libbpf
    does not look elsewhere. See it yourself: `bpftool btf dump file /sys/kernel/btf/vmlinux | head`.
    """
    try:
        btf = machine.btf.vmlinux
    except NoBtf:
        yield _absent(machine)
        return
    except BtfError as error:
        yield fail(
            "the kernel's BTF is broken",
            reason=f"{error.message}; libbpf stops here and does not try other files",
            evidence=(Evidence(VMLINUX, str(error)),),
            wrong_remedies=(
                WrongRemedy(
                    "placing a vmlinux in /boot",
                    "libbpf does not fall back while this file exists; BPFTRACE_BTF is what helps bpftrace",
                ),
            ),
        )
        return
    task = btf.task_struct
    most = sorted(btf.counts, key=lambda item: -item[1])[:5]
    counts = ", ".join(f"{count} {kind}" for kind, count in most)
    evidence = (
        Evidence(VMLINUX, f"{btf.size} bytes, {btf.n_types} types ({counts}), {btf.byteorder}-endian"),
        Evidence("struct task_struct", "absent" if task is None else f"type {task[0]}, {task[1]} members"),
    )
    order = _byte_order(machine)
    if order not in (None, btf.byteorder):
        yield fail(
            f"BTF of a {btf.byteorder}-endian machine",
            reason=f"this kernel is {order}-endian and provides its own: the file is damaged, or another machine's",
            evidence=evidence,
        )
    elif task is None:
        yield fail(
            "BTF without task_struct",
            reason="a kernel's BTF has it: this is the BTF of something else",
            evidence=evidence,
        )
    else:
        yield ok(f"BTF is whole: {btf.n_types} types", evidence=evidence)


def _byte_order(machine: Machine) -> str | None:
    try:
        return machine.kernel.byteorder
    except Unavailable:
        return None


def _hidden(machine: Machine, mount: Mount) -> Finding:
    """The kernel has it, and something is mounted over it: headers would help, and are not what is missing."""
    point = mount.mount_point
    unmount = Remedy(
        "btf.unhide",
        f"Unmount {point}",
        "unsafe",
        (f"sudo umount {point}",),
        needs=("root",),
    )
    if machine.confinement.no_mount:
        title = f"Start it without the mount over {point}"
        where = "the host" if machine.environment.container is not None else "what starts this"
        unmount = Remedy("btf.unhide", title, "manual", run_on=where)
    return fail(
        "the kernel's BTF is hidden here",
        reason=f"{mount.fstype} is mounted over {point}",
        evidence=(Evidence(VMLINUX, "absent"), Evidence(f"/proc/self/mountinfo {point}", mount.fstype)),
        remedies=(unmount,),
        wrong_remedies=(
            WrongRemedy("installing kernel headers", "the kernel has BTF, and it is only hidden"),
        ),
    )


def _absent(machine: Machine) -> Finding:
    hidden = machine.btf.hidden_by
    if hidden is not None:
        return _hidden(machine, hidden)
    identity = machine.kernel.identity
    remedy = _NO_BTF_REMEDIES.get(identity.family) if identity is not None else None
    return fail(
        "the kernel does not provide BTF",
        reason="it was built without CONFIG_DEBUG_INFO_BTF, or /sys/kernel/btf is hidden here",
        evidence=(Evidence(VMLINUX, "absent"),),
        causes=("config.DEBUG_INFO_BTF", "environment.sysfs"),
        remedies=(remedy,) if remedy else (),
        wrong_remedies=(
            WrongRemedy(
                "installing bpftool or libbpf", "they read BTF, they do not make the running kernel have it"
            ),
        ),
    )


@check("btf.modules", "BTF of modules")
def modules(machine: Machine) -> Iterator[Finding]:
    """Split BTF of loaded modules in /sys/kernel/btf (5.11, CONFIG_DEBUG_INFO_BTF_MODULES), parsed on top
    of vmlinux, the smallest first up to half a megabyte; and the modules whose BTF the kernel refused, by its log.

    A module of another build of the kernel has BTF that does not fit: it is not loaded at all, or
    (CONFIG_MODULE_ALLOW_BTF_MISMATCH) without its BTF. See it yourself: `dmesg | grep BTF`.
    """
    try:
        found = machine.btf.modules
    except NoBtf:
        yield fail("no module BTF without the kernel's", causes=("btf.vmlinux",))
        return
    except BtfError:
        yield fail("module BTF cannot be read: the kernel's is broken", causes=("btf.vmlinux",))
        return
    evidence = (
        Evidence("/sys/kernel/btf", f"{len(found.names)} modules, {found.parsed} parsed"),
        *(Evidence(f"/sys/kernel/btf/{name}", text) for name, text in found.broken),
    )
    # A module that has its BTF by now was replaced since the kernel refused it.
    refused = tuple(
        n for n in machine.log.of("module-btf", "module-btf-ignored") if n.subject not in found.names
    )
    if refused:
        yield _refused_modules(machine, refused)
    elif found.broken:
        yield fail(f"{len(found.broken)} modules have broken BTF", evidence=evidence)
    elif found.names:
        yield ok(f"{len(found.names)} modules have BTF", evidence=evidence)
    elif machine.modules.loaded is None:
        yield fail("no modules, so no module BTF", evidence=evidence, causes=("kernel.modules",))
    elif not machine.modules.loaded:
        yield skip("no module is loaded", evidence=evidence)
    else:
        yield fail("no module provides BTF", evidence=evidence, causes=("config.DEBUG_INFO_BTF_MODULES",))


def _refused_modules(machine: Machine, refused: tuple[Notice, ...]) -> Finding:
    names = tuple(dict.fromkeys(n.subject for n in refused if n.kind == "module-btf"))
    text = f"the kernel refused the BTF of {len(names)} module{'s' if len(names) > 1 else ''}: {', '.join(names[:5])}"
    again = Remedy(
        "btf.same-build",
        f"Reinstall the kernel package of {machine.kernel.release} with its modules, so that both are of one build, "
        "and reboot; or boot another installed kernel",
        "manual",
        needs=("root", "reboot"),
    )
    newest = tuple({n.subject: n for n in refused}.values())[-5:]
    details = machine.log.of("btf")[-2:]
    return fail(
        text if names else "the kernel refused the BTF of a module, which it then loaded without it",
        reason="the module file was built with another build of this kernel"
        + ("; the kernel does not load it" if names else ""),
        evidence=tuple(map(quoted, (*newest, *details))),
        remedies=(again,),
        wrong_remedies=(
            WrongRemedy(
                "installing kernel headers", "the running kernel and the module file stay of two builds"
            ),
        ),
    )


@check("btf.fallback", "BTF elsewhere")
def fallback(machine: Machine) -> Iterator[Finding]:
    """The files that libbpf tries where sysfs has no BTF: ELF images with a .BTF section, checked to be of
    this very build by their build-id; and bare BTF, as BTFHub has it, which libbpf takes there since 1.1. See it
    yourself: `readelf -S /boot/vmlinux-$(uname -r) | grep BTF`, `bpftool btf dump file /boot/vmlinux-$(uname -r)`.
    """
    found = machine.btf.fallbacks
    paths = fallback_paths(machine.kernel.release)
    evidence = tuple(Evidence(f.path, f.problem or _kept(f)) for f in found)
    absent = (Evidence("libbpf's list", f"{len(paths) - len(found)} of {len(paths)} places are empty"),)
    good = [f for f in found if not f.problem]
    if _sysfs_broken(machine):
        yield fail(
            "libbpf does not look elsewhere",
            reason=f"{VMLINUX} exists and is broken; only an absent file makes libbpf try others",
            evidence=(*evidence, *absent),
            causes=("btf.vmlinux",),
        )
    elif good:
        yield _elsewhere(machine, good, (*evidence, *absent))
    elif any(not f.seen for f in found):
        yield unknown(
            "whether another file has the kernel's BTF cannot be seen",
            reason=next(f.problem for f in found if not f.seen),
            evidence=(*evidence, *absent),
            causes=("privileges.root",),
        )
    elif found:
        yield fail(f"{found[0].path}: {found[0].problem}", evidence=(*evidence, *absent))
    else:
        yield fail(
            "no other file has the kernel's BTF", evidence=tuple(Evidence(path, "absent") for path in paths)
        )


def _kept(found: Fallback) -> str:
    what = "bare BTF" if found.bare else "BTF"
    return f"{what} of this build" if found.same_build else f"{what}, build unproven"


def _elsewhere(machine: Machine, good: list[Fallback], evidence: tuple[Evidence, ...]) -> Finding:
    """Sound BTF in one of the places: for which libbpf?"""
    if not good[0].bare:
        return ok(f"BTF is also in {good[0].path}", evidence=evidence)
    libraries = machine.tools.libbpfs
    seen = tuple(Evidence(path, ".".join(map(str, version))) for path, version in libraries)
    if libraries and all(version >= TAKES_BARE for _, version in libraries):
        return ok(f"bare BTF is in {good[0].path}", evidence=(*evidence, *seen))
    return warn(
        f"bare BTF is in {good[0].path}: programs with libbpf before 1.1 do not take it",
        reason="they take an ELF image with a .BTF section there, and nothing else",
        evidence=(*evidence, *seen),
    )


def _sysfs_broken(machine: Machine) -> bool:
    try:
        machine.btf.vmlinux  # noqa: B018  asked for its exception
    except BtfError:
        return True
    except Unavailable:
        pass
    return False


def _release(kind: Kind) -> Version:
    """The first libbpf that reads BTF with this kind."""
    major, minor, patch = (int(part) for part in kind_needs_libbpf(kind).split("."))
    return major, minor, patch


def _wanted(machine: Machine) -> tuple[Kind, Version]:
    """The highest kind of type in the kernel's BTF, and the libbpf that reads it. Raises as `BtfFacts.vmlinux`."""
    highest = Kind[machine.btf.vmlinux.highest]
    return highest, _release(highest)


def _newer_libbpf(wanted: Version) -> tuple[Remedy, ...]:
    return (Remedy("btf.libbpf", f"Use tools with libbpf {wanted[0]}.{wanted[1]} or newer", "manual"),)


@check("btf.readers", "The installed libbpf can read this BTF")
def readers(machine: Machine) -> Iterator[Finding]:
    """The highest kind of type in the kernel's BTF against what each installed libbpf reads: ENUM64 (kernel
    6.0) needs libbpf 1.0, and an older one refuses the whole of it. Of several, a program loads the one that it was
    linked with: `ldd PROGRAM | grep libbpf`. Tools that carry a libbpf of their own are not covered.
    """
    try:
        highest, wanted = _wanted(machine)
    except (NoBtf, BtfError):
        yield skip("no BTF to read")
        return
    needs = f"highest kind {highest.name}, read by libbpf {wanted[0]}.{wanted[1]} and newer"
    libraries = {version: path for path, version in reversed(machine.tools.libbpfs)}
    evidence = (
        Evidence(VMLINUX, needs),
        *(Evidence(path, ".".join(map(str, version))) for version, path in libraries.items()),
    )
    old = [version for version in sorted(libraries) if version < wanted]
    if not libraries:
        yield skip("no shared libbpf is installed", evidence=evidence)
    elif not old:
        yield ok(f"libbpf {min(libraries)[0]}.{min(libraries)[1]} reads it", evidence=evidence)
    else:
        some = len(old) < len(libraries)
        who = "programs that load it find no BTF, those of a newer one do" if some else ""
        yield (warn if some else fail)(
            f"libbpf {old[0][0]}.{old[0][1]} is too old for this kernel's BTF",
            reason=f"{highest.name} needs libbpf {wanted[0]}.{wanted[1]}{f'; {who}' if who else ''}",
            evidence=evidence,
            remedies=_newer_libbpf(wanted),
        )


@check("btf.bpftool", "BTF that the installed bpftool reads")
def for_bpftool(machine: Machine) -> Iterator[Finding]:
    """Whether the libbpf in bpftool reads the kernel's BTF: `bpftool btf dump` and the names of maps' types need it.
    See it yourself: `bpftool version`, `bpftool btf dump file /sys/kernel/btf/vmlinux | head`.
    """
    try:
        highest, _ = _wanted(machine)
    except (NoBtf, BtfError):
        yield skip("no BTF to read")
        return
    own = machine.tools.own_libbpf.of_bpftool
    if own is None:
        yield skip("bpftool is not installed, or does not start")
    else:
        yield _reads("bpftool", own, highest)


def _reads(tool: str, own: Libbpf, highest: Kind, file: str = VMLINUX) -> Finding:
    """A tool's own libbpf against the kernel's BTF."""
    wanted = _release(highest)
    release = f"{wanted[0]}.{wanted[1]}"
    evidence = (Evidence(file, f"has {highest.name}"), Evidence(own.where, own.name))
    enough = own.has(wanted)
    if enough:
        return ok(f"{tool} reads the kernel's BTF", evidence=evidence)
    if enough is None:
        return unknown(
            f"whether {tool} reads this kernel's BTF is not known",
            reason=f"{highest.name} needs libbpf {release}, and {own.where} is {own.name}",
            evidence=evidence,
        )
    return fail(
        f"this {tool} is too old for this kernel's BTF",
        reason=f"{highest.name} needs libbpf {release}, and {own.where} is what it uses",
        evidence=evidence,
        causes=(f"tools.{tool}",),
        remedies=_newer_libbpf(wanted) if tool == "bpftool" else (),
    )


@check("btf.bpftrace", "BTF that the installed bpftrace gets")
def for_bpftrace(machine: Machine) -> Iterator[Finding]:
    """Where the installed release of bpftrace takes BTF from, and whether that works here.

    0.17.0 asks the kernel for BTF objects by id instead of reading the file: a 5.10 kernel has none for
    vmlinux, so `btf: no` there although the file is sound (BPFTRACE_BTF cures it). Debian's 0.11.3 reads no
    BTF with ENUM64.
    """
    behaviour = machine.tools.behaviour
    if behaviour is None:
        yield skip("bpftrace is not installed, or its release is not known")
        return
    variable = machine.headers.variable("BPFTRACE_BTF")
    if behaviour.btf_source == "none":
        yield fail("this release of bpftrace does not read BTF", causes=("tools.bpftrace",))
    elif variable is not None and behaviour.honours_btf_variable:
        problem = _wrong_variable(machine, variable)
        evidence = (Evidence("$BPFTRACE_BTF", variable or "set, and empty"),)
        if problem:
            yield fail(f"BPFTRACE_BTF: {problem}", evidence=evidence, causes=("btf.variable",))
        else:
            yield ok(f"BPFTRACE_BTF: {variable} is sound BTF", evidence=evidence)
    elif behaviour.btf_source == "kernel-id":
        yield _by_id(machine)
    else:
        yield _by_file(machine)


@check("btf.by-id", "The kernel gives BTF by id")
def by_id(machine: Machine) -> Iterator[Finding]:
    """Whether bpf(2) lists the kernel's BTF as an object (5.11): bpftrace 0.17.0 takes BTF that way, and attaches
    kfunc by it also where BPFTRACE_BTF brings the types.
    """
    result = machine.bpf.btf_by_id
    evidence = (Evidence("bpf(BPF_BTF_GET_NEXT_ID)", result.describe()),)
    if result.ok:
        yield ok("the kernel lists its BTF", evidence=evidence)
    elif result.name == "ENOENT":
        yield fail(
            "the kernel lists no BTF by id",
            reason="kernels before 5.11 have none for themselves",
            evidence=evidence,
        )
    elif only_root_may(machine, LISTING, result):
        yield unknown(
            "only root may list BTF objects",
            evidence=evidence,
            causes=("privileges.root",),
            with_root="one call answers",
        )
    else:
        yield _not_listed(machine, result)


@check("btf.fentry-test", "The function that bpftrace tries fentry with")
def fentry_test(machine: Machine) -> Iterator[Finding]:
    """bpftrace 0.11 tests fentry (kfunc) on strlen, and has none where the kernel's BTF lacks that function: Debian's
    5.10, for instance, whose BTF has traceable functions only. Later releases use sched_fork, which every BTF has.
    """
    behaviour = machine.tools.behaviour
    if behaviour is None:
        yield skip("bpftrace is not installed, or its release is not known")
        return
    if not behaviour.fentry_test:
        yield skip("this release of bpftrace does not try it with strlen")
        return
    try:
        number = machine.btf.function("strlen")
    except NoBtf:
        yield skip("there is no BTF to look in")
        return
    except (Unavailable, BtfError) as error:
        yield unknown(
            "whether strlen is in the kernel's BTF is not known", reason=str(error), causes=("btf.vmlinux",)
        )
        return
    evidence = (
        Evidence("function strlen in /sys/kernel/btf/vmlinux", f"type {number}" if number else "absent"),
    )
    if number:
        yield ok("strlen is in the kernel's BTF", evidence=evidence)
        return
    yield fail(
        "the kernel's BTF lacks strlen, with which bpftrace 0.11 tries fentry",
        reason="it then says that kfunc is not available for this kernel version, which is not so",
        evidence=evidence,
        causes=("tools.bpftrace",),
    )


@check("btf.variable", "BPFTRACE_BTF names BTF")
def variable(machine: Machine) -> Iterator[Finding]:
    """Whether what BPFTRACE_BTF names is bare BTF. A wrong one is worse than none: bpftrace looks nowhere else, and
    0.17 to 0.21 die of it whatever the script needs. See it yourself: `bpftool btf dump file $BPFTRACE_BTF`.
    """
    path, behaviour = machine.headers.variables["BPFTRACE_BTF"], machine.tools.behaviour
    if path is None:
        yield ok("BPFTRACE_BTF is not set", evidence=(Evidence("$BPFTRACE_BTF", "not set"),))
        return
    evidence = (Evidence("$BPFTRACE_BTF", path or "set, and empty"),)
    if behaviour is not None and not behaviour.honours_btf_variable:
        yield skip("this release of bpftrace does not look at BPFTRACE_BTF", evidence=evidence)
        return
    problem = _wrong_variable(machine, path)
    if not problem:
        yield ok(f"{path} is sound BTF", evidence=evidence)
        return
    consequence = {
        "ignored": "bpftrace then silently has no BTF",
        "crash": "bpftrace then dies of a segmentation fault, also with scripts that need no BTF",
        "warning": "bpftrace then warns and has no BTF",
    }
    yield fail(
        f"BPFTRACE_BTF points to something that is not BTF: {problem}",
        reason=consequence[behaviour.bad_btf_variable] if behaviour is not None else "",
        evidence=evidence,
        remedies=(
            Remedy(
                "btf.unset",
                "Unset the variable",
                commands=("unset BPFTRACE_BTF",),
                run_on="the shell that starts bpftrace",
            ),
        ),
    )


def _wrong_variable(machine: Machine, path: str) -> str:
    """What is wrong with the file that BPFTRACE_BTF names, empty if it is BTF."""
    if not path:
        return "it is set and empty, which counts as a path"
    try:
        data = machine.system.read(path)
        if data is None:
            return f"{path} is not there"
        parse(data, served=path == VMLINUX)
    except (Unavailable, BtfError) as error:
        return "an ELF file; bpftrace takes the bare BTF only" if data_is_elf(machine, path) else str(error)
    return ""


def data_is_elf(machine: Machine, path: str) -> bool:
    """Whether a file begins as an ELF file."""
    try:
        return machine.system.head(path, 4) == b"\x7fELF"
    except Unavailable:
        return False


def _by_id(machine: Machine) -> Finding:
    cure = _point_to(VMLINUX)
    try:
        result = machine.bpf.btf_by_id
    except Unavailable as gap:
        return unknown("this bpftrace asks the kernel for BTF by id", reason=gap.reason)
    evidence = (Evidence("bpf(BPF_BTF_GET_NEXT_ID)", result.describe()),)
    if result.ok:
        return ok("the kernel gives BTF by id", evidence=evidence)
    if result.name == "ENOENT":
        try:
            machine.btf.vmlinux  # noqa: B018  the file decides whether the cure helps
        except (NoBtf, BtfError):
            return fail("the kernel has no BTF", evidence=evidence, causes=("btf.vmlinux",))
        return fail(
            "this bpftrace does not see the kernel's BTF, although the file is sound",
            reason="0.17.0 looks up BTF objects by id, and this kernel (before 5.11) has none for itself",
            evidence=evidence,
            remedies=(cure,),
            wrong_remedies=(
                WrongRemedy(
                    "installing kernel headers",
                    "they help tracepoints, but BPFTRACE_BTF helps all and needs nothing",
                ),
            ),
        )
    if only_root_may(machine, LISTING, result):
        found = _by_file(machine)
        if found.status is not Status.OK:
            return found
        return expected(
            "only root may ask the kernel for BTF by id, as this bpftrace does",
            evidence=(*evidence, expect(VMLINUX, "the file is sound")),
            causes=("privileges.root",),
            with_root="one call answers",
        )
    return _not_listed(machine, result)


def _not_listed(machine: Machine, result: ProbeResult) -> Finding:
    why = explain(machine, LISTING, result)
    return fail(
        "BTF objects may not be listed",
        reason=why.reason,
        evidence=(Evidence("bpf(BPF_BTF_GET_NEXT_ID)", result.describe()), *why.evidence),
        causes=why.causes,
    )


def _by_file(machine: Machine) -> Finding:
    try:
        btf = machine.btf.vmlinux
    except BtfError:
        return fail("the kernel's BTF is broken, and libbpf does not look elsewhere", causes=("btf.vmlinux",))
    except NoBtf:
        return _by_fallback(machine)
    if btf.task_struct is None or _byte_order(machine) not in (None, btf.byteorder):
        return fail("bpftrace gets BTF that is not a kernel's", causes=("btf.vmlinux",))
    highest, _ = _wanted(machine)
    try:
        own = machine.tools.own_libbpf.of_bpftrace
    except Unavailable as gap:
        return _by_no_library(machine, highest, gap)
    if own is None:
        return ok("bpftrace reads the kernel's BTF", evidence=(Evidence(VMLINUX, f"{btf.n_types} types"),))
    return _reads("bpftrace", own, highest)


def _by_fallback(machine: Machine) -> Finding:
    """bpftrace's own list (up to 0.16) takes ELF images alone, libbpf's since 1.1 bare BTF too."""
    good = next((f for f in machine.btf.fallbacks if not f.problem), None)
    if good is None:
        return fail("bpftrace finds no BTF", causes=("btf.vmlinux", "btf.fallback"))
    behaviour, own = machine.tools.behaviour, None
    lists = behaviour is not None and behaviour.btf_source == "file-list"
    evidence = (Evidence(good.path, _kept(good)),)
    try:
        own = machine.tools.own_libbpf.of_bpftrace
    except Unavailable:
        own = next((Libbpf(*one) for one in reversed(machine.tools.libbpfs)), None)
    takes: bool | None = not good.bare
    if good.bare and not lists:
        takes = None if own is None else own.has(TAKES_BARE)
    if takes is None:
        return unknown(
            f"whether bpftrace takes bare BTF in {good.path} is not known",
            reason=f"libbpf takes it since 1.1, and {own.where if own else 'its own'} does not say",
            evidence=evidence,
        )
    if not takes:
        reader = "this release of bpftrace" if lists or own is None else own.name
        return fail(
            f"bpftrace does not take bare BTF in {good.path}",
            reason=f"{reader} takes an ELF image there; a variable names bare BTF",
            evidence=evidence,
            causes=("tools.bpftrace",),
            remedies=(_point_to(good.path),) if behaviour and behaviour.honours_btf_variable else (),
        )
    kind = Kind[good.highest]
    if own is not None and own.has(_release(kind)) is False:
        return _reads("bpftrace", own, kind, good.path)
    return ok(f"bpftrace takes BTF from {good.path}", evidence=evidence)


def _point_to(path: str) -> Remedy:
    return Remedy(
        "btf.variable",
        "Point bpftrace to the file",
        commands=(f"export BPFTRACE_BTF={path}",),
        run_on="the shell that starts bpftrace, as root (or: sudo --preserve-env=BPFTRACE_BTF bpftrace)",
    )


def _by_no_library(machine: Machine, highest: Kind, gap: Unavailable) -> Finding:
    """Where the program's file does not tell: a package's bpftrace is linked with a libbpf of its distribution."""
    tool, libraries, wanted = machine.tools.bpftrace, machine.tools.libbpfs, _release(highest)
    types = Evidence(VMLINUX, f"has {highest.name}")
    old = [library for library in libraries if library[1] < wanted]
    if not old or tool is None or not tool.origin.startswith("package"):
        return ok("bpftrace reads the kernel's BTF", evidence=(types,))
    if len(old) == len(libraries):
        path, version = old[0]
        return _reads("bpftrace", Libbpf(path, version), highest)
    return unknown(
        "whether bpftrace reads this kernel's BTF depends on which libbpf it loads",
        reason=f"{highest.name} needs libbpf {wanted[0]}.{wanted[1]}; {gap.reason}",
        evidence=(types, *(Evidence(path, ".".join(map(str, version))) for path, version in libraries)),
        causes=("btf.readers",),
    )
