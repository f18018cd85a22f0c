"""What root is expected to get where the caller is not root: what is in the way of the caller alone is left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from kdiag.explain.object.judge import needed_capabilities
from kdiag.model import Status

if TYPE_CHECKING:
    from kdiag.explain.here import Here
    from kdiag.explain.object.judge import Judged
    from kdiag.explain.object.trouble import Trouble


def as_root(one: Judged, here: Here) -> Judged | None:
    """The object as root is expected to find it; None where the caller is root, or cannot become the machine's."""
    fine = here.fine_for_root
    if fine is None:
        return None
    if here.root_would_hold(*needed_capabilities(one.programs)):
        fine |= {"privileges.capabilities"}
    else:
        fine -= {"privileges.capabilities"}
    by_id = {finding.id: finding.status for finding in here.report.findings}

    def left(troubles: tuple[Trouble, ...]) -> Iterator[Trouble]:
        for trouble in troubles:
            if trouble.finding in fine:
                continue
            asked = by_id.get(trouble.finding, Status.UNKNOWN) is Status.UNKNOWN
            # What only root may ask the kernel was not answered by its refusal.
            yield trouble._replace(certain=False) if trouble.rights and asked else trouble

    return replace(
        one,
        common=tuple(left(one.common)),
        programs=tuple(program._replace(troubles=tuple(left(program.troubles))) for program in one.programs),
        maps=tuple((kept, tuple(left(troubles))) for kept, troubles in one.maps),
    )
