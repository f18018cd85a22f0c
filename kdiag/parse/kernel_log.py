"""The kernel's log in, what in it is about tracing out: a `Notice` for each line that decides between causes.

Two forms are read: the records of /dev/kmsg (`4,339,5140900,-;text`) and what syslog(2) gives (`<4>[ 5.140900] text`).
Only lines of the kernel itself count: what a program writes to /dev/kmsg has a facility other than 0
(kernel/printk/printk.c, devkmsg_write). Where each line is from is said beside its pattern.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

#: Programs whose end is about tracing.
TRACERS = ("bpftrace", "bpftool", "clang", "kdiag", "perf")
#: The name that the log has in a recording, whichever way it was read.
PATH = "/dev/kmsg"
#: Of either way. A kernel keeps 128 KiB to 1 MiB unless log_buf_len= asks for more.
LIMIT = 4 * 1024 * 1024
#: A line is quoted up to here.
_LONGEST = 300
_KMSG = re.compile(r"(\d{1,9}),\d+,\d+,[^;]*;(.*)")
_SYSLOG = re.compile(r"<(\d{1,9})>(?:\[ *\d+\.\d+\](?:\[ *[TC]\d+\])? )?(.*)")
#: What any of the lines below has in it: most of a log is not looked at further.
_WORDS = re.compile(
    rb"BTF|BPF:|ockdown|locked down|avc: |apparmor=|Killed process|segfault|aints? kernel|ersion magic"
    rb"|of module with|of unsigned|about version of symbol"
)


class Notice(NamedTuple):
    """A line about tracing. kind: as in `_RULES`; subject: a module, a program, what was refused; line: as written;
    fields: of an audit record.
    """

    kind: str
    subject: str
    line: str
    fields: tuple[tuple[str, str], ...] = ()

    def field(self, name: str) -> str:
        """A field of an audit record, empty where it has none of that name."""
        return dict(self.fields).get(name, "")


#: (kind, pattern). The group `subject` is what the line is about.
_RULES: tuple[tuple[str, re.Pattern[str]], ...] = (
    # kernel/bpf/btf.c, btf_module_notify: the module is then not loaded ...
    ("module-btf", re.compile(r".*?failed to validate module \[(?P<subject>[^\]]+)\] BTF: -?\d+$")),
    # ... or, with CONFIG_MODULE_ALLOW_BTF_MISMATCH, loaded without its BTF, which is said once.
    ("module-btf-ignored", re.compile(r".*?(?P<subject>Kernel module BTF mismatch) detected")),
    # kernel/bpf/btf.c, __btf_verifier_log_type: what was wrong in the BTF that was refused
    ("btf", re.compile(r"BPF:\s*(?P<subject>\S.*)")),
    # security/lockdown/lockdown.c
    (
        "lockdown",
        re.compile(r"Lockdown: .{1,20}?: (?P<subject>.+) is restricted; see man kernel_lockdown\.7$"),
    ),
    ("locked", re.compile(r"Kernel is locked down from (?P<subject>.+); see man kernel_lockdown\.7$")),
    # security/selinux/avc.c and security/apparmor/audit.c, through kernel/audit.c (only the kernel writes type 1400)
    ("avc", re.compile(r"audit: type=1400 audit\([^)]*\): +avc: +denied +\{ (?P<subject>[\w ]+) \}.*")),
    (
        "apparmor",
        re.compile(r"audit: type=1400 audit\([^)]*\): +apparmor=\"DENIED\" operation=\"(?P<subject>\w+)\".*"),
    ),
    # mm/oom_kill.c
    ("oom", re.compile(r"(?:.*: )?Killed process \d+ \((?P<subject>[^)]+)\).*")),
    # arch/*/mm/fault.c
    ("crash", re.compile(r"(?P<subject>[^\[\s]{1,16})\[\d+\]: segfault at .*")),
    # kernel/module/main.c, signing.c, version.c: why a module was not loaded
    ("module", re.compile(r"(?P<subject>[\w-]+): version magic '.*' should be '.*'$")),
    ("module", re.compile(r"(?P<subject>[\w-]+): disagrees about version of symbol .*")),
    ("signature", re.compile(r"(?P<subject>Loading of (?:unsigned module|module with .+)) is rejected$")),
    ("taint", re.compile(r"(?P<subject>[\w-]+): .*\btaint(?:s|ing) kernel\.?$")),
)
_FIELD = re.compile(r"(\w+)=(?:\"([^\"]*)\"|(\S+))")


def notices(data: bytes) -> Iterator[Notice]:
    """What the log says about tracing, the oldest first."""
    for line in data.split(b"\n"):
        if _WORDS.search(line) is None:
            continue
        text = kernel_text(line.decode("utf-8", "replace"))
        if text:
            yield from _notice(text)


def notable(data: bytes) -> bytes:
    """The lines of a log that give a notice, as they stand in it."""
    kept = (line for line in data.split(b"\n") if _WORDS.search(line) and any(notices(line)))
    return b"".join(line + b"\n" for line in kept)


def kernel_text(line: str) -> str:
    """The text of a line that the kernel itself wrote, empty for any other."""
    found = _KMSG.fullmatch(line) or _SYSLOG.fullmatch(line)
    return found[2].rstrip() if found is not None and int(found[1]) >> 3 == 0 else ""


def _notice(text: str) -> Iterator[Notice]:
    for kind, pattern in _RULES:
        found = pattern.match(text)
        if found is not None:
            fields = tuple((f[1], f[2] if f[2] is not None else f[3]) for f in _FIELD.finditer(text))
            yield Notice(
                kind, found["subject"], text[:_LONGEST], fields if kind in ("avc", "apparmor") else ()
            )
            return
