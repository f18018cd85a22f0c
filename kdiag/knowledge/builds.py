"""For which release of a distribution a kernel was built: what the release string does not say.

Ubuntu's 6.8.0-40-generic is the kernel of 24.04, and as a hardware enablement kernel that of 22.04: two builds, two
sets of packages, one release string. What distinguishes them is the version of the build, which uname -v and
/proc/version print: `#40~22.04.3-Ubuntu`, `Debian 6.12.74-2~bpo12+1 (2026-03-13)`. Where neither is to be had, the
release of the distribution decides, as long as the files are the kernel's own system and no container's image.

Sources: the kernels' packages in the archives of Ubuntu and Debian; their uname -a in public reports.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Literal, NamedTuple

Version = tuple[int, int]

#: backports: Debian's newer kernels for a stable release. lts: newer kernels that its security support brings.
#: hwe: Ubuntu's newer kernels for an LTS release. pro: in a repository of Ubuntu Pro.
Channel = Literal["", "backports", "lts", "hwe", "pro"]

#: Ubuntu release -> the kernel that it came with.
UBUNTU: Mapping[str, Version] = {
    "14.04": (3, 13),
    "16.04": (4, 4),
    "18.04": (4, 15),
    "18.10": (4, 18),
    "19.04": (5, 0),
    "19.10": (5, 3),
    "20.04": (5, 4),
    "20.10": (5, 8),
    "21.04": (5, 11),
    "21.10": (5, 13),
    "22.04": (5, 15),
    "22.10": (5, 19),
    "23.04": (6, 2),
    "23.10": (6, 5),
    "24.04": (6, 8),
    "24.10": (6, 11),
    "25.04": (6, 14),
    "25.10": (6, 17),
    "26.04": (7, 0),
}
#: Debian release -> the kernel that it came with.
DEBIAN: Mapping[str, Version] = {
    "8": (3, 16),
    "9": (4, 9),
    "10": (4, 19),
    "11": (5, 10),
    "12": (6, 1),
    "13": (6, 12),
}
#: Flavours that get newer kernels without a mark in their version: an LTS release has several of them.
_UNMARKED = ("oem", "nvidia", "realtime", "intel", "xilinx", "tegra", "bluefield")


class Build(NamedTuple):
    """What the version of a build says. distribution: as os-release would call it; series: its release, None where it
    is not said. said: the words that say so, or where it comes from.
    """

    distribution: str | None
    series: str | None = None
    channel: Channel = ""
    said: str = ""


def ubuntu(release: str, version: str | None, os_version: str | None) -> Build:
    """Of a kernel that is named as Ubuntu's are. version: uname -v or /proc/version; os_version: VERSION_ID where the
    files are Ubuntu's and the kernel's own.
    """
    number = version_of(release)
    if found := re.search(r"#[\w.+-]*~(\d\d\.\d\d)(?:\.\d+)?(?:~\w+)?-Ubuntu\b", version or ""):
        return Build("ubuntu", found[1], "hwe", f"its build is {found[0]}")
    marked = re.search(r"#[\w.+-]*-Ubuntu\b", version or "")
    native = next((series for series, kernel in UBUNTU.items() if kernel == number), None)
    channel = _pro(release)
    if marked and not any(name in release for name in _UNMARKED):
        return Build("ubuntu", native, channel, f"its build is {marked[0]}")
    if os_version is not None and (own := UBUNTU.get(os_version)) and number >= own:
        later = number > own
        return Build("ubuntu", os_version, "hwe" if later else channel, f"os-release says {os_version}")
    return Build("ubuntu", None, channel, f"its build is {marked[0]}" if marked else "")


def _pro(release: str) -> Channel:
    """Certified kernels, and the real-time ones up to 22.04, are in repositories of Ubuntu Pro only."""
    return (
        "pro"
        if "fips" in release or (release.endswith("-realtime") and version_of(release) <= (5, 15))
        else ""
    )


#: `Debian 6.12.74-2~bpo12+1 (2026-03-13)`, and what distributions that rebuild Debian's kernels put there.
_DEBIAN_VERSION = re.compile(r"\b([A-Z][A-Za-z]+) (?:\d+:)?(\d[\w.+~-]*) \(\d{4}-\d\d-\d\d\)")


def debian(release: str, version: str | None, os_version: str | None) -> Build:
    """Of a kernel that is named as Debian's are; the arguments are those of `ubuntu`."""
    number = version_of(release)
    said = _DEBIAN_VERSION.search(version or "")
    if said is not None and said[1] != "Debian":
        return Build(said[1].lower(), None, "", f"its build is {said[1]} {said[2]}")
    text = said[2] if said else ""
    if found := re.search(r"~bpo(\d+)\+", text):
        return Build("debian", found[1], "backports", f"its build is Debian {text}")
    if found := re.search(r"~deb(\d+)u", text):
        return Build("debian", found[1], "lts", f"its build is Debian {text}")
    if found := re.search(r"[+.]deb(\d+)(?:[.-]|$)", release):
        own = DEBIAN.get(found[1])
        later: Channel = "backports" if own is not None and number > own else ""
        return Build("debian", found[1], later, f"the release has {found[0].rstrip('-')!r}")
    if "bpo" in release:
        return Build("debian", os_version, "backports", f"os-release says {os_version}" if os_version else "")
    plain = re.match(r"\d+\.\d+\.0-\d+-", release)
    native = next((series for series, kernel in DEBIAN.items() if kernel == number), None)
    return Build("debian", native if plain else None, "", f"its build is Debian {text}" if text else "")


def version_of(release: str) -> Version:
    """Major and minor number at the start of a release; (0, 0) if there are none."""
    found = re.match(r"(\d+)\.(\d+)", release, re.ASCII)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def number(release: str) -> str:
    """`6.8` of 6.8.0-40-generic."""
    return "{}.{}".format(*version_of(release))


def title(build: Build, flavour: str, line: str) -> str:
    """`Ubuntu 22.04 HWE 6.8`, `Ubuntu 24.04 aws`, `Debian 12 backports 6.12 cloud`, `Debian 13 generic`. line: the
    number of the kernel, said where the release of the distribution does not imply it.
    """
    owner = (build.distribution or "").capitalize()
    of = f"{owner} {build.series}" if build.series else owner
    if owner == "Debian":
        kind = next((kind for kind in ("cloud", "rt") if flavour.startswith(f"{kind}-")), "generic")
        if build.series is None:
            return f"{of} {line} {kind}"
        if build.channel:
            way = "backports" if build.channel == "backports" else "long-term support"
            return f"{of} {way} {line} {kind}"
        return f"{of} {kind}" if build.series in DEBIAN else f"{of} (testing or unstable) {kind}"
    if build.channel == "hwe":
        return f"{of} {'HWE' if flavour.partition('-')[0] == 'generic' else flavour} {line}"
    return f"{of} {flavour}" if build.series else f"{of} {flavour} {line}"
