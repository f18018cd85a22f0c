"""Guests in which `kdiag fix` works for real: what to boot for them, and a package repository in a guest."""

from __future__ import annotations

import hashlib
import json
import re
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from . import assemble, cache, cpio, debs, mirror, qemu, roots, tools
from .guest import Job

_PROGRAM = Path(__file__).parent / "guest/fixing.py"
REPOSITORY = "opt/repository"
#: what the header packages want and no root of the lab has; apt itself is not in the roots either
_MACHINERY = ("apt", "diffutils", "linux-base", "perl-base")


def ask(request: assemble.Request, words: str, prepare: str = "", limit: float = 900) -> dict[str, Any]:
    """Run `guest/fixing.py` with these words in a guest, after some shell lines; its answer."""
    script = f"{prepare}\nexec {_python(request.root)} /opt/fixing.py {words}"
    return cast("dict[str, Any]", json.loads(output(request, script, limit)))


def output(
    request: assemble.Request, script: str, limit: float, files: Mapping[str, bytes] | None = None
) -> str:
    """What a script prints in a guest that has the program; it has to end well."""
    payload = {"opt/fixing.py": cpio.Node(_PROGRAM.read_bytes())}
    payload |= {name: cpio.Node(data) for name, data in (files or {}).items()}
    outcome = qemu.run(assemble.boot(request, Job(script, limit=limit, payload=payload)), limit=limit + 30)
    error = outcome.err.decode("utf-8", "replace")
    assert qemu.explain(outcome) is None, error[-2000:]
    assert outcome.status == 0, error[-2000:]
    return outcome.out.decode()


def _python(root: str) -> str:
    return "/opt/kdiag-python/usr/bin/python3" if root == "debian11" else "python3"


# -- packages --------------------------------------------------------------------------------------------------------


def machinery(suite: str = "trixie", root: str = "debian13", arch: str = "amd64") -> Path:
    """A tree for a layer: apt and what the kernel's packages need, as installed packages."""
    there = "|".join(map(re.escape, roots.get(root, arch).packages))

    def make(place: Path) -> None:
        place.mkdir(parents=True)
        with tempfile.TemporaryDirectory(prefix="kdiag-lab-apt-") as scratch:
            apt = mirror.private_apt(Path(scratch), [suite], arch)
            names = {n for one in _MACHINERY for n in debs.closure(apt, one, rf"(?!(?:{there})$).*")}
            fetched = debs.download(apt, sorted(names), Path(scratch) / "debs")
            for deb in fetched:
                debs.unpack(deb, place)
            (place / ".dpkg-status").write_text(debs.status(fetched) + _stanza("initramfs-tools", "0.148"))
        # no user _apt, and no key for a repository of our own making
        (place / "etc/apt/apt.conf.d").mkdir(parents=True, exist_ok=True)
        (place / "etc/apt/apt.conf.d/lab").write_text(
            'APT::Sandbox::User "root";\nAcquire::Languages "none";\n'
        )
        (place / "etc/apt/sources.list").write_text(f"deb [trusted=yes] file:/{REPOSITORY} ./\n")

    recipe = {"packages": _MACHINERY, "suite": suite, "without": sorted(there.split("|")), "revision": 2}
    return cache.obtain("tools", f"apt-{root}-{arch}", recipe, make)


def _stanza(name: str, version: str) -> str:
    """A package that is installed in name only."""
    return (
        f"Package: {name}\nStatus: install ok installed\nVersion: {version}\nArchitecture: all\n"
        f"Maintainer: the lab\nDescription: in name only\n\n"
    )


def empty(name: str, version: str, scratch: Path) -> Path:
    """A package with nothing in it, for what a header package depends on and no test needs."""
    tree = scratch / name
    (tree / "DEBIAN").mkdir(parents=True)
    lines = {
        "Package": name,
        "Version": version,
        "Architecture": "all",
        "Maintainer": "the lab <lab@localhost>",
    }
    text = "".join(f"{key}: {value}\n" for key, value in {**lines, "Description": "in name only"}.items())
    (tree / "DEBIAN/control").write_text(text)
    deb = scratch / f"{name}_{version}_all.deb"
    tools.run(["dpkg-deb", "--root-owner-group", "-b", str(tree), str(deb)])
    return deb


def repository(packages: Iterable[Path]) -> dict[str, bytes]:
    """A flat repository (deb ... ./) of these packages: path in the guest -> content."""
    files, index = {}, ""
    for deb in packages:
        data = deb.read_bytes()
        files[f"{REPOSITORY}/{deb.name}"] = data
        control = tools.run(["dpkg-deb", "-f", str(deb)]).strip("\n")
        digest = hashlib.sha256(data).hexdigest()
        index += f"{control}\nFilename: ./{deb.name}\nSize: {len(data)}\nSHA256: {digest}\n\n"
    return {**files, f"{REPOSITORY}/Packages": index.encode()}
