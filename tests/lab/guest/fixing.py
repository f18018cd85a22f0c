"""Inside a guest: `kdiag fix` for real. Says what happened as one JSON document; what is right is judged outside.

fixing.py trial PROGRAMS OPTION...    smoke, fix, smoke, undo, smoke; what the undo left
fixing.py kills OPTION...             SIGKILL at every point of a fix; healed by an undo, and by a fix and an undo

Runs on any python from 3.9 on; `kills` imports kdiag.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

STORE, STATE = Path("/var/cache/kdiag"), Path("/var/lib/kdiag")
JOURNAL = STATE / "journal"
STORE_DEPTH = str(STORE).count("/") + 2
Listing = dict[str, str]

#: A program that needs a header, as a user would start it; and with what the README says to type before.
HEADER = [
    "bpftrace",
    "-e",
    '#include <linux/sched/prio.h>\nBEGIN { printf("NICE %d\\n", NICE_WIDTH); exit() }',
]
EVALUATED = f'eval "$(kdiag env)"; {shlex.join(HEADER)}'


def main() -> int:
    what, *rest = sys.argv[1:]
    answer = trial(rest[0], rest[1:]) if what == "trial" else kills(rest)
    json.dump(answer, sys.stdout, indent=1)
    return 0


# -- one fix ---------------------------------------------------------------------------------------------------------


def trial(programs: str, options: list[str]) -> dict[str, Any]:
    """A fix and its undo, with a proof before, between and after."""
    smoke = ["kdiag", "smoke", "--only", programs, "--format", "json"]
    before = proof(smoke)
    pristine = listing()
    fixed = run(["kdiag", "fix", "--yes", *options])
    entries, changed = journal(), difference(pristine, listing())
    led, evaluated = proof(["kdiag", "run", "--", *smoke]), run(["sh", "-c", EVALUATED])
    undone = run(["kdiag", "fix", "--undo", "--yes"])
    left = difference(pristine, listing())
    return {
        **{"before": before, "fix": fixed, "journal": entries, "changed": summary(changed)},
        **{"after": led, "evaluated": evaluated},
        **{"undo": undone, "left": left, "again": proof(smoke)},
    }


def proof(command: list[str]) -> dict[str, Any]:
    """The answer of `kdiag smoke`; then what bpftrace itself has left behind (0.17 unpacks kheaders) is taken away."""
    loaded = "kheaders" in modules()
    answer = run(command)
    unpacked = sorted(map(str, Path("/tmp").glob("kheaders-*")))
    for path in unpacked:
        shutil.rmtree(path)
    if not loaded and "kheaders" in modules():
        subprocess.run(["modprobe", "-r", "kheaders"], check=True)
    return {**answer, "out": "", "report": json.loads(answer["out"]), "unpacked": unpacked}


def run(command: list[str]) -> dict[str, Any]:
    begun = time.monotonic()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    spent = round(time.monotonic() - begun, 1)
    sys.stderr.write(f"{spent:6.1f} s  {done.returncode:3}  {' '.join(command)}\n")
    return {"status": done.returncode, "out": done.stdout, "err": done.stderr, "seconds": spent}


# -- what is on the machine ------------------------------------------------------------------------------------------


def listing() -> Listing:
    """All files of the root, /run and /dev/shm, the loaded modules, the mounts; each with what is seen of it."""
    found = {f"module {name}": "" for name in modules()}
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, rest = line.partition(" - ")
        kind, source = rest.split(" ")[:2]
        found[f"mount {fields.split(' ')[4]}"] = (
            f"{kind} {'kdiag-*' if source.startswith('kdiag-') else source}"
        )
    for top in ("/", "/run", "/dev/shm"):
        device = os.lstat(top).st_dev
        for place, folders, files in os.walk(top):
            folders[:] = [f for f in folders if _belongs(f"{place}/{f}", device)]
            for name in (*folders, *files):
                path = f"{place.rstrip('/')}/{name}"
                with contextlib.suppress(FileNotFoundError):
                    found[path] = _seen(path)
    return found


def _belongs(path: str, device: int) -> bool:
    info = os.lstat(path)
    return stat.S_ISLNK(info.st_mode) or info.st_dev == device


def _seen(path: str) -> str:
    info = os.lstat(path)
    text = f"{stat.filemode(info.st_mode)} {info.st_uid} {info.st_gid}"
    if stat.S_ISLNK(info.st_mode):
        return f"{text} -> {os.readlink(path)}"
    return text if stat.S_ISDIR(info.st_mode) else f"{text} {info.st_size} {info.st_mtime_ns}"


def modules() -> list[str]:
    lines = Path("/proc/modules").read_text().splitlines() if os.path.exists("/proc/modules") else []
    return [line.split(" ")[0] for line in lines]


def difference(before: Listing, after: Listing) -> list[str]:
    """What came, went and changed."""
    signs = {name: "+" if name not in before else "~" for name in after if before.get(name) != after[name]}
    signs.update({name: "-" for name in before if name not in after})
    return sorted(f"{sign} {name}" for name, sign in signs.items() if name != f"/proc/{os.getpid()}")


def summary(lines: list[str]) -> list[str]:
    """Without what lies inside of something that came whole."""
    came = {line for line in lines if line.startswith("+ /")}
    inner = {line for line in came if line.rpartition("/")[0] in came and line.count("/") > STORE_DEPTH}
    return [line for line in lines if line not in inner]


def journal() -> list[dict[str, Any]]:
    """Live entries, without what is different each time."""
    live: dict[str, dict[str, Any]] = {}
    for line in JOURNAL.read_text().splitlines() if JOURNAL.exists() else []:
        words = json.loads(line)
        name = words["id"]
        if words["event"] == "undone":
            del live[name]
            continue
        step = words.get("step") or live[name]["step"]
        effect = {k: v for k, v in words["effect"].items() if k != "source"}
        live[name] = {"step": step, "finished": words["event"] == "done", "effect": effect}
    return list(live.values())


def outcome(pristine: Listing, deep: bool) -> dict[str, Any]:
    """What a fix has made; equal for two fixes that did the same. deep: down to the content of each file."""
    now = listing()
    things, content = {}, {}
    for line in difference(pristine, now):
        name = line[2:]
        kind, _, when = now.get(name, "").rpartition(" ")
        things[line] = kind if when.isdigit() and kind.count(" ") == 3 else now.get(name, "")
        if deep and name.startswith(f"{STORE}/") and things[line].startswith("-"):
            content[name] = zlib.crc32(Path(name).read_bytes())
    for path in (JOURNAL, STATE / "lock"):
        things.pop(f"+ {path}", None)
    made = (STATE / "lock").read_bytes().split(b"\0")[1:] if STATE.is_dir() else []
    return {"things": things, "content": content, "journal": journal(), "made": [*map(os.fsdecode, made)]}


def unlike(wanted: dict[str, Any], now: dict[str, Any]) -> list[str]:
    """Where the outcome of a fix is another."""
    other = [f"{key}: {wanted[key]} / {now[key]}" for key in ("journal", "made") if wanted[key] != now[key]]
    for key in ("things", "content") if now["content"] else ("things",):
        old, new = wanted[key], now[key]
        other += [f"{n}: {old.get(n)} / {new.get(n)}" for n in {**old, **new} if old.get(n) != new.get(n)]
    return other


# -- kill -9 ---------------------------------------------------------------------------------------------------------


def kills(options: list[str]) -> dict[str, Any]:
    """At every point at which a crash differs from one a moment earlier; and from outside, at whatever moment."""
    fix, undo = ["fix", "--yes", "--no-smoke", *options], ["fix", "--undo", "--yes"]
    run(["kdiag", *undo])  # whatever is written once only
    pristine = listing()
    first = run(["kdiag", *fix])
    wanted = outcome(pristine, deep=True)
    run(["kdiag", *undo])
    answer: dict[str, Any] = {
        "fix": first,
        "wanted": summary([*wanted["things"]]),
        "journal": wanted["journal"],
    }
    answer["left"] = difference(pristine, listing())
    import_all()
    with tempfile.NamedTemporaryFile("r", dir="/run") as points:
        answer["recorded"] = forked(fix, record=points.name)
        names = points.read().splitlines()
    forked(undo)
    killers = [(name, lambda name=name: forked(fix, kill=name)) for name in names]
    killers += [(name, lambda when=when: from_outside(fix, when)) for name, when in moments().items()]
    answer["kills"] = [heal(name, kill, fix, undo, pristine, wanted) for name, kill in killers]
    return answer


def heal(  # noqa: PLR0917
    name: str,
    kill: Callable[[], dict[str, Any]],
    fix: list[str],
    undo: list[str],
    pristine: Listing,
    wanted: dict[str, Any],
) -> dict[str, Any]:
    """Killed and undone; killed, fixed and undone."""
    begun = time.monotonic()
    killed = kill()
    there = summary(difference(pristine, listing()))
    undone = forked(undo)
    left = difference(pristine, listing())
    killed_again = kill()
    fixed = forked(fix)
    # Only what died in the midst of unpacking could differ inside.
    other = unlike(wanted, outcome(pristine, deep=name.endswith(("midway", "unpacked"))))
    last = forked(undo)
    sys.stderr.write(f"{time.monotonic() - begun:6.1f} s  {name}\n")
    return {
        **{"point": name, "killed": [killed["status"], killed_again["status"]], "there": there},
        **{"undone": undone, "left": left, "fixed": fixed, "other": other, "undone at last": last},
        "left at last": difference(pristine, listing()),
    }


def import_all() -> None:
    """So that each of the runs below, a fork of this process, does not take seconds to import them."""
    import importlib
    import pkgutil

    import kdiag

    for found in pkgutil.walk_packages(kdiag.__path__, "kdiag."):
        if not found.name.endswith(("__main__", "pytest_plugin")):
            importlib.import_module(found.name)


def forked(arguments: list[str], kill: str = "", record: str = "") -> dict[str, Any]:
    """kdiag in a fork. kill: the point at which it dies; record: a file for the names of the points."""
    begun = time.monotonic()
    with tempfile.TemporaryFile("w+", dir="/run") as output:
        pid = os.fork()
        if pid == 0:
            os.setsid()
            os.dup2(output.fileno(), 1)
            os.dup2(output.fileno(), 2)
            os._exit(_be_kdiag(arguments, kill, record))
        _, status = os.waitpid(pid, 0)
        output.seek(0)
        text = output.read()
    spent = round(time.monotonic() - begun, 1)
    return {"status": os.waitstatus_to_exitcode(status), "out": text, "seconds": spent}


def _be_kdiag(arguments: list[str], kill: str, record: str) -> int:
    import threading

    import kdiag.fix.apply
    from kdiag.cli import main as kdiag_main

    def seen(point: str) -> None:
        if record:
            with open(record, "a", encoding="ascii") as file:
                file.write(f"{point}\n")
        if point == kill:
            os.kill(os.getpid(), signal.SIGKILL)

    real = kdiag.fix.apply.apply

    def apply(plan: Any, world: Any, journal: Any, *, watch: Any = None, after: Any = None) -> Any:
        half: set[str] = set()

        def watched(step: Any, done: int, total: int) -> None:
            if watch is not None:
                watch(step, done, total)
            if total and done * 2 > total and step.id not in half:
                half.add(step.id)
                seen(f"{step.id} midway")

        return real(plan, world, journal, watch=watched, after=seen)

    kdiag.fix.apply.apply = apply
    sys.argv = ["kdiag", *arguments]
    status: object = 0
    try:
        kdiag_main()
    except SystemExit as end:
        status = end.code
    for thread in threading.enumerate():
        if thread is not threading.current_thread() and not thread.daemon:
            thread.join()
    sys.stdout.flush()
    sys.stderr.flush()
    return status if isinstance(status, int) else int(status is not None)


def moments() -> dict[str, Callable[[], bool]]:
    """When to kill from outside: a condition that is asked again and again."""
    return {
        "outside: 3 lines in the journal": lambda: written() >= 3,
        "outside: 50 files unpacked": lambda: unpacked() >= 50,
        "outside: 2000 files unpacked": lambda: unpacked() >= 2000,
    }


def written() -> int:
    try:
        return JOURNAL.read_bytes().count(b"\n")
    except FileNotFoundError:
        return 0


def unpacked() -> int:
    return sum(len(files) for top in STORE.glob("headers/.kdiag-new-*") for _, _, files in os.walk(top))


def from_outside(arguments: list[str], when: Callable[[], bool]) -> dict[str, Any]:
    """The installed program, killed from outside as soon as it is so far."""
    with subprocess.Popen(
        ["kdiag", *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        while process.poll() is None and not when():
            time.sleep(0.001)
        process.kill()
    return {"status": process.returncode}


if __name__ == "__main__":
    sys.exit(main())
