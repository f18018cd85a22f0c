"""Why headers cannot be had here, what would bring them, and what works without them."""

from __future__ import annotations

from kdiag.fix.plan.subject import BTF, HEADERS, Subject
from kdiag.fix.plan.values import sentence
from kdiag.model import Remedy, Status
from kdiag.remedies.packages import INSTALL_HEADERS, header_package, instead
from kdiag.system import Unavailable


def no_headers(subject: Subject) -> tuple[str, ...]:
    """Sentences for a machine where no source of headers is within reach."""
    return (*_module(subject), *_package(subject))


def _module(subject: Subject) -> tuple[str, ...]:
    """What is the matter with the kernel's own archive."""
    finding = subject.finding("kheaders.module")
    state = subject.machine.kheaders.module.state
    if state in ("loaded", "builtin"):
        return (
            "The kernel has its headers inside, and /sys does not show them here: /sys is masked or another kernel's.",
        )
    if finding is None or state in ("loadable", "blocked"):
        return ()
    return (
        sentence(finding),
        *((_remedy(subject, r) for r in finding.remedies) if finding.remedies else _outside(subject, state)),
    )


def _outside(subject: Subject, state: str) -> tuple[str, ...]:
    """In a container, what is not known inside may be possible outside."""
    place = subject.machine.environment.container
    if place is None or state not in ("unknown", "absent") or _expected_off(subject):
        return ()
    return (
        f"In {place.name} the kernel's modules are not to be seen. If it has kheaders, `sudo modprobe kheaders` on "
        "the host makes the archive appear in here as well.",
    )


def _expected_off(subject: Subject) -> bool:
    """Whether this kernel is known to be built without kheaders."""
    identity = subject.machine.kernel.identity
    expected = identity.expected.get("IKHEADERS") if identity is not None else None
    return expected is not None and expected.value == "n"


def _package(subject: Subject) -> tuple[str, ...]:
    """Whether a package could bring them."""
    advice = subject.machine.origin.packages.advice
    if advice.obtainable == "no":
        ways = "; ".join(_within(remedy.title) for remedy in instead(subject.machine))
        other = f" What helps: {ways}." if ways else ""
        return (f"No package has headers for this kernel: {advice.reason}.{other}",)
    if advice.obtainable == "unknown" or not advice.name:
        return (f"Which package has headers for this kernel is not known: {advice.reason}.",)
    if subject.machine.origin.modules.outdated:
        return (f"{advice.name} fits the kernel that runs, and another one is installed: reboot first.",)
    remedy = header_package(subject.machine)
    if remedy is None and subject.machine.origin.of_host:
        return ()
    if remedy is None:
        return (f"The package is {advice.name}; how it is installed here is not known.",)
    return () if remedy.id == INSTALL_HEADERS else (_remedy(subject, remedy),)


def _remedy(subject: Subject, remedy: Remedy) -> str:
    here = remedy.run_on == "here"
    where = "" if here else f" ({remedy.run_on})"
    commands = " && ".join(map(subject.typed, remedy.commands) if here else remedy.commands)
    commands = f": {commands}" if commands else ""
    return f"{remedy.title}{where}{commands}."


def without(subject: Subject) -> tuple[str, ...]:
    """What headers are for on this machine, and what does without."""
    report = subject.report
    blocked = subject.stands_in_the_way(*HEADERS)
    required = [c for c in report.capabilities if c.id in report.required]
    if not required or any(c.id in blocked for c in required):
        return ()
    titles = ", ".join(subject.titles(*subject.headers))
    if not titles:
        return ()
    unknown = [f for f in map(subject.finding, BTF) if f is not None and f.status is Status.UNKNOWN]
    if unknown:
        return (
            f"These need headers: {titles}. Whether more does cannot be told here: {unknown[-1].summary}.",
        )
    try:
        subject.machine.btf.vmlinux  # noqa: B018  asked for whether it is there
        reason = ", because BTF is available"
    except (Unavailable, ValueError):
        reason = ""
    return (
        f"Only these need headers: {titles}. {_not_needed_by(len(required))}{reason}: "
        "a warning about missing headers is harmless.",
    )


def _not_needed_by(number: int) -> str:
    if number == 1:
        return "The required capability does not need them"
    return f"None of the {number} required capabilities needs them"


def _within(title: str) -> str:
    """A title inside of a sentence; one that begins with an abbreviation stays as it is."""
    return title if title[1:2].isupper() else title[:1].lower() + title[1:]
