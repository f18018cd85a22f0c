"""Makes a release out of the last commit: `python3 packaging/release/release.py -o dist`.

Source distribution, wheel, one-file archive, stand-alone build, Debian package, bill of materials, checksums and their
signature. What cannot be made here is named, with the reason; with --all it is an error. `--twice` makes everything
a second time, in another directory, and compares the bytes. A placeholder in an address is refused without --trial.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import archive
import bundle
import placeholders
import pyz
import sbom

_SUMS = "SHA256SUMS"

#: What programs would write into their files otherwise: the modes, the order and the times of whoever makes them.
_ALIKE = {"LC_ALL": "C.UTF-8", "TZ": "UTC", "PYTHONHASHSEED": "0"}


class Missing(Exception):
    """A form that cannot be made here, and why."""


class Work(NamedTuple):
    """source: the tree of the commit; out: where the files go; wheels: the libraries of bundle.txt."""

    source: Path
    out: Path
    wheels: Path
    version: str


def run(command: Sequence[str], cwd: Path, **environment: str) -> str:
    """What a program says; CannotBuild, with its last words, where it fails."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **_ALIKE, **environment},
        umask=0o022,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        words = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
        raise bundle.CannotBuild(f"{' '.join(command)}: status {done.returncode}\n{words}")
    return done.stdout


def sdist(work: Work) -> None:
    """The source distribution, by setuptools, in archive.py's form: setuptools writes the time of the build into it."""
    code = "import sys; from setuptools import build_meta; build_meta.build_sdist(sys.argv[1])"
    with tempfile.TemporaryDirectory() as place:
        run([sys.executable, "-c", code, place], work.source)
        (built,) = Path(place).glob("*.tar.gz")
        archive.unpack(built, Path(place) / "tree")
        archive.pack(Path(place) / "tree", work.out / built.name)


def wheel(work: Work) -> None:
    """The wheel, of the source distribution: what is not in that is in no other form either."""
    with tempfile.TemporaryDirectory() as place:
        archive.unpack(work.out / f"kdiag-{work.version}.tar.gz", Path(place))
        words = ("pip", "--disable-pip-version-check", "wheel", "-q", "--no-deps", "--no-build-isolation")
        run([sys.executable, "-m", *words, "-w", str(work.out), "."], Path(place) / f"kdiag-{work.version}")


def one_file(work: Work) -> None:
    """The archive that a Python runs."""
    pyz.build(work.out / "kdiag.pyz", bundle.from_wheels(work.wheels), work.source)


def stand_alone(work: Work) -> None:
    """The build with a Python of its own."""
    script = work.source / "packaging/standalone/build.py"
    if not script.exists():
        raise Missing("packaging/standalone is not there")
    for program in ("apt-get", "dpkg-deb", "gcc"):
        if shutil.which(program) is None:
            raise Missing(f"it is made of Debian's packages, and there is no {program}")
    run([sys.executable, str(script), "--wheels", str(work.wheels), "-o", str(work.out)], work.source)


def deb(work: Work) -> None:
    """The Debian package, in a copy of the tree: dpkg-buildpackage leaves its traces in it."""
    if not (work.source / "debian").is_dir():
        raise Missing("debian/ is not there")
    if shutil.which("dpkg-buildpackage") is None:
        raise Missing("there is no dpkg-buildpackage: apt install dpkg-dev debhelper")
    with tempfile.TemporaryDirectory() as place:
        tree = Path(place) / f"kdiag-{work.version}"
        shutil.copytree(work.source, tree, symlinks=True)
        if unmet := subprocess.run(
            ["dpkg-checkbuilddeps"], cwd=tree, capture_output=True, text=True, check=False
        ).stderr:
            raise Missing(unmet.strip().rpartition("error: ")[2])
        run(["dpkg-buildpackage", "-us", "-uc", "-b"], tree)
        for built in sorted(Path(place).glob("*.deb")):
            shutil.copyfile(built, work.out / built.name)


def bill(work: Work) -> None:
    """What the one-file forms carry, for those who look for known faults in it."""
    found = sbom.document(work.version, bundle.pinned(), work.wheels, work.out)
    (work.out / f"kdiag-{work.version}.cdx.json").write_text(found)


#: In this order: the wheel is made of the source distribution.
FORMS: dict[str, Callable[[Work], None]] = {
    "sdist": sdist,
    "wheel": wheel,
    "pyz": one_file,
    "standalone": stand_alone,
    "deb": deb,
    "sbom": bill,
}


def make(commit: str, out: Path, wheels: Path, forms: Sequence[str]) -> dict[str, str]:
    """Make these forms of a commit in an empty directory. The forms that are missing, and why."""
    out.mkdir(parents=True)
    missing = {}
    with tempfile.TemporaryDirectory() as place:
        source = Path(place) / "kdiag"
        source.mkdir()
        packed = Path(place) / "commit.tar"
        run(["git", "archive", "-o", str(packed), commit], bundle.ROOT)
        archive.unpack(packed, source)
        version = version_of(source)
        for form in forms:
            try:
                FORMS[form](Work(source, out, wheels, version))
            except Missing as why:
                missing[form] = str(why)
    files = sorted(path for path in out.iterdir() if path.name != _SUMS)
    sums = (f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files)
    (out / _SUMS).write_text("".join(sums))
    return missing


def version_of(root: Path) -> str:
    """The release that the tree is: kdiag/__init__.py is the one place that says it."""
    found = re.search(r'^__version__ = "([^"]+)"$', (root / "kdiag/__init__.py").read_text(), re.MULTILINE)
    if found is None:
        raise bundle.CannotBuild("kdiag/__init__.py does not name a version")
    return found[1]


def sign(out: Path, key: Path) -> None:
    """Sign the checksums, and with them every file, with a key of ssh-keygen."""
    run(["ssh-keygen", "-q", "-Y", "sign", "-n", "file", "-f", str(key), str(out / _SUMS)], out)


def differing(one: Path, other: Path) -> list[str]:
    """The files that are not the same bytes in both directories."""
    names = sorted({path.name for place in (one, other) for path in place.iterdir()})

    def content(path: Path) -> bytes:
        return path.read_bytes() if path.exists() else b""

    return [name for name in names if content(one / name) != content(other / name)]


def arguments() -> argparse.Namespace:
    """The options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("dist"), help="a directory that is not there yet"
    )
    parser.add_argument("--only", metavar="FORM,...", default=",".join(FORMS), help=f"of {', '.join(FORMS)}")
    parser.add_argument(
        "--wheels", type=Path, help="where the wheels of bundle.txt are (default: pip gets them)"
    )
    parser.add_argument("--sign", type=Path, metavar="KEY", help="a private key of ssh-keygen")
    parser.add_argument("--trial", action="store_true", help="also where an address has a placeholder")
    parser.add_argument("--all", action="store_true", help="fail where a form cannot be made here")
    parser.add_argument("--twice", action="store_true", help="make everything twice, and compare the bytes")
    return parser.parse_args()


def main() -> None:
    """Make the release as the options say."""
    options = arguments()
    forms = [form for form in FORMS if form in options.only.split(",")]
    try:
        if options.output.exists():
            raise bundle.CannotBuild(f"{options.output} is there already")
        # Asked once: there may be another commit before all is made for the second time.
        commit, moment = run(["git", "log", "-1", "--format=%H %ct"], bundle.ROOT).split()
        os.environ["SOURCE_DATE_EPOCH"] = moment
        if not options.trial:
            placeholders.refuse(bundle.ROOT, commit)
        with tempfile.TemporaryDirectory() as place:
            wheels = options.wheels or Path(place) / "wheels"
            if options.wheels is None:
                bundle.download(wheels)
            missing = make(commit, options.output, wheels, forms)
            if options.twice:
                usual = os.umask(0o027)
                make(commit, Path(place) / "again", wheels, forms)
                os.umask(usual)
                if different := differing(options.output, Path(place) / "again"):
                    raise bundle.CannotBuild(f"made twice, these differ: {', '.join(different)}")
                print("made twice: the same bytes")
        if options.sign is not None:
            sign(options.output, options.sign)
    except (bundle.CannotBuild, OSError, tarfile.TarError) as error:
        sys.exit(f"release.py: {error}")
    for form, why in missing.items():
        print(f"not made: {form}: {why}")
    for path in sorted(options.output.iterdir()):
        print(f"{path.stat().st_size:>10}  {path}")
    sys.exit(1 if missing and options.all else 0)


if __name__ == "__main__":
    main()
