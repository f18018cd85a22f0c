"""What happens in the guest: the disks and variables of a headers state, the script for some cells, its answer read."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from .. import assemble, cpio
from ..cpio import Node
from ..guest import Job
from .axes import Cell

#: seconds for one cell under emulation; the slowest seen took 320 on a loaded machine
CELL_LIMIT = 900
_AS = Path(__file__).parents[1] / "guest/as"
_SOURCE, _BUILD = "BPFTRACE_KERNEL_SOURCE", "BPFTRACE_KERNEL_BUILD"


@dataclass(frozen=True, slots=True)
class Setting:
    """A headers state in a guest. ``script``: to be run once before; ``layers``: as assemble takes them."""

    layers: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    script: str = ""


def setting(kernel: str, headers: str) -> Setting:
    """How a kernel's guest comes into a headers state: names of axes.KERNELS and axes.HEADERS."""
    if headers == "none":
        return Setting()
    if headers == "package":
        return Setting(("headers",))
    if headers == "half":
        return Setting(("headers-arch",))
    if headers == "module":
        return Setting(("kheaders",))
    owner = assemble.find_kernel(kernel)
    extracted = f"/opt/kheaders/{owner.release}"
    if headers == "extracted":
        if owner.kheaders is not None:
            return Setting(("kheaders-extracted",), ((_SOURCE, extracted),))
        built_in = f"mkdir -p {extracted} && tar -C {extracted} -xf /sys/kernel/kheaders.tar.xz"
        return Setting((), ((_SOURCE, extracted),), built_in)
    if headers == "wrong-path":
        return Setting((), ((_SOURCE, f"/usr/src/linux-headers-{owner.release}"),))
    if headers == "wrong-arch" and owner.arch == "arm64":
        other = assemble.find_kernel("nobtf-ikheaders-m")
        layer = ("kheaders-extracted@nobtf-ikheaders-m",)
        return Setting(layer, ((_SOURCE, f"/opt/kheaders/{other.release}"),))
    return _packages_of("debian-6.12-arm64" if headers == "wrong-arch" else _another(kernel))


def _another(kernel: str) -> str:
    """A kernel of the same architecture and another release."""
    other = "debian-6.12" if kernel == "debian-6.1" else "debian-6.1"
    return f"{other}-arm64" if kernel.endswith("-arm64") else other


def _packages_of(kernel: str) -> Setting:
    place = f"/lib/modules/{assemble.find_kernel(kernel).release}"
    return Setting((f"headers@{kernel}",), ((_SOURCE, f"{place}/source"), (_BUILD, f"{place}/build")))


@dataclass(frozen=True, slots=True)
class Guest:
    """Cells that share a boot: the same kernel, root and headers, and the same kernel command line."""

    cells: tuple[Cell, ...]

    @property
    def lockdown(self) -> str:
        """The mode on the kernel command line, or "" for none."""
        return _lockdown(self.cells[0])


def _lockdown(cell: Cell) -> str:
    return cell.who if cell.who in ("integrity", "confidentiality") else ""


def guests(cells: Sequence[Cell]) -> list[Guest]:
    """Put cells that can share a boot together, in the order of the first of each.

    Who can do the least comes first, so that root's programs leave nothing behind for the others.
    """
    together: dict[tuple[str, ...], list[Cell]] = {}
    for cell in cells:
        together.setdefault((cell.kernel, cell.root, cell.headers, _lockdown(cell)), []).append(cell)
    power = ("user", "user-namespace", "no-capabilities", "container", "root")
    for members in together.values():
        members.sort(key=lambda cell: power.index(cell.who) if cell.who in power else 0)
    return [Guest(tuple(members)) for members in together.values()]


def job(guest: Guest, *, smoke: bool = True, tail: str = "") -> tuple[assemble.Request, Job]:
    """What to boot and what to run in it. ``smoke=False`` asks for predictions only; ``tail`` runs after each cell."""
    first = guest.cells[0]
    state = setting(first.kernel, first.headers)
    append = [f"lockdown={guest.lockdown}"] if guest.lockdown else []
    # guests run side by side instead: a second processor in a guest costs a twentieth of its time and brings nothing
    request = assemble.Request(first.kernel, first.root, state.layers, append, cpus=1)
    lines = [_PROLOGUE, state.script]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in state.variables]
    lines += [
        f"cell {index} {cell.who} {'smoke' if smoke else ''}\n{tail}"
        for index, cell in enumerate(guest.cells)
    ]
    payload: dict[str, Node] = {"usr/local/bin/as": cpio.executable(_AS.read_bytes())}
    limit = 60.0 + len(guest.cells) * (CELL_LIMIT if smoke else 120)
    return request, Job("\n".join(lines), limit=limit, payload=payload)


# Marks begin with @@: no line of indented JSON does. What a bpftrace leaves behind is taken away before the next cell.
_PROLOGUE = f"""
part() {{ # part NAME COMMAND...
	name=$1; shift
	echo "@@part $name"
	timeout -k 5 {CELL_LIMIT} as "$who" "$@" 2>/tmp/err; status=$?
	echo; echo "@@status $status"
	echo "@@err"; tail -c 4000 /tmp/err | sed 's/^@@/ @@/'; echo
}}
cell() {{ # cell INDEX WHO [smoke]
	who=$2
	rm -rf /tmp/kheaders-*; modprobe -r kheaders 2>/dev/null
	echo "@@cell $1"
	part check kdiag check --format json
	[ -z "$3" ] || part smoke kdiag smoke --format json
	echo "@@done"
}}
"""


@dataclass(frozen=True, slots=True)
class Part:
    """One command's answer in a guest: its JSON, its exit status, the end of its standard error."""

    report: Mapping[str, object]
    status: int
    err: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a cell's commands said. ``problem``: why an answer is missing, "" if both are there."""

    check: Part | None
    smoke: Part | None
    problem: str


def read(out: bytes, cells: Sequence[Cell]) -> dict[Cell, Answer]:
    """Answers of the cells that the guest's output holds whole; one whose end is missing is left out."""
    answers = {}
    text = out.decode("utf-8", "replace")
    for block in re.split(r"^@@cell ", text, flags=re.MULTILINE)[1:]:
        number, _, rest = block.partition("\n")
        if not re.search(r"^@@done$", rest, re.MULTILINE):
            continue
        parts, problems = {}, []
        for name, body, status, err in re.findall(
            r"^@@part (\w+)\n(.*?)\n@@status (\d+)\n@@err\n(.*?)(?=^@@)", rest, re.MULTILINE | re.DOTALL
        ):
            try:
                parts[name] = Part(cast("dict[str, object]", json.loads(body)), int(status), err.strip())
            except ValueError:
                problems.append(
                    f"{name} ended with {status} and gave no JSON: {err.strip()[-300:] or body[-300:]}"
                )
        answers[cells[int(number)]] = Answer(parts.get("check"), parts.get("smoke"), "; ".join(problems))
    return answers
