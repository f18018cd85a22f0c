"""How long unpacking the kernel's headers takes, beside `tar -xJf` of the same archive in the same run, in turn:

    python -m benchmarks.extract ARCHIVE [ROUNDS] [DIRECTORY...]

ARCHIVE is a kheaders.tar.xz, or a kheaders.ko that holds one. Directories: by default memory (/dev/shm) and the disk
that the current directory is on. What was unpacked is removed at the end only: ext4 looks long for inodes that were
not freed within the last minutes.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path


def main() -> None:
    """Print a table per directory."""
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    from kdiag.fix.store.extract import archive_from_module
    from kdiag.parse.kheaders import inspect

    data = Path(sys.argv[1]).read_bytes()
    archive = archive_from_module(data) if data.startswith(b"\x7fELF") else data
    info = inspect(archive)
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 9
    print(
        f"{info.files} files, {info.size / 1e6:.1f} MB, {len(archive) / 1e6:.1f} MB packed; {rounds} rounds"
    )
    for place in sys.argv[3:] or ["/dev/shm", "."]:
        with tempfile.TemporaryDirectory(dir=Path(place).resolve(), prefix="kdiag-benchmark-") as directory:
            _measure(Path(directory), archive, rounds, info.release or "", info.archs[0])


def _measure(directory: Path, archive: bytes, rounds: int, release: str, srcarch: str) -> None:
    packed = directory / "a.tar.xz"
    packed.write_bytes(archive)
    ways: dict[str, Callable[[Path], float]] = {
        "tar -xJf": lambda place: _command(["tar", "-C", str(place), "-xJf", str(packed)]),
        "tar -xJf, then sync -f": lambda place: _command(
            ["sh", "-c", 'tar -C "$1" -xJf "$2" && sync -f "$1"', "sh", str(place), str(packed)]
        ),
        "kdiag's extract()": lambda place: _ours(place, archive, release, srcarch),
        "the same, until it is on disk": lambda place: _ours(place, archive, release, srcarch, settled=True),
        "tarfile with the data filter": lambda place: _tarfile(place, packed),
    }
    walls: dict[str, list[float]] = {name: [] for name in ways}
    cpus: dict[str, list[float]] = {name: [] for name in ways}
    for index in range(rounds):
        for number, (name, way) in enumerate(ways.items()):
            place = directory / f"{index}-{number}"
            place.mkdir(mode=0o755)
            os.sync()
            before = os.times()
            walls[name].append(_in_a_child(lambda way=way, place=place: way(place)))  # type: ignore[misc]
            after = os.times()
            cpus[name].append(
                after.children_user + after.children_system - before.children_user - before.children_system
            )
        # Memory is given back at once; on a disk see above.
        if str(directory).startswith("/dev/shm"):
            for number in range(len(ways)):
                shutil.rmtree(directory / f"{index}-{number}")
    reference = statistics.median(walls["tar -xJf"])
    print(f"\n{directory.parent.resolve()}")
    for name in ways:
        wall, cpu = statistics.median(walls[name]), statistics.median(cpus[name])
        ratios = statistics.median(a / b for a, b in zip(walls[name], walls["tar -xJf"], strict=True))
        print(
            f"  {name:30} {wall * 1000:6.0f} ms ({min(walls[name]) * 1000:.0f} to {max(walls[name]) * 1000:.0f})"
            f"  {cpu * 1000:5.0f} ms CPU  x {wall / reference:.2f} (median of pairs {ratios:.2f})"
        )


def _in_a_child(work: Callable[[], float]) -> float:
    """Seconds, as measured in a fresh process, so that nothing is warm that would not be."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.write(writer, repr(work()).encode())
            status = 0
        except BaseException as error:
            print(error, file=sys.stderr)
        finally:
            os._exit(status)
    os.close(writer)
    with os.fdopen(reader) as file:
        text = file.read()
    os.waitpid(child, 0)
    if not text:
        raise SystemExit("extract: one way of unpacking failed (its error is above); no ratio can be given")
    return float(text)


def _command(argv: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(argv, check=True)
    return time.perf_counter() - started


def _ours(place: Path, archive: bytes, release: str, srcarch: str, *, settled: bool = False) -> float:
    started = time.perf_counter()
    from kdiag.fix.store.extract import extract

    extract(archive, place / "tree", release=release, srcarch=srcarch)
    taken = time.perf_counter() - started
    for thread in threading.enumerate():
        if thread.name == "settle":
            thread.join()
    return time.perf_counter() - started if settled else taken


def _tarfile(place: Path, packed: Path) -> float:
    started = time.perf_counter()
    import tarfile

    with tarfile.open(packed) as archive:
        archive.extractall(place, filter="data")
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
