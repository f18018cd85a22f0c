"""Headers of a container's host, put where every tool of the container looks. Nothing of the host is changed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdiag.model import Remedy
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.machine import Machine


def link_headers(machine: Machine) -> tuple[Remedy, ...]:
    """Links to the host's module directory and to the trees that its build link needs; () where there are none, or
    where the container has a module directory of its own.

    Debian's build link is absolute or goes up to ../../../src: either way it ends in a tree that is linked as well.
    """
    host, release = machine.host.machine, machine.kernel.release
    try:
        if host is None or machine.modules.directory is not None or not host.headers.links["build"].is_dir:
            return ()
        ends = {chain.end for chain in host.headers.links.values() if chain.is_dir}
    except Unavailable:
        return ()
    modules, places = f"/lib/modules/{release}", sorted(end for end in ends if end.startswith("/usr/src/"))
    commands = ["sudo mkdir -p /lib/modules /usr/src", f"sudo ln -s {host.seen_at(modules)} {modules}"]
    if places:
        commands.append(f"sudo ln -s {' '.join(map(host.seen_at, places))} /usr/src/")
    return (
        Remedy(
            "headers.link-host",
            "Link the host's headers to where every tool looks",
            commands=tuple(commands),
            needs=("root",),
            undo=(f"sudo rm {' '.join((modules, *places))}",),
        ),
    )
