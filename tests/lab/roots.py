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
from .errors import LabError

#: bump when ``_FINISH`` changes in a way that old images must not survive
_REVISION = 4
_PACKAGES = (
    "base-files bash bpftrace coreutils dash findutils grep gzip hostname kmod libc-bin libcap2-bin mawk mount "
    "passwd procps python3 python3-minimal sed sudo tar util-linux xz-utils"
).split()
_SKIP = ("usr/share/doc", "usr/share/man", "usr/share/locale", "usr/share/info", "var/cache/apt", "var/lib/apt")

#: writes dpkg's status of packages that were only unpacked; $1 is the root
_STATUS = (
    'for deb in "$1"/var/cache/apt/archives/*.deb; do dpkg-deb -f "$deb" | '
    """sed -e 's/^Package: .*/&\\nStatus: install ok installed/'; echo; done >>"$1/var/lib/dpkg/status\""""
)
#: what maintainer scripts would have done; runs in the unpacked tree
_FINISH = r"""
mkdir -p proc sys dev run tmp root mnt etc usr/local/bin
chmod 1777 tmp; chmod 700 root
printf 'root:x:0:0:root:/root:/bin/bash\nuser:x:1000:1000:user:/home/user:/bin/bash\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n' >etc/passwd
printf 'root:x:0:\nadm:x:4:\ntty:x:5:\nsudo:x:27:user\nuser:x:1000:\nnogroup:x:65534:\n' >etc/group
printf 'root:*:19000:0:99999:7:::\nuser:*:19000:0:99999:7:::\n' >etc/shadow; chmod 640 etc/shadow
mkdir -p home/user etc/sudoers.d; chown 1000:1000 home/user
printf 'user ALL=(ALL:ALL) NOPASSWD: ALL\n' >etc/sudoers.d/lab; chmod 440 etc/sudoers.d/lab
for service in sudo su other; do printf 'auth sufficient pam_permit.so\naccount sufficient pam_permit.so\nsession sufficient pam_permit.so\n' >etc/pam.d/$service; done
echo lab >etc/hostname; printf '127.0.0.1 localhost lab\n' >etc/hosts
[ -e usr/bin/sh ] || ln -s dash usr/bin/sh
[ -e usr/bin/awk ] || ln -s mawk usr/bin/awk
ldconfig -r .
"""


@dataclass(frozen=True, slots=True)
class Suite:
    """Which Debian a root is made of."""

    name: str
    suite: str
    packages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Root:
    """A root that has been made: its disk image and what is in it. ``python`` is "3.11"; "" if there is none."""

    name: str
    arch: str
    image: Path
    python: str
    bpftrace: str
    packages: Mapping[str, str]


SUITES: Mapping[str, Suite] = {
    suite.name: suite
    for suite in (
        Suite("debian11", "bullseye", tuple(_PACKAGES)),
        Suite("debian12", "bookworm", tuple(_PACKAGES)),
        Suite("debian13", "trixie", tuple(_PACKAGES)),
        Suite("sid", "sid", tuple(_PACKAGES)),
    )
}


def names() -> list[str]:
    """The roots that can be booted."""
    return list(SUITES)


def recipe(suite: Suite, arch: str) -> dict[str, object]:
    """What decides a root's content, apart from the archive's state when it is made."""
    return {
        "suite": suite.suite,
        "arch": arch,
        "packages": sorted(suite.packages),
        "finish": [_REVISION, _STATUS, _FINISH],
    }


def get(name: str, arch: str = "amd64") -> Root:
    """The root of that name, made if need be. LabError for an unknown name or missing host programs."""
    suite = SUITES.get(name)
    if suite is None:
        raise LabError(f"no root called {name!r}", f"there are: {', '.join(names())}")
    place = cache.obtain("roots", f"{name}-{arch}", recipe(suite, arch), lambda path: _make(path, suite, arch))
    facts = json.loads((place / "root.json").read_text())
    return Root(name, arch, place / "root.ext4", facts["python"], facts["bpftrace"], facts["packages"])


def _make(place: Path, suite: Suite, arch: str) -> None:
    tools.require(["mkfs.ext4", "ldconfig", "tar"], why="making a root")
    tree, tar, memory = place / "tree", place / "root.tar", place / "fakeroot"
    tree.mkdir(parents=True)
    python.unpack(suite.suite, arch, suite.packages, tar, [f"--extract-hook={_STATUS}"])
    skip = [f"--exclude=./{path}/*" for path in (*_SKIP, "dev")]
    tools.run(tools.as_root(["tar", "-C", str(tree), *skip, "-xf", str(tar)], memory))
    tools.run(tools.as_root(["sh", "-euc", _FINISH], memory), cwd=tree)
    folders = [str(path.relative_to(tree)) for path in tree.glob("usr/lib/python3*")]
    python.compile_tree(python.get(suite.suite, python.host_arch()), tree, folders)
    image.from_tree(tree, place / "root.ext4", memory)
    (place / "root.json").write_text(json.dumps({**asdict(suite), **describe(tree)}, indent=1))
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
