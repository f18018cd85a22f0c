"""Plans in words."""

from __future__ import annotations

from kdiag.fix.plan.values import Plan, Step
from kdiag.fix.usage import Page


def render_plan(plan: Plan, width: int, *, nothing: str = "", unicode: bool = True) -> str:
    """The plan for a terminal of `width` columns, ending in a newline; in ASCII only, if the terminal has no
    more. nothing: what is said of a plan without a step.
    """
    page = Page(width, unicode)
    if plan.steps:
        page.text(f"Plan for {plan.release}")
        for number, step in enumerate(plan.steps, 1):
            page.lines.append("")
            _step(page, number, step)
    else:
        page.text(nothing or f"Nothing to do for {plan.release}.")
    if plan.notes:
        page.lines.append("")
        page.text("To know" if plan.steps else "Why")
        for note in plan.notes:
            page.text(note, "  - ")
    return str(page)


def _step(page: Page, number: int, step: Step) -> None:
    page.text(step.title, f"  {number}. ")
    page.field("changes", "; ".join(step.changes) or "nothing on the machine: only where tools look")
    if step.needs:
        page.field("needs", ", ".join(step.needs))
    page.field("undo", step.undo)
    if step.helps:
        page.field("for", ", ".join(step.helps))
