"""Predictions of `kdiag explain PROBE` held against bpftrace: some hundreds of probes of the running kernel are judged,
then attached for real.

    python3 tests/lab/probe_trial.py [--each 40] [--seed 1] [--modules ext4,dummy]

As root, with tracefs and debugfs mounted. Each kind of probe is tried on functions of every sort: traceable, in a
module, marked notrace, refused by kprobes, renamed by the compiler, inlined, not there. It prints a line for each
probe that came otherwise than predicted, a table, and of patterns how many functions were attached and in how many
seconds, beside what kdiag said. Exit status 1 if a prediction was wrong, 3 if some could not be made.
tests/lab/README.md says how to run it in a booted kernel. Runs on Python 3.10, without kdiag's modules.
"""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
import time
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

TRACEFS, BLACKLIST = Path("/sys/kernel/tracing"), Path("/sys/kernel/debug/kprobes/blacklist")
#: How many probes that are predicted to work are attached by one bpftrace.
TOGETHER = 20
#: Patterns that are timed, for functions; `*` alone stands for more than any release attaches.
PATTERNS = ("vfs_*", "tcp_*", "ext4_*", "__x64_sys_*", "no_such_function_*")
#: What a trace begins with that attaches nothing although bpftrace goes on.
SKIPPED = re.compile(r"could not attach|Unable to attach|No probes to attach|skipping", re.IGNORECASE)
ATTACHED = re.compile(r"^Attach(?:ing|ed) (\d+) probe", re.MULTILINE)
PATIENCE = float(os.environ.get("KDIAG_TRIAL_SECONDS", "600"))


class Probe(NamedTuple):
    """An attach point to try. sort: what its name is."""

    kind: str
    sort: str
    text: str


class Prediction(NamedTuple):
    """What kdiag says. number: of how many functions, None where it does not say."""

    outcome: str
    verdict: str
    number: int | None
    cost: str


class Real(NamedTuple):
    """What bpftrace did. number: how many it says it attached."""

    works: bool
    number: int | None
    seconds: float
    said: str


def lines(path: Path) -> list[str]:
    """The lines of a list of the kernel's, none where it cannot be read."""
    try:
        return path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        print(f"{path}: {error.strerror}: nothing of it is tried", flush=True)
        return []


class Kernel:
    """The lists that the kernel keeps of its functions, read without kdiag."""

    def __init__(self) -> None:
        listed = [line.split() for line in lines(TRACEFS / "available_filter_functions")]
        own = [
            words[0] for words in listed if len(words) == 1 and not words[0].startswith("__ftrace_invalid")
        ]
        twice = Counter(words[0] for words in listed)
        self.traceable = sorted(name for name in set(own) if "." not in name and twice[name] == 1)
        self.several = sorted(name for name, number in twice.items() if number > 1 and "." not in name)
        self.copies = sorted(name for name in set(own) if "." in name)
        self.modular = sorted({words[0] for words in listed if len(words) > 1 and "." not in words[0]})
        self.in_module = {words[0]: words[1].strip("[]") for words in listed if len(words) > 1}
        known = {words[0] for words in listed}
        symbols = [line.split() for line in lines(Path("/proc/kallsyms"))]
        code = {words[2] for words in symbols if len(words) == 3 and words[1] in "tT"}
        self.blacklisted = sorted(
            {line.split("\t")[-1].partition("+")[0] for line in lines(BLACKLIST)} & code
        )
        refused = set(self.blacklisted)
        self.unlisted = sorted(name for name in code - known - refused if re.fullmatch(r"[a-z]\w+", name))
        self.cold = sorted(name for name in code - known if name.endswith(".cold"))
        self.renamed = sorted({name.partition(".")[0] for name in code if "." in name} - code)
        # "[123] FUNC 'vfs_open' type_id=..."
        types = bpftool_btf()
        functions = set(re.findall(r"^\[\d+\] FUNC '([^']+)'", types, re.MULTILINE))
        self.inlined = sorted(name for name in functions - code - set(self.renamed) if "." not in name)
        self.untyped = sorted(set(self.traceable) - functions)
        self.raw = sorted(re.findall(r"^\[\d+\] TYPEDEF 'btf_trace_([^']+)'", types, re.MULTILINE))
        self.iterators = sorted(set(re.findall(r"^\[\d+\] STRUCT 'bpf_iter__([^']+)'", types, re.MULTILINE)))
        self.events = [line.strip() for line in lines(TRACEFS / "available_events")]


def bpftool_btf() -> str:
    """The kernel's types as bpftool writes them, empty without it."""
    try:
        done = subprocess.run(
            ["bpftool", "btf", "dump", "file", "/sys/kernel/btf/vmlinux"],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except FileNotFoundError:
        print("bpftool is not installed: inlined functions, raw tracepoints and iterators are not tried")
        return ""
    return done.stdout


def chosen(kernel: Kernel, each: int, spelling: dict[str, str]) -> Iterator[Probe]:
    """What is tried: of every sort `each`, for returns and rare kinds a quarter of it."""
    few = max(1, each // 4)
    sorts = {
        "traceable": (kernel.traceable, each),
        "several of one name": (kernel.several, few),
        "in a module": (kernel.modular, each),
        "unlisted (notrace, assembly)": (kernel.unlisted, each),
        "refused by kprobes": (kernel.blacklisted, each),
        "compiler's copy, by its whole name": (kernel.copies, few),
        "compiler's copy, by the name in the source": (kernel.renamed, few),
        ".cold": (kernel.cold, few),
        "inlined": (kernel.inlined, few),
        "without a type": (kernel.untyped, few),
        "not there": ([f"no_such_{name}" for name in kernel.traceable], few),
    }
    for sort, (every, number) in sorts.items():
        names = random.sample(every, min(number, len(every)))
        for kind in ("kprobe", "fentry"):
            yield from (Probe(kind, sort, f"{spelling[kind]}:{name}") for name in names)
        some = names[: max(1, number // 4)]
        yield from (Probe("kretprobe", sort, f"kretprobe:{name}") for name in some)
        yield from (Probe("fexit", sort, f"{spelling['fexit']}:{name}") for name in some)
    for name in random.sample(kernel.modular, min(few, len(kernel.modular))):
        for kind in ("kprobe", "fentry"):
            yield Probe(kind, "with its module", f"{spelling[kind]}:{kernel.in_module[name]}:{name}")
            yield Probe(kind, "with another module", f"{spelling[kind]}:no_such_module:{name}")
    for name in random.sample(kernel.traceable, min(few, len(kernel.traceable))):
        yield Probe("kprobe", "an offset", f"kprobe:{name}+0")
    events = random.sample(kernel.events, min(each, len(kernel.events)))
    yield from (Probe("tracepoint", "there", f"tracepoint:{name}") for name in events)
    yield from (Probe("tracepoint", "not there", f"tracepoint:{name}_no") for name in events[:few])
    raw = random.sample(kernel.raw, min(each, len(kernel.raw)))
    yield from (Probe("rawtracepoint", "there", f"rawtracepoint:{name}") for name in raw)
    yield from (Probe("rawtracepoint", "not there", f"rawtracepoint:{name}_no") for name in raw[:few])
    yield from (Probe("iter", "in BTF", f"iter:{name}") for name in kernel.iterators)
    yield Probe("iter", "not there", "iter:no_such_list")
    yield from programs(few)


def programs(few: int) -> Iterator[Probe]:
    """uprobes on a program and a library, by what readelf(1) shows of them."""
    for path in (os.path.realpath("/bin/bash"), os.path.realpath("/lib/x86_64-linux-gnu/libc.so.6")):
        try:
            done = subprocess.run(
                ["readelf", "-W", "--dyn-syms", path], capture_output=True, text=True, check=False
            )
        except FileNotFoundError:
            print("readelf is not installed: uprobes are not tried")
            return
        table = [line.split() for line in done.stdout.splitlines() if " FUNC " in line]
        inside = sorted({w[7].partition("@")[0] for w in table if len(w) > 7 and w[6] != "UND"})
        outside = sorted(
            {w[7].partition("@")[0] for w in table if len(w) > 7 and w[6] == "UND"} - set(inside)
        )
        for sort, names in (("exported", inside), ("only called", outside)):
            for name in random.sample(names, min(few, len(names))):
                yield Probe("uprobe", sort, f"uprobe:{path}:{name}")
                yield Probe("uretprobe", sort, f"uretprobe:{path}:{name}")
        yield Probe("uprobe", "not there", f"uprobe:{path}:no_such_function")
    yield Probe("uprobe", "not there", "uprobe:/no/such/program:main")


def predicted(probes: Sequence[str]) -> list[Prediction]:
    """One for each."""
    found = []
    for start in range(0, len(probes), 200):
        some = probes[start : start + 200]
        done = subprocess.run(
            ["kdiag", "explain", "--format", "json", *some], capture_output=True, text=True, check=False
        )
        if not done.stdout:
            sys.exit(f"kdiag explain said nothing: {done.stderr}")
        for answer in json.loads(done.stdout)["answers"]:
            words = [text for section in answer["sections"] for text in section.get("text", ())]
            stands = next((text for text in words if text.startswith("It stands for")), "")
            number = re.search(r"\d+", stands)
            cost = next((text for text in words if "Estimate" in text), "")
            found.append(
                Prediction(answer["outcome"], answer["verdict"], int(number[0]) if number else None, cost)
            )
    return found


def attach(probes: Iterable[str]) -> Real:
    """Attach them by one bpftrace, which ends when the command that it starts has ended."""
    text = " ".join(f"{one} {{ @ = 1; }}" for one in probes)
    started = time.monotonic()
    try:
        done = subprocess.run(
            ["bpftrace", "-c", "/bin/true", "-e", text],
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=PATIENCE,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        return Real(False, None, time.monotonic() - started, f"still not attached after {PATIENCE:.0f} s")
    said = done.stderr + done.stdout
    number = ATTACHED.search(said)
    words = [
        line
        for line in said.splitlines()
        if re.search(r"ERROR|WARNING|rror:", line) and "MEMLOCK" not in line
    ]
    works = done.returncode == 0 and number is not None and number[1] != "0" and not SKIPPED.search(said)
    return Real(
        works, int(number[1]) if number else None, time.monotonic() - started, " | ".join(words[:3])[:300]
    )


def tried(probes: Sequence[Probe], said: Sequence[Prediction]) -> dict[Probe, Real]:
    """What bpftrace does with each: those that are predicted to work several at once, and one by one where that
    fails.
    """
    found: dict[Probe, Real] = {}
    hopeful: dict[str, list[Probe]] = {}
    alone = []
    for probe, prediction in zip(probes, said, strict=True):
        if prediction.outcome == "works" and probe.kind != "iter":
            hopeful.setdefault(probe.kind, []).append(probe)
        else:
            alone.append(probe)
    for kind, group in hopeful.items():
        for start in range(0, len(group), TOGETHER):
            some = group[start : start + TOGETHER]
            real = attach([one.text for one in some])
            if real.works and real.number == len(some):
                found.update((one, real) for one in some)
            else:
                found.update((one, attach([one.text])) for one in some)
        # Under emulation all of it takes an hour: what a guest was ended in is not lost.
        works = sum(found[one].works for one in group)
        print(f"{kind}: {works} of {len(group)} that are predicted to work do", flush=True)
    for probe in alone:
        found[probe] = attach([probe.text])
        print(f"{probe.text} ({probe.sort}): {'works' if found[probe].works else 'fails'}", flush=True)
    return found


def report(probes: Sequence[Probe], said: Sequence[Prediction], found: dict[Probe, Real]) -> Counter[str]:
    """Print what came otherwise, and a table; how many came right, wrong, or were left open."""
    table: dict[tuple[str, str], Counter[str]] = {}
    for probe, prediction in zip(probes, said, strict=True):
        real = found[probe]
        truth = "works" if real.works else "fails"
        mark = (
            "right" if prediction.outcome == truth else "open" if prediction.outcome == "unknown" else "WRONG"
        )
        table.setdefault((probe.kind, probe.sort), Counter()).update((mark, truth))
        if mark != "right":
            print(f"{mark:5} {probe.text} ({probe.sort}): predicted {prediction.outcome}, {truth}")
            print(f"    kdiag: {prediction.verdict}\n    bpftrace: {real.said}", flush=True)
    print(
        "\n| kind | what its name is | tried | attached | as predicted | wrong | open |\n|---|---|--:|--:|--:|--:|--:|"
    )
    for (kind, sort), counts in sorted(table.items()):
        numbers = (
            counts["works"] + counts["fails"],
            counts["works"],
            counts["right"],
            counts["WRONG"],
            counts["open"],
        )
        print(f"| {kind} | {sort} | {' | '.join(map(str, numbers))} |")
    total: Counter[str] = sum(table.values(), Counter())
    print(
        f"\n{total['right']} of {len(probes)} as predicted, {total['WRONG']} wrong, {total['open']} open\n",
        flush=True,
    )
    return total


def patterns(spelling: dict[str, str]) -> None:
    """How many functions a pattern attaches and how long that takes, beside what kdiag says."""
    texts = [
        *(f"{spelling[kind]}:{pattern}" for pattern in PATTERNS for kind in ("kprobe", "fentry")),
        "tracepoint:sched:*",
        "uprobe:/bin/bash:rl_*",
    ]
    idle = attach(["BEGIN"]).seconds
    print(f"bpftrace starts and ends in {idle:.1f} s; patterns take, besides that:")
    for text, prediction in zip(texts, predicted(texts), strict=True):
        real = attach([text])
        print(
            f"  {text}: kdiag {prediction.outcome}, {prediction.number} functions; "
            f"bpftrace {'works' if real.works else 'fails'}, {real.number}, {real.seconds - idle:.1f} s\n"
            f"    kdiag: {prediction.cost or prediction.verdict}\n    bpftrace: {real.said}",
            flush=True,
        )


def main(arguments: Sequence[str]) -> int:
    """Try all; the exit status."""
    parser = ArgumentParser(prog="python3 probe_trial.py")
    parser.add_argument("--each", type=int, default=40, help="how many names of every sort")
    parser.add_argument("--seed", type=int, default=1, help="which names")
    parser.add_argument("--modules", default="", help="loaded before, with commas between")
    options = parser.parse_args(arguments)
    random.seed(options.seed)
    for module in filter(None, options.modules.split(",")):
        subprocess.run(["modprobe", module], check=False)
    words = subprocess.run(["bpftrace", "--version"], capture_output=True, text=True, check=False).stdout
    release = re.search(r"v(\d+)\.(\d+)", words)
    old = release is not None and (int(release[1]), int(release[2])) < (0, 20)
    names = {"fentry": "kfunc", "fexit": "kretfunc"} if old else {"fentry": "fentry", "fexit": "fexit"}
    spelling = {"kprobe": "kprobe", **names}
    probes = list(dict.fromkeys(chosen(Kernel(), options.each, spelling)))
    print(f"{os.uname().release} {words.strip()}: {len(probes)} probes", flush=True)
    started = time.monotonic()
    said = predicted([probe.text for probe in probes])
    print(f"kdiag judged them in {time.monotonic() - started:.1f} s", flush=True)
    total = report(probes, said, tried(probes, said))
    patterns(spelling)
    return 1 if total["WRONG"] else 3 if total["open"] else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
