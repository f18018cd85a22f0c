"""Which part of a distribution's archive has the packages of a kernel, and whether a machine uses it.

A package that exists is of no use to a machine whose apt does not look where it is: Debian's backports and Ubuntu
Pro have to be enabled first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, NamedTuple

from kdiag.knowledge.builds import DEBIAN, Build

if TYPE_CHECKING:
    from kdiag.parse.packages.apt_sources import Source

Answer = Literal["yes", "no", "unknown"]

_DEBIAN_NAMES = {
    "8": "jessie",
    "9": "stretch",
    "10": "buster",
    "11": "bullseye",
    "12": "bookworm",
    "13": "trixie",
    "14": "forky",
    "15": "duke",
}
_UBUNTU_NAMES = {
    "14.04": "trusty",
    "16.04": "xenial",
    "18.04": "bionic",
    "18.10": "cosmic",
    "19.04": "disco",
    "19.10": "eoan",
    "20.04": "focal",
    "20.10": "groovy",
    "21.04": "hirsute",
    "21.10": "impish",
    "22.04": "jammy",
    "22.10": "kinetic",
    "23.04": "lunar",
    "23.10": "mantic",
    "24.04": "noble",
    "24.10": "oracular",
    "25.04": "plucky",
    "25.10": "questing",
    "26.04": "resolute",
}
#: Names that have stood for one release and always will; `stable` and its like move on.
_FIXED = frozenset(_DEBIAN_NAMES.values()) | frozenset(_UBUNTU_NAMES.values())


class Suite(NamedTuple):
    """Where the packages are.

    names: as apt's sources call it, the first is what to call it; any of them will do. of: the release of the
    distribution. usual: every machine of that release uses it. hosts: parts of the addresses that have it, where the
    suite's name does not say. enabling: commands, and what they mean.
    """

    names: tuple[str, ...]
    of: str
    usual: bool = True
    hosts: tuple[str, ...] = ()
    enabling: tuple[str, ...] = ()
    meaning: str = ""

    @property
    def name(self) -> str:
        return self.names[0]


def suite_of(build: Build | None, flavour: str = "", sources: Iterable[Source] | None = None) -> Suite | None:
    """Where the packages of a build are, None if that is not known. sources: what apt uses here, if that is known: a
    further suite is enabled from the mirror that has the others.
    """
    if build is None or build.series is None:
        return None
    if build.distribution == "ubuntu":
        return _ubuntu(build, flavour)
    if build.distribution == "debian":
        return _debian(build, sources or ())
    return None


def _ubuntu(build: Build, flavour: str) -> Suite | None:
    name = _UBUNTU_NAMES.get(build.series or "")
    if name is None:
        return None
    of = f"Ubuntu {build.series}"
    if build.channel == "pro":
        service = "realtime-kernel" if "realtime" in flavour else "fips-updates"
        return Suite(
            ("Ubuntu Pro",),
            of,
            usual=False,
            hosts=("esm.ubuntu.com/realtime", "esm.ubuntu.com/fips"),
            enabling=(f"sudo pro enable {service}",),
            meaning="it takes a subscription, which is free for five machines",
        )
    return Suite((f"{name}-updates", f"{name}-security", name), of)


def _debian(build: Build, sources: Iterable[Source]) -> Suite | None:
    name = _DEBIAN_NAMES.get(build.series or "")
    if name is None:
        return None
    of = f"Debian {build.series}"
    if build.channel == "backports":
        suite = f"{name}-backports"
        mirror = _mirror(sources, name)
        line = f"deb {mirror} {suite} main"
        return Suite(
            (suite,),
            of,
            usual=False,
            enabling=(f"echo '{line}' | sudo tee /etc/apt/sources.list.d/{suite}.list",) if mirror else (),
            meaning="nothing else is upgraded by that: apt takes from backports only what is asked for by name",
        )
    if build.channel == "lts":
        return Suite((f"{name}-security", f"{name}/updates"), of)
    if build.series not in DEBIAN:
        return Suite((name, "sid", "unstable", "testing"), f"{of} (testing or unstable)")
    return Suite((name, f"{name}-security", f"{name}-updates", f"{name}/updates"), of)


def _mirror(sources: Iterable[Source], suite: str) -> str:
    """The address that this machine has the release from; empty if none can stand in a command as it is (a name and
    password in it stay out, too).
    """
    addresses = (source.uri for source in sources if suite in source.suites)
    return next((uri for uri in addresses if re.fullmatch(r"https?://[\w.:/~%-]+", uri, re.ASCII)), "")


def used(suite: Suite, sources: Iterable[Source] | None, os_release: str | None) -> Answer:
    """Whether a machine uses the suite. sources: None where they could not be looked at. os_release: `Debian 12`."""
    if sources is None:
        if suite.usual and os_release == suite.of:
            return "yes"
        # Another release of the same distribution: its suites are others.
        other = os_release is not None and os_release.partition(" ")[0] == suite.of.partition(" ")[0]
        return "no" if suite.usual and other else "unknown"
    there = tuple(sources)
    if suite.hosts:
        return "yes" if any(host in source.uri for source in there for host in suite.hosts) else "no"
    suites = {name for source in there for name in source.suites}
    if suites & set(suite.names):
        return "yes"
    # A name that moves, or one that a mirror made up, may stand for any.
    plain = {re.split("[-/]", name, maxsplit=1)[0] for name in suites}
    return "no" if plain and plain <= _FIXED else "unknown"
