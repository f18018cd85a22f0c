"""The layer with podman and docker, as the root's own Debian has them."""

from __future__ import annotations

import tempfile
from pathlib import Path

from . import layers, python, roots, tools

_ENGINES = (
    *("podman", "crun", "conmon", "containers-storage", "golang-github-containers-common", "docker.io"),
    *(
        "containerd",
        "runc",
        "tini",
        "netavark",
        "aardvark-dns",
        "passt",
        "iptables",
        "uidmap",
        "fuse-overlayfs",
    ),
    *("catatonit", "apparmor", "libcap2-bin", "perl-base"),
)
#: docker's command line is a package of its own since trixie
_NEWER = {"debian13": ("docker-cli",), "sid": ("docker-cli",)}
#: bookworm's podman brings its network otherwise
_OLDER = {"debian12": ("passt", "netavark", "aardvark-dns")}
_SKIP = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/info",
    "var/lib/apt",
    "var/cache/apt",
)


def get(root: str, arch: str = "amd64") -> Path:
    """The layer with both engines of the root's Debian."""
    suite = roots.SUITES[root].suite
    packages = (*(p for p in _ENGINES if p not in _OLDER.get(root, ())), *_NEWER.get(root, ()))

    def fill(tree: Path) -> None:
        with tempfile.TemporaryDirectory(prefix="kdiag-lab-engines-") as scratch:
            tar = Path(scratch) / "engines.tar"
            python.unpack(suite, arch, packages, tar)
            skip = [f"--exclude=./{path}/*" for path in (*_SKIP, "dev")]
            others = (
                "etc/passwd",
                "etc/group",
                "etc/shadow",
                "etc/hostname",
                "etc/hosts",
                "etc/fstab",
                "var/lib/dpkg",
            )
            skip += [f"--exclude=./{path}" for path in others]
            tools.run(["tar", "-C", str(tree), *skip, "-xf", str(tar)])

    return layers.made(f"engines-{root}-{arch}", {"suite": suite, "packages": packages, "revision": 1}, fill)
