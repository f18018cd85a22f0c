"""Kernel releases: include/generated/utsrelease.h says which kernel a header tree was made for (the kernel's Makefile,
rule include/generated/utsrelease.h), and a release has a number.
"""

from __future__ import annotations

import re

#: Where it lies in a header tree.
PATH = "include/generated/utsrelease.h"
#: The file has two lines; a distribution may add a comment.
LIMIT = 1 << 16

_LINE = re.compile(rb'^[ \t]*#[ \t]*define[ \t]+UTS_RELEASE[ \t]+"([^"\n]{1,200})"', re.MULTILINE)


def release(text: bytes) -> str | None:
    """The release that the file names, None if it names none. A commented line does not count, as for a compiler."""
    found = _LINE.search(text)
    return found[1].decode("utf-8", "replace") if found else None


def version_code(release: str, version: str, signature: str) -> int:
    """LINUX_VERSION_CODE by uname(2) and Ubuntu's /proc/version_signature. Debian and Ubuntu number their releases by
    ABI (4.19.0-27 is 4.19.316) and tell the true version elsewhere (libbpf, src/libbpf_probes.c); the patch level
    stops at 255 (Makefile, filechk_version.h).
    """
    found = (
        re.match(r"\S+ \S+ (\d+)\.(\d+)\.(\d+)", signature)
        or re.search(r"\bDebian (\d+)\.(\d+)\.(\d+)", version)
        or re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", release)
    )
    if found is None:
        return 0
    major, minor, patch = (int(part or 0) for part in found.groups())
    return (major << 16) + (minor << 8) + min(patch, 255)
