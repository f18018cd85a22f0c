"""Flags of open(2), and whether this system has what the judgement needs.

Elsewhere than on Linux kdiag only plays recordings back, as an ordinary user's program: there nothing is judged.
"""

from __future__ import annotations

import os

HERE = hasattr(os, "O_PATH") and hasattr(os, "geteuid")


def flags(*names: str) -> int:
    """These flags of open(2) together; one that this system lacks counts nothing."""
    return sum({getattr(os, f"O_{name}", 0) for name in names})
