"""Predictions of `kdiag explain` held against the kernel: every BPF object of libbpf-tools and every one in a directory
is judged, then loaded for real by bpftool, and the tools are run.

    python3 -m tests.lab.object_trial [--loads] [DIRECTORY...]

As root. It prints a line for each, and `loads 52 of 52, runs 48 of 52` at the end; exit status 1 if a prediction was
wrong, 3 if some could not be made. tests/lab/README.md says how to run it in a booted kernel. Runs on Python 3.10.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

PINNED = Path("/sys/fs/bpf/kdiag-trial")
#: What tools ask for that cannot do without arguments.
ARGUMENTS = {
    "funclatency": ("vfs_read",),
    "ksnoop": ("trace", "vfs_read"),
    "fsdist": ("-t", "ext4"),
    "fsslower": ("-t", "ext4"),
    "memleak": ("-p", "1"),
    # a terminal that can be cleared
    **dict.fromkeys(("filetop", "biotop", "tcptop", "slabratetop"), ("-C",)),
}
#: Tools whose failure says nothing of BPF: they look for a processor's frequency, a hardware counter, a Java process.
APART = ("cpufreq", "llcstat", "javagc")
#: What a tool says that did not start.
REFUSED = ("failed to", "Failed to", "libbpf: prog", "can't", "cannot", "Couldn't", "couldn't")
PATIENCE = float(os.environ.get("KDIAG_TRIAL_SECONDS", "3"))


def inside(data: bytes) -> Iterator[bytes]:
    """The BPF objects in a program, found without kdiag: up to the end of their section headers, which clang writes
    last.
    """
    at = data.find(b"\x7fELF", 1)
    while at >= 0:
        head = data[at : at + 64]
        if len(head) == 64 and head[18:20] == b"\xf7\0":
            start, count = int.from_bytes(head[40:48], "little"), int.from_bytes(head[60:62], "little")
            yield data[at : at + start + 64 * count]
        at = data.find(b"\x7fELF", at + 4)


def tools() -> list[str]:
    """The programs in /usr/sbin that carry BPF objects, each once: where Debian puts those of libbpf-tools, whether its
    package is known to dpkg or only unpacked.
    """
    places = sorted(Path("/usr/sbin").iterdir())
    programs = [
        path for path in places if path.is_file() and not path.is_symlink() and path.name != "bpftool"
    ]
    return [
        str(path)
        for path in programs
        if path.open("rb").read(4) == b"\x7fELF" and any(inside(path.read_bytes()))
    ]


def tool_name(path: str) -> str:
    """A tool's name, whatever Debian's release puts behind it."""
    return os.path.basename(path).removesuffix("-libbpf")


class Prediction(NamedTuple):
    """What kdiag says of a file; loads: of loading alone, attaching apart."""

    outcome: str
    loads: str
    verdict: str


def predicted(paths: list[str]) -> list[Prediction]:
    """One for each file."""
    command = ["kdiag", "explain", "--format", "json", *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if not done.stdout:
        sys.exit(f"kdiag explain said nothing: {done.stderr}")
    found = []
    for answer in json.loads(done.stdout)["answers"]:
        verdict, outcome = answer["verdict"], answer["outcome"]
        attaching = verdict.startswith(("It loads", "kdiag cannot tell whether it attaches"))
        found.append(Prediction(outcome, "works" if attaching else outcome, verdict))
    return found


def loads(path: str) -> tuple[bool, str]:
    """Whether bpftool loads all programs of an object, and its last words."""
    done = subprocess.run(
        ["bpftool", "prog", "loadall", path, str(PINNED)], capture_output=True, text=True, check=False
    )
    if PINNED.is_dir():
        for pin in PINNED.iterdir():
            pin.unlink()
        PINNED.rmdir()
    words = [line for line in (done.stdout + done.stderr).splitlines() if line.startswith("libbpf: ")]
    return done.returncode == 0, " | ".join(words[-3:])


def runs(path: str) -> tuple[bool, str]:
    """Whether a tool still runs, without complaint and with a program loaded, after a while."""
    name = tool_name(path)
    with tempfile.TemporaryFile() as said:
        tool = subprocess.Popen(
            [path, *ARGUMENTS.get(name, ())],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
        status, held = watch(tool)
        # what it says when it is ended is about what it measured
        size = os.fstat(said.fileno()).st_size
        if status is None:
            tool.send_signal(signal.SIGINT)
            try:
                tool.wait(10)
            except subprocess.TimeoutExpired:
                tool.kill()
                tool.wait()
        said.seek(0)
        text = said.read(min(size, 200_000)).decode("utf-8", "replace")
    complaint = next((line for line in text.splitlines() if any(word in line for word in REFUSED)), "")
    if status is None and not held:
        return False, complaint or "it runs, and has no BPF program loaded"
    return not complaint and status in (None, 0), complaint or (f"ended with {status}" if status else "")


def watch(tool: subprocess.Popen[bytes]) -> tuple[int | None, bool]:
    """The status that a tool ended with, None if it still runs after a while with a BPF program open, or after four
    times that without one; and whether it has one open.
    """
    started, held_since = time.monotonic(), 0.0
    while time.monotonic() - started < PATIENCE * 4:
        time.sleep(0.2)
        status = tool.poll()
        if status is not None:
            return status, bool(held_since)
        if not held_since and holds_programs(tool.pid):
            held_since = time.monotonic()
        if held_since and time.monotonic() - held_since > PATIENCE:
            break
    return None, bool(held_since)


def holds_programs(pid: int) -> bool:
    """Whether a process has a BPF program open: some go on where they could attach nothing, and show nothing."""
    for fd in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(OSError):
            if os.readlink(fd) == "anon_inode:bpf-prog":
                return True
    return False


class Score:
    """How many predictions came true, were wrong, or could not be made; `loads` and `runs` apart."""

    def __init__(self) -> None:
        self.counts = {what: {"right": 0, "WRONG": 0, "open": 0} for what in ("loads", "runs")}

    def add(self, what: str, path: str, said: Prediction, outcome: str, real: tuple[bool, str]) -> None:
        truth = "works" if real[0] else "fails"
        mark = "right" if outcome == truth else "open" if outcome == "unknown" else "WRONG"
        self.counts[what][mark] += 1
        detail = "" if mark == "right" else f"\n    kdiag: {said.verdict}\n    real: {real[1]}"
        print(f"{mark:5} {what:5} {os.path.basename(path)}: predicted {outcome}, {truth}{detail}", flush=True)

    def end(self) -> int:
        total = {"right": 0, "WRONG": 0, "open": 0}
        for what, counts in self.counts.items():
            print(
                f"{what} {counts['right']} of {sum(counts.values())}, {counts['WRONG']} wrong, {counts['open']} open"
            )
            total = {mark: total[mark] + count for mark, count in counts.items()}
        return 1 if total["WRONG"] else 3 if total["open"] else 0


def main(directories: list[str]) -> int:
    """Try all; the exit status. --loads: the tools are not run."""
    found, score = tools(), Score()
    loads_only = "--loads" in directories
    directories = [name for name in directories if name != "--loads"]
    with tempfile.TemporaryDirectory() as scratch:
        objects = [str(path) for directory in directories for path in sorted(Path(directory).glob("*.bpf.o"))]
        for path in found:
            for nth, data in enumerate(inside(Path(path).read_bytes())):
                target = Path(scratch) / f"{os.path.basename(path)}{f'-{nth}' if nth else ''}.bpf.o"
                target.write_bytes(data)
                objects.append(str(target))
        answers = predicted(objects)
        print(f"{len(objects)} objects judged", flush=True)
        for path, said in zip(objects, answers, strict=True):
            score.add("loads", path, said, said.loads, loads(path))
    tried = [path for path in found if tool_name(path) not in APART and not loads_only]
    for path, said in zip(tried, predicted(tried) if tried else [], strict=True):
        score.add("runs", path, said, said.outcome, runs(path))
    return score.end()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
