"""BPF instructions: eight bytes each, include/uapi/linux/bpf.h (struct bpf_insn); a 64-bit load takes two."""

from __future__ import annotations

import struct
from typing import NamedTuple

from kdiag.parse.errors import ParseError

SIZE = 8
LD, LDX, ST, STX, ALU, JMP, JMP32, ALU64 = range(8)
CALL, EXIT, JA = 0x85, 0x95, 0x05
JA32 = 0x06
LOAD_64 = 0x18
#: src_reg of a call: a helper, a function of the object, a function of the kernel.
HELPER, FUNCTION, KFUNC = 0, 1, 2
#: src_reg of a 64-bit load: the address of a function of the object (BPF_PSEUDO_FUNC).
CALLBACK = 4


class Instruction(NamedTuple):
    """One instruction; dst and src are registers, off and imm are signed."""

    code: int
    dst: int
    src: int
    off: int
    imm: int

    @property
    def kind(self) -> int:
        """The class: LD, LDX, ST, STX, ALU, JMP, JMP32 or ALU64."""
        return self.code & 7


def decode(data: bytes, order: str, what: str, at: int) -> tuple[Instruction, ...]:
    """The instructions of a function. what, at: its name and place, for the error."""
    if len(data) % SIZE:
        raise ParseError(f"{what}: {len(data)} bytes of code, not a multiple of {SIZE}", at)
    rows = struct.iter_unpack(f"{order}BBhi", data)
    if order == "<":
        return tuple(Instruction(code, regs & 15, regs >> 4, off, imm) for code, regs, off, imm in rows)
    return tuple(Instruction(code, regs >> 4, regs & 15, off, imm) for code, regs, off, imm in rows)
