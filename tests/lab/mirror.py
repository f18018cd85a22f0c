"""Where Debian packages come from: what this machine's apt is configured with, never an address of our own.

The archive's address, the key and apt's transport settings (proxies, certificates) are read from apt at run time.
``KDIAG_LAB_MIRROR`` names another Debian archive.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path

from . import tools
from .errors import LabError

_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_FIELDS = ("REPO_URI", "ORIGIN", "LABEL", "COMPONENT", "CODENAME", "CREATED_BY")


@dataclass(frozen=True, slots=True)
class Target:
    """One index that apt knows of."""

    uri: str
    origin: str
    label: str
    component: str
    codename: str
    created_by: str


def parse_targets(text: str) -> list[Target]:
    """Lines of ``apt-get indextargets --format`` with tab-separated fields -> values."""
    rows = (line.split("\t") for line in text.splitlines())
    return [Target(*row) for row in rows if len(row) == len(_FIELDS)]


def choose(targets: list[Target]) -> str | None:
    """The address of the main Debian archive among them, or None.

    Apt knows origin and label only once it has fetched the release file, so the address itself is the second clue.
    """
    packages = [
        target for target in targets if target.created_by == "Packages" and target.component == "main"
    ]
    for target in packages:
        if target.origin == "Debian" and target.label == "Debian" and "-security" not in target.uri:
            return target.uri
    for target in packages:
        if target.uri.rstrip("/").endswith("/debian"):
            return target.uri
    return None


def address() -> str:
    """The Debian archive's address; LabError when apt does not name one."""
    chosen = os.environ.get("KDIAG_LAB_MIRROR")
    if chosen:
        return chosen
    tools.require(["apt-get"], why="the lab")
    line = "\t".join(f"$({field})" for field in _FIELDS)
    found = choose(parse_targets(tools.run(["apt-get", "indextargets", "--format", line])))
    if found is None:
        raise LabError(
            "this machine's apt is not configured with a Debian archive",
            "name one: KDIAG_LAB_MIRROR=<address of a Debian archive>",
        )
    return found


def transport_options(dump: str) -> list[str]:
    """The settings of ``apt-config dump`` that decide how packages are fetched, as apt.conf lines."""
    wanted = ("Acquire::http", "Acquire::https", "Acquire::ftp", "Acquire::Check-", "Acquire::Retries")
    return [line for line in dump.splitlines() if line.startswith(wanted) and not line.endswith('"";')]


def options() -> list[str]:
    """This machine's transport settings as apt.conf lines."""
    return transport_options(tools.run(["apt-config", "dump"]))


def source(suite: str, arch: str = "") -> str:
    """A one-line apt source for a suite of the archive, signed by Debian's own key."""
    if not _KEYRING.exists():
        raise LabError("Debian's archive keys are missing", "apt-get install debian-archive-keyring")
    restriction = f"arch={arch} " if arch else ""
    return f"deb [{restriction}signed-by={_KEYRING}] {address()} {suite} main"


@dataclass(frozen=True, slots=True)
class Apt:
    """A private apt: its own lists and state, the machine's transport settings, one suite or several."""

    config: Path

    def run(self, *arguments: str, cwd: Path | None = None) -> str:
        """``apt-get`` or ``apt-cache`` (the first argument) with this configuration."""
        return tools.run([*arguments], cwd=cwd, env={"APT_CONFIG": str(self.config)})


def private_apt(place: Path, suites: list[str], arch: str) -> Apt:
    """Set up and update a private apt under ``place`` (a directory that is ours)."""
    for name in ("lists/partial", "cache/archives/partial", "etc/preferences.d", "etc/trusted.gpg.d"):
        (place / name).mkdir(parents=True, exist_ok=True)
    (place / "sources.list").write_text("".join(f"{source(suite, arch)}\n" for suite in suites))
    (place / "status").touch()
    lines = [
        f"Dir::Etc::sourcelist {_quoted(place / 'sources.list')};",
        'Dir::Etc::sourceparts "/dev/null";',
        f"Dir::Etc::parts {_quoted(place / 'etc')};",
        f"Dir::Etc::preferencesparts {_quoted(place / 'etc/preferences.d')};",
        f"Dir::State::lists {_quoted(place / 'lists')};",
        f"Dir::State::status {_quoted(place / 'status')};",
        f"Dir::Cache {_quoted(place / 'cache')};",
        f'APT::Architecture "{arch}";',
        f'APT::Architectures {{ "{arch}"; }};',
        'APT::Sandbox::User "";',
        'Acquire::Languages "none";',
        *options(),
    ]
    config = place / "apt.conf"
    config.write_text("\n".join(lines) + "\n")
    apt = Apt(config)
    apt.run("apt-get", "update", "-q")
    return apt


def _quoted(path: Path) -> str:
    if '"' in str(path):
        raise LabError(f"apt cannot use a path with a quotation mark: {shlex.quote(str(path))}")
    return f'"{path}"'
