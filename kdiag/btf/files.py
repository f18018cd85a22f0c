"""Type information in a file that the user named: bare BTF, or an ELF file that has a section of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdiag.btf.sources import LIMIT, BadFile, Source, Types
from kdiag.console.printable import line
from kdiag.parse.btf import BtfError, parse
from kdiag.parse.btf.graph import Graph
from kdiag.parse.btf.sections import MAGIC, content, sections
from kdiag.parse.errors import ParseError
from kdiag.trust import read

if TYPE_CHECKING:
    from typing import BinaryIO

_BARE = (b"\x9f\xeb", b"\xeb\x9f")


def of_file(path: str, base: str = "") -> Source:
    """The types in a file: bare BTF, or the .BTF section of an ELF file. base: the file that split BTF is on top of.
    Raises BadFile.
    """
    below = of_file(base).main.btf if base else None
    data = bytes_of(path)
    try:
        btf = parse(data, base=below, lazy=True)
    except BtfError as error:
        hint = (
            "" if base else "; --base FILE names the BTF that it is on top of" * ("split BTF" in str(error))
        )
        raise BadFile(f"{path}: {error}{hint}") from None
    return Source(path, "", Types(path, "", Graph(btf, line), data))


def bytes_of(path: str) -> bytes:
    """The BTF in a file. Raises BadFile."""
    try:
        with read.opened(path) as file:
            start = file.read(4)
            if start == MAGIC:
                return _of_elf(file, path)
            if start[:2] not in _BARE:
                shown = start.hex(" ") or "nothing"
                raise BadFile(
                    f"{path}: neither BTF (begins with 9f eb or eb 9f) nor an ELF file: it begins with {shown}"
                )
            data = start + read.at_most(file, LIMIT + 1)
    except OSError as error:
        raise BadFile(f"{path}: {error.strerror or error}") from None
    except ParseError as error:
        raise BadFile(f"{path}: {error}") from None
    except ValueError:
        raise BadFile(f"{path!a}: not a path") from None
    if len(data) > LIMIT:
        raise BadFile(f"{path}: more than {LIMIT} bytes of BTF")
    return data


def _of_elf(file: BinaryIO, path: str) -> bytes:
    for section in sections(file):
        if section.name == ".BTF":
            return content(file, section, LIMIT)
    raise BadFile(f"{path}: an ELF file without a .BTF section; pahole -J makes one out of debug information")
