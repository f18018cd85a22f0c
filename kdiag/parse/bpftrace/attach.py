"""An attach point of bpftrace, `kprobe:vfs_open` or `t:syscalls:sys_enter_openat`, taken apart.

The names are those of PROBE_LIST in bpftrace's src/types.h and src/probe_types.h, release by release; which release has
which is in `kdiag.knowledge.tools.bpftrace_language`.
"""

from __future__ import annotations

from typing import NamedTuple

from kdiag.parse.errors import ParseError

#: A function's name has 512 bytes at most, a path 4096 (include/linux/kallsyms.h, limits.h).
LONGEST = 8192

#: Every spelling of a probe's kind, and the kind.
KINDS: dict[str, str] = {
    **dict.fromkeys(("kprobe", "k"), "kprobe"),
    **dict.fromkeys(("kretprobe", "kr"), "kretprobe"),
    **dict.fromkeys(("uprobe", "u"), "uprobe"),
    **dict.fromkeys(("uretprobe", "ur"), "uretprobe"),
    **dict.fromkeys(("usdt", "U"), "usdt"),
    **dict.fromkeys(("tracepoint", "t"), "tracepoint"),
    **dict.fromkeys(("rawtracepoint", "rt"), "rawtracepoint"),
    **dict.fromkeys(("profile", "p"), "profile"),
    **dict.fromkeys(("interval", "i"), "interval"),
    **dict.fromkeys(("software", "s"), "software"),
    **dict.fromkeys(("hardware", "h"), "hardware"),
    **dict.fromkeys(("watchpoint", "w"), "watchpoint"),
    **dict.fromkeys(("asyncwatchpoint", "aw"), "asyncwatchpoint"),
    **dict.fromkeys(("fentry", "f", "kfunc"), "fentry"),
    **dict.fromkeys(("fexit", "fr", "kretfunc"), "fexit"),
    **dict.fromkeys(("iter", "it"), "iter"),
    **dict.fromkeys(("BEGIN", "begin"), "begin"),
    **dict.fromkeys(("END", "end"), "end"),
    "self": "self",
    "bench": "bench",
    "test": "test",
}
#: Those that stand alone.
ALONE = frozenset({"BEGIN", "begin", "END", "end"})

#: How each kind is written, for who wrote it otherwise; and how many parts come after the kind.
_FORMS: dict[str, tuple[str, int, int]] = {
    "kprobe": ("kprobe:FUNCTION, kprobe:MODULE:FUNCTION or kprobe:FUNCTION+OFFSET", 1, 2),
    "kretprobe": ("kretprobe:FUNCTION or kretprobe:MODULE:FUNCTION", 1, 2),
    "fentry": ("fentry:FUNCTION, fentry:MODULE:FUNCTION or fentry:bpf:PROGRAM", 1, 3),
    "fexit": ("fexit:FUNCTION, fexit:MODULE:FUNCTION or fexit:bpf:PROGRAM", 1, 3),
    "tracepoint": ("tracepoint:GROUP:EVENT", 2, 2),
    "rawtracepoint": ("rawtracepoint:EVENT or rawtracepoint:MODULE:EVENT", 1, 2),
    "uprobe": ("uprobe:PROGRAM:FUNCTION, uprobe:PROGRAM:FUNCTION+OFFSET or uprobe:PROGRAM:0xADDRESS", 2, 3),
    "uretprobe": ("uretprobe:PROGRAM:FUNCTION", 2, 3),
    "usdt": ("usdt:PROGRAM:PROVIDER:NAME or usdt:PROGRAM:NAME", 1, 3),
    "iter": ("iter:NAME or iter:NAME:PIN", 1, 2),
    "profile": ("profile:hz:99, profile:ms:10, profile:s:1 or profile:us:100", 1, 2),
    "interval": ("interval:s:1, interval:ms:100 or interval:hz:10", 1, 2),
    "software": ("software:EVENT or software:EVENT:COUNT", 1, 2),
    "hardware": ("hardware:EVENT or hardware:EVENT:COUNT", 1, 2),
    "watchpoint": ("watchpoint:0xADDRESS:LENGTH:MODE or watchpoint:FUNCTION+argN:LENGTH:MODE", 3, 3),
    "asyncwatchpoint": ("asyncwatchpoint:0xADDRESS:LENGTH:MODE", 3, 3),
    "begin": ("BEGIN", 0, 0),
    "end": ("END", 0, 0),
    "self": ("self:signal:SIGUSR1", 2, 2),
    "bench": ("bench:NAME", 0, 1),
    "test": ("test:NAME", 0, 1),
}


class AttachPoint(NamedTuple):
    """kind: as `KINDS` has it; spelled: as it was written; parts: what comes after it, without quotes."""

    kind: str
    spelled: str
    parts: tuple[str, ...]
    text: str

    @property
    def wild(self) -> bool:
        """Whether it stands for all that match a pattern."""
        return any("*" in part for part in self.parts)


def looks_like(text: str) -> bool:
    """Whether a word is meant as an attach point: a kind with something after it, or one that stands alone."""
    kind, colon, _ = text.partition(":")
    return text in ALONE or (bool(colon) and (kind in KINDS or "*" in kind))


def parse(text: str) -> AttachPoint:
    """An attach point taken apart. Raises ParseError, which says how it is written."""
    if len(text) > LONGEST:
        raise ParseError(f"an attach point of {len(text)} characters; {LONGEST} is the most")
    if bad := next((c for c in text if ord(c) < 32), ""):
        raise ParseError(f"an attach point with the character {ord(bad):#04x} in it", text.index(bad))
    spelled, *parts = _split(text)
    if "*" in spelled or "?" in spelled:
        raise ParseError(f"{spelled!r} stands for several kinds of probes: name one, such as kprobe")
    kind = KINDS.get(spelled)
    if kind is None:
        known = ", ".join(dict.fromkeys(KINDS.values()))
        raise ParseError(f"{spelled!r} is no kind of probe: there are {known}")
    form, least, most = _FORMS[kind]
    # usdt::NAME leaves the program to -p PID, usdt:PROGRAM::NAME the provider open
    if not least <= len(parts) <= most or (least and not all(parts[-1:] if kind == "usdt" else parts)):
        raise ParseError(f"{text!r} is no probe: write {form}")
    return AttachPoint(kind, spelled, tuple(parts), text)


def _split(text: str) -> list[str]:
    """At colons, those in double quotes left alone, as bpftrace's src/ast/attachpoint_parser.cpp does."""
    parts, current, quoted = [], "", False
    for at, character in enumerate(text):
        if character == '"':
            quoted = not quoted
        elif character == ":" and not quoted:
            parts.append(current)
            current = ""
        elif character.isspace() and not quoted:
            raise ParseError("white space in an attach point: put names with spaces in double quotes", at)
        else:
            current += character
    if quoted:
        raise ParseError('a double quote that is not closed: "', text.index('"'))
    return [*parts, current]
