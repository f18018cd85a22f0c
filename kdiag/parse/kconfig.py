"""The kernel's configuration file (`.config`, /boot/config-*, the text in /proc/config.gz).

The format is what scripts/kconfig/confdata.c of the kernel writes: `CONFIG_X=y`, `=m`, `="text"`, `=250`,
`=0x1000`, and `# CONFIG_X is not set` for an explicit no. An option that is not mentioned at all is hidden
by a dependency, or does not exist in that kernel: that is another answer than "no".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from kdiag.parse.errors import ParseError

Value = str | int | None
"""'y', 'm', 'n' (explicitly "is not set"), the text of a string option, an int for int and hex, None when
absent.
"""

_OPTION = re.compile(
    r"^(?:CONFIG_([A-Za-z0-9_]+)=(.*)|# CONFIG_([A-Za-z0-9_]+) is not set[ \t]*)$", re.MULTILINE
)
_STRANGE = re.compile(r"^(?!#|CONFIG_[A-Za-z0-9_]+=)[ \t]*[^ \t\n].*$", re.MULTILINE)
_BANNER = re.compile(r"^# Linux/(\S+) (\S+) Kernel Configuration[ \t]*$", re.MULTILINE)
_ESCAPE = re.compile(r"\\(.)")
_INTEGER = re.compile(r"-?[0-9]{1,20}|0[xX][0-9a-fA-F]{1,16}")

# Even a complete configuration made by allnoconfig mentions many more: 1776 in a small x86 one of 6.12.
_COMPLETE_OPTIONS = 200


class KernelConfig(NamedTuple):
    """What a configuration file says.

    `values` maps option names without `CONFIG_` to the raw text after `=` (strings keep their quotes), `n`
    for "is not set"; where an option is mentioned twice the last mention counts, as for the kernel's build.

    `banner_arch` and `banner_version` come from the line "# Linux/x86 6.12.107 Kernel Configuration". The
    version is the source's, not the release that `uname -r` prints: local versions are not in it, and
    distributions may keep an old number in their release (Ubuntu 24.04's 6.8.0 kernels began with the
    source of 6.8.1).

    `complete` is False for a fragment or a defconfig (no banner, or few options) and for a file whose last
    line is cut: what such a file does not mention is unknown, not absent.
    """

    values: Mapping[str, str]
    banner_arch: str | None
    banner_version: str | None
    complete: bool

    def get(self, name: str) -> Value:
        """The value of an option, with or without `CONFIG_`; None if the file does not mention it."""
        raw = self.values.get(name, self.values.get(name.removeprefix("CONFIG_")))
        if raw is None or raw in ("y", "m", "n"):
            return raw
        if raw.startswith('"'):
            return _ESCAPE.sub(r"\1", raw[1:-1] if raw.endswith('"') and len(raw) > 1 else raw[1:])
        if _INTEGER.fullmatch(raw):
            return int(raw, 16 if raw[:2] in ("0x", "0X") else 10)
        return raw


def parse(data: bytes) -> KernelConfig:
    """Read the uncompressed text of a configuration.

    ParseError, whose `offset` is a line number here, for anything that is not one: binary data, HTML, other
    text.
    """
    if not data.strip():
        raise ParseError("not a kernel configuration: empty")
    if (nul := data.find(b"\0")) >= 0:
        raise ParseError("not a kernel configuration: a NUL byte in line", _line(data, nul))
    text = data.decode("utf-8-sig", errors="replace")
    if "\r" in text:
        text = text.replace("\r\n", "\n")
    values = {name or unset: value.rstrip() if name else "n" for name, value, unset in _OPTION.findall(text)}
    _refuse_other_text(text, len(values))
    banner = _BANNER.search(text)
    return KernelConfig(
        values=MappingProxyType(values),
        banner_arch=banner[1] if banner else None,
        banner_version=banner[2] if banner else None,
        complete=banner is not None and len(values) >= _COMPLETE_OPTIONS and text.endswith("\n"),
    )


def _refuse_other_text(text: str, options: int) -> None:
    """A stray line is forgiven (people edit these files); text that is mostly something else is not a
    config.
    """
    strange = _STRANGE.findall(text)
    if options > len(strange):
        return
    if not strange:
        raise ParseError("not a kernel configuration: only comments, no CONFIG_ line")
    first = _STRANGE.search(text)
    line = text.count("\n", 0, first.start()) + 1 if first else 1
    raise ParseError(f"not a kernel configuration: {strange[0][:60]!r} in line", line)


def _line(data: bytes, offset: int) -> int:
    return data.count(b"\n", 0, offset) + 1
