"""Small Debian roots with the real bpftrace and python3 of a suite.

``mmdebstrap --variant=extract`` unpacks the packages without running their scripts (20 s instead of 100 s); what the
scripts would have made and matters here (users, /bin/sh, the linker's cache, dpkg's status) is made by hand.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from . import cache, image, python, tools
from .catalogue import Suite, catalogue
from .errors import LabError

#: bump when the code below makes other images than it did
_REVISION = 5
_FINISH = Path(__file__).parent / "guest/finish-root"
_PACKAGES = (
    *("base-files", "bash", "bpftrace", "coreutils", "dash", "findutils", "grep", "gzip", "hostname", "kmod"),
    *(
        "libc-bin",
        "libcap2-bin",
        "mawk",
        "mount",
        "passwd",
        "procps",
        "python3",
        "python3-minimal",
        "sed",
        "sudo",
    ),
    *("tar", "util-linux", "xz-utils"),
)
_SKIP = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/info",
    "var/cache/apt",
    "var/lib/apt",
)

#: writes dpkg's status of packages that were only unpacked; $1 is the root
_STATUS = (
    'for deb in "$1"/var/cache/apt/archives/*.deb; do dpkg-deb -f "$deb" | '
    """sed -e 's/^Package: .*/&\\nStatus: install ok installed/'; echo; done >>"$1/var/lib/dpkg/status\""""
)


@dataclass(frozen=True, slots=True)
class Root:
    """A root that has been made: its disk image and what is in it. ``python`` is "3.11"; "" if there is none."""

    name: str
    arch: str
    image: Path
    python: str
    bpftrace: str
    packages: Mapping[str, str]


#: roots by name
SUITES: Mapping[str, Suite] = catalogue().roots


def names() -> list[str]:
    """The roots that can be booted."""
    return list(SUITES)


def recipe(suite: Suite, arch: str) -> dict[str, object]:
    """What decides a root's content, apart from the archive's state when it is made."""
    return {
        "suite": suite.suite,
        "arch": arch,
        "packages": sorted({*_PACKAGES, *suite.packages}),
        "finish": [_REVISION, _STATUS, _FINISH.read_text()],
    }


def get(name: str, arch: str = "amd64") -> Root:
    """The root of that name, made if need be. LabError for an unknown name or missing host programs."""
    suite = SUITES.get(name)
    if suite is None:
        raise LabError(f"no root called {name!r}", f"there are: {', '.join(names())}")
    place = cache.obtain(
        "roots", f"{name}-{arch}", recipe(suite, arch), lambda path: _make(path, suite, arch)
    )
    facts = json.loads((place / "root.json").read_text())
    return Root(name, arch, place / "root.ext4", facts["python"], facts["bpftrace"], facts["packages"])


def _make(place: Path, suite: Suite, arch: str) -> None:
    tools.require(["mkfs.ext4", "ldconfig", "tar"], why="making a root")
    tree, tar, memory = place / "tree", place / "root.tar", place / "fakeroot"
    tree.mkdir(parents=True)
    python.unpack(
        suite.suite, arch, sorted({*_PACKAGES, *suite.packages}), tar, [f"--extract-hook={_STATUS}"]
    )
    skip = [f"--exclude=./{path}/*" for path in (*_SKIP, "dev")]
    tools.run(tools.as_root(["tar", "-C", str(tree), *skip, "-xf", str(tar)], memory))
    tools.run(tools.as_root(["sh", "-eu", str(_FINISH)], memory), cwd=tree)
    facts = describe(tree)
    if python.new_enough(str(facts["python"])):
        folders = [str(path.relative_to(tree)) for path in sorted(tree.glob("usr/lib/python3*"))]
        python.compile_tree(python.get(suite.suite, python.host_arch()), tree, folders)
    image.from_tree(tree, place / "root.ext4", memory)
    (place / "root.json").write_text(json.dumps({**asdict(suite), **facts}, indent=1))
    for leftover in (tree, tar, memory):
        cache.remove(leftover)


def describe(tree: Path) -> dict[str, object]:
    """What an unpacked root holds: python's and bpftrace's versions and all packages with theirs."""
    found = packages((tree / "var/lib/dpkg/status").read_text(errors="replace"))
    link = tree / "usr/bin/python3"
    version = link.readlink().name.removeprefix("python") if link.is_symlink() else ""
    return {"python": version, "bpftrace": found.get("bpftrace", ""), "packages": found}


def packages(status: str) -> dict[str, str]:
    """dpkg's status file -> package: version."""
    found, name = {}, ""
    for line in status.splitlines():
        if line.startswith("Package: "):
            name = line[len("Package: ") :]
        elif line.startswith("Version: ") and name:
            found[name] = line[len("Version: ") :]
    return found
