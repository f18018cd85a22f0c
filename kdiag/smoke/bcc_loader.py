"""One small BCC program, and what it saw. Run on its own by the interpreter that BCC's tools have, as
`python -I -S -B -c <this file> version` or `... PROGRAM NAME [LIBRARY]`, never imported by kdiag: kdiag's own
interpreter hardly ever has the module `bcc`.

PROGRAM: of `PROGRAMS`. NAME: of the process whose events count. LIBRARY: the C library that this process has mapped.
Each program goes one step further than the one before it, so that the first that fails names the step. It prints
`NAME compiled` or `NAME loaded`, or `tracing` once it is attached, and then `NAME seen N` whenever N has grown. It ends
when it is interrupted. Runs on any Python 3.6 or later, which RHEL 8 has for its tools, with BCC 0.10 or newer
(src/python/bcc/__init__.py).
"""

import contextlib
import os
import shutil
import signal
import site
import sys
import tempfile
import time
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

PAUSE = 0.02

#: A program that only begins. BCC puts its own helpers.h before it, which includes the kernel's headers.
EMPTY = "int program(void *context) { return 0; }\n"
STRUCTS = """
#include <linux/sched.h>
#include <linux/fs.h>
int program(void *context)
{
    struct task_struct *task = (struct task_struct *)bpf_get_current_task();
    return task->pid + (int)sizeof(struct file);
}
"""
NET = """
#include <net/sock.h>
int program(void *context) { return (int)sizeof(struct sock); }
"""
#: comm as two numbers: a comparison that the verifier of every kernel follows.
MINE = """
    u64 comm[2] = {};
    bpf_get_current_comm(&comm, sizeof(comm));
    if (comm[0] != %dULL || comm[1] != %dULL)
        return 0;
"""
COUNTS = "BPF_ARRAY(counts, u64, 1);\n"
COUNT = "    int first = 0;\n    counts.increment(first);\n    return 0;\n"
PROBE = COUNTS + "int program(void *context)\n{\n" + MINE + COUNT + "}\n"
TRACEPOINT = COUNTS + "TRACEPOINT_PROBE(sched, sched_process_fork)\n{\n" + MINE + COUNT + "}\n"
OUTPUT = (
    "BPF_PERF_OUTPUT(events);\nint program(void *context)\n{\n" + MINE + "    events.perf_submit(context, "
    "&comm, sizeof(comm));\n    return 0;\n}\n"
)


def module() -> Any:
    """The module `bcc`, from where this interpreter's packages lie: no user's and no current directory's.

    -S leaves the packages out, since a .pth file among them runs code; the places are named here, the code is not run.
    """
    sys.path += site.getsitepackages()
    return import_module("bcc")


def mine(text: str, name: str) -> str:
    """The program with the name of the process that counts."""
    comm = name.encode().ljust(16, b"\0")
    return text % tuple(int.from_bytes(comm[at : at + 8], sys.byteorder) for at in (0, 8))


def say(*words: object) -> None:
    print(*words, flush=True)


def compiler(bcc: Any, name: str, _: str) -> None:
    """Whether clang starts and reads a file, of a tree that has nothing but a line which ends it: no kernel headers."""
    tree = tempfile.mkdtemp(prefix=name)
    with tempfile.TemporaryFile() as said:
        kept = os.dup(2)
        try:
            os.makedirs(os.path.join(tree, "include", "linux"))
            with open(os.path.join(tree, "include", "linux", "kconfig.h"), "w") as out:
                out.write(f"#error {name}\n")
            os.environ["BCC_KERNEL_SOURCE"] = tree
            os.dup2(said.fileno(), 2)
            # It has to end so, with an Exception of BCC's; what clang said is looked at.
            with contextlib.suppress(Exception):
                bcc.BPF(text=EMPTY)
        finally:
            os.dup2(kept, 2)
            shutil.rmtree(tree)
        said.seek(0)
        text = said.read().decode("utf-8", "replace")
    if f"error: {name}" in text:
        say(name, "compiled")
    else:
        sys.stderr.write(text)


def compiles(text: str) -> "Callable[[Any, str, str], None]":
    """A program that is compiled, and not loaded."""

    def run(bcc: Any, name: str, _: str) -> None:
        bcc.BPF(text=text)
        say(name, "compiled")

    return run


def load(bcc: Any, name: str, _: str) -> None:
    """A program with a map, for a kprobe that it is not attached to."""
    bcc.BPF(text=mine(PROBE, name)).load_func("program", bcc.BPF.KPROBE)
    say(name, "loaded")


def kprobe(bcc: Any, name: str, _: str) -> None:
    bpf = bcc.BPF(text=mine(PROBE, name))
    bpf.attach_kprobe(event="vfs_open", fn_name="program")
    tell(bpf, name)


def uprobe(bcc: Any, name: str, library: str) -> None:
    bpf = bcc.BPF(text=mine(PROBE, name))
    bpf.attach_uprobe(name=library, sym="getppid", fn_name="program")
    tell(bpf, name)


def tracepoint(bcc: Any, name: str, _: str) -> None:
    tell(bcc.BPF(text=mine(TRACEPOINT, name)), name)


def perf(bcc: Any, name: str, _: str) -> None:
    """What comes through a perf buffer."""
    bpf = bcc.BPF(text=mine(OUTPUT, name))
    bpf.attach_kprobe(event="vfs_open", fn_name="program")
    arrived = [0]

    def event(_processor: int, _data: object, _size: int) -> None:
        arrived[0] += 1
        say(name, "seen", arrived[0])

    bpf["events"].open_perf_buffer(event)
    say("tracing")
    while True:
        bpf.perf_buffer_poll(200)


def tell(bpf: Any, name: str) -> None:
    """The number of events, whenever it has grown; until interrupted."""
    say("tracing")
    before, counts = 0, bpf["counts"]
    while True:
        time.sleep(PAUSE)
        number = counts[counts.Key(0)].value
        if number != before:
            before = number
            say(name, "seen", number)


PROGRAMS: "dict[str, Callable[[Any, str, str], None]]" = {
    "compiler": compiler,
    "headers": compiles(EMPTY),
    "structs": compiles(STRUCTS),
    "net": compiles(NET),
    "load": load,
    "kprobe": kprobe,
    "tracepoint": tracepoint,
    "perf": perf,
    "uprobe": uprobe,
}


def main() -> int:
    signal.signal(signal.SIGINT, lambda *_: os._exit(0))
    what, *rest = sys.argv[1:]
    try:
        bcc = module()
        if what == "version":
            say("BCC", getattr(bcc, "__version__", "of an unknown release"))
            return 0
        PROGRAMS[what](bcc, rest[0], rest[1] if len(rest) > 1 else "")
    except Exception as error:
        sys.stderr.flush()
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
