"""CO-RE programs: objects built ahead (objects/core.bpf.c), loaded with the libbpf that is installed."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path

from kdiag.smoke.programs.program import Program, Scene, Shown

_OBJECTS = Path(__file__).resolve().parents[1] / "objects"
_TRACING = rb"^tracing$"


def _object(name: str) -> Callable[[Scene], tuple[str, ...]]:
    return lambda scene: (
        base64.b64encode((_OBJECTS / f"{name}.bpf.o").read_bytes()).decode("ascii"),
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


_SEEN = r"seen [1-9]\d*"

PROGRAMS: tuple[Program, ...] = (
    _program("core-tracepoint", "CO-RE: fork tracepoint", "tracepoint", _SEEN, "fork"),
    _program("core-kprobe", "CO-RE: kprobe on vfs_open", "kprobe", _SEEN, "open"),
    _program("core-fentry", "CO-RE: fentry on vfs_open", "fentry", _SEEN, "open"),
    _program("core-ringbuf", "CO-RE: raw tracepoint, ring buffer", "ring", r"ring [1-9]\d*", "fork"),
    _program("core-kfunc", "CO-RE: a kfunc is called", "kfunc", _SEEN, "fork"),
    _program("core-iter", "CO-RE: list of tasks (iterator)", "iterator", "listed", ""),
)
