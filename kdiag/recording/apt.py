"""apt's sources in a recording: which suites are used is asked for, whose mirror they come from is left out.

Addresses of the public archives stay, all others become one that says nothing; so do the names of the files, which
often are those of a company or a product.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from kdiag.parse.packages.apt_sources import parse
from kdiag.system.recording_index import Json

DIRECTORY = "/etc/apt/sources.list.d"
#: Also of a host's files, wherever they are mounted.
_OURS = re.compile(rf"(?:/.+)?/etc/apt/sources\.list|(?:/.+)?{DIRECTORY}/[^/]+\.(?:list|sources)")
_PUBLIC_FILES = re.compile(
    r"(?:debian|ubuntu|ubuntu-esm-\w+|backports|[a-z]+-backports|raspi|pve-\w+|proxmox|kali|xanmod\w*|liquorix|docker|"
    r"zabbly-\w+|armbian|linux-surface)\.(?:list|sources)"
)
_PUBLIC_NAMES = """
    debian.org ubuntu.com launchpadcontent.net launchpad.net kali.org proxmox.com raspberrypi.com raspberrypi.org
    raspbian.org armbian.com xanmod.org liquorix.net zabbly.com surfacelinux.com system76.com nvidia.com
    tuxedocomputers.com mxrepo.com
"""
PUBLIC_HOSTS = tuple(_PUBLIC_NAMES.split())
_PUBLIC = re.compile(rf"https?://(?:[\w.-]+\.)?(?:{'|'.join(map(re.escape, PUBLIC_HOSTS))})(?:/[\w.~+/-]*)?")


def reduced(path: str, data: bytes) -> tuple[bytes, str] | None:
    """A file of sources as lines of suites; None for any other file."""
    if _OURS.fullmatch(path) is None:
        return None
    sources = parse(path, data)
    lines = [
        f"Types: deb\nURIs: {_address(source.uri)}\nSuites: {' '.join(source.suites)}\n\n"
        if path.endswith(".sources")
        else f"deb {_address(source.uri)} {' '.join(source.suites)} main\n"
        for source in sources
    ]
    return "".join(lines).encode(), f"the suites of {len(sources)} sources"


def _address(uri: str) -> str:
    return uri if _PUBLIC.fullmatch(uri) else "http://mirror.invalid/"


def renamed(index: Mapping[str, Json], names: Mapping[str, object]) -> dict[str, str]:
    """New names for files of sources whose own may tell something, by path; the endings stay."""
    listings = index.get("listings")
    found = {
        n.removeprefix("root") for n in names if n.removeprefix("root").rpartition("/")[0].endswith(DIRECTORY)
    }
    for directory, listed in listings.items() if isinstance(listings, dict) else ():
        if directory.endswith(DIRECTORY) and isinstance(listed, list):
            found |= {f"{directory}/{name}" for name in listed if isinstance(name, str)}
    private = sorted(path for path in found if _PUBLIC_FILES.fullmatch(path.rpartition("/")[2]) is None)
    return {path: _nameless(path, number) for number, path in enumerate(private, 1)}


def _nameless(path: str, number: int) -> str:
    directory, _, name = path.rpartition("/")
    return f"{directory}/source-{number}.{name.rpartition('.')[2] if '.' in name else 'x'}"


def with_names(value: Json, names: Mapping[str, str]) -> Json:
    """The index with files called by their new names: as keys, as values, and in the listing of their directory."""
    if isinstance(value, dict):
        short = {old.rpartition("/")[2]: new.rpartition("/")[2] for old, new in names.items()}
        return {
            _name(key, names): [short.get(item, item) if isinstance(item, str) else item for item in inner]
            if key.endswith(DIRECTORY) and isinstance(inner, list)
            else with_names(inner, names)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [with_names(item, names) for item in value]
    return _name(value, names) if isinstance(value, str) else value


def _name(text: str, names: Mapping[str, str]) -> str:
    plain = text.removesuffix(" ->")
    return names[plain] + text[len(plain) :] if plain in names else text
