"""`kdiag check --require-from FILE`: what a file requires becomes a row of the report, and the verdict is about it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

from kdiag.capabilities.judging import blocked
from kdiag.capabilities.verdict import judge
from kdiag.commands.explain import answers
from kdiag.console.wrap import clean
from kdiag.explain.here import Here
from kdiag.explain.profile.answer import about, named
from kdiag.explain.value import NotKnown
from kdiag.knowledge.bpf.profiles import Line, Profile
from kdiag.model import Capability, Works

if TYPE_CHECKING:
    from kdiag.config.values import Config
    from kdiag.explain.value import Answer, Kind, Outcome
    from kdiag.knowledge.bpf.profiles import LineKind
    from kdiag.model import Report

#: With the machine and the error that are spoken of here.
__all__ = ["Here", "NotKnown", "of_files", "of_profiles", "own_profiles", "with_required"]

_WORKS: dict[Outcome, Works] = {"works": Works.WORKS, "fails": Works.FAILS, "unknown": Works.UNKNOWN}
_TOOLS: dict[Kind, str] = {"object": "libbpf", "script": "bpftrace"}


def of_files(words: Sequence[str], here: Here) -> tuple[Capability, ...]:
    """A capability for each file: that it loads, or runs. Raises NotKnown for what is no such file."""
    # A word without a slash could be another name that `kdiag explain` knows.
    paths = [word if "/" in word or not os.path.isfile(word) else f"./{word}" for word in words]
    found = [_capability(word, answer) for word, answer in zip(words, answers(paths, here), strict=True)]
    known: dict[str, Capability] = {}
    for one in found:
        same = sum(name == one.id or name.startswith(f"{one.id}#") for name in known)
        known[f"{one.id}#{same + 1}" if same else one.id] = one
    return tuple(one._replace(id=name) for name, one in known.items())


def _capability(word: str, answer: Answer) -> Capability:
    if answer.kind not in _TOOLS:
        raise NotKnown(f"{word!r} is no BPF object, no program that carries one and no script of bpftrace")
    name = clean(os.path.basename(word)) or "file"
    because = clean(answer.because or answer.verdict) if answer.outcome != "works" else ""
    return Capability(
        *(f"file:{name}", name, _TOOLS[answer.kind], _WORKS[answer.outcome], because),
        *(answer.findings, _with_root(answer)),
    )


def _with_root(answer: Answer) -> Works | None:
    return None if answer.with_root is None else _WORKS[answer.with_root]


def own_profiles(settings: Config) -> dict[str, Profile]:
    """The profiles of a configuration file, by name."""
    return {
        one.name: Profile(
            one.name,
            one.title or f"a profile of {settings.path}",
            settings.path,
            tuple(Line(cast("LineKind", kind), name) for kind, name in one.requires),
        )
        for one in settings.profiles
    }


def of_profiles(names: Sequence[str], here: Here) -> tuple[tuple[Capability, ...], tuple[str, ...]]:
    """A capability for each profile, and the ids of kdiag's own that they require. Raises NotKnown."""
    chosen = [named(name, here.profiles) for name in dict.fromkeys(names)]
    rows = []
    for profile in chosen:
        answer = about(profile, here)
        # What one of kdiag's capabilities lacks is told by its own row, with what to do about it.
        rows.append(
            Capability(
                *(f"profile:{profile.name}", profile.title, "profile", _WORKS[answer.outcome]),
                clean(answer.because),
                *(answer.findings, _with_root(answer)),
            )
        )
    return tuple(rows), tuple(name for profile in chosen for name in profile.capabilities)


def with_required(report: Report, found: Sequence[Capability], also: Sequence[str]) -> Report:
    """The report with these capabilities, which are required; also: ids of others that are."""
    capabilities = (*report.capabilities, *found)
    required = (*also, *(one.id for one in found))
    return replace(
        report,
        capabilities=capabilities,
        required=required,
        verdict=judge(capabilities, report.findings, required, report.repairs),
        blocks=blocked(capabilities, report.findings),
    )
