"""include/generated/utsrelease.h: which kernel a header tree was made for (the kernel's Makefile, rule
include/generated/utsrelease.h).
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
