"""Which releases of bpftrace were tried on which kernels; of all others only the sources are known.

Tried means: `kdiag smoke` ran its programs with the real program in a booted kernel, and the prediction was held
against what happened (docs/matrix.md, and tests/observations for what was seen outside of the lab).
"""

from __future__ import annotations

from kdiag.knowledge.tools.behaviour import Version

#: Linux by its first two numbers.
Line = tuple[int, int]

_DEBIAN: tuple[Line, ...] = ((5, 10), (6, 1), (6, 12), (7, 2), (7, 3))
#: Debian's four, each on Debian's kernels in the lab; 0.17.0 on a microVM's 6.18 as well, with all 20 programs. 0.21.2
#: and 0.19.1, built for a trial: 6.18 of a microVM, and 0.21.2 on a built 6.12. What no kernel was written down for is
#: not in the table: 0.25.1 was tried somewhere.
TRIED: dict[Version, tuple[Line, ...]] = {
    (0, 11, 3): _DEBIAN,
    (0, 17, 0): ((5, 10), (6, 1), (6, 12), (6, 18), (7, 2), (7, 3)),
    (0, 19, 1): ((6, 18),),
    (0, 21, 2): ((6, 12), (6, 18)),
    (0, 23, 2): _DEBIAN,
    (0, 27, 1): _DEBIAN,
}


#: The source of the evidence that says it, and how it begins where the pair was not tried.
SOURCE, EXPECTED = "knowledge", "expected "


def proof(release: Version, since: Version, kernel: tuple[int, ...] | None) -> tuple[bool, str]:
    """Whether this very pair was tried, and in words what the predictions rest on. since: the oldest release that
    behaves the same by its sources. kernel: None where it is not known.
    """
    alike = [tried for tried in TRIED if tried[:2] == release[:2]]
    if not alike:
        line = _text(release[:2])
        return False, f"{EXPECTED}from the sources of {_text(since)}; no {line} was tried"
    lines = tuple(dict.fromkeys(line for tried in alike for line in TRIED[tried]))
    where = f"{', '.join(map(_text, alike))} was tried on Linux {', '.join(map(_text, lines))}"
    if release not in TRIED:
        return False, f"{EXPECTED}from the sources of {_text(since)}; {where}"
    if kernel is None or kernel[:2] in TRIED[release]:
        return kernel is not None, where
    return False, f"{EXPECTED}on this kernel; {where}"


def _text(numbers: tuple[int, ...]) -> str:
    return ".".join(map(str, numbers))
