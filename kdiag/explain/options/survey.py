"""What kernels of distributions and vendors do with an option: the table of kdiag.knowledge, grouped by value."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from kdiag.explain.value import Section
from kdiag.knowledge.kernel_options import Confidence, surveyed

if TYPE_CHECKING:
    from kdiag.explain.here import Here
    from kdiag.knowledge.options import Option

#: How the table knows a value, in the words of a row.
HOW: dict[Confidence, str] = {"verified": "read", "likely": "expected", "unverified": "hint"}
#: Of how many kernels whose value is not known the names are shown.
_NAMED = 24
_ABOUT = (
    "read: in the configuration or the packages of such a kernel. expected: reported, or by a close relative. "
    "hint: general knowledge. m: a module, which may not be installed. n: off, or no such option there."
)


def survey(option: Option, here: Here) -> Section:
    """What the kernels of the table have, in groups, those that were read first."""
    arch = _arch(here)
    names = (option.name, *option.aliases)
    groups: dict[tuple[str, str], list[str]] = {}
    unknown: list[str] = []
    for kernel in surveyed(arch):
        value = next((kernel.expected[name] for name in names if name in kernel.expected), None)
        if value is None:
            unknown.append(kernel.name)
        else:
            groups.setdefault((value.value, HOW[value.confidence]), []).append(kernel.name)
    order = [(value, how) for value in ("y", "m", "n") for how in HOW.values()]
    rows = [(value, how, folded(groups[value, how])) for value, how in order if (value, how) in groups]
    total = sum(map(len, groups.values())) + len(unknown)
    title = f"What distributions and vendors do ({total} kernels, {arch})"
    if not rows:
        return Section(title, ("It is known of none of them.",))
    if unknown:
        rows.append(("?", "unknown", _unknown(unknown)))
    return Section(title, (_ABOUT,), ("value", "known by", "kernels"), tuple(rows))


def _unknown(names: list[str]) -> str:
    return folded(names) if len(names) <= _NAMED else f"the other {len(names)}"


def _arch(here: Here) -> str:
    """The architecture whose table is shown: this machine's, where there are numbers for it."""
    identity = here.machine.kernel.identity
    arch = identity.arch if identity is not None else None
    return arch if arch in ("x86_64", "aarch64") else "x86_64"


def folded(names: Iterable[str]) -> str:
    """Names without the words that they begin with as the one before does: `Debian 12 generic, cloud; Fedora 42`."""
    said: list[str] = []
    before: list[str] = []
    for name in dict.fromkeys(names):
        words = name.split()
        shared = 0
        while shared < min(len(words) - 1, len(before)) and words[shared] == before[shared]:
            shared += 1
        if shared:
            said[-1] += f", {' '.join(words[shared:])}"
        else:
            said.append(name)
        before = words
    return "; ".join(said)
