"""What is asked of a fix."""

from __future__ import annotations

from typing import NamedTuple


class Options(NamedTuple):
    """What the user allows or asks for. load: the kheaders module; packages: installing; link:
    /lib/modules/R/build; btf: a file.
    """

    load: bool = False
    packages: bool = False
    link: bool = False
    btf: str | None = None
