"""The plan for kernel headers, the least intrusive source first.

A tree that is there; the archive that the kernel provides; the same archive out of the module's file, which
takes no modprobe, leaves no module loaded and needs no root; loading the module, only when asked or when its
file cannot be read; the package, only when allowed.
"""

from __future__ import annotations

from pathlib import Path

from kdiag.fix.changes.packages import planned
from kdiag.fix.effects import Loaded, Unpacked
from kdiag.fix.errors import FixError
from kdiag.fix.plan.subject import HEADERS, Subject
from kdiag.fix.plan.values import Part, Step
from kdiag.fix.plan.why import no_headers, without
from kdiag.fix.store.extract import archive_from_module
from kdiag.fix.store.trees import find, tree_name
from kdiag.machine.kheaders import ARCHIVE, OF_HOST, mismatch
from kdiag.machine.trees.tree import untrusted as untrusted_file
from kdiag.model import Status
from kdiag.parse.errors import ParseError
from kdiag.parse.kheaders import peek, quick
from kdiag.remedies.packages import INSTALL_HEADERS, header_package
from kdiag.system import Unavailable

_LIMIT = 64 * 1024 * 1024


def plan_headers(subject: Subject) -> Part:
    """The steps that bring headers where they are lacking. The part's path is the tree that tools are to be
    pointed to.
    """
    load = _load(subject) if subject.options.load else Part()
    kept = find(subject.release, subject.srcarch, subject.places.search)
    if kept is not None:
        return Part(
            load.steps, (*load.notes, f"Headers for {subject.release} are unpacked already: {kept}"), kept
        )
    if not _needed(subject):
        return Part(load.steps, (*load.notes, *_not_needed(subject)))
    tried: list[str] = [*load.notes, *_otherwise(subject)]
    for source in (_elsewhere, _served, _from_module, _package):
        part = source(subject, load)
        tried += part.notes
        if part.steps or part.path is not None:
            return Part(part.steps, (*tried, *without(subject)), part.path)
    return Part(load.steps, (*tried, *no_headers(subject), *without(subject)))


def _needed(subject: Subject) -> bool:
    found = map(subject.finding, subject.headers)
    lacking = [f for f in found if f is not None and f.status not in (Status.OK, Status.SKIP)]
    return bool(lacking) and bool(subject.stands_in_the_way(*subject.headers) or _otherwise(subject))


def _otherwise(subject: Subject) -> tuple[str, ...]:
    """What releases up to 0.20 do without headers, if they are to compile (Behaviour.unpacks_kheaders)."""
    behaviour = subject.machine.tools.behaviour
    if behaviour is None or behaviour.unpacks_kheaders == "never" or not subject.options.concerns("bpftrace"):
        return ()
    mine = {c.id for c in subject.report.capabilities if c.tool == "bpftrace"}
    if mine.intersection(subject.stands_in_the_way(*HEADERS)):
        return ()
    version = behaviour.release
    return (f"bpftrace {version} would load the module and unpack it into /tmp; this takes its place.",)


def _not_needed(subject: Subject) -> tuple[str, ...]:
    tree = next((f for f in map(subject.finding, subject.headers) if f is not None), None)
    if tree is None:
        return ()
    if tree.status is Status.OK:
        return (f"Headers need no repair: {tree.summary}.",)
    return (f"Headers: {tree.summary}.",)


def _load(subject: Subject) -> Part:
    """Loading the module, as asked for."""
    kheaders = subject.machine.kheaders
    if kheaders.archive is not None:
        return Part(notes=(f"--load: the kernel provides {ARCHIVE} already.",))
    state = kheaders.module
    if state.state != "loadable":
        why = "; ".join(reason for _, reason in state.reasons) or f"the module is {state.state}"
        return Part(notes=(f"--load: the kheaders module cannot be loaded: {why}.",))
    if not subject.root:
        return Part(notes=("--load: loading a module requires root; the headers do not need it.",))
    return Part((_load_step(subject),))


def _load_step(subject: Subject) -> Step:
    return Step(
        "kheaders.load",
        "Load the kheaders module",
        changes=(f"loads a module, until the next boot; {ARCHIVE} appears",),
        needs=("root",),
        undo="unloads it, unless it is in use",
        helps=subject.titles(*subject.headers),
        effect=Loaded("kheaders"),
    )


def _elsewhere(subject: Subject, load: Part) -> Part:
    """A complete tree for this release in a place where bpftrace does not look."""
    notes: list[str] = []
    for tree in subject.machine.headers.elsewhere():
        if tree.untrusted:
            notes.append(
                f"{tree.source} has headers for this kernel, and others could change it: {tree.untrusted}."
            )
            continue
        if tree.build != tree.source:
            notes.append(
                f"{tree.source} and {tree.build} have headers for this kernel, in two halves: bpftrace takes them with "
                f"BPFTRACE_KERNEL_SOURCE={tree.source} BPFTRACE_KERNEL_BUILD={tree.build}."
            )
            continue
        step = Step(
            "headers.use-tree",
            f"Use the headers in {tree.source}",
            undo="nothing to undo",
            helps=subject.titles(*subject.headers),
        )
        return Part((*load.steps, step), tuple(notes), Path(tree.source))
    return Part(notes=tuple(notes))


def _served(subject: Subject, load: Part) -> Part:
    """The archive that the kernel provides."""

    kheaders = subject.machine.kheaders
    try:
        archive = kheaders.archive
    except Unavailable as gap:
        return Part(notes=(f"{gap.reason}.",))
    if archive is None:
        return Part()
    if kheaders.problem:
        return Part(notes=(f"{ARCHIVE} cannot be used: {kheaders.problem}.",))
    target = subject.places.headers / tree_name(subject.release, archive)
    step = _unpack(
        "kheaders.extract", "Unpack the headers that the kernel provides", subject, ARCHIVE, target, archive
    )
    return Part((*load.steps, step), (), target)


def _from_module(subject: Subject, load: Part) -> Part:
    """The archive inside the module's file; the module is loaded for it only when asked, or when its file
    cannot be read.
    """
    state = subject.machine.kheaders.module
    if state.state not in ("loadable", "blocked") or state.path is None:
        return Part()
    if any(reason == OF_HOST for _, reason in state.reasons):
        untrusted = untrusted_file(subject.machine.system, state.path)
        if untrusted:
            return Part(notes=(f"{state.path} is not used, because others could change it: {untrusted}.",))
    try:
        data = subject.machine.system.read(state.path, _LIMIT)
        if data is None:
            return Part(notes=(f"{state.path} is gone.",))
        archive = archive_from_module(data)
        problem = mismatch(subject.machine, quick(archive))
    except (Unavailable, ParseError, FixError) as error:
        note = f"The archive in {state.path} cannot be read: {error}."
        if state.state == "loadable" and subject.root:
            step = _unpack(
                "kheaders.extract", "Unpack the headers that it provides", subject, ARCHIVE, None, None
            )
            return Part((_load_step(subject), step), (note,))
        return Part(notes=(note,))
    if problem:
        return Part(notes=(f"The archive in {state.path} {problem}.",))
    target = subject.places.headers / tree_name(subject.release, archive)
    if load.steps:
        step = _unpack(
            "kheaders.extract", "Unpack the headers that it provides", subject, ARCHIVE, target, archive
        )
    else:
        step = _unpack(
            "kheaders.extract-module",
            "Unpack the headers out of the kheaders module's file, without loading it",
            subject,
            state.path,
            target,
            archive,
        )
    return Part((*load.steps, step), (), target)


def _unpack(  # noqa: PLR0913, PLR0917
    step_id: str, title: str, subject: Subject, origin: str, target: Path | None, archive: bytes | None
) -> Step:
    place = str(target) if target is not None else f"a directory below {subject.places.headers}"
    return Step(
        step_id,
        title,
        changes=(f"makes {place}{_size(archive)} from {origin}",),
        undo="removes that directory",
        helps=subject.titles(*subject.headers),
        effect=Unpacked("" if target is None else str(target), origin),
    )


def _size(archive: bytes | None) -> str:
    if archive is None:
        return ""
    try:
        return f" ({peek(archive).uncompressed / 1e6:.0f} MB)"
    except ParseError:
        return ""


def _package(subject: Subject, load: Part) -> Part:
    """The exact header package, if the user allows packages and this system has it."""
    remedy = header_package(subject.machine)
    if remedy is None or remedy.id != INSTALL_HEADERS:
        return Part()
    advice = subject.machine.packages.advice
    lines = " && ".join(map(subject.typed, remedy.commands))
    if not subject.options.packages:
        return Part(
            notes=(
                f"{advice.name} has headers for this kernel: {subject.typed('sudo kdiag fix --packages')} ({lines}).",
            )
        )
    if not subject.root:
        note = subject.as_root(f"Installing {advice.name}", "sudo kdiag fix --packages")
        return Part(notes=(note,), for_root=True)
    immutable = subject.machine.environment.immutable
    effect = None if immutable else planned(subject.machine)
    if effect is None:
        why = (
            f"{immutable.name} has no package manager for that"
            if immutable
            else "it can only be done by hand"
        )
        return Part(notes=(f"{advice.name} is not installed by kdiag: {why} ({lines}).",))
    step = Step(
        "headers.package",
        f"Install {advice.name}",
        changes=(f"installs {', '.join(effect.wanted)} and what they depend on: {lines}",),
        needs=("root", "network"),
        undo="removes the packages that came, unless something else needs them by then",
        helps=subject.titles(*subject.headers),
        effect=effect,
    )
    return Part((*load.steps, step))
