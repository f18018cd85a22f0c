"""libbcc.so: what its compiler takes along, read from the library itself.

BCC keeps a bpf.h of its own as a text in the library (src/cc/exported_files.cc), and puts it in the place of the
kernel's. So what that header has is looked up in the library that is installed, and not in a table of releases.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from kdiag.parse import cheaders

#: src/cc/compat/linux/virtual_bpf.h, between its first line and the end of the literal.
_BEGIN = rb"#ifndef (?:_UAPI)?__LINUX_BPF_H__\n"
#: The libraries it asks for (DT_NEEDED): libLLVM-14.so.1, libLLVM.so.19.1; a build with LLVM in it says its version.
_LLVM = rb"\0libLLVM-(\d+)(?:\.\d+)*\.so|\0libLLVM\.so\.(\d+)|(?:LLVM|clang) version (\d+)\.\d+"
#: An argument that BCC gives clang beside -fms-extensions (kbuild_helper.cc, c3f35ecc). clang's own names lack "-W".
_MS_EXTENSIONS = b"-Wno-microsoft-anon-tag"


class Library(NamedTuple):
    """names: what its bpf.h defines, None where no such text was found; llvm: the major release of its compiler;
    ms_extensions: whether it lets clang compile unnamed members with a tag.
    """

    names: frozenset[str] | None
    llvm: int | None
    ms_extensions: bool


def parse(data: bytes) -> Library:
    """What the bytes of a libbcc.so say."""
    text = _bpf_h(data)
    found = re.search(_LLVM, data)
    llvm = next((int(group) for group in found.groups() if group), None) if found else None
    return Library(None if text is None else cheaders.defined(text), llvm, _written(data, _MS_EXTENSIONS))


def digest(data: bytes) -> bytes:
    """A small file of which `parse` says the same."""
    text = _bpf_h(data)
    found = re.search(_LLVM, data)
    parts = [b"\x7fELF, reduced by kdiag to what was asked of it\n"]
    if found:
        parts.append(found[0].removeprefix(b"\0"))
    if _written(data, _MS_EXTENSIONS):
        parts.append(_MS_EXTENSIONS)
    if text is not None:
        parts.append(b"#ifndef _UAPI__LINUX_BPF_H__\n" + cheaders.digest(text).encode())
    return b"\0".join(parts) + b"\0"


def _written(data: bytes, text: bytes) -> bool:
    """Whether a program writes a text of at least 16 bytes, which a compiler may have split.

    gcc copies a short one through registers: its first 16 bytes are a constant, or two numbers in instructions, and
    its last eight are a number (seen in Debian's libbcc 0.37.0: "-Wno-microsoft-a" in .rodata, "anon-tag" in a mov).
    """
    first, second, last = text[:8], text[8:16], text[-8:]
    return all(piece in data for piece in (first, second, last))


def _bpf_h(data: bytes) -> str | None:
    found = re.search(_BEGIN, data)
    if found is None:
        return None
    end = data.find(b"\0", found.end())
    return data[found.start() : end if end >= 0 else len(data)].decode("utf-8", "replace")
