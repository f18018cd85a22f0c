"""What a machine's kernel says of itself, by the digest of its content."""

from __future__ import annotations

import hashlib
from collections.abc import Collection

from kdiag.compare.information import Information, Piece
from kdiag.knowledge.options import options
from kdiag.machine import Machine
from kdiag.machine.btf import VMLINUX
from kdiag.machine.kheaders import ARCHIVE
from kdiag.system import Unavailable


def gather(name: str, machine: Machine, reduced: Collection[str] = ()) -> Information:
    """Of a machine. reduced: paths of which only a part was recorded."""
    pieces = {
        "btf": _file(machine, VMLINUX, part=VMLINUX in reduced),
        "kheaders": _file(machine, ARCHIVE, part=ARCHIVE in reduced),
        "config": _config(machine),
    }
    try:
        release = machine.kernel.release
    except Unavailable:
        release = "unknown"
    return Information(name, release, pieces)


def unseen(name: str, release: str) -> Information:
    """Of a report, which has findings and not the content that they are about."""
    why = "a report does not hold it (`kdiag record` does)"
    return Information(name, release, {piece: Piece(unknown=why) for piece in ("btf", "kheaders", "config")})


def _file(machine: Machine, path: str, *, part: bool) -> Piece:
    try:
        data = machine.system.read(path)
    except Unavailable as gap:
        return Piece(unknown=gap.reason)
    if data is None:
        return Piece()
    return Piece(hashlib.sha256(data).hexdigest(), len(data), part=part)


def _config(machine: Machine) -> Piece:
    """By its values. What is off is left out: whether a configuration has a line for it says nothing of the kernel."""
    try:
        every = machine.config.found.config.values
    except Unavailable as gap:
        return Piece(unknown=gap.reason)
    first = (option.name for option in options() if option.name in every)
    values = {name: every[name] for name in dict.fromkeys((*first, *sorted(every))) if every[name] != "n"}
    text = "\n".join(f"{name}={values[name]}" for name in sorted(values))
    return Piece(
        hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest(), len(text), values=values
    )
