"""BCC's programs: small ones (`kdiag.smoke.bcc_loader`), each a step further than the one before, so that compiler,
headers, load and attach fail apart; and the tools that distributions install.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable

from kdiag.smoke.programs.program import Program, Scene, Shown, Skip, libc
from kdiag.trust.program import distrusted

#: Debian and its family suffix the tools; others keep BCC's own directory (Arch and Alpine, too).
_PLACES = ("/usr/sbin/{}-bpfcc", "/usr/share/bcc/tools/{}")
#: The small programs say it, and so do the tools; opensnoop, execsnoop and old ones only have the heads of columns.
_FIRST_LINE = 256
_TRACING = rb"^tracing$"
_TOOL = rb"^(?:Tracing |PID |PCOMM )"
_SEEN = r"seen [1-9]\d*"


def _small(name: str) -> Callable[[Scene], tuple[str, ...]]:
    return lambda scene: (name, scene.cause.comm)


def _uprobe(scene: Scene) -> tuple[str, ...]:
    return "uprobe", scene.cause.comm, libc(scene)


def _program(
    name: str,
    title: str,
    proof: str,
    action: str = "",
    arguments: Callable[[Scene], tuple[str, ...]] | None = None,
) -> Program:
    return Program(
        f"bcc-{name}",
        f"BCC: {title}",
        (f"bcc-{name}",),
        arguments or _small(name),
        lambda scene, _: scene.said(proof),
        action,
        # All but the first are given the time that clang needs for the kernel's headers.
        heavy=name != "compiler",
        tool="bcc",
        ready=_TRACING,
    )


def _first_line(path: str) -> list[str]:
    """The words of a script's first line, [] of anything else and of what is not there."""
    try:
        with open(path, "rb") as file:
            line = file.readline(_FIRST_LINE)
    except OSError:
        return []
    return os.fsdecode(line[2:]).split() if line.startswith(b"#!") else []


def _stock(
    name: str, options: Callable[[Scene], tuple[str, ...]] = lambda _: ()
) -> Callable[[Scene], tuple[str, ...]]:
    """A tool, run by the interpreter of its first line, unbuffered: its output is read while it runs."""

    def arguments(scene: Scene) -> tuple[str, ...]:
        places = [one.format(name) for one in _PLACES]
        path = next((one for one in places if _first_line(one)), None)
        if path is None:
            raise Skip(f"{name} of BCC is not installed: there is no {' and no '.join(places)}")
        why = distrusted(path)
        if why:
            raise Skip(f"{path} was not run: {why}")
        # What env(1) would find is looked for along PATH all the same.
        words = [one for one in _first_line(path) if not one.endswith("/env")]
        if not words or "python" not in words[0]:
            raise Skip(f"{path} is not a script for Python")
        return (words[0], "-I", "-B", "-u", path, *options(scene))

    return arguments


def _tool(
    arguments: Callable[[Scene], tuple[str, ...]],
    name: str,
    needs: tuple[str, ...],
    proof: Callable[[Scene, Shown], str],
    action: str,
) -> Program:
    return Program(
        f"bcc-{name}",
        f"{name} of BCC",
        needs,
        arguments,
        proof,
        action,
        heavy=True,
        tool="bcc",
        ready=_TOOL,
        alone=True,
    )


def _tcpconnect(scene: Scene) -> tuple[str, ...]:
    if not scene.cause.port:
        raise Skip("no TCP connection over the loopback is possible here; try `ip link set lo up`")
    return _stock("tcpconnect")(scene)


def _biolatency(scene: Scene) -> tuple[str, ...]:
    if not any(os.path.exists(f"/sys/block/{name}/device") for name in _blocks()):
        raise Skip("there is no disk here to read from")
    return _stock("biolatency", lambda _: ("1",))(scene)


def _blocks() -> list[str]:
    try:
        return os.listdir("/sys/block")
    except OSError:
        return []


def _runqlat(scene: Scene) -> tuple[str, ...]:
    ours = ("-p", str(scene.cause.pid)) if scene.exact_pids else ()
    return _stock("runqlat", lambda _: (*ours, "1"))(scene)


def _named(scene: Scene, _: Shown) -> str:
    return rf"\b{re.escape(scene.cause.name)}\b"


def _connected(scene: Scene, _: Shown) -> str:
    """Its columns cut a name at twelve characters; process and port are ours alone."""
    return rf"^{scene.pid(scene.cause.pid)} +{re.escape(scene.cause.comm[:12])} .* {scene.cause.port} *$"


def _bars(_: Scene, __: Shown) -> str:
    """A line of a histogram that is not empty."""
    return r"^ +\d+ -> \d+ +: [1-9]\d* +\|"


def _counted(_: Scene, __: Shown) -> str:
    return r"^(?:b')?vfs_open'? +[1-9]\d*$"


PROGRAMS: tuple[Program, ...] = (
    _program("compiler", "the compiler starts", "compiled"),
    _program("headers", "kernel headers are found", "compiled"),
    _program("structs", "structs from headers compile", "compiled"),
    _program("net", "the network's headers compile", "compiled"),
    _program("load", "a program loads", "loaded"),
    _program("kprobe", "kprobe on vfs_open", _SEEN, "open"),
    _program("perf", "perf buffer", _SEEN, "open"),
    _program("tracepoint", "fork tracepoint", _SEEN, "fork"),
    _program("uprobe", "uprobe in our own process", _SEEN, "getppid", _uprobe),
    _tool(_stock("opensnoop"), "opensnoop", ("bcc-opensnoop",), _named, "snoop"),
    # -x: failed execve(2), too
    _tool(
        _stock("execsnoop", lambda _: ("-x",)),
        "execsnoop",
        ("bcc-execsnoop",),
        _named,
        "snoop",
    ),
    _tool(_tcpconnect, "tcpconnect", ("bcc-perf", "bcc-net"), _connected, "tcp"),
    _tool(_biolatency, "biolatency", ("bcc-biolatency",), _bars, "disk"),
    _tool(_runqlat, "runqlat", ("bcc-runqlat",), _bars, "compute"),
    _tool(
        _stock("funccount", lambda _: ("-i", "1", "vfs_open")),
        "funccount",
        ("bcc-functions",),
        _counted,
        "open",
    ),
)
