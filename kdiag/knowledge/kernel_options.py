"""What each kernel of kernels.json is expected to be configured with.

Nothing here is an observation: an expected value says what the configuration of such a kernel had where it was read,
and another build may differ.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple, TypedDict, cast

from kdiag.knowledge.tables import table

#: verified: read in such a kernel's configuration or packages. likely: reported, or inferred from a close
#: relative. unverified: general knowledge, or seen on one machine only; a hint, to be shown as one.
Confidence = Literal["verified", "likely", "unverified"]

#: vendor: comes with a product (a VM, an appliance), no package manager has anything for it.
Kind = Literal["distribution", "vendor", "third-party", "self-built", "not-linux"]


class Expected(NamedTuple):
    """What such a kernel is expected to have: y, m, n (n also where that kernel knows no such option)."""

    value: str
    confidence: Confidence


class Record(TypedDict, total=False):
    """One record of kernels.json. Left out: family as id, kind distribution, confidence likely."""

    id: str
    name: str
    family: str
    kind: Kind
    confidence: Confidence
    release: str
    has: list[str]
    needs: dict[str, list[str]]
    says: list[str]
    examples: list[str]
    shape_only: bool
    headers: str
    kheaders_package: str
    options: dict[str, str]
    arch: dict[str, dict[str, str]]
    likely: str
    option_confidence: Confidence
    read: str
    notes: str
    sources: list[str]


class Table(TypedDict):
    macros: dict[str, str]
    read_per_arch: str
    arch_sensitive: str
    kernels: list[Record]


def kernels_table() -> Table:
    return cast("Table", table("kernels"))


def values_of(record: Record) -> dict[str, str]:
    """The options of a record, those it borrows included. `unknown` takes borrowed ones out again."""
    options = record.get("options", {})
    values: dict[str, str] = {}
    if "like" in options:
        lender = next(other for other in kernels_table()["kernels"] if other["id"] == options["like"])
        values.update(values_of(lender))
    for value in ("y", "m", "n"):
        values.update(dict.fromkeys(options.get(value, "").split(), value))
    for name in options.get("unknown", "").split():
        values.pop(name, None)
    return values


def expected_of(record: Record, arch: str | None) -> dict[str, Expected]:
    """The expected options on `arch`. What was read on one machine is no more than likely on another."""
    values = values_of(record)
    base = record.get("option_confidence", "verified")
    confidence: dict[str, Confidence] = dict.fromkeys(values, base)
    confidence.update(dict.fromkeys(record.get("likely", "").split(), "likely"))
    differences = record.get("arch", {})
    doubtful: set[str] = set()
    if arch is None:
        for diff in differences.values():
            doubtful.update(" ".join(diff.values()).split())
    elif arch != record.get("read", "x86_64"):
        doubtful.update(set(kernels_table()["arch_sensitive"].split()) if arch not in differences else ())
        read_there = set(kernels_table()["read_per_arch"].split()) if arch in differences else set()
        here = differences.get(arch, {})
        for value in ("y", "m", "n"):
            values.update(dict.fromkeys(here.get(value, "").split(), value))
        doubtful.update(here.get("?", "").split())
        for name in values:
            if name not in read_there and confidence.get(name, base) == "verified":
                confidence[name] = "likely"
    return {
        name: Expected(value, confidence.get(name, base))
        for name, value in values.items()
        if name not in doubtful and (arch == "x86_64" or not name.startswith("X86_"))
    }


_ARCH_NAMES = {
    "amd64": "x86_64",
    "arm64": "aarch64",
    "powerpc64le": "ppc64le",
    "loong64": "loongarch64",
    "686": "i686",
    "armmp": "armv7l",
    "rpi-2712": "aarch64",
    "rpi-v8": "aarch64",
    "rpi-v7l": "armv7l",
    "rpi-v7": "armv7l",
    "rpi-v6": "armv6l",
}


def release_arch(release: str) -> str | None:
    """The architecture that a release string names, in the words of `uname -m`; None if it names none."""
    found = re.search(
        r"(?:^|[-.])(x86_64|aarch64|ppc64le|s390x|riscv64|amd64|arm64|powerpc64le|loong64|686|armmp|rpi-(?:2712|v8|v7l?|v6))"
        r"(?=$|[-.+])",
        release,
        re.ASCII,
    )
    return _ARCH_NAMES.get(found[1], found[1]) if found else None


def uname_machine(machine: str | None) -> str | None:
    return _ARCH_NAMES.get(machine, machine) if machine else None


#: What a pattern fills in, with its brackets; and words in brackets that name no release.
_ASIDE = re.compile(r"\s*\(\{\w+\}\)|\s*\{\w+\}|\s*\([^()\d]*\)")


class Surveyed(NamedTuple):
    """A kernel of the table and what is expected of it. builder: its kind, as `identify` says it."""

    name: str
    builder: Kind
    expected: dict[str, Expected]


def surveyed(arch: str) -> Iterator[Surveyed]:
    """All kernels of the table, in its order, with what is expected of each on this architecture."""
    for record in kernels_table()["kernels"]:
        name = _ASIDE.sub("", record["name"]).replace(",", "")
        yield Surveyed(name, record.get("kind", "distribution"), expected_of(record, arch))
