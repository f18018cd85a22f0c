"""What is said of a profile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdiag.explain.profile import judge as judging
from kdiag.explain.value import Answer, NotKnown, Section
from kdiag.knowledge.bpf.profiles import Profile, profiles
from kdiag.words import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from kdiag.explain.here import Here
    from kdiag.explain.profile.judge import Judged
    from kdiag.explain.value import Outcome

_SHOWN: dict[Outcome, str] = {"works": "yes", "fails": "no", "unknown": "cannot tell", "told": ""}


def fits(word: str) -> bool:
    """Whether a word names a built-in profile."""
    return word in profiles()


def marked(words: Sequence[str], here: Here) -> list[tuple[str, bool]]:
    """The words, each with whether it is to be a profile: after the word `profile`, which alone is a capability, and of
    the user's own.
    """
    known = {*profiles(), *here.profiles}
    found: list[tuple[str, bool]] = []
    said = False
    for word, after in zip(words, [*words[1:], ""], strict=False):
        if word == "profile" and after in known and not said:
            said = True
            continue
        found.append((word, said or word in here.profiles))
        said = False
    return found


def named(name: str, own: Mapping[str, Profile]) -> Profile:
    """A profile by name, the user's own before the built-in ones. Raises NotKnown."""
    known = {**profiles(), **own}
    if name not in known:
        raise NotKnown(
            f"no profile is called {name!r}{did_you_mean(name, known)} (there are {', '.join(known)})"
        )
    return known[name]


def explain(word: str, here: Here) -> Answer:
    """The answer for a profile's name. Raises NotKnown."""
    return about(named(word, here.profiles), here)


def about(profile: Profile, here: Here) -> Answer:
    """What a profile requires, and how that stands here."""
    judged = list(judging.judge(profile, here))
    outcome, as_root = judging.outcome(judged), judging.outcome(judged, as_root=True)
    place = f"On {here.place}" if here.place else "Here"
    required = [one for one in judged if not one.line.purpose]
    stopping = [one for one in required if one.outcome == outcome] if outcome != "works" else []
    # Where root would not be enough, what root lacks as well is the reason.
    stopping.sort(key=lambda one: one.as_root != as_root)
    sections = [
        Section("", (f"Its requirements by {profile.source}.",)),
        Section("What it requires", head=("what", place, "seen"), rows=tuple(map(_row, required))),
    ]
    for purpose in dict.fromkeys(one.line.purpose for one in judged if one.line.purpose):
        rows = tuple(_row(one) for one in judged if one.line.purpose == purpose)
        sections.append(Section(f"For {purpose}", head=("what", place, "seen"), rows=rows))
    sections.append(Section("See it yourself", commands=(f"kdiag check --profile {profile.name}",)))
    because = f"{stopping[0].what}: {stopping[0].seen}" if stopping else ""
    findings = tuple(dict.fromkeys(one.finding for one in stopping if one.finding))
    return Answer(
        *(profile.name, "profile", profile.title, outcome, _verdict(required, stopping, outcome, here)),
        tuple(sections),
        because=because,
        findings=findings,
        with_root=as_root if as_root != outcome else None,
    )


def _verdict(required: list[Judged], stopping: list[Judged], outcome: Outcome, here: Here) -> str:
    place = here.where
    if outcome == "works":
        return (
            f"All {len(required)} requirements are fulfilled {place}, as far as its documentation names them."
        )
    first = f"{stopping[0].what}: {stopping[0].seen}"
    more = f", and {len(stopping) - 1} more" if len(stopping) > 1 else ""
    if outcome == "fails":
        return f"{len(stopping)} of {len(required)} requirements are not fulfilled {place}: {first}{more}."
    return f"kdiag cannot tell of {len(stopping)} of {len(required)} requirements {place}: {first}{more}."


def _row(one: Judged) -> tuple[str, str, str]:
    return one.what, _SHOWN[one.outcome], one.seen
