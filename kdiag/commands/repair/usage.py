"""The end of a repair: how to use what is there."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kdiag.fix.store.trees import UNSETTLED
from kdiag.fix.usage import render_usage

if TYPE_CHECKING:
    from kdiag.console.progress import Console
    from kdiag.fix.earlier import EarlierFix
    from kdiag.fix.plan.values import Plan


def hand_over(result: Plan | EarlierFix, console: Console) -> None:
    """Say how to use what is there. A tree whose maker was killed before it was on the disk is brought there now."""
    if result.tree is not None and os.path.lexists(result.tree / UNSETTLED):
        from kdiag.fix.store.extract import settle

        settle(result.tree)
    text = render_usage(
        result, console.width, unicode=console.unicode, asked_by=os.environ.get("SUDO_USER", "")
    )
    if text:
        console.write("\n" + text)
