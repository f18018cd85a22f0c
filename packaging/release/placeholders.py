"""Addresses in which a name still has to be filled in: a release with them would lead its users nowhere."""

from __future__ import annotations

import subprocess
from pathlib import Path

import bundle

#: OWNER for the account that the project lies under; and a domain that no mail reaches (RFC 2606).
_PATTERN = r"\b[O]WNER/|@[O]WNER\b|<[^ <>]+@[a-z0-9.-]+[.]example>"
#: Their addresses are invented.
_INVENTED = (":(exclude)tests", ":(exclude)fixtures")
_SHOWN = 20


def lines(root: Path, commit: str) -> list[str]:
    """The places in a commit, each as `FILE:LINE: TEXT`."""
    command = ["git", "grep", "-nIE", "-e", _PATTERN, commit, "--", ".", *_INVENTED]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 1):
        raise bundle.CannotBuild(f"git grep: {done.stderr.strip()}")
    return [line.removeprefix(f"{commit}:") for line in done.stdout.splitlines()]


def refuse(root: Path, commit: str) -> None:
    """Raise CannotBuild, with the places, where a commit has any."""
    if not (found := lines(root, commit)):
        return
    shown = "\n".join(f"  {line.strip()}" for line in found[:_SHOWN])
    more = f"\n  and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    raise bundle.CannotBuild(
        f"{len(found)} lines have a placeholder in an address; write the real ones, or add --trial:\n{shown}{more}"
    )
