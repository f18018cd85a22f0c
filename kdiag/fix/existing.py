"""A header tree not made by kdiag where bpftrace does not look, found with a few system calls: for `kdiag env`."""

from __future__ import annotations

import os
from pathlib import Path

from kdiag.fix.store.trees import validate
from kdiag.system.below import HOSTS, VARIABLE

#: Where distributions put them.
_USUAL = ("/usr/src/linux-headers-{}", "/usr/src/kernels/{}", "/usr/src/linux-{}")
#: Here, on NixOS, and where a container sees its host.
PLACES = (
    *_USUAL,
    "/run/booted-system/kernel-modules/lib/modules/{}/build",
    *(f"{host}{place}" for host in HOSTS for place in (*_USUAL, "/usr/lib/modules/{}/build")),
)


def elsewhere(release: str, srcarch: str) -> Path | None:
    """The first sound tree for this release, its links resolved; None if there is none.

    Not asked for where /lib/modules/RELEASE/build is a directory: then tools find that by themselves.
    """
    if Path(f"/lib/modules/{release}/build").is_dir():
        return None
    named = os.environ.get(VARIABLE, "").rstrip("/")
    for place in (*PLACES, *(f"{named}{place}" for place in _USUAL if named)):
        path = Path(place.format(release))
        if path.is_dir():
            real = path.resolve()
            if not validate(real, release, srcarch):
                return real
    return None
