"""The file that the user named, and the objects in it."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import NamedTuple

from kdiag.console.wrap import clean
from kdiag.explain.value import NotKnown
from kdiag.parse.bpf import embedded
from kdiag.parse.bpf.image import EM_BPF, MAGIC
from kdiag.parse.bpf.read import Object, read
from kdiag.parse.errors import ParseError
from kdiag.trust import read as trusted

#: Go programs that carry their objects have 150 MB.
LIMIT = 256 * 1024 * 1024
#: How much of a file says that it is text.
_HEAD = 512
#: The first bytes of BTF, in both orders (include/uapi/linux/btf.h, BTF_MAGIC).
_BTF = (b"\x9f\xeb", b"\xeb\x9f")
_BEGIN = {
    b"BC\xc0\xde": "LLVM's bitcode, which clang writes with -emit-llvm",
    b"!<arch>\n": "an archive of objects",
    b"\x1f\x8b": "compressed by gzip",
    b"\xfd7zXZ\0": "compressed by xz",
    b"\x28\xb5\x2f\xfd": "compressed by zstd",
    b"PK\3\4": "a ZIP archive",
}
#: A path, or a name that ends as clang's output does; not a probe, whose kind and a colon come first.
_LOOKS = re.compile(r"(?!\w+:)(?:.*/.*|.*\.o)", re.DOTALL)


class Source(NamedTuple):
    """A file with objects. embedded: it is a program, which decides itself which of its programs it loads."""

    path: str
    data: bytes
    objects: tuple[Object, ...]
    embedded: bool


def looks_like_one(word: str) -> bool:
    """Whether a word names a file that may be an object or a program with one."""
    return bool(_LOOKS.fullmatch(word)) and not word.endswith(".bt")


def open_source(path: str) -> Source:
    """Read a file. Raises NotKnown with the file's name, the place in it, and what to give instead."""
    shown = clean(path)
    try:
        data = trusted.user_file(path, LIMIT)
    except OSError as error:
        raise NotKnown(f"cannot read {shown}: {error.strerror or error}") from None
    except ValueError:
        raise NotKnown(f"{shown!r} is no path") from None
    found, carried = _parts(path, data)
    try:
        return Source(path, data, tuple(read(one.data, one.at) for one in found), embedded=carried)
    except ParseError as error:
        raise NotKnown(f"{shown}: {clean(str(error))}") from None


def _parts(path: str, data: bytes) -> tuple[tuple[embedded.Embedded, ...], bool]:
    """The objects in a file, and whether a program carries them. Raises NotKnown."""
    shown = clean(path)
    if not data.startswith(MAGIC):
        raise NotKnown(f"{shown}: not an ELF file: {_instead(data, shown)}")
    if len(data) >= 20 and EM_BPF in (
        int.from_bytes(data[18:20], "little"),
        int.from_bytes(data[18:20], "big"),
    ):
        return (embedded.Embedded(0, data),), False
    found = embedded.find(data)
    if not found:
        raise NotKnown(
            f"{shown}: no BPF object, and no program that carries one: no ELF file for BPF is in it{_compiled(data)}"
        )
    return found, True


def _instead(data: bytes, shown: str) -> str:
    """What a file is that is no ELF file, and what to give or to run instead."""
    wanted = "give a BPF object (clang -target bpf -g -O2 -c) or a program that carries one"
    if not data:
        return f"it is empty; {wanted}"
    if data[:2] in _BTF:
        return f"it is bare BTF, which `kdiag btf --file {shown}` describes"
    known = next((what for magic, what in _BEGIN.items() if data.startswith(magic)), None)
    if known is not None:
        return f"it is {known}; {wanted}"
    if b"\0" not in data[:_HEAD]:
        with suppress(UnicodeDecodeError):
            data[:_HEAD].decode()
            return f"it is text: a script of bpftrace ends in .bt, or comes by `-`; {wanted}"
    return f"it begins with {data[:4].hex(' ')}; {wanted}"


def _compiled(data: bytes) -> str:
    """Of an object of another machine: how the one for BPF is made."""
    if data[16:18] not in (b"\1\0", b"\0\1"):
        return ""
    return "; it was compiled for a processor, and BPF is what clang makes with -target bpf"
