"""Files that are known to hold secrets, and what of them may go out: command lines, environments, mounts, configs.

What the checks look for stays as it is. All other files are searched for what looks like a secret.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable
from functools import cache

from kdiag.knowledge.tables import table
from kdiag.parse.kernel_log import TRACERS
from kdiag.recording.parameters import command_line, learned
from kdiag.recording.redact import Redactor

Rule = Callable[[str, Redactor], str]

#: Environment variables whose values are about the tools, not about the person.
PLAIN_VARIABLES = ("HOME", "PATH", "LANG", "TERM", "SHELL", "TMPDIR", "SNAP", "container", "NO_COLOR")
ENVIRONMENT = re.compile(
    r"(?:KDIAG|BPFTRACE|BCC|LIBBPF|DEBUGINFOD|SNAP|XDG|LC)_\w+|HOME|PATH|LANG|TERM|SHELL|TMPDIR|SNAP|container|NO_COLOR"
)
_PRIVATE = re.compile(r"DEBUGINFOD_\w+|KUBERNETES_SERVICE_HOST")


def arguments(text: str, redactor: Redactor) -> str:
    """/proc/PID/cmdline: the program and the names of its options."""
    first, *rest = text.split("\0")
    kept = [
        word if not word or re.fullmatch("--?[a-zA-Z-]+", word) else learned(word, redactor) for word in rest
    ]
    return "\0".join([redactor.text(first), *kept])


def environment(text: str, redactor: Redactor) -> str:
    """/proc/PID/environ: the variables on the list, the others not even by name."""
    kept: list[str] = []
    for entry in text.split("\0"):
        name, has_value, value = entry.partition("=")
        if not entry or (has_value and ENVIRONMENT.fullmatch(name)):
            kept.append(f"{name}={variable(name, value, redactor)}" if entry else "")
        else:
            redactor.counts["token"] += 1
    return "\0".join(kept)


def variable(name: str, value: str, redactor: Redactor) -> str:
    """The value of an environment variable as it may go out."""
    if not value or (ENVIRONMENT.fullmatch(name) and not _PRIVATE.fullmatch(name)):
        return redactor.text(value)
    changed = redactor.text(value)
    return changed if changed != value else learned(value, redactor)


def mounts(text: str, redactor: Redactor) -> str:
    """mountinfo(5): whose volume group, pool, share or image is mounted tells of a machine, as names in options do."""
    return "".join(_mount(line, redactor) for line in text.splitlines(keepends=True))


def _mount(line: str, redactor: Redactor) -> str:
    head, separator, tail = line.rstrip("\n").partition(" - ")
    fields = (tail if separator else head).split(" ")
    at = (0, 1, 2) if separator else (2, 0, 3)  # mountinfo, or the older form of /proc/mounts and fstab
    if len(fields) <= max(at):
        return redactor.text(line)
    fstype, source, options = at
    for index, field in enumerate(fields):
        if index == source:
            fields[index] = _source(field, fields[fstype], redactor)
        elif index == options:
            fields[index] = ",".join(_option(option, redactor) for option in field.split(","))
        else:
            fields[index] = redactor.text(field)
    return (f"{_head(head, redactor)} - " if separator else "") + " ".join(fields) + "\n"


def _head(head: str, redactor: Redactor) -> str:
    """The fields before the dash; the fourth is the directory of the file system that is mounted."""
    fields = head.split(" ")
    return " ".join(
        learned(f, redactor)
        if n == 3 and f.count("/") > 0 and f != "/" and not _PLAIN_ROOT.fullmatch(f)
        else redactor.text(f)
        for n, f in enumerate(fields)
    )


#: What is bound from a system's own directories, by snapd, systemd and container engines.
_PLAIN_ROOT = re.compile(
    r"/(?:redacted-\d+|proc|sys|null|zero|full|random|urandom|tty|/deleted|system\.slice)?(?:/[a-z_]{1,24}){0,3}"
)
_DEVICE = re.compile(
    r"/dev/(?:(?:[shv]d|xvd)[a-z]\d*|(?:nvme\d+n\d+|mmcblk\d+|nbd\d+|loop\d+|md\d+)(?:p\d+)?|(?:ram|pmem|sr|zram|dm-)\d+"
    r"|root|fuse)"
)
_PLAIN_SOURCE = re.compile(
    r"none|systemd-1|udev|shm|cgroup2?|tmpfs|devtmpfs|overlay|overlayfs|rootfs|sunrpc|nsfs|nfsd|gvfsd-fuse|portal"
    r"|kdiag-[0-9a-f]{16}|fusectl|lxcfs|drivers|lib|/dev/mapper/(?:redacted-\d+|control)"
)


def _source(source: str, fstype: str, redactor: Redactor) -> str:
    if source in (fstype, "") or _PLAIN_SOURCE.fullmatch(source) or _DEVICE.fullmatch(source):
        return source
    mapped = source.removeprefix("/dev/mapper/")
    return f"/dev/mapper/{learned(mapped, redactor)}" if mapped != source else learned(source, redactor)


_PLAIN_OPTION = re.compile(
    r"(?:mode|size|nr_inodes|nr_blocks|gid|uid|hidepid|ptmxmode|errors|data|stripe|fd|pgrp|timeout|minproto|maxproto|direct"
    r"|pipe_ino|vers|version|proto|rsize|wsize|msize|trans|cache|access|user_id|group_id|subvolid|commit|index|xino|metacopy"
    r"|redirect_dir|userxattr|volatile|compress|compress-force|space_cache|fmask|dmask|codepage|iocharset|shortname|pagesize)"
    r"=[\w.%:+-]{1,16}"
)


def _option(option: str, redactor: Redactor) -> str:
    key, has_value, value = option.partition("=")
    if not has_value:
        return redactor.text(option)
    return option if _PLAIN_OPTION.fullmatch(option) else f"{redactor.text(key)}={learned(value, redactor)}"


_SERIAL = re.compile(r"^((?:Serial|serial number)\s*:\s*)(\S+)", re.MULTILINE)


def processors(text: str, redactor: Redactor) -> str:
    """/proc/cpuinfo: a Raspberry Pi says its serial number there."""
    return _SERIAL.sub(lambda m: m[1] + redactor.learn("id", m[2]), redactor.text(text))


_BUILDER = re.compile(r"(Linux version \S+ \()([^()@\s]+@[^()\s]+)\)")


def kernel_version(text: str, redactor: Redactor) -> str:
    """/proc/version: who built a distribution's kernel is public, who built one at home is not."""

    def builder(match: re.Match[str]) -> str:
        if any(sign in match[0] for sign in public_builders()):
            return match[0]
        user, _, host = match[2].partition("@")
        who = user if user in ("root", "builder", "build") else redactor.learn("user", user)
        return f"{match[1]}{who}@{redactor.learn('host', host)})"

    return redactor.text(_BUILDER.sub(builder, text))


@cache
def public_builders() -> tuple[str, ...]:
    """What the knowledge table looks for in /proc/version, and the builders of distributions that it knows else by."""
    signs = {
        "(gcc",
        "buildd@",
        "@lists.debian.org",
        "fedoraproject.org",
        ".redhat.com",
        "opensuse.org",
        "(oe-user@",
    }
    records = table("kernels")
    for record in records["kernels"] if isinstance(records, dict) else ():
        needs = record.get("needs", {}) if isinstance(record, dict) else {}
        signs.update(s for s in (*needs.get("proc_version", ()), record.get("says", "")) if len(s) > 6)
    return tuple(sorted(signs))


#: In audit records: what a process calls itself, and files.
_LOGGED = re.compile(r'\b(comm|name|path|exe|peer|srcname|dev)=("[^"]*"|[^\s"]+)')

#: Where a line names a process without a key: security/lockdown/lockdown.c, mm/oom_kill.c, arch/*/mm/fault.c.
_PROCESS = re.compile(
    r"(Lockdown: )(.{1,20}?)(?=: [^:]* is restricted)|(Killed process \d+ \()([^)\n]+)(?=\))"
    r"|((?:^|[;\]] ?))([^\[\s;]{1,16})(?=\[\d+\]: segfault at )",
    re.MULTILINE,
)


def kernel_log(text: str, redactor: Redactor) -> str:
    """Lines of the kernel's log: the programs that tracing is about keep their names."""

    def value(match: re.Match[str]) -> str:
        word = match[2].strip('"')
        known = match[1] == "comm" and (word in TRACERS or word.endswith("-bpfcc"))
        return match[0] if known else f'{match[1]}="{learned(word, redactor)}"'

    def process(match: re.Match[str]) -> str:
        before, word = match[match.lastindex - 1] if match.lastindex else "", match[match.lastindex or 0]
        known = word in TRACERS or word.endswith("-bpfcc")
        return match[0] if known else before + redactor.learn("token", word)

    return redactor.text(_PROCESS.sub(process, _LOGGED.sub(value, text)))


_STRING_OPTION = re.compile(r'^(CONFIG_\w+=")((?:[^"\\\n]|\\.)*)(")', re.MULTILINE)


def kernel_config(text: str, redactor: Redactor) -> str:
    """A kernel's configuration: only strings can tell secrets, most of all a built-in command line."""

    def string(match: re.Match[str]) -> str:
        changed = (
            command_line
            if match[1].startswith(("CONFIG_CMDLINE=", "CONFIG_BOOT_CONFIG"))
            else Redactor.text_of
        )(match[2], redactor)
        return match[1] + changed + match[3]

    return _STRING_OPTION.sub(string, text)


def whole(kind: str) -> Rule:
    """The rule for a file that holds nothing but a secret; an empty one holds none."""

    def rule(text: str, redactor: Redactor) -> str:
        secret = text.strip("\0\n\t ")
        return text.replace(secret, redactor.learn(kind, secret)) if secret else text

    return rule


_RULES: tuple[tuple[re.Pattern[str], Rule], ...] = (
    (re.compile("/proc/cmdline|/etc/kernel/cmdline"), command_line),
    (re.compile(r"/proc/[^/]+/cmdline"), arguments),
    (re.compile(r"/proc/[^/]+(?:/task/\d+)?/environ"), environment),
    (re.compile(r"/proc/(?:[^/]+/mount(?:info|s|stats)|mounts)|/etc/(?:mtab|fstab)"), mounts),
    (re.compile("/proc/cpuinfo"), processors),
    (re.compile("/proc/version"), kernel_version),
    (re.compile("/dev/kmsg|the kernel's log"), kernel_log),
    (re.compile(r"/proc/config(?:\.gz)?|.*/config-[^/]+|.*/\.config|.*/modules/[^/]+/config"), kernel_config),
    (re.compile("/etc/hostname|/proc/sys/kernel/(?:host|domain)name"), whole("host")),
    (
        re.compile(
            r"/etc/machine-id|/var/lib/dbus/machine-id|.*/(?:product|board|chassis)_(?:serial|uuid|asset_tag)"
            r"|.*/serial-number|/proc/sys/kernel/random/(?:boot_id|uuid)"
        ),
        whole("id"),
    ),
)
#: Told first, since what they tell may stand in any other file.
TELLING = re.compile(
    "/proc/cmdline|/proc/version|/proc/cpuinfo|/proc/self/mountinfo|/proc/mounts|/etc/hostname|/etc/machine-id|/proc/sys/kernel/hostname"
)

_CONFIG_LIMIT = 16 * 1024 * 1024
#: BTF and ELF files, and what is packed, hold no text of this machine's.
_OPAQUE = (b"\x9f\xeb", b"\xeb\x9f", b"\x7fELF", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"SQLite format 3\0")


def text(path: str, content: str, redactor: Redactor) -> str:
    """The content of a text file, or what was quoted of it, as it may go out."""
    return (rule_of(path) or Redactor.text_of)(content, redactor)


def rule_of(path: str) -> Rule | None:
    """What is done to a file that is known to hold secrets, None for any other."""
    return next((rule for pattern, rule in _RULES if pattern.fullmatch(path)), None)


def redacted(path: str, data: bytes, redactor: Redactor) -> bytes:
    """A file as it may go out."""
    rule = rule_of(path)
    if data.startswith(b"\x1f\x8b"):
        return _inside(data, rule, redactor)
    if data.startswith(_OPAQUE):
        return data
    if b"\0" in data and rule is None:
        return redactor.same_length(data)
    before = data.decode("utf-8", "surrogateescape")
    after = text(path, before, redactor)
    return data if after == before else after.encode("utf-8", "surrogateescape")


def without_cut_word(data: bytes, size: int) -> bytes:
    """The beginning of a text file, of `size` bytes again, without the word that was cut off at its end: half a
    secret is not recognised as one.
    """
    if data.startswith(_OPAQUE) or b"\0" in data or not data:
        return data
    kept = max(data.rfind(blank, 0, size) for blank in (b"\n", b" ", b"\t")) + 1
    return data[:kept].ljust(size, b"x")


def _inside(data: bytes, rule: Rule | None, redactor: Redactor) -> bytes:
    """The same for a gzipped text; left as it is if nothing in it changes."""
    try:
        text = zlib.decompressobj(wbits=31).decompress(data, _CONFIG_LIMIT).decode("utf-8", "surrogateescape")
    except zlib.error:
        return data
    changed = text if "\0" in text else (rule or Redactor.text_of)(text, redactor)
    return data if changed == text else gzip.compress(changed.encode("utf-8", "surrogateescape"), mtime=0)
