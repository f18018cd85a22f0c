"""How to use what a fix has brought, in words."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from kdiag.console.called import program
from kdiag.console.command_line import typed
from kdiag.console.wrap import clean, wrap
from kdiag.fix.environment import sudo_line

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kdiag.fix.earlier import EarlierFix
    from kdiag.fix.plan.values import Plan


class Page:
    """Lines for a terminal."""

    def __init__(self, width: int, unicode: bool) -> None:
        self.width = width
        self.unicode = unicode
        self.lines: list[str] = []

    def text(self, text: str, first: str = "") -> None:
        """A paragraph, wrapped, its further lines below the first one's text."""
        room = max(20, self.width - len(first))
        for index, line in enumerate(wrap(clean(text, unicode=self.unicode), room)):
            self.lines.append((first if index == 0 else " " * len(first)) + line)

    def line(self, text: str) -> None:
        """A line that stays one whatever the width, to be copied."""
        self.lines.append(clean(text, unicode=self.unicode))

    def field(self, name: str, text: str) -> None:
        """A named line of a step."""
        self.text(text, f"     {name:<9}")

    def __str__(self) -> str:
        return "".join(f"{line}\n" for line in self.lines)


def render_usage(result: Plan | EarlierFix, width: int, *, unicode: bool = True, asked_by: str = "") -> str:
    """How to use what is there now; empty if tools find all of it by themselves. asked_by: who called sudo, if sudo
    started this: that user's tools need root as well.
    """
    page = Page(width, unicode)
    values = dict(result.variables)
    if result.link is not None:
        page.text(f"Tools find the headers at {result.link} by themselves, under sudo as well.")
        if result.btf is None:
            return str(page)
    if not values:
        return str(page)
    root = os.geteuid() == 0
    # What the caller types is looked for on the caller's own PATH, what sudo starts on sudo's.
    kdiag, under_sudo = program(root=True), program(root=False)
    command, name = _example(values)
    once = f"{under_sudo if asked_by else kdiag} run -- {command} ..."
    if not root:
        fitting = f"{kdiag} run -- {sudo_line(values)} {command} ..."
    else:
        fitting = once = f"sudo {once}" if asked_by else once
    page.text(f"{name} as before until one of these ways is taken. The one that fits here:")
    page.lines.append(f"    {clean(fitting, unicode=unicode)}")
    page.text("How to use it" if result.link is None else "For BTF, tools need a variable:")
    link = typed("sudo kdiag fix --link", root=root and not asked_by, kdiag=under_sudo)
    rows = [
        (f'eval "$({kdiag} env)"', "for this shell, and what it starts"),
        (once, "for one command"),
        (f"{sudo_line(values)} {command} ...", "after the first; sudo drops variables otherwise"),
        *([(link, "for all tools, without variables")] if _linkable(result) else ()),
    ]
    for line, text in rows:
        page.lines.append(f"    {clean(line, unicode=unicode)}")
        page.text(text, "        ")
    return str(page)


def _example(values: Mapping[str, str]) -> tuple[str, str]:
    """A command that reads these variables, and who behaves otherwise without them."""
    if any(name.startswith("BPFTRACE_") for name in values):
        return "bpftrace", "Plain bpftrace behaves"
    return "execsnoop-bpfcc", "BCC's tools behave"


def _linkable(result: Plan | EarlierFix) -> bool:
    return result.tree is not None and result.link is None
