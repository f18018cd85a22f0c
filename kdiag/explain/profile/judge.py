"""Each line of a profile held against this machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from kdiag.explain.object.answer import facts
from kdiag.knowledge.bpf.tables import helpers, map_types, program_types
from kdiag.model import Works
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.explain.here import Here
    from kdiag.explain.object.kernel import KernelFacts
    from kdiag.explain.value import Outcome
    from kdiag.knowledge.bpf.profiles import Line, Profile

_OUTCOMES: dict[Works, Outcome] = {
    Works.WORKS: "works",
    Works.CAVEAT: "works",
    Works.FAILS: "fails",
    Works.UNKNOWN: "unknown",
}


class Judged(NamedTuple):
    """A line on this machine: its words, whether it is fulfilled, what was seen, and the finding that tells more.
    with_root: whether root is expected to fulfil it, None where that is the same.
    """

    line: Line
    what: str
    outcome: Outcome
    seen: str
    finding: str = ""
    with_root: Outcome | None = None

    @property
    def as_root(self) -> Outcome:
        """Whether root fulfils it."""
        return self.with_root or self.outcome


def judge(profile: Profile, here: Here) -> Iterator[Judged]:
    """Every line."""
    kernel = facts(here)
    for line in profile.lines:
        try:
            yield _line(line, kernel, here)
        except Unavailable as gap:
            yield Judged(line, words(line), "unknown", gap.reason)


def words(line: Line) -> str:
    """A line in words."""
    return {
        "kernel": f"kernel {line.name} or newer",
        "types": "BTF of the kernel",
        "option": f"CONFIG_{line.name}",
        "map": f"map type {line.name}",
        "program": f"program type {line.name}",
        "helper": f"helper bpf_{line.name}",
        "privilege": line.name,
        "capability": f"capability {line.name}",
    }[line.kind]


def _line(line: Line, kernel: KernelFacts, here: Here) -> Judged:
    what = words(line)
    if line.kind == "kernel":
        return _release(line, what, kernel)
    if line.kind == "types":
        has = kernel.has_types
        seen = {True: "there", False: "not there", None: "cannot be seen"}[has]
        return Judged(line, what, "unknown" if has is None else _of(has), seen, "btf.vmlinux")
    if line.kind == "option":
        value = kernel.option(line.name)
        shown = f"={value}" if value is not None else "not in the configuration"
        return Judged(line, what, _of(value in ("y", "m")), shown, "config.options")
    if line.kind == "privilege":
        lacking = kernel.machine.privileges.lacking(line.name)
        return Judged(
            line,
            what,
            _of(not lacking),
            "the caller lacks it" if lacking else "held",
            "privileges.capabilities",
            "works" if lacking and here.root_would_hold(line.name) else None,
        )
    if line.kind == "capability":
        found = next((one for one in here.report.capabilities if one.id == line.name), None)
        if found is None:
            raise Unavailable("it was not judged")
        seen = found.because or found.status.value
        if found.status is Works.CAVEAT:
            seen = f"in part: {seen}"
        root = None if found.with_root is None else _OUTCOMES[found.with_root]
        return Judged(line, what, _OUTCOMES[found.status], seen, found.id, root)
    return _number(line, what, kernel)


def _number(line: Line, what: str, kernel: KernelFacts) -> Judged:
    """Something that has a number in one of the kernel's enums."""
    if line.kind == "map":
        number = next(one.number for one in map_types().values() if one.name == line.name)
        there = kernel.has("bpf_map_type", f"BPF_MAP_TYPE_{line.name}", number)
    elif line.kind == "program":
        there = kernel.has("bpf_prog_type", f"BPF_PROG_TYPE_{line.name}", program_types()[line.name].number)
    else:
        number = next(one.number for one in helpers().values() if one.name == line.name)
        there = kernel.has("bpf_func_id", f"BPF_FUNC_{line.name}", number)
    return Judged(line, what, _of(there), "there" if there else "not there")


def _release(line: Line, what: str, kernel: KernelFacts) -> Judged:
    """The release alone decides nothing: what an older one lacks may have been put into it."""
    wanted = tuple(map(int, line.name.split(".")))
    enough = kernel.machine.kernel.version_numbers[: len(wanted)] >= wanted
    release = kernel.machine.kernel.release
    seen = release if enough else f"{release}, which is older; distributions backport"
    return Judged(line, what, "works" if enough else "unknown", seen, "kernel.running")


def _of(there: bool) -> Outcome:
    return "works" if there else "fails"


def outcome(judged: list[Judged], *, as_root: bool = False) -> Outcome:
    """Of what nothing goes without."""
    outcomes = {one.as_root if as_root else one.outcome for one in judged if not one.line.purpose}
    return "fails" if "fails" in outcomes else "unknown" if "unknown" in outcomes else "works"
