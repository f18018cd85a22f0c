"""`kdiag explain`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated

import typer

from kdiag.cli.common import Color, Host, NoPlugins, Settings, fail, one_of, terminal
from kdiag.console import exits
from kdiag.console import output as console
from kdiag.explain.value import NotKnown

if TYPE_CHECKING:
    from collections.abc import Callable


def explain(  # noqa: PLR0913, PLR0917  a parameter is an option
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME...", help="What to explain, several at once.", show_default=False),
    ] = None,
    programs: Annotated[
        list[str] | None,
        typer.Option(
            "-e", metavar="SCRIPT", help="A script of bpftrace as it is typed, as `bpftrace -e` takes it."
        ),
    ] = None,
    recording: Annotated[
        str, typer.Option("--from", metavar="FILE|DIR", help="The machine of a recording, not this one.")
    ] = "",
    output_format: Annotated[
        str, typer.Option("--format", metavar="text|json", help="How to print it.")
    ] = "text",
    try_it: Annotated[
        bool,
        typer.Option("--try", help="Load the BPF object for real and let it go again (root, this machine)."),
    ] = False,
    no_plugins: NoPlugins = False,
    color: Color = None,
    host: Host = "",
) -> None:
    """Explain a name, with its state on this machine.

    A name is a check, a finding, a capability of `kdiag check`, a kernel option (CONFIG_IKHEADERS, IKHEADERS), a
    capability of Linux (CAP_BPF) or a sysctl (kernel.perf_event_paranoid). A pattern ('CONFIG_*BTF*', 'btf.*') lists
    the names that it fits. A file is a BPF object (tool.bpf.o), or a program that carries one (/usr/sbin/opensnoop):
    programs, maps, helpers, the kernel's fields that it reads, and whether it loads here; --try proves it.
    A profile (tetragon, falco, cilium, ...) is what a tool requires by its documentation.

    A concept (ebpf, btf, kheaders, headers, co-re, tracepoint, kprobe-fentry, uprobe-usdt, lockdown, memlock, tracefs,
    headers-warning, capabilities, containers, ring-buffer, bpftrace-vs-bcc-vs-libbpf) takes a screen.

    A script of bpftrace (opensnoop.bt, - for standard input, or as it is typed: 'kprobe:vfs_read { @ = count(); }') has
    its probes, headers, structs, fields and what requires a newer release, each with its state, and whether it runs.

    A word that stands alone is looked up: a function of the kernel (vfs_read), a system call (openat), a tracepoint
    (sched_switch, sched:sched_switch), a type (task_struct), a word of bpftrace's language (comm, hist), a helper, map
    or program type of BPF (bpf_loop, LRU_HASH), a tool (opensnoop).

    A probe of bpftrace (tracepoint:syscalls:sys_enter_openat, kprobe:vfs_open, 'kprobe:tcp_*') has what it requires,
    where its types come from, whether it can be traced, and what is near where it cannot.

    Exit status: 0 explained, 1 a subject will not run here, 3 kdiag cannot tell whether it will.
    """
    from kdiag.cli.examination import here
    from kdiag.commands.explain import FORMATS, answers, as_script, rendered, status
    from kdiag.commands.trial import NotTried, tried

    one_of("--format", output_format, FORMATS)
    words = [*(names or ()), *(as_script(one) for one in programs or ())]
    if not words:
        fail(
            "nothing to explain: give a name, a probe, a script or a file, such as `kdiag explain kprobe:vfs_read`"
        )
    if try_it and (recording or os.geteuid() != 0):
        fail("--try loads the object into the kernel of this machine, as root: without --from, with sudo")
    place = here(recording, host, no_plugins=no_plugins)
    try:
        given = tuple(answers(words, place))
        if try_it:
            given = tuple(tried(one, place) for one in given)
    except NotKnown as error:
        fail(str(error))
    except NotTried as error:
        fail(f"--try: {error}", exits.CANNOT_TELL)
    shown = terminal(color)
    page = rendered(given, output_format, shown, place.place)
    console.rendering(page, exact=output_format != "text", color=shown.color)
    raise typer.Exit(status(given))


COMMANDS: tuple[tuple[str, Callable[..., None], Settings], ...] = (("explain", explain, {}),)
