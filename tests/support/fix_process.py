"""One run of `kdiag fix` in a process of its own, on a machine made for it: to be killed, raced, starved.

python -m tests.support.fix_process '{"home": "/tmp/x", "kill": "kheaders.extract-module made"}'
"""

from __future__ import annotations

import functools
import importlib
import json
import os
import pkgutil
import signal
import sys
from pathlib import Path
from typing import Any

# Started by its path, by other users and from other directories: the repository stands for this file's directory.
sys.path[0] = str(Path(__file__).resolve().parents[2])

import kdiag  # noqa: E402
import kdiag.fix.apply  # noqa: E402
import kdiag.fix.undo  # noqa: E402
from kdiag.commands.repair.fix import Console, Request, Surroundings, fix  # noqa: E402
from kdiag.console.ending import guarded  # noqa: E402
from kdiag.fix.options import Options  # noqa: E402
from tests.support import fixable_machine  # noqa: E402

#: What is imported late.
STANDARD = (
    *("ctypes", "lzma", "zlib", "bz2", "tarfile", "pwd", "grp", "shutil", "resource", "select", "queue"),
    *("threading", "hashlib", "concurrent.futures.thread", "multiprocessing.connection", "platform"),
)


def main() -> int:
    spec: dict[str, Any] = json.loads(sys.argv[1])
    home = Path(spec["home"])
    if "uid" in spec:
        become(spec["uid"])
    one = fixable_machine.case(home, *spec.get("variants", ()), **spec.get("changes", {}))
    if spec.get("tracefs"):
        one.magics = {}
    kill = spec.get("kill")
    if kill:
        dying = functools.partial(die, kill)
        kdiag.fix.apply.apply = functools.partial(kdiag.fix.apply.apply, after=dying)
        kdiag.fix.undo.undo = functools.partial(kdiag.fix.undo.undo, after=dying)
    request = Request(
        Options(**spec.get("options", {})),
        yes=spec.get("yes", True),
        undo=spec.get("do") == "undo",
        prune=spec.get("do") == "prune",
    )
    around = Surroundings(
        look=one.look,
        places=one.places,
        path=spec.get("path", one.path),
        limit=spec.get("limit", 30.0),
        long_limit=spec.get("long_limit", 60.0),
        patience=spec.get("patience", 120.0),
    )
    return fix(request, Console(write, complain, watch=functools.partial(watching, kill)), around)


def write(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def complain(text: str) -> None:
    sys.stderr.write(f"kdiag: {text}\n")


def die(point: str, now: str) -> None:
    """The death that nobody can catch, at this point."""
    if now == point:
        os.kill(os.getpid(), signal.SIGKILL)


class watching:
    """Progress that ends in death in the middle of a step, if that is the point (`STEP midway`)."""

    def __init__(self, point: str | None) -> None:
        self.point = point

    def __enter__(self) -> Any:
        return self._see

    def __exit__(self, *_error: object) -> None:
        pass

    def _see(self, step: Any, done: int, total: int) -> None:
        if self.point and total and done * 2 > total:
            die(self.point, f"{step.id} midway")


def become(uid: int) -> None:
    """Be somebody else; all modules are loaded before, because the interpreter may be out of reach then."""
    for found in pkgutil.walk_packages(kdiag.__path__, "kdiag."):
        if not found.name.endswith("__main__"):
            importlib.import_module(found.name)
    for name in (*STANDARD, "elftools.elf.elffile", "kdiag_checks", "distro"):
        importlib.import_module(name)
    for found in pkgutil.walk_packages(importlib.import_module("kdiag_checks").__path__, "kdiag_checks."):
        importlib.import_module(found.name)
    from kdiag.checking.registry import discover

    discover(plugins=False)
    os.setgroups([])
    os.setgid(uid)
    os.setuid(uid)


if __name__ == "__main__":
    guarded(main)
