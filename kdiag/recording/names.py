"""Known names in running text: of hosts, users and domains, in the forms in which they are written, joined to what.

A user's name stands in file names (`conf-janedoe`, `janedoe_old`) and in sentences of languages that write their
particles to it (Korean, Japanese, Turkish) or leave no space around it (Chinese, Thai).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote

#: What is a word in this tool's own world: names like these are replaced only where they stand alone.
_TECHNICAL_NAMES = """
    arm audit aws base bash bcc bin bpf btf build cache cargo cgroup clang cloud common conf config core crash
    data dbg debug deb dev devel disk doc docs dpkg drgn driver ebpf edge efi ext4 feature fedora file generic
    git gcc gke hardened header home host image include info initrd intel iso job kernel key lab lib libbpf
    linux llvm local lts main map mark max mem meta micro mini misc mnt mod module net next node oem office open
    oracle pack perf plus power probe prod pve python raspi ring rpm rust safe sbin sched script sec server
    share small snap source space spec stack stage star state static store stream stub sub sudo support sys task
    temp test tiny tmp tool tools trace tracer tree type unit unix update user util utils var version virt
    virtual web work xen zen
"""
_TECHNICAL = frozenset(_TECHNICAL_NAMES.split())
#: These are not written with spaces between words, so that two letters are a name (Unicode blocks, roughly).
_DENSE = re.compile(
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\uf900-\ufaff]"
)


def dense(name: str) -> bool:
    """Whether a name is in a script whose names have two letters."""
    return len(name) >= 2 and _DENSE.search(name) is not None


def forms(name: str) -> Iterator[str]:
    """The name, and how it is written elsewhere: composed and decomposed, in URLs, by device mapper and systemd."""
    yield name
    if not name.isascii():
        for form in ("NFC", "NFD", "NFKC"):
            yield unicodedata.normalize(form, name)
        yield quote(name, errors="surrogateescape")
    if "-" in name:
        yield name.replace("-", "--")  # dmsetup: names of volume groups
        yield name.replace("-", r"\x2d")  # systemd.unit(5)


def pattern(names: Mapping[str, str]) -> re.Pattern[str]:
    """Finds the names, which are given with their kinds, whatever the case. Nothing else has a group."""
    grouped: dict[str, list[str]] = {}
    for name in sorted(names, key=len, reverse=True):
        grouped.setdefault(_around(name, names[name]), []).append(re.escape(name))
    parts = [around.replace("NAME", f"(?:{'|'.join(some)})") for around, some in grouped.items()]
    return re.compile("|".join(parts) or "(?!)", re.IGNORECASE)


def _around(name: str, kind: str) -> str:
    """What may stand at both sides of a name."""
    if not name.isascii() or "%" in name:
        return "NAME"  # particles and endings, or no spaces at all
    if kind == "user" and len(name) >= 4 and name.casefold() not in _TECHNICAL:
        return "(?<![A-Za-z0-9])NAME(?![A-Za-z0-9])"
    return r"(?<![A-Za-z0-9_-])NAME(?![A-Za-z0-9_-])"


def domains(names: Iterable[str]) -> re.Pattern[str]:
    """Finds names in these domains, and the domains themselves."""
    some = "|".join(re.escape(name) for name in sorted(names, key=len, reverse=True))
    inside = r"(?<![\w-])(?:[\w-]{1,63}\.){0,8}"
    return re.compile(rf"{inside}(?:{some})(?![\w-])" if some else "(?!)", re.IGNORECASE)
