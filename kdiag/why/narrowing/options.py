"""Options of the kernel's configuration that a message names, as this kernel has them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kdiag.model import Finding

#: The row of the catalogue whose causes are what the message names.
ROW = "any.options"
_OPTION = re.compile(r"\bCONFIG_(?P<name>[A-Z0-9_]+)")


def named(text: str, by_id: Mapping[str, Finding]) -> tuple[str, ...]:
    """Ids of the findings about the options in a text, in its order: of those that kdiag looks at."""
    ids = (f"config.{found['name']}" for found in _OPTION.finditer(text))
    return tuple(dict.fromkeys(one for one in ids if one in by_id))
