"""Which bpftrace a distribution release packages: what one would get by installing it now.

Read off the distributions' package pages and archives on 2026-11-22; what could not be read there is left out.
"""

from __future__ import annotations

_BPFTRACE: dict[tuple[str, str], tuple[int, int, int]] = {
    ("debian", "11"): (0, 11, 3),
    ("debian", "12"): (0, 17, 0),
    ("debian", "13"): (0, 23, 2),
    ("ubuntu", "22.04"): (0, 14, 0),
    ("ubuntu", "24.04"): (0, 20, 2),
    ("ubuntu", "25.10"): (0, 23, 5),
    ("ubuntu", "26.04"): (0, 25, 0),
    ("fedora", "43"): (0, 24, 0),
    ("alpine", "3.13"): (0, 11, 4),
    ("alpine", "3.16"): (0, 14, 1),
    ("alpine", "3.19"): (0, 19, 1),
    ("alpine", "3.22"): (0, 23, 3),
    ("alpine", "3.23"): (0, 24, 1),
    ("alpine", "3.24"): (0, 26, 1),
}


def next_with(os_id: str | None, needed: tuple[int, int, int]) -> tuple[str, tuple[int, int, int]] | None:
    """The oldest release of a distribution that packages this bpftrace or a newer one, and which; None if none is known
    to.
    """
    found = [
        (tuple(map(int, version.split("."))), version, tool)
        for (distribution, version), tool in _BPFTRACE.items()
        if distribution == os_id and tool >= needed
    ]
    return min(found)[1:] if found else None


def packaged_bpftrace(os_id: str | None, version_id: str | None) -> tuple[int, int, int] | None:
    """The release of bpftrace that a distribution release packages, None if not known.

    `version_id` may have a patch level (Alpine's 3.22.1).
    """
    version = version_id or ""
    while version:
        found = _BPFTRACE.get((os_id or "", version))
        if found is not None:
            return found
        version = version.rpartition(".")[0]
    return None
