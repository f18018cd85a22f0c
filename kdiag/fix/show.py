"""Plans and results in words."""

from __future__ import annotations

from kdiag.fix.values import Plan, Step
from kdiag.report.wrap import clean, wrap


def render_plan(plan: Plan, width: int, *, unicode: bool = True) -> str:
    """The plan for a terminal of `width` columns, ending in a newline; in ASCII only, if the terminal has no
    more.
    """
    page = _Page(width, unicode)
    if plan.steps:
        page.text(f"Plan for {plan.release}")
        for number, step in enumerate(plan.steps, 1):
            page.lines.append("")
            _step(page, number, step)
    else:
        page.text(f"Nothing to do for {plan.release}.")
    if plan.notes:
        page.lines.append("")
        page.text("To know" if plan.steps else "Why")
        for note in plan.notes:
            page.text(note, "  - ")
    return str(page)


def render_usage(plan: Plan, width: int, *, unicode: bool = True) -> str:
    """How to use what is there now; empty if tools find all of it by themselves."""
    from kdiag.fix.environ import sudo_line

    page = _Page(width, unicode)
    values = dict(plan.variables)
    if plan.link is not None:
        page.text(f"Tools find the headers at {plan.link} by themselves, under sudo as well.")
        if plan.btf is None:
            return str(page)
    if not values:
        return str(page)
    page.text("How to use it" if plan.link is None else "For BTF, tools need a variable:")
    rows = [
        ('eval "$(kdiag env)"', "for this shell, and what it starts"),
        ("kdiag run -- bpftrace ...", "for one command"),
        (f"{sudo_line(values)} bpftrace ...", "after the first; sudo drops variables otherwise"),
        *([("sudo kdiag fix --link", "for all tools, without variables")] if _linkable(plan) else ()),
    ]
    for command, text in rows:
        page.lines.append(f"    {clean(command, unicode=unicode)}")
        page.text(text, "        ")
    return str(page)


def _linkable(plan: Plan) -> bool:
    return plan.tree is not None and plan.link is None


class _Page:
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

    def field(self, name: str, text: str) -> None:
        """A named line of a step."""
        self.text(text, f"     {name:<9}")

    def __str__(self) -> str:
        return "".join(f"{line}\n" for line in self.lines)


def _step(page: _Page, number: int, step: Step) -> None:
    page.text(step.title, f"  {number}. ")
    page.field("changes", "; ".join(step.changes) or "nothing on the machine: only where tools look")
    if step.needs:
        page.field("needs", ", ".join(step.needs))
    page.field("undo", step.undo)
    if step.helps:
        page.field("for", ", ".join(step.helps))
