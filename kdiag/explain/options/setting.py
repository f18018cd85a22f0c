"""Capabilities of processes (CAP_BPF) and sysctls (kernel.kptr_restrict)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdiag.explain.options.parts import dependents, here_title, look, states, titled
from kdiag.explain.value import Answer, Kind, Section
from kdiag.knowledge.names.settings import Setting, settings
from kdiag.machine.privileges import CAPABILITIES, SYSCTLS
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.explain.here import Here

_KINDS: dict[str, Kind] = {"capability": "kernel-capability", "sysctl": "sysctl"}
_PROC = "/proc/sys/"


def find(word: str) -> Setting | None:
    """The setting that is meant: `CAP_BPF`, `cap_bpf`, `kernel.kptr_restrict`, `kernel/kptr_restrict`,
    `/proc/sys/kernel/kptr_restrict`, `kptr_restrict`. A capability that tracing does not rest on has few words.
    """
    lowered = word.lower()
    if lowered.startswith("cap_"):
        name = lowered.upper()
        return next((one for one in settings() if one.name == name), None) or _other(name)
    dotted = lowered.removeprefix(_PROC).removeprefix("sysctl.").replace("/", ".")
    sysctls = [one for one in settings() if one.kind == "sysctl"]
    exact = next((one for one in sysctls if one.name == dotted), None)
    return exact or next((one for one in sysctls if one.name.rpartition(".")[2] == dotted), None)


def _other(name: str) -> Setting | None:
    if name.removeprefix("CAP_") not in CAPABILITIES:
        return None
    return Setting(
        name,
        "capability",
        "one of Linux's capabilities",
        "nothing that kdiag knows of",
        (),
        ("man 7 capabilities",),
    )


def about(setting: Setting, subject: str, here: Here) -> Answer:
    """All that is said of one setting."""
    facts = []
    if setting.since:
        facts.append(f"It is there since Linux {setting.since}.")
    if setting.default:
        facts.append(f"Its default: {setting.default}.")
    ids = setting.findings
    sections = (
        Section("", tuple(filter(None, (" ".join(facts), setting.note)))),
        Section("What it unlocks", (_sentence_case(setting.unlocks),)),
        Section("Its values", rows=setting.values),
        Section(here_title(here), (_sentence(setting, here),), rows=states(ids, here)),
        _dependents(setting, here),
        Section("What it costs or weakens", (_sentence_case(setting.weakens),) if setting.weakens else ()),
        Section("See it yourself", commands=look(ids, here.known, *_commands(setting))),
        Section("Sources", ("; ".join(setting.sources),)),
    )
    title = titled(setting.name, setting.what, subject)
    return Answer(subject, _KINDS[setting.kind], title, "told", "", sections)


def _dependents(setting: Setting, here: Here) -> Section:
    """What rests on the findings that it decides over; the sysctl's own finding is no part of any capability."""
    deciding = [i for i in setting.findings if not i.startswith("sysctl.")]
    return dependents(deciding, here) if deciding else Section("", ("No row of `kdiag check` rests on it.",))


def value_here(setting: Setting, here: Here) -> str:
    """Its value in few words, for a list."""
    privileges = here.machine.privileges
    try:
        if setting.kind == "sysctl":
            value = privileges.sysctl(setting.name)
            return "not there" if value is None else str(value)
        if not privileges.knows(setting.name):
            return "not there"
        return "held" if privileges.has(setting.name) else "not held"
    except Unavailable:
        return "unknown"


def _sentence(setting: Setting, here: Here) -> str:
    privileges = here.machine.privileges
    try:
        if setting.kind == "sysctl":
            value = privileges.sysctl(setting.name)
            if value is None:
                return f"This kernel does not have it: {SYSCTLS[setting.name]} is not there."
            meaning = dict(setting.values).get(str(value))
            return f"{setting.name} is {value}" + (f": {meaning}." if meaning else ".")
        if not privileges.knows(setting.name):
            return f"This kernel does not have {setting.name}; CAP_SYS_ADMIN is asked for instead."
        if privileges.has(setting.name):
            return f"The caller holds {setting.name}."
        bounded = setting.name not in privileges.status.bounding
        more = "; nothing started from here can gain it, because the bounding set lacks it" if bounded else ""
        return f"The caller does not hold {setting.name}{more}."
    except Unavailable as gap:
        return f"Its state is not known: {gap.reason}."


def _sentence_case(text: str) -> str:
    return f"{text[0].upper()}{text[1:].rstrip('.')}."


def _commands(setting: Setting) -> tuple[str, ...]:
    if setting.kind == "sysctl":
        return (f"sysctl {setting.name}",)
    return ("grep Cap /proc/self/status", f"capsh --has-p={setting.name.lower()} && echo held")
