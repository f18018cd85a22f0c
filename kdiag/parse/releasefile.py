"""Release files of systems older than os-release: etc/centos-release, etc/SuSE-release, etc/slackware-version.

The first line says which system it is (`CentOS release 6.10 (Final)`), the file's name whose. The package `distro`
reads them, too, but only by path, following links wherever they lead: it is the judge of the tests.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_FILE = re.compile(r"(\w+)[-_](?:release|version)")
#: Of the same form, and about something else than the distribution, or with another content.
_OTHERS = frozenset(
    {
        "debian_version",
        "lsb-release",
        "oem-release",
        "os-release",
        "system-release",
        "plesk-release",
        "iredmail-release",
        "board-release",
        "ec2_version",
    }
)
_LINE = re.compile(
    r"(?P<name>.+?)(?: *release)? *(?P<version>(?<![^ ])\d[\d.+\-a-z]*)(?: LTS)?(?: \((?P<code>.*)\)[^)]*)?"
)
_ONLY_VERSION = re.compile(r"\d\S*")
_LONGEST_LINE = 200


def names(directory: Iterable[str]) -> list[str]:
    """The release files among the names in /etc, in the order in which they count."""
    return sorted(name for name in directory if _FILE.fullmatch(name) and name not in _OTHERS)


def parse(name: str, data: bytes) -> tuple[str, str, str] | None:
    """(id, version, name for people) by the file's name and content; None if it says nothing."""
    file = _FILE.fullmatch(name)
    line = data.partition(b"\n")[0].decode("utf-8", "replace").strip()[:_LONGEST_LINE]
    if file is None or not line:
        return None
    kind = "cloudlinux" if "cloudlinux" in line.lower() else file[1].lower()
    kind = "rhel" if kind == "redhat" else kind
    if _ONLY_VERSION.fullmatch(line):  # Alpine
        return kind, line, f"{file[1]} {line}"
    match = _LINE.fullmatch(line)
    if match is None:
        return kind, "", line
    code = f" ({match['code']})" if match["code"] else ""
    return kind, match["version"], f"{match['name']} {match['version']}{code}"
