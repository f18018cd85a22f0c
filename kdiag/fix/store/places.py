"""Where results and the journal live: root's below /var, other users' in their own XDG directories.

Never in a directory that others share: guessable names in /tmp are what CVE-2024-2313 and CVE-2024-2314 were
about.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from kdiag.fix.errors import FixError
from kdiag.fix.store.trees import bases, own_base


class Places(NamedTuple):
    """Directories. headers: where trees are made; search: where trees are looked for, own ones first; state:
    journal and lock.

    modules: where the module directories of all releases are.
    """

    headers: Path
    search: tuple[Path, ...]
    state: Path
    modules: Path = Path("/lib/modules")

    @property
    def btf(self) -> Path:
        """Where recovered BTF is kept: beside the trees."""
        return self.headers.parent / "btf"

    @property
    def btf_search(self) -> tuple[Path, ...]:
        """Where recovered BTF is looked for."""
        return tuple(base.parent / "btf" for base in self.search)

    @property
    def journal(self) -> Path:
        """The journal's file."""
        return self.state / "journal"


def places(euid: int, env: Mapping[str, str]) -> Places:
    """The directories of the user with this effective uid and environment. Raises FixError if there is no
    home.
    """
    return Places(own_base(euid, env), bases(euid, env), state_base(euid, env))


def state_base(euid: int, env: Mapping[str, str]) -> Path:
    """/var/lib/kdiag for root, $XDG_STATE_HOME/kdiag for others (XDG Base Directory Specification: relative
    values count as unset).
    """
    if euid == 0:
        # Root's own variables are not asked: under sudo they may be those of the user who called.
        return Path("/var/lib/kdiag")
    chosen = env.get("XDG_STATE_HOME", "")
    if chosen.startswith("/"):
        return Path(chosen) / "kdiag"
    return _home(euid, env) / ".local" / "state" / "kdiag"


def _home(euid: int, env: Mapping[str, str]) -> Path:
    home = env.get("HOME", "")
    if home.startswith("/"):
        return Path(home)
    import pwd

    try:
        return Path(pwd.getpwuid(euid).pw_dir)
    except KeyError:
        raise FixError(
            f"uid {euid} has no home directory", "set HOME or XDG_STATE_HOME to a directory of your own"
        ) from None
