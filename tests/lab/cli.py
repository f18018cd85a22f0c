"""The command line of the lab: parses, calls, prints, exits."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from . import assemble, build, busybox, cache, debian_kernels, guest, kernels, payload, qemu, roots, tools
from .errors import LabError
from .matrix import cli as matrix

#: the lab itself could not (EX_SOFTWARE of sysexits.h); every other status is the guest's
BROKEN = 70


def main(argv: Sequence[str] | None = None) -> int:
    """Run the lab; returns the guest's exit status, or 2 for wrong usage, 70 when the lab could not."""
    arguments = _parser().parse_args(list(sys.argv[1:] if argv is None else argv))
    # so that what was started is ended and temporary files go when somebody ends us politely
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return int(arguments.action(arguments))
    except LabError as error:
        tools.say(error.message)
        if error.hint:
            tools.say(f"try: {error.hint}")
        return BROKEN
    except KeyboardInterrupt:
        tools.say("interrupted; what was complete stays in the cache")
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.lab", description="Boot real kernels, run things in them."
    )
    commands = parser.add_subparsers(required=True, metavar="command")
    run = commands.add_parser("run", help="boot, run a command, return its output and exit status")
    _add_guest_options(run)
    run.add_argument(
        "command", nargs="+", help="one word: a shell script; several: a program and its arguments"
    )
    run.set_defaults(action=_run)
    shell = commands.add_parser("shell", help="boot and open a shell; `exit` ends the guest")
    _add_guest_options(shell)
    shell.set_defaults(action=_shell)
    prepare = commands.add_parser(
        "prepare", help="make kernels and roots now, so that later runs start at once"
    )
    prepare.add_argument("names", nargs="+", metavar="KERNEL|ROOT")
    prepare.set_defaults(action=_prepare)
    commands.add_parser("kernels", help="kernels that can be booted by name").set_defaults(action=_kernels)
    commands.add_parser("roots", help="roots that can be booted").set_defaults(action=_roots)
    commands.add_parser("list", help="what is in the cache").set_defaults(action=_list)
    clean = commands.add_parser("clean", help="empty the cache")
    clean.add_argument(
        "kind", nargs="?", default="", help="only this kind: roots, layers, kernels, build, ..."
    )
    clean.set_defaults(action=_clean)
    matrix.add(commands.add_parser("matrix", help="what kdiag predicts held against what bpftrace does"))
    return parser


def _add_guest_options(parser: argparse.ArgumentParser) -> None:
    default = os.environ.get("KDIAG_LAB_KERNEL")
    add = parser.add_argument
    add(
        "--kernel",
        "-k",
        default=default,
        required=default is None,
        help="name or directory ($KDIAG_LAB_KERNEL)",
    )
    add(
        "--root", "-r", default="debian12", help=f"user space: {', '.join(roots.names())} (default: debian12)"
    )
    known = f"{', '.join(assemble.LAYERS)} (NAME@KERNEL: another kernel's), or a directory"
    add("--layer", "-l", action="append", default=[], help=f"to put over the root: {known}")
    add("--append", "-a", action="append", default=[], metavar="WORD", help="for the kernel command line")
    add("--user", "-u", default="root", help="run as this user: root, user, nobody (default: root)")
    add("--file", "-f", action="append", default=[], metavar="HOST:GUEST", help="put a file or a tree in")
    add("--bare", action="store_true", help="without the kernel's own files (/lib/modules, /boot)")
    add("--no-kdiag", action="store_true", help="without kdiag in the guest")
    add("--memory", type=int, default=1536, metavar="MIB", help="memory of the guest (default: 1536)")
    add(
        "--limit", type=float, default=600.0, metavar="SECONDS", help="then this QEMU is ended (default: 600)"
    )
    add("--console", action="store_true", help="show the kernel's messages afterwards")
    add("--quiet", "-q", action="store_true", help="no line about times")


def _request(arguments: argparse.Namespace) -> assemble.Request:
    return assemble.Request(
        kernel=arguments.kernel,
        root=arguments.root,
        layers=arguments.layer,
        append=arguments.append,
        files=dict(_file(text) for text in arguments.file),
        bare=arguments.bare,
        kdiag=not arguments.no_kdiag,
        memory=arguments.memory,
    )


def _file(text: str) -> tuple[Path, str]:
    host, _, inside = text.rpartition(":")
    if not inside.startswith("/") or not Path(host).exists():
        raise LabError(f"--file {text}: not HOST:/GUEST with a HOST that exists")
    return Path(host), inside


def _run(arguments: argparse.Namespace) -> int:
    job = guest.Job(guest.script_of(arguments.command), arguments.user, arguments.limit)
    # the guest ends itself at the limit; if it cannot any more, QEMU is ended a little later
    outcome = qemu.run(assemble.boot(_request(arguments), job), limit=arguments.limit + 30, stream=True)
    return _finish(arguments, outcome)


def _shell(arguments: argparse.Namespace) -> int:
    if not sys.stdin.isatty():
        raise LabError("a shell needs a terminal", "use `run` for commands")
    columns, lines = shutil.get_terminal_size()
    day = 86400.0
    job = guest.Job("exec bash -i", arguments.user, day, interactive=True, size=(lines, columns))
    return _finish(arguments, qemu.run(assemble.boot(_request(arguments), job), limit=day, interactive=True))


def _finish(arguments: argparse.Namespace, outcome: qemu.Outcome) -> int:
    if arguments.console:
        print(outcome.console, file=sys.stderr)
    trouble = qemu.explain(outcome)
    if trouble is not None:
        raise trouble
    if not arguments.quiet:
        wall, cpu = f"{outcome.seconds:.1f} s in all", f"{outcome.cpu_seconds:.1f} s of CPU"
        tools.say(f"status {outcome.status}; the job began at {outcome.boot_seconds} s, {wall}, {cpu}")
    return BROKEN if outcome.status is None else outcome.status


def _prepare(arguments: argparse.Namespace) -> int:
    status = 0
    for name in arguments.names:
        try:
            if name in roots.SUITES:
                payload.layers_for(roots.get(name))
            else:
                busybox.get(assemble.find_kernel(name).arch)
        except LabError as error:  # the others can still be made
            tools.say(f"{name}: {error.message}{f'; try: {error.hint}' if error.hint else ''}")
            status = BROKEN
    return status


def _kernels(arguments: argparse.Namespace) -> int:
    for source in debian_kernels.SOURCES.values():
        place = cache.path_of("kernels", source.name, debian_kernels.recipe(source))
        state = kernels.from_directory(place).release if place.exists() else "not fetched yet"
        print(f"{source.name:24} {source.arch:6} {source.suite:18} {state}")
    for variant in build.VARIANTS.values():
        place = cache.path_of("kernels", variant.name, build.recipe(variant))
        state = kernels.from_directory(place).release if place.exists() else "not built yet"
        print(f"{variant.name:24} {'amd64':6} {build.SOURCE:18} {state}")
    return 0


def _roots(arguments: argparse.Namespace) -> int:
    for suite in roots.SUITES.values():
        made = cache.path_of("roots", f"{suite.name}-amd64", roots.recipe(suite, "amd64")).exists()
        root = roots.get(suite.name) if made else None
        state = f"bpftrace {root.bpftrace}, python {root.python}" if root else "not made yet"
        print(f"{suite.name:24} {suite.suite:18} {state}")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    total = 0
    for entry in cache.entries():
        total += entry.size
        print(f"{entry.size / 2**20:9.1f} MiB  {entry.kind}/{entry.path.name}")
    print(f"{total / 2**20:9.1f} MiB of {cache.limit() / 2**20:.0f} MiB in {cache.home()}")
    return 0


def _clean(arguments: argparse.Namespace) -> int:
    print(f"{cache.clean(arguments.kind) / 2**20:.1f} MiB freed")
    return 0
