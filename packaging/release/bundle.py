"""What kdiag needs to run by itself, as a mapping from names to bytes: kdiag, its checks, and what they import.

The libraries come from wheels that bundle.txt names by their content, or, for a build without a network, from what is
installed beside the Python that builds.
"""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
import zipfile
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PINS = Path(__file__).with_name("bundle.txt")

Files = dict[str, bytes]

#: Nothing of a library that kdiag has no use for: compiled halves, type stubs, programs, records of an installation.
_UNUSED = re.compile(
    r"\.(so|pyd|pyc|pyi|c|typed)$|(^|/)__pycache__/|\.data/|^\.\./|/(RECORD|INSTALLER|REQUESTED|WHEEL|direct_url\.json)$"
)


class CannotBuild(Exception):
    """What is missing, in a sentence."""


def pinned() -> dict[str, tuple[str, str]]:
    """The libraries of bundle.txt: name -> (version, SHA-256 of its wheel)."""
    rows = re.findall(r"^([\w.-]+)==(\S+) --hash=sha256:([0-9a-f]{64})$", PINS.read_text(), re.MULTILINE)
    return {name: (version, digest) for name, version, digest in rows}


def own(root: Path = ROOT) -> Files:
    """kdiag and its checks as a tree has them, and the licence."""
    found = {"LICENSE": (root / "LICENSE").read_bytes()}
    for top, name in (("kdiag", "kdiag"), ("checks", "kdiag_checks")):
        for path in sorted((root / top).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                found[f"{name}/{path.relative_to(root / top)}"] = path.read_bytes()
    return found


def download(into: Path) -> None:
    """Get the wheels of bundle.txt with pip, which refuses any other content."""
    # One platform and Python for all who build: the wheel of MarkupSafe has a compiled half, which is left out.
    which = ("--platform", "manylinux2014_x86_64", "--python-version", "3.10", "--implementation", "cp")
    words = ("-m", "pip", "--disable-pip-version-check", "download", "-q", "--no-deps", "--only-binary=:all:")
    command = [sys.executable, *words, *which, "--require-hashes", "-r", str(PINS), "-d", str(into)]
    if subprocess.run(command, check=False).returncode:
        raise CannotBuild("pip does not get the wheels of packaging/release/bundle.txt")


def from_wheels(directory: Path) -> Files:
    """The libraries out of wheels; each must be what bundle.txt says."""
    by_digest = {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in directory.glob("*.whl")}
    found: Files = {}
    for name, (version, digest) in pinned().items():
        if digest not in by_digest:
            raise CannotBuild(
                f"{directory} has no wheel of {name} {version} with the content that bundle.txt names"
            )
        with zipfile.ZipFile(by_digest[digest]) as wheel:
            names = sorted(n for n in wheel.namelist() if not n.endswith("/") and not _UNUSED.search(n))
            found.update((n, wheel.read(n)) for n in names)
    return found


def from_installed() -> Files:
    """The same libraries as they are installed here, in whatever release."""
    found: Files = {}
    for name in pinned():
        try:
            files = metadata.files(name) or []
        except metadata.PackageNotFoundError:
            if name == "tomli" and sys.version_info >= (3, 11):
                continue
            raise CannotBuild(f"{name} is not installed for {sys.executable}") from None
        used = sorted(str(file) for file in files if not _UNUSED.search(str(file)))
        base = Path(str(metadata.distribution(name).locate_file("")))
        found.update((file, (base / file).read_bytes()) for file in used)
    return found
