"""A kernel option (CONFIG_X): what it unlocks, its value here and where that was read, and what others do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdiag.explain.options.parts import dependents, here_title, look, states, titled
from kdiag.explain.options.survey import HOW, survey
from kdiag.explain.value import Answer, Section
from kdiag.knowledge.options import Option, by_name, findings_of, ways_of
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.explain.here import Here

#: Where tools that require an option say so.
_DOCUMENTS = {
    "bpftrace": "bpftrace docs/dependency_support.md",
    "bcc": "bcc docs/kernel_config.md",
    "bpftool": "bpftool src/feature.c",
}


def about(option: Option, subject: str, here: Here) -> Answer:
    """All that is said of one option that kdiag knows."""
    ids = findings_of(option)
    sections = (
        Section("", _text(option)),
        Section(
            here_title(here),
            (_value(option, here),),
            rows=states((f"config.{option.name}", *ids), here),
        ),
        dependents(ids, here, ways_of(option))
        if ids
        else Section("", ("No row of `kdiag check` rests on it.",)),
        survey(option, here),
        Section("What it costs or weakens", (option.costs,) if option.costs else ()),
        Section("See it yourself", commands=look(ids, here.known, _grep(option, here))),
        Section("Sources", (_sources(option),)),
    )
    return Answer(
        subject, "option", titled(f"CONFIG_{option.name}", option.unlocks, subject), "told", "", sections
    )


def unlisted(name: str, subject: str, here: Here) -> Answer | None:
    """What can be said of an option that is in this kernel's configuration and that tracing does not depend on."""
    try:
        hit = here.machine.config.found
    except Unavailable:
        return None
    value = hit.config.values.get(name)
    if value is None:
        return None
    state = f"# CONFIG_{name} is not set" if value == "n" else f"CONFIG_{name}={value}"
    sections = (
        Section("", ("kdiag knows nothing about tracing that rests on this option.",)),
        Section(here_title(here), (f"{state}, in {hit.path}.",)),
        Section("See it yourself", commands=(f"zgrep -w CONFIG_{name} {hit.path}",)),
    )
    return Answer(subject, "option", f"CONFIG_{name}", "told", "", sections)


def _text(option: Option) -> tuple[str, ...]:
    parts = []
    if option.aliases:
        parts.append(f"Also spelt {', '.join(f'CONFIG_{alias}' for alias in option.aliases)}.")
    if option.note:
        parts.append(option.note)
    facts = []
    if option.since:
        older = option.since.endswith("or older")
        backports = "" if older else "; distributions may have taken it into older ones"
        facts.append(f"Upstream has it since Linux {option.since}{backports}.")
    if option.accepted:
        facts.append(f"Good values: {' or '.join(option.accepted)}.")
    if option.needs:
        needs = ", ".join(
            need.replace(">=", " (since ") + (")" if ">=" in need else "") for need in option.needs
        )
        facts.append(f"It can be on only with {needs}.")
    if option.alternatives:
        facts.append(f"Enough instead: {', '.join(option.alternatives)}.")
    if option.arch:
        facts.append(f"Only on {', '.join(option.arch)}.")
    return (*parts, " ".join(facts)) if facts else tuple(parts)


def value_here(option: Option, here: Here) -> str:
    """The value in few words, for a list: `m`, `not set`, `expected y`, `unknown`."""
    names = (option.name, *option.aliases)
    try:
        values = (here.machine.config.value(name) for name in names)
        value = next((v for v in values if v is not None), None)
        return {"n": "not set", None: "no line"}.get(value, str(value))
    except Unavailable:
        identity = here.machine.kernel.identity
        found = [identity.expected[n] for n in names if n in identity.expected] if identity else []
        return f"expected {found[0].value}" if found else "unknown"


def _value(option: Option, here: Here) -> str:
    """The value with the place where it was read, or what is expected and why nothing was read."""
    names = (option.name, *option.aliases)
    try:
        hit = here.machine.config.found
    except Unavailable as gap:
        identity = here.machine.kernel.identity
        found = [(n, identity.expected[n]) for n in names if n in identity.expected] if identity else []
        if not found or identity is None:
            return f"Its value cannot be read: {gap.reason}."
        name, expected = found[0]
        return (
            f"Its value cannot be read: {gap.reason}. Of {identity.name} CONFIG_{name}={expected.value} is "
            f"known by the table below ({HOW[expected.confidence]}), which is not what this kernel says."
        )
    where = (
        f"{hit.path} ({'provided by the running kernel' if hit.by_kernel else 'a file beside the kernel'})"
    )
    for name in names:
        value = hit.config.values.get(name)
        if value is not None:
            line = f"# CONFIG_{name} is not set" if value == "n" else f"CONFIG_{name}={value}"
            return f"`{line}` in {where}."
    return f"There is no line for it in {where}: this kernel does not know it, or another option hides it."


def _grep(option: Option, here: Here) -> str:
    try:
        path = here.machine.config.found.path
    except Unavailable:
        path = "/proc/config.gz /boot/config-$(uname -r)"
    return f"zgrep -w CONFIG_{option.name} {path}"


def _sources(option: Option) -> str:
    named = [document for tool, document in _DOCUMENTS.items() if tool in option.required_by]
    return "; ".join((*option.sources, *named)) or "the kernel's Kconfig files"


def find(name: str) -> Option | None:
    """The option of this name without CONFIG_, in any case."""
    return by_name().get(name.upper())
