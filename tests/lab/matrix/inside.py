"""What happens in the guest: the disks and variables of a headers state, the script for some cells, its answer read."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

from .. import assemble, cpio
from ..catalogue import Who, catalogue
from ..cpio import Node
from ..guest import Job
from .axes import Cell

#: seconds for a cell's `check` under emulation; the slowest seen took 320 with `smoke`, on a loaded machine
CHECK_LIMIT = 300
#: what smoke may take: what it did not come to is skipped and says so, so that a machine without memory has an answer
_PATIENCE = 1080
#: what its last program may take to end
_GRACE = 120
_GUEST = Path(__file__).parents[1] / "guest"
_PROGRAMS = ("as", "seccomp")
_ENGINES = "opt/containers.py"


@dataclass(frozen=True, slots=True)
class Setting:
    """A headers state in a guest. ``script``: to be run once before; ``layers``: as assemble takes them."""

    layers: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    script: str = ""


def setting(kernel: str, headers: str) -> Setting:
    """How a kernel's guest comes into a headers state: names of lab.toml."""
    state = catalogue().headers[headers]
    layers = (*state.layers, *(["packages:" + ",".join(state.packages)] if state.packages else []))
    if not state.variables:
        return Setting(layers)
    owner = assemble.find_kernel(kernel)
    if state.of:
        owner = assemble.find_kernel(next(name for name in state.of[owner.arch] if name != kernel))
        layers = tuple(f"{layer}@{owner.name}" for layer in layers)
    script = ""
    if (
        "kheaders-extracted" in layers and owner.kheaders is None
    ):  # built in: the guest has the archive itself
        place = f"/opt/kheaders/{owner.release}"
        layers = tuple(layer for layer in layers if layer != "kheaders-extracted")
        script = f"mkdir -p {place} && tar -C {place} -xf /sys/kernel/kheaders.tar.xz"
    variables = tuple((name, value.format(release=owner.release)) for name, value in state.variables.items())
    return Setting(layers, variables, script)


@dataclass(frozen=True, slots=True)
class Guest:
    """Cells that share a boot: the same kernel, root and headers, the same kernel command line and memory."""

    cells: tuple[Cell, ...]

    @property
    def who(self) -> Who:
        """Who decides what is booted: the same for all cells."""
        return catalogue().who[self.cells[0].who]


def guests(cells: Sequence[Cell]) -> list[Guest]:
    """Put cells that can share a boot together, in the order of the first of each.

    Who can do the least comes first, so that root's programs leave nothing behind for the others.
    """
    people = catalogue().who
    together: dict[tuple[object, ...], list[Cell]] = {}
    for cell in cells:
        who = people[cell.who]
        apart = (who.append, who.layers, who.memory, who.name if who.alone else "")
        together.setdefault((cell.kernel, cell.root, cell.headers, *apart), []).append(cell)
    for members in together.values():
        members.sort(key=lambda cell: people[cell.who].power)
    return [Guest(tuple(members)) for members in together.values()]


def job(guest: Guest, *, smoke: bool = True, tail: str = "") -> tuple[assemble.Request, Job]:
    """What to boot and what to run in it. ``smoke=False`` asks for predictions only; ``tail`` runs after each cell."""
    first = guest.cells[0]
    state = setting(first.kernel, first.headers)
    # guests run side by side instead: a second processor in a guest costs a twentieth of its time and brings nothing
    root, more = root_of(first.root)
    request = assemble.Request(
        first.kernel, root, (*guest.who.layers, *more, *state.layers), guest.who.append, cpus=1
    )
    if guest.who.memory:
        request = replace(request, memory=guest.who.memory)
    lines = [_PROLOGUE, f"patience={patience(first.root)}", state.script]
    lines += [f"export {name}={shlex.quote(value)}" for name, value in state.variables]
    proved = f"smoke {','.join(smoked(first.root))}" if smoke else ""
    for index, cell in enumerate(guest.cells):
        who = catalogue().who[cell.who]
        lines += [who.before, f"cell {index} {who.name} {proved}\n{tail}", who.after]
    limit = 60.0 + len(guest.cells) * (CHECK_LIMIT + (patience(first.root) + _GRACE if smoke else 0))
    return request, Job("\n".join(lines), limit=limit, payload=_payload(guest))


def root_of(name: str) -> tuple[str, tuple[str, ...]]:
    """``debian12+tools`` -> the root, and the layers over it."""
    root, _, extra = name.partition("+")
    return root, (f"packages:{','.join(catalogue().extras[extra].packages[root])}",) if extra else ()


def smoked(root: str) -> tuple[str, ...]:
    """The tools that smoke proves in a root: () for those that are installed."""
    extra = root.partition("+")[2]
    return catalogue().extras[extra].smoke if extra else ()


def patience(root: str) -> int:
    """Seconds that smoke may take in a root."""
    extra = root.partition("+")[2]
    return (catalogue().extras[extra].seconds if extra else 0) or _PATIENCE


def _payload(guest: Guest) -> dict[str, Node]:
    """The programs ``as`` and ``seccomp``, the engines' own, and what ``as`` does for each of the guest's people."""
    nodes = {f"usr/local/bin/{name}": cpio.executable((_GUEST / name).read_bytes()) for name in _PROGRAMS}
    nodes[_ENGINES] = Node((_GUEST / "containers.py").read_bytes())
    for cell in guest.cells:
        enter = catalogue().who[cell.who].enter
        nodes[f"usr/local/lib/lab-who/{cell.who}"] = Node(f"{enter}\n".encode())
    return nodes


# Marks begin with @@: no line of indented JSON does. What a bpftrace leaves behind is taken away before the next cell.
_PROLOGUE = f"""
engines() {{ # engines NAME: start what NAME needs, once
	python3 /opt/containers.py start "$1" >&2
}}
tighten() {{ # an AppArmor profile "tight": files, and what a shell needs
	printf '%s\n' 'profile tight flags=(attach_disconnected,mediate_deleted) {{' file, network, signal, ptrace, \
		umount, unix, 'capability chown, capability dac_override, capability setuid, capability setgid,' \
		'capability sys_chroot,' '}}' >/run/tight
	apparmor_parser -r /run/tight
}}
part() {{ # part NAME SECONDS COMMAND...
	name=$1 seconds=$2; shift 2
	echo "@@part $name"
	timeout -k 5 $seconds as "$who" "$@" 2>/run/err; status=$?
	echo; echo "@@status $status"
	echo "@@err"; tail -c 4000 /run/err | sed 's/^@@/ @@/'; echo
}}
cell() {{ # cell INDEX WHO [smoke [TOOL,...]]
	who=$2
	rm -rf /tmp/kheaders-*; modprobe -r kheaders 2>/dev/null
	echo "@@cell $1"
	part check {CHECK_LIMIT} kdiag check --format json
	[ -z "$3" ] || part smoke $((patience + {_GRACE})) \
		kdiag smoke --format json --time-limit $patience ${{4:+--tool "$4"}}
	echo "@@done"
}}
"""


#: of timeout(1)
_ENDINGS = {124: "did not end in time", 137: "did not end in time, and was killed"}


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
                what = _ENDINGS.get(int(status), f"ended with {status}")
                problems.append(f"{name} {what} and gave no JSON: {err.strip()[-300:] or body[-300:]}")
        answers[cells[int(number)]] = Answer(parts.get("check"), parts.get("smoke"), "; ".join(problems))
    return answers
