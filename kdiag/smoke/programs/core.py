"""CO-RE programs: objects built ahead (objects/core.bpf.c), loaded with the libbpf that is installed; and the tools
that distributions build of BCC's libbpf-tools, each with a libbpf of its own.
"""

from __future__ import annotations

import base64
import pkgutil
import re
from collections.abc import Callable

from kdiag.smoke.programs.program import Program, Scene, Shown, Skip
from kdiag.trust.program import distrusted

_TRACING = rb"^tracing$"


def _object(name: str) -> Callable[[Scene], tuple[str, ...]]:
    return lambda scene: (
        base64.b64encode(pkgutil.get_data("kdiag.smoke", f"objects/{name}.bpf.o") or b"").decode("ascii"),
        scene.cause.comm,
    )


def _said(text: str) -> Callable[[Scene, Shown], str]:
    return lambda scene, _: scene.said(text)


def _program(name: str, title: str, object_: str, proof: str, action: str) -> Program:
    return Program(
        name,
        title,
        (name,),
        _object(object_),
        _said(proof),
        action,
        tool="libbpf",
        ready=_TRACING,
        shown=(f"{object_}.bpf.o",),
    )


def _stock(name: str, *options: str) -> Callable[[Scene], tuple[str, ...]]:
    """A tool of libbpf-tools, by the names that Debian (12: the bare one) and Fedora give it; line by line."""

    def arguments(_: Scene) -> tuple[str, ...]:
        names = (f"{name}-libbpf", f"bpf-{name}", name)
        path = next((place for one in names if _is_program(place := f"/usr/sbin/{one}")), None)
        if path is None:
            raise Skip(f"{name} of libbpf-tools is not installed: not as {', '.join(names)} in /usr/sbin")
        why = distrusted(path)
        if why:
            raise Skip(f"{path} was not run: {why}")
        return ("/usr/bin/stdbuf", "-oL", path, *options)

    return arguments


def _is_program(path: str) -> bool:
    """Whether it is there and compiled: scripts by these names are other tools (perf-tools, BCC)."""
    try:
        with open(path, "rb") as file:
            return file.read(4) == b"\x7fELF"
    except OSError:
        return False


_SEEN = r"seen [1-9]\d*"

PROGRAMS: tuple[Program, ...] = (
    _program("core-tracepoint", "CO-RE: fork tracepoint", "tracepoint", _SEEN, "fork"),
    _program("core-kprobe", "CO-RE: kprobe on vfs_open", "kprobe", _SEEN, "open"),
    _program("core-fentry", "CO-RE: fentry on vfs_open", "fentry", _SEEN, "open"),
    _program("core-ringbuf", "CO-RE: raw tracepoint, ring buffer", "ring", r"ring [1-9]\d*", "fork"),
    _program("core-kfunc", "CO-RE: a kfunc is called", "kfunc", _SEEN, "fork"),
    _program("core-iter", "CO-RE: list of tasks (iterator)", "iterator", "listed", ""),
    *(
        Program(
            f"core-{name}",
            f"{name} of libbpf-tools",
            ("core-stock",),
            _stock(name, *options),
            lambda s, _: rf"\b{re.escape(s.cause.name)}\b",
            "snoop",
            tool="libbpf",
            ready=rb"^(?:PID|PCOMM|TIME)\b",
            alone=True,
        )
        # -x: failed execve(2), too
        for name, *options in (("opensnoop",), ("execsnoop", "-x"))
    ),
)
