"""A header tree not made by kdiag where bpftrace does not look, found with a few system calls: for `kdiag env`."""

from __future__ import annotations

from pathlib import Path

from kdiag.fix.store.trees import validate

#: Where distributions put them; the last three are NixOS, and toolbox's view of its host.
PLACES = (
    "/usr/src/linux-headers-{}",
    "/usr/src/kernels/{}",
    "/usr/src/linux-{}",
    "/run/booted-system/kernel-modules/lib/modules/{}/build",
    "/run/host/usr/src/kernels/{}",
    "/run/host/usr/src/linux-headers-{}",
)


def elsewhere(release: str, srcarch: str) -> Path | None:
    """The first sound tree for this release, its links resolved; None if there is none.

    Not asked for where /lib/modules/RELEASE/build is a directory: then tools find that by themselves.
    """
    if Path(f"/lib/modules/{release}/build").is_dir():
        return None
    for place in PLACES:
        path = Path(place.format(release))
        if path.is_dir():
            real = path.resolve()
            if not validate(real, release, srcarch):
                return real
    return None
