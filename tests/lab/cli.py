"""The command line of the lab: parses, calls, prints, exits."""

from __future__ import annotations

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from . import build, busybox, cache, cpio, debian_kernels, guest, kernels, layers, payload, qemu, roots, tools
from .errors import LabError
from .kernels import Kernel


def main(argv: Sequence[str] | None = None) -> int:
    """Run the lab; returns the guest's exit status, or 2 usage, 70 the lab could not (70 = EX_SOFTWARE)."""
    words = list(sys.argv[1:] if argv is None else argv)
    arguments = _parser().parse_args(words)
    try:
        return int(arguments.action(arguments))
    except LabError as error:
        print(f"lab: {error.message}", file=sys.stderr)
        if error.hint:
            print(f"lab: try: {error.hint}", file=sys.stderr)
        return 70
    except KeyboardInterrupt:
        print("lab: interrupted; what was complete stays in the cache", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.lab", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    run = commands.add_parser("run", help="boot, run a command, return its output and exit status")
    run.add_argument("command", nargs="+", help="one word: a shell script; several: a program and its arguments")
    run.set_defaults(action=_run)
    shell = commands.add_parser("shell", help="boot and open a shell")
    shell.set_defaults(action=_shell)
    for sub in (run, shell):
        _add_guest_options(sub)
    prepare = commands.add_parser("prepare", help="make kernels and roots now, so that later runs start at once")
    prepare.add_argument("names", nargs="+", metavar="KERNEL|ROOT")
    prepare.set_defaults(action=_prepare)
    catalogue = commands.add_parser("kernels", help="kernels that can be booted by name")
    catalogue.set_defaults(action=_kernels)
    userspaces = commands.add_parser("roots", help="roots that can be booted")
    userspaces.set_defaults(action=_roots)
    listing = commands.add_parser("list", help="what can be booted and what is in the cache")
    listing.set_defaults(action=_list)
    clean = commands.add_parser("clean", help="empty the cache")
    clean.add_argument("kind", nargs="?", default="", help="only this kind: roots, layers, kernels, ...")
    clean.set_defaults(action=_clean)
    return parser


def _add_guest_options(parser: argparse.ArgumentParser) -> None:
    default = os.environ.get("KDIAG_LAB_KERNEL")
    parser.add_argument(
        "--kernel", "-k", default=default, required=default is None, help="name or directory ($KDIAG_LAB_KERNEL)"
    )
    parser.add_argument("--root", "-r", default="debian12", help=f"user space: {', '.join(roots.names())}")
    parser.add_argument("--layer", "-l", action="append", default=[], help="kheaders, headers, headers-arch, headers-common (@KERNEL for another kernel's), or a directory")
    parser.add_argument("--append", "-a", action="append", default=[], help="word for the kernel command line")
    parser.add_argument("--user", "-u", default="root", help="run as this user (root, user, nobody)")
    parser.add_argument("--file", "-f", action="append", default=[], metavar="HOST:GUEST", help="put a file or tree in")
    parser.add_argument("--bare", action="store_true", help="without the kernel's own files (/lib/modules, /boot)")
    parser.add_argument("--no-kdiag", action="store_true", help="without kdiag in the guest")
    parser.add_argument("--memory", type=int, default=1536, help="MiB")
    parser.add_argument("--limit", type=float, default=600.0, help="seconds until this QEMU is ended")
    parser.add_argument("--console", action="store_true", help="show the kernel's messages afterwards")
    parser.add_argument("--quiet", "-q", action="store_true", help="no line about times")


def _boot(arguments: argparse.Namespace, job: guest.Job) -> qemu.Boot:
    kernel = find_kernel(arguments.kernel)
    root = roots.get(arguments.root, kernel.arch)
    disks = [root.image, *([kernel.layer] if kernel.layer and not arguments.bare else [])]
    disks += [_layer(name, kernel) for name in arguments.layer]
    if not arguments.no_kdiag:
        disks += payload.layers_for(root)
        job.payload.update(payload.working_tree(root))
    for text in arguments.file:
        host, _, inside = text.partition(":")
        if not inside.startswith("/") or not Path(host).exists():
            raise LabError(f"--file {text}: not HOST:/GUEST with an existing HOST")
        job.payload.update(cpio.from_tree(Path(host), inside.strip("/")))
    return qemu.Boot(
        kernel=kernel,
        initramfs=guest.initramfs(kernel, job, len(disks)),
        command_line=guest.command_line(kernel, arguments.append),
        disks=disks,
        memory=arguments.memory,
    )


def find_kernel(text: str) -> Kernel:
    """A kernel by its name in the catalogue, or by directory."""
    if text in debian_kernels.SOURCES:
        return debian_kernels.get(text)
    if text in build.VARIANTS:
        return build.get(text)
    return kernels.from_directory(Path(text))


def _layer(text: str, kernel: Kernel) -> Path:
    """A layer by name, ``NAME@KERNEL`` for another kernel's, or by directory."""
    if Path(text).is_dir():
        return layers.from_directory(Path(text))
    name, _, other = text.partition("@")
    owner = find_kernel(other) if other else kernel
    if name == "kheaders":
        return layers.kheaders(owner)
    if name in layers.HEADERS:
        return layers.headers(owner, name)
    raise LabError(f"no layer {text!r}", f"kheaders, {', '.join(layers.HEADERS)}, or a directory")


def _run(arguments: argparse.Namespace) -> int:
    job = guest.Job(guest.script_of(arguments.command), arguments.user, arguments.limit)
    outcome = qemu.run(_boot(arguments, job), limit=arguments.limit + 30, stream=True)
    return _finish(arguments, outcome)


def _shell(arguments: argparse.Namespace) -> int:
    if not sys.stdin.isatty():
        raise LabError("a shell needs a terminal", "use `run` for commands")
    columns, lines = shutil.get_terminal_size()
    job = guest.Job(
        "exec bash -i", arguments.user, limit=86400.0, interactive=True, size=(lines, columns)
    )
    outcome = qemu.run(_boot(arguments, job), limit=86400.0, interactive=True)
    return _finish(arguments, outcome)


def _finish(arguments: argparse.Namespace, outcome: qemu.Outcome) -> int:
    if arguments.console:
        print(outcome.console, file=sys.stderr)
    trouble = qemu.explain(outcome)
    if trouble is not None:
        raise trouble
    if not arguments.quiet:
        times = f"job began at {outcome.boot_seconds} s, {outcome.seconds:.1f} s in all, {outcome.cpu_seconds:.1f} s of CPU"
        tools.say(f"status {outcome.status}; {times}")
    return outcome.status if outcome.status is not None else 70


def _prepare(arguments: argparse.Namespace) -> int:
    for name in arguments.names:
        if name in roots.SUITES:
            payload.layers_for(roots.get(name))
        else:
            kernel = find_kernel(name)
            busybox.get(kernel.arch)
    return 0


def _kernels(arguments: argparse.Namespace) -> int:
    for source in debian_kernels.SOURCES.values():
        place = cache.path_of("kernels", source.name, debian_kernels.recipe(source))
        state = kernels.from_directory(place).release if place.exists() else "not fetched yet"
        print(f"{source.name:24} {source.arch:6} {source.suite:18} {state}")
    for variant in build.VARIANTS.values():
        place = cache.path_of("kernels", variant.name, build.recipe(variant))
        state = kernels.from_directory(place).release if place.exists() else "not built yet"
        print(f"{variant.name:24} {'amd64':6} {'+'.join(variant.fragments):18} {state}")
    return 0


def _roots(arguments: argparse.Namespace) -> int:
    for suite in roots.SUITES.values():
        place = cache.path_of("roots", f"{suite.name}-amd64", roots.recipe(suite, "amd64"))
        root = roots.get(suite.name) if place.exists() else None
        state = f"bpftrace {root.bpftrace}, python {root.python}" if root else "not made yet"
        print(f"{suite.name:24} {suite.suite:18} {state}")
    return 0


def _list(arguments: argparse.Namespace) -> int:
    print("roots:", ", ".join(roots.names()))
    total = 0
    for entry in cache.entries():
        total += entry.size
        print(f"{entry.size / 2**20:9.1f} MiB  {entry.kind}/{entry.path.name}")
    print(f"{total / 2**20:9.1f} MiB of {cache.limit() / 2**20:.0f} MiB in {cache.home()}")
    return 0


def _clean(arguments: argparse.Namespace) -> int:
    print(f"{cache.clean(arguments.kind) / 2**20:.1f} MiB freed")
    return 0
