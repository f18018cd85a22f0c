"""A helper, a map type or a program type of BPF: `bpf_probe_read_kernel`, `BPF_MAP_TYPE_HASH`, `RINGBUF`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdiag.btf.sources import NoTypes
from kdiag.explain.options.parts import here_title
from kdiag.explain.probe import types
from kdiag.explain.value import Answer, Section
from kdiag.knowledge.bpf.tables import Helper, MapType, ProgramType, helpers, map_types, program_types
from kdiag.parse.btf import BtfError

if TYPE_CHECKING:
    from kdiag.explain.here import Here

_MAP, _PROGRAM, _HELPER = "BPF_MAP_TYPE_", "BPF_PROG_TYPE_", "BPF_FUNC_"


def explain(word: str, here: Here) -> Answer | None:
    """What is said of a name of BPF's, None if it is none."""
    name = word.removesuffix("()")
    helper = name.removeprefix("bpf_") if name.startswith("bpf_") else name.removeprefix(_HELPER)
    if helper != name:
        found = next((one for one in helpers().values() if one.name == helper), None)
        if found is not None:
            return _helper(word, found, here)
    upper = name.upper() if name.isupper() or "-" not in name else name
    a_map = next((one for one in map_types().values() if one.name == upper.removeprefix(_MAP)), None)
    a_program = program_types().get(upper.removeprefix(_PROGRAM))
    if a_map is not None and not upper.startswith(_PROGRAM):
        return _map(word, a_map, here)
    return None if a_program is None else _program(word, a_program, here)


def _helper(word: str, one: Helper, here: Here) -> Answer:
    text = [_since(one.since)]
    text += ["Only programs under the GPL may call it."] if one.gpl else []
    return _answer(
        *(word, _title(word, f"bpf_{one.name}", "a helper that BPF programs call"), text),
        *(f"{_HELPER}{one.name}", here, ("man 7 bpf-helpers",)),
    )


def _map(word: str, one: MapType, here: Here) -> Answer:
    text = [_since(one.since), *_option(one.option)]
    title = _title(
        word, f"{_MAP}{one.name}", "a type of map: memory that programs of BPF and user space share"
    )
    return _answer(
        word, title, text, f"{_MAP}{one.name}", here, ("bpftool feature probe | grep map_type", "man 2 bpf")
    )


def _program(word: str, one: ProgramType, here: Here) -> Answer:
    needed = ("CAP_BPF", *one.capabilities)
    text = [
        _since(one.since),
        *_option(one.option),
        f"Loading one requires {' and '.join(needed)}, or CAP_SYS_ADMIN.",
    ]
    title = _title(word, f"{_PROGRAM}{one.name}", "a type of BPF program")
    commands = ("bpftool feature probe | grep program_type", *(f"kdiag explain {name}" for name in needed))
    return _answer(word, title, text, f"{_PROGRAM}{one.name}", here, commands)


def _title(word: str, name: str, what: str) -> str:
    return what if word == name else f"{name}, {what}"


def _since(release: str) -> str:
    return f"Linux has it since {release}; distributions may have taken it into older kernels."


def _option(option: str) -> list[str]:
    return [f"It requires CONFIG_{option}."] if option else []


def _answer(  # noqa: PLR0913, PLR0917
    word: str, title: str, text: list[str], constant: str, here: Here, commands: tuple[str, ...]
) -> Answer:
    sections = (
        Section("", tuple(text)),
        Section(here_title(here), (_here(constant, here),)),
        Section("See it yourself", commands=commands),
        Section("", ("Releases: iovisor/bcc docs/kernel-versions.md (6d0a964c2cda).",)),
    )
    return Answer(word, "bpf", title, "told", "", sections)


def _here(constant: str, here: Here) -> str:
    try:
        there = types.constant(here.types, constant)
        if there:
            return f"The kernel's BTF has the constant {constant}: this kernel knows it."
        if types.whole(here.types):
            return f"The kernel's BTF does not have the constant {constant}: this kernel does not know it."
        return f"Cannot tell: of the kernel's BTF only a part was recorded, without {constant}."
    except (NoTypes, BtfError) as error:
        return f"Cannot tell: {error}."
