"""kdiag with a Python and a C library of its own: `python3 packaging/standalone/build.py -o dist`.

Debian 13's Python, the libraries that it is linked with, and glibc, started through that glibc's own loader: it runs on
machines without Python, with an older glibc and with musl. debs.txt names the packages by version and content.
"""

from __future__ import annotations

import argparse
import glob
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PINS = HERE / "debs.txt"
sys.path[:0] = [str(HERE.parent / "release"), str(ROOT)]

import archive  # noqa: E402  of the release
import bundle  # noqa: E402
import pyz  # noqa: E402

from tests.lab import mirror  # noqa: E402  which knows how this machine's apt reaches Debian
from tests.lab.errors import LabError  # noqa: E402

SUITE, PYTHON = "trixie", "python3.13"
#: By the name that the loader looks for; those of the last line are asked for by libraries of older distributions.
_LIBRARIES = """
libc.so.6 libm.so.6 libz.so.1 libexpat.so.1 libffi.so.8 libsqlite3.so.0 libzstd.so.1 liblzma.so.5 libbz2.so.1.0
libpthread.so.0 libdl.so.2 librt.so.1 libutil.so.1
""".split()
#: Of the standard library, what kdiag and its libraries never import.
_UNUSED = """
asyncio concurrent config-* curses dbm ensurepip idlelib lib2to3 multiprocessing pydoc* sysconfig _sysconfigdata*
test tkinter turtle* unittest venv wsgiref xmlrpc sitecustomize.py _pyrepl doctest.py pdb.py _android* _ios* _apple*
__phello__ lib-dynload/_test* lib-dynload/xx* lib-dynload/_dbm* lib-dynload/_curses* lib-dynload/readline*
lib-dynload/_ssl* lib-dynload/_hashlib* lib-dynload/_asyncio* lib-dynload/_crypt*
""".split()
_MAIN = """\
import os
import sys

sys.argv[0] = os.path.join(os.path.dirname(os.path.dirname(sys.path[0])), "kdiag")
from kdiag.__main__ import main

main()
"""


def pinned() -> list[tuple[str, str, str, str]]:
    """The packages of debs.txt: name, version, architecture, SHA-256."""
    rows = re.findall(r"^([a-z0-9.+-]+) (\S+) (\w+) ([0-9a-f]{64})$", PINS.read_text(), re.MULTILINE)
    return [(name, version, arch, digest) for name, version, arch, digest in rows]


def run(command: Sequence[str], cwd: Path | None = None, **environment: str) -> None:
    """Run a program; CannotBuild with its words where it fails."""
    done = subprocess.run(
        command, cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True, check=False
    )
    if done.returncode:
        words = (done.stdout + done.stderr).strip()[-2000:]
        raise bundle.CannotBuild(f"{' '.join(command)}: status {done.returncode}\n{words}")


def download(names: Sequence[str], arch: str, into: Path) -> None:
    """Get packages of the suite with an apt that has a state of its own; apt judges their signatures."""
    state = into / "apt"
    for name in ("lists/partial", "archives/partial"):
        (state / name).mkdir(parents=True)
    keyring = "/usr/share/keyrings/debian-archive-keyring.gpg"
    (state / "sources.list").write_text(
        f"deb [arch={arch} signed-by={keyring}] {mirror.address()} {SUITE} main\n"
    )
    lines = (
        *mirror.options(),
        f'Dir::Etc::SourceList "{state}/sources.list";',
        'Dir::Etc::SourceParts "/dev/null";',
        f'Dir::State::Lists "{state}/lists";',
        f'Dir::Cache "{state}";',
        'Dir::State::status "/dev/null";',
        'APT::Sandbox::User "root";',
        f'APT::Architecture "{arch}";',
    )
    (state / "apt.conf").write_text("\n".join(lines) + "\n")
    for words in (("update",), ("download", *names)):
        run(["apt-get", "-q", *words], into, APT_CONFIG=str(state / "apt.conf"))
    shutil.rmtree(state)


def verified(directory: Path) -> list[Path]:
    """The packages in it that debs.txt names, each with that content."""
    found = {hashlib.sha256(path.read_bytes()).hexdigest(): path for path in directory.glob("*.deb")}
    for name, version, _, digest in pinned():
        if digest not in found:
            hint = "take its newest with --update, or a mirror that keeps old ones (KDIAG_LAB_MIRROR)"
            raise bundle.CannotBuild(
                f"Debian's {SUITE} has no {name} {version} with the content of debs.txt: {hint}"
            )
    return [found[digest] for _, _, _, digest in pinned()]


def one(pattern: Path) -> Path:
    """The one file of that pattern."""
    found = sorted(glob.glob(str(pattern)))
    if not found:
        raise bundle.CannotBuild(f"the packages of debs.txt have no {pattern.name}")
    return Path(found[0])


def python(debian: Path, lib: Path) -> None:
    """The Python, its standard library and the libraries below it, out of the unpacked packages."""
    lib.mkdir(parents=True)
    shutil.copyfile(one(debian / "usr/lib/*/ld-linux*.so.*"), lib / "ld.so")
    shutil.copyfile(debian / f"usr/bin/{PYTHON}", lib / "python3")
    for name in _LIBRARIES:
        shutil.copyfile(one(debian / "usr/lib/*" / name), lib / name)
    for name in ("ld.so", "python3"):
        (lib / name).chmod(0o755)
    # A link leads to /etc, where no package of this list has anything.
    shutil.copytree(debian / f"usr/lib/{PYTHON}", lib / PYTHON, ignore_dangling_symlinks=True)
    for pattern in _UNUSED:
        for path in (lib / PYTHON).glob(pattern):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def application(debian: Path, app: Path, wheels: Path | None) -> None:
    """kdiag, its libraries, and Debian's zstandard, which is compiled for this Python."""
    files = {**pyz.libraries(wheels, False), **bundle.own(ROOT), "__main__.py": _MAIN.encode()}
    for name, content in files.items():
        (app / name).parent.mkdir(parents=True, exist_ok=True)
        (app / name).write_bytes(content)
    (app / "__main__.py").write_text(_MAIN)
    shutil.copytree(debian / "usr/lib/python3/dist-packages/zstandard", app / "zstandard")


def compiled(place: Path) -> None:
    """Compile all code: of the standard library only that is kept, of kdiag the source, too, for what a crash shows.

    -B: what the compiler itself imports would be kept with the time of the build.
    """
    words = (
        "-I",
        "-S",
        "-B",
        "-m",
        "compileall",
        "-q",
        "-f",
        "--invalidation-mode",
        "unchecked-hash",
        "-s",
        str(place),
    )
    lib = place / "lib"
    for more in (("-b", str(lib / PYTHON)), (str(lib / "app"),)):
        run([str(lib / "python"), *words, *more], PYTHONHASHSEED="0")
    for path in (lib / PYTHON).rglob("*.py"):
        path.unlink()


def build(debs: Sequence[Path], out: Path, wheels: Path | None, version: str) -> Path:
    """Make the archive, and the list of the packages that it consists of."""
    name = f"kdiag-{version}-linux-{platform.machine()}"
    with tempfile.TemporaryDirectory() as directory:
        debian, place = Path(directory) / "debian", Path(directory) / "tree" / name
        for path in debs:
            run(["dpkg-deb", "-x", str(path), str(debian)])
        python(debian, place / "lib")
        application(debian, place / "lib/app", wheels)
        launcher = ["gcc", "-Os", "-static", "-s", "-Wall", "-Wextra", "-Wl,--build-id=none", "launcher.c"]
        for target in (place / "kdiag", place / "lib/python"):
            run([*launcher, "-o", str(target)], HERE)
        compiled(place)
        shutil.copyfile(ROOT / "LICENSE", place / "LICENSE")
        for path in sorted((debian / "usr/share/doc").glob("*/copyright")):
            (place / "licenses").mkdir(exist_ok=True)
            shutil.copyfile(path, place / "licenses" / path.parent.name)
        archive.pack(place.parent, out / f"{name}.tar.gz")
    (out / f"{name}.packages.json").write_text(json.dumps(pinned()))
    return out / f"{name}.tar.gz"


def update(directory: Path) -> None:
    """Write the packages that are in a directory into debs.txt."""
    head = [line for line in PINS.read_text().splitlines() if line.startswith("#")]
    rows = []
    for path in sorted(directory.glob("*.deb")):
        said = subprocess.run(
            ["dpkg-deb", "--showformat=${Package} ${Version} ${Architecture}", "-W", str(path)],
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        rows.append(f"{said} {hashlib.sha256(path.read_bytes()).hexdigest()}")
    PINS.write_text("\n".join([*head, *rows]) + "\n")


def main() -> None:
    """Build it as the options say."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("-o", "--output", type=Path, default=Path("."), help="the directory for the archive")
    parser.add_argument(
        "--debs", type=Path, help="where the packages of debs.txt are (default: apt gets them)"
    )
    parser.add_argument(
        "--wheels", type=Path, help="where the wheels of bundle.txt are (default: pip gets them)"
    )
    parser.add_argument("--update", action="store_true", help="write the newest packages into debs.txt first")
    options = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    from kdiag import __version__

    try:
        with tempfile.TemporaryDirectory() as place:
            debs = options.debs or Path(place)
            if options.debs is None:
                download([name for name, *_ in pinned()], pinned()[0][2], debs)
            if options.update:
                update(debs)
            print(build(verified(debs), options.output, options.wheels, __version__))
    except (bundle.CannotBuild, LabError, OSError) as error:
        sys.exit(f"build.py: {error}")


if __name__ == "__main__":
    main()
