"""From facts and findings to a plan: only steps that repair something, only what this machine allows, the
least intrusive first.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from kdiag.fix.changes.link import in_the_way, link_path
from kdiag.fix.effects import Linked
from kdiag.fix.environment import variables
from kdiag.fix.errors import FixError
from kdiag.fix.options import Options
from kdiag.fix.plan.btf import plan_btf
from kdiag.fix.plan.headers import plan_headers
from kdiag.fix.plan.mounts import plan_mounts
from kdiag.fix.plan.subject import BTF, Subject
from kdiag.fix.plan.values import Part, Plan, Step
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from kdiag.fix.store.places import Places
    from kdiag.machine import Machine
    from kdiag.model import Report


def make_plan(machine: Machine, report: Report, places: Places, options: Options) -> Plan:
    """The plan for this machine. Changes nothing.

    Raises FixError for a wish that must be refused (a file that is not this kernel's BTF, a link where
    something is) and Unavailable where not even the kernel's release or architecture is known.
    """
    subject = Subject(machine, report, places, options)
    mounts, headers, btf = (_as_far_as_known(plan, subject) for plan in (plan_mounts, plan_headers, plan_btf))
    link, path = _link(subject, headers.path)
    parts = (mounts, headers, btf, link)
    repairs = [step.id.replace(".mount", "") for step in mounts.steps]
    return Plan(
        release=subject.release,
        srcarch=subject.srcarch,
        steps=tuple(step for part in parts for step in part.steps),
        notes=tuple(dict.fromkeys(note for part in parts for note in part.notes)),
        tree=headers.path,
        btf=btf.path,
        variables=tuple(variables(headers.path, btf.path, options.concerns).items()),
        link=path,
        tools=options.tools,
        for_root=any(part.for_root for part in parts),
        repairs=(
            *(f"tracing.{name}" for name in repairs),
            *(subject.headers[:1] if any(s.id != "kheaders.load" for s in headers.steps) else ()),
            *(BTF[1:] if btf.steps else ()),
        ),
    )


def _as_far_as_known(plan: Callable[[Subject], Part], subject: Subject) -> Part:
    """A part of the plan; where something that it is made from cannot be looked at, no step, and why."""
    try:
        return plan(subject)
    except Unavailable as gap:
        return Part(notes=(f"{gap.reason}.",))


def _link(subject: Subject, tree: Path | None) -> tuple[Part, str | None]:
    """The step that puts the link, if asked for, and where it is or will be.

    Raises FixError if something is in the way.
    """
    path = link_path(subject.places, subject.release)
    if tree is not None and os.path.islink(path) and os.readlink(path) == str(tree):
        return Part(notes=(f"{path} points to {tree} already.",)), path
    if not subject.options.link:
        return Part(), None
    if tree is None:
        return Part(notes=("--link: there is no tree yet that a link could point to.",)), None
    if not subject.root:
        return Part(notes=(subject.as_root(f"--link: {path}", "sudo kdiag fix --link"),), for_root=True), None
    problem = in_the_way(path)
    if problem:
        raise FixError(
            f"--link: {problem}", "kdiag replaces nothing; without --link, `kdiag env` shows the way"
        )
    missing = "" if subject.machine.modules.directory else f" and the directory {os.path.dirname(path)}"
    step = Step(
        "headers.link",
        f"Link {path} to the headers",
        changes=(f"makes the link {path}{missing}",),
        needs=("root",),
        undo="removes what was made, if it still points there",
        effect=Linked(path, str(tree)),
    )
    return Part((step,)), path
