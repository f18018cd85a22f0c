"""BTF for a kernel that provides none, or broken BTF: from a vmlinux of the same build, or from a
file that the user gives.

What is kept is bare BTF, for BPFTRACE_BTF to point to: bpftrace takes no ELF file there.
"""

from __future__ import annotations

import errno
import hashlib
import io
import os
import re
import stat
import struct
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kdiag import trust
from kdiag.fix.errors import FixError
from kdiag.parse import elf
from kdiag.parse.btf import Kind, parse
from kdiag.parse.compression import decompress
from kdiag.parse.errors import ParseError
from kdiag.system import Unavailable
from kdiag.trust import read

if TYPE_CHECKING:
    from kdiag.machine import Machine
    from kdiag.parse.btf.value import Btf

#: Ten times what the largest kernels have.
LIMIT = 64 * 1024 * 1024
_PACKED_LIMIT = 64 * 1024 * 1024

#: A member of struct pt_regs that only this architecture has (arch/*/include/asm/ptrace.h).
_REGISTERS = {
    "x86": "orig_ax",
    "arm64": "pstate",
    "arm": "uregs",
    "powerpc": "nip",
    "s390": "psw",
    "riscv": "epc",
    "loongarch": "csr_era",
    "mips": "cp0_epc",
}
#: A file name that begins like a release: BTFHub's are RELEASE.btf.tar.xz.
_RELEASE = re.compile(r"\d+\.\d+[.\d]*[-+~.\w]*", re.ASCII)


class BtfSource(NamedTuple):
    """BTF that can be used. proven: whether it is known to be of the running build; a file's BTF does not
    say.
    """

    data: bytes
    origin: str
    proven: bool

    @property
    def sha256(self) -> str:
        """In hex, of the bare BTF."""
        return hashlib.sha256(self.data).hexdigest()

    def name(self, release: str) -> str:
        """The file's name in the store."""
        return f"{release}-{self.sha256[:12]}.btf"


def from_file(path: str, machine: Machine) -> BtfSource:
    """The BTF in a file of the user's: bare, packed, in a tar (BTFHub's `.btf.tar.xz`) or in an ELF file's
    .BTF section.

    Raises FixError if it is not a kernel's BTF, or of another release by its name, another architecture or
    pointer size.
    """
    data = _bare(_file(path), path)
    btf = _parse(data, path)
    problem = _of_another_kernel(path, machine.kernel.release) or mismatch(btf, _source_arch(machine))
    if problem:
        raise FixError(f"{path} {problem}", "BTF of another kernel gives wrong data without any error")
    return BtfSource(data, path, proven=False)


def from_fallbacks(machine: Machine) -> tuple[BtfSource | None, str]:
    """The first sound BTF where libbpf looks, bare or in a vmlinux; else None and, in words, what is there instead."""
    said = ""
    for candidate in machine.btf.fallbacks:
        if candidate.problem:
            said = said or f"{candidate.path}: {candidate.problem}"
            continue
        try:
            section = _section(machine, candidate.path)
            problem = mismatch(_parse(section, candidate.path), _source_arch(machine))
        except (Unavailable, ParseError, FixError) as error:
            said = said or f"{candidate.path}: {error}"
            continue
        if not problem:
            return BtfSource(section, candidate.path, proven=candidate.same_build is True), ""
        said = said or f"{candidate.path} {problem}"
    return None, said


def _section(machine: Machine, path: str) -> bytes:
    """Bare BTF, or the .BTF section of an image that may have 800 MB, of which little is read."""
    from elftools.common.exceptions import ELFError
    from elftools.elf.elffile import ELFFile

    bare = machine.btf.bare(path)
    if bare is not None:
        return bare
    handle = machine.system.open(path)
    if handle is None:
        raise FixError(f"{path} went away")
    with handle:
        try:
            found = ELFFile(handle).get_section_by_name(".BTF")
            if found is None or found["sh_size"] > LIMIT:
                raise FixError(f"{path} has no usable .BTF section any more")
            return bytes(found.data())
        except (ELFError, OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            # pyelftools raises many things on files that are not what they claim.
            raise FixError(f"{path} is not a readable ELF file: {error}") from None


def in_store(release: str, directories: tuple[Path, ...]) -> Path | None:
    """BTF of this release that an earlier fix kept, the newest; only where no user but root and us could have
    put it.
    """
    wanted = re.compile(re.escape(release) + r"-[0-9a-f]{12}\.btf", re.ASCII)
    for directory in directories:
        found: list[tuple[float, Path]] = []
        try:
            with trust.directory(directory) as place:
                for name in filter(wanted.fullmatch, os.listdir(place)):
                    info = os.stat(name, dir_fd=place, follow_symlinks=False)
                    if stat.S_ISREG(info.st_mode) and info.st_size and not trust.problem(info, name):
                        found.append((info.st_mtime, directory / name))
        except (OSError, trust.Untrusted):
            continue
        if found:
            return max(found)[1]
    return None


def mismatch(btf: Btf, source_arch: str | None) -> str:
    """Why this cannot be the running kernel's BTF, by its content; empty if nothing speaks against it."""
    if btf.byteorder != sys.byteorder:
        return f"is {btf.byteorder}-endian, this machine is {sys.byteorder}-endian"
    if btf.find("task_struct", (Kind.STRUCT,)) is None:
        return "has no struct task_struct: it is not the BTF of a kernel"
    size = _pointer_size(btf)
    # The kernel may be of 64 bits below a Python of 32, not the other way round.
    if size is not None and size < struct.calcsize("P"):
        return f"is of a kernel with pointers of {size} bytes"
    registers = btf.find("pt_regs", (Kind.STRUCT,))
    wanted = _REGISTERS.get(source_arch or "")
    if registers is not None and wanted is not None:
        try:
            members = {member.name for member in btf.members(registers, flatten=True)}
        except ParseError as error:
            return f"is not the BTF of a kernel: {error}"
        if wanted not in members:
            others = [arch for arch, member in _REGISTERS.items() if member in members]
            return f"is of another architecture ({', '.join(others) or 'unknown'}), this one is {source_arch}"
    return ""


def _pointer_size(btf: Btf) -> int | None:
    """Bytes of a pointer: where the second of the two in struct list_head begins; None without that struct."""
    found = btf.find("list_head", (Kind.STRUCT,))
    members = () if found is None else btf.members(found)
    return members[1].bit_offset // 8 if len(members) == 2 else None


def _source_arch(machine: Machine) -> str | None:
    try:
        return machine.kernel.source_arch
    except Unavailable:
        return None


def _parse(data: bytes, path: str) -> Btf:
    try:
        return parse(data)
    except ParseError as error:
        raise FixError(f"{path}: {error}") from None


def _of_another_kernel(path: str, release: str) -> str:
    """By its name alone: BTF does not say which release it is of."""
    name = os.path.basename(path)
    for suffix in (".xz", ".gz", ".zst", ".tar", ".btf"):
        name = name.removesuffix(suffix)
    if _RELEASE.fullmatch(name) and name != release:
        return f"is by its name of {name}, the running kernel is {release}"
    return ""


def _file(path: str) -> bytes:
    try:
        return read.user_file(path, _PACKED_LIMIT)
    except (OSError, ValueError) as error:
        if isinstance(error, OSError) and error.errno == errno.EFBIG:
            text = f"it has more than {_PACKED_LIMIT >> 20} MiB: it is not the BTF of a kernel"
        else:
            text = (error.strerror or "") if isinstance(error, OSError) else str(error)
        raise FixError(f"{path}: {text}") from None


def _bare(data: bytes, path: str) -> bytes:
    """The BTF inside whatever it is packed in."""
    try:
        data = decompress(data, limit=LIMIT)
        if data[257:262] == b"ustar":
            data = _from_tar(data, path)
        if data.startswith(b"\x7fELF"):
            section = elf.section(data, ".BTF")
            if section is None:
                raise FixError(f"{path} is an ELF file without a .BTF section")
            data = section
    except ParseError as error:
        raise FixError(f"{path}: {error}") from None
    return data


def _from_tar(data: bytes, path: str) -> bytes:
    """The only `.btf` file in a tar. Nothing is extracted."""
    import tarfile

    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            found = [m for m in archive.getmembers() if m.isfile() and m.name.endswith(".btf")]
            if len(found) != 1:
                raise FixError(f"{path} holds {len(found)} .btf files instead of one")
            file = archive.extractfile(found[0])
            return b"" if file is None else file.read()
    except (tarfile.TarError, EOFError, ValueError, OverflowError) as error:
        raise FixError(f"{path}: a damaged tar: {error}") from None
