"""What is asked of a fix."""

from __future__ import annotations

from typing import NamedTuple


class Options(NamedTuple):
    """What the user allows or asks for. load: the kheaders module; packages: installing; link:
    /lib/modules/R/build; btf: a file. tools: as `--tool` names them; only what these need is done, () for all.
    """

    load: bool = False
    packages: bool = False
    link: bool = False
    btf: str | None = None
    tools: tuple[str, ...] = ()

    def concerns(self, tool: str) -> bool:
        """Whether a fix is for this tool, too."""
        return not self.tools or tool.casefold() in self.tools
