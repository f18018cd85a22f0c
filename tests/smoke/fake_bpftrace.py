"""Stands in for bpftrace in the tests of the runner: behaves as $FAKE says, badly for the most part."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

signal.signal(signal.SIGINT, lambda *_: sys.exit(0))
SCRIPT = sys.argv[-1]
COMM = (re.findall(r"kdiag-[0-9a-f]{8}", SCRIPT) or ["nobody"])[0]


def say(text: str) -> None:
    print(text, flush=True)


def complain(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def sleep() -> NoReturn:
    """Like bpftrace: until interrupted, then status 0."""
    time.sleep(600)
    sys.exit(99)


def owner() -> int:
    """The pid of the process that causes the events."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "comm").read_text().strip() == COMM:
                return int(process.name)
        except OSError:
            continue
    return -1


def event(name: str = f"{COMM}-file", pid: int | None = None) -> None:
    """What the script for hello or for openat would print."""
    if "hello" in SCRIPT:
        say(f"{COMM} hello 42 {time.monotonic_ns()}")
        sys.exit(0)
    say(f"{COMM} openat {owner() if pid is None else pid} {name}")


def works() -> None:
    say("Attaching 1 probe...")
    event()
    sleep()


def newer() -> None:
    complain("Attached 1 probe")
    event()
    sleep()


def warns() -> None:
    complain("ERROR: Unknown error -1: couldn't set RLIMIT_MEMLOCK for bpftrace. If your program is")
    works()


def hangs() -> None:
    sleep()


def crashes() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def crashes_afterwards() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    event()
    crashes()


def garbage() -> None:
    for _ in range(20):
        noise = os.urandom(50_000)
        os.write(1, noise)
        os.write(2, b"\x1b]0;owned\x07\x1b[31m\xff\xfe\x00 ERROR: \xe2\x80\xae\x9b2J " + noise)
    os.write(1, b"\n")
    works()


def stubborn() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    event()
    time.sleep(600)


def hard_of_hearing() -> None:
    heard = []
    signal.signal(signal.SIGINT, lambda *_: heard.append(1))
    event()
    while len(heard) < 3:
        time.sleep(0.01)


def silent() -> None:
    say("Attaching 1 probe...")
    sleep()


def foreign() -> None:
    """Events, but those of others."""
    say("Attaching 1 probe...")
    event("/etc/ld.so.cache")
    event(pid=1)
    event(f"{COMM}-file/and-more")
    sleep()


def echoes() -> None:
    """The script itself, as error messages show it."""
    say(SCRIPT)
    complain(f"stdin:1:1-9: ERROR: something unheard of\n{SCRIPT}\n~~~~~~~~~")
    sys.exit(1)


def floods() -> None:
    say("Attaching 1 probe...")
    while True:
        os.write(1, b"x" * 80 + b"\n")
        os.write(2, b"y" * 80 + b"\n")


def leaves_a_child() -> None:
    """It ends, and what it started keeps its pipes open."""
    child = subprocess.Popen(("sleep", "600"))
    say(f"child {child.pid}")
    sys.exit(1)


def refuses() -> None:
    complain("ERROR: bpftrace currently only supports running as the root user.")
    sys.exit(1)


def only_hello() -> None:
    if "hello" in SCRIPT:
        works()
    complain("stdin:1:1-37: ERROR: tracepoint not found: syscalls:sys_enter_openat")
    sys.exit(1)


def environment() -> None:
    complain(f"WARNING: source is {os.environ.get('BPFTRACE_KERNEL_SOURCE')}, home {os.environ.get('HOME')}")
    works()


if SCRIPT == "--version":
    say("bpftrace v0.17.0")
    sys.exit(0)
globals()[os.environ.get("FAKE", "works")]()
