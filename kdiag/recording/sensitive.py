"""Files that are known to hold secrets, and what of them may go out: command lines, environments, mounts, configs.

What the checks look for stays as it is. All other files are searched for what looks like a secret.
"""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable
from functools import cache

from kdiag.recording.redact import Redactor

Rule = Callable[[str, Redactor], str]

#: Environment variables whose values are about the tools, not about the person.
ENVIRONMENT = re.compile(
    r"(?:KDIAG|BPFTRACE|BCC|LIBBPF|DEBUGINFOD|SNAP|XDG|LC)_\w+|HOME|PATH|LANG|TERM|SHELL|TMPDIR|SNAP|container|NO_COLOR"
)
_PRIVATE = re.compile(r"DEBUGINFOD_\w+|KUBERNETES_SERVICE_HOST")

#: Kernel parameters whose values say how tracing behaves (Documentation/admin-guide/kernel-parameters.txt) ...
_PARAMETERS = """
    lockdown lsm security selinux apparmor enforcing audit mitigations console earlycon rootfstype init rdinit
    BOOT_IMAGE panic psi swiotlb iommu intel_iommu amd_iommu nokaslr debugfs ftrace trace_event trace_clock
    ftrace_filter ftrace_graph_filter kprobe_event module.sig_enforce module_blacklist modprobe.blacklist loglevel
    transparent_hugepage crashkernel efi acpi pci reboot tsc clocksource isolcpus nohz_full rcu_nocbs
    systemd.unified_cgroup_hierarchy cgroup_no_v1 cgroup_disable virtio_mmio.device bpf_jit_enable perf_event_paranoid
    kernel.perf_event_paranoid random.trust_cpu numa elevator nr_cpus maxcpus mem hugepages
"""
#: ... and those without one. Any other word may be anything, a password for the init program included.
_WORDS = "ro rw quiet splash debug auto noauto nomodule nomodules kaslr single rescue rhgb"
_KEPT_VALUES, _KEPT_WORDS = frozenset(_PARAMETERS.split()), frozenset(_WORDS.split())
_SIMPLE = re.compile(
    r"-?\d{1,4}|on|off|yes|no|y|n|auto|force|none|true|false|legacy|strict|lazy|full", re.IGNORECASE
)
_FLAG = re.compile(r"no[a-z_]{2,24}|[a-z0-9_]{2,24}\.[a-z0-9_]{2,32}")
_DEVICE = re.compile(
    r"/dev/(?:(?:[shv]d|xvd)[a-z]\d*|(?:nvme\dn\d|mmcblk\d|nbd\d)(?:p\d+)?|ram\d|vda\d*|pmem\d|md\d+)"
)


def command_line(text: str, redactor: Redactor) -> str:
    """/proc/cmdline: known parameters stay, the values of all others and what is meant for init do not."""
    done: list[str] = []
    ours = True
    for word in text.split():
        key, has_value, value = word.partition("=")
        if word == "--":
            ours = False
            done.append(word)
        elif not ours or (not has_value and word not in _KEPT_WORDS and not _FLAG.fullmatch(word)):
            done.append(_learned(word, redactor))
        elif not has_value or _SIMPLE.fullmatch(value) or (key == "root" and _DEVICE.fullmatch(value)):
            done.append(word)
        elif key in _KEPT_VALUES:
            done.append(f"{key}={redactor.text(value)}")
        else:
            done.append(f"{redactor.text(key)}={_value(value, redactor)}")
    return " ".join(done) + text[len(text.rstrip()) :]


def _value(value: str, redactor: Redactor) -> str:
    """A value behind a name such as UUID= keeps that; known kinds of secrets keep their kind."""
    prefix, has_prefix, rest = value.rpartition("=")
    changed = redactor.text(rest)
    kept = changed if changed != rest and changed.count(" ") == 0 else _learned(rest, redactor)
    return f"{prefix}={kept}" if has_prefix and re.fullmatch("(?:PART)?(?:UUID|LABEL)", prefix) else kept


def _learned(value: str, redactor: Redactor) -> str:
    return redactor.learn("token", value)


def arguments(text: str, redactor: Redactor) -> str:
    """/proc/PID/cmdline: the program and the names of its options."""
    first, *rest = text.split("\0")
    kept = [
        word if not word or re.fullmatch("--?[a-zA-Z-]+", word) else _learned(word, redactor) for word in rest
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
    return changed if changed != value else _learned(value, redactor)


def mounts(text: str, redactor: Redactor) -> str:
    """mountinfo(5): who serves a network file system, and the names in options, are nobody's business."""
    return "".join(_mount(line, redactor) for line in text.splitlines(keepends=True))


def _mount(line: str, redactor: Redactor) -> str:
    head, separator, tail = line.rstrip("\n").partition(" - ")
    fields = (tail if separator else head).split(" ")
    at = (1, 2) if separator else (0, 3)  # mountinfo, or the older form of /proc/mounts and fstab
    if len(fields) <= at[1]:
        return redactor.text(line)
    for index, field in enumerate(fields):
        if index == at[0] and (":/" in field or field.startswith("//") or "@" in field):
            fields[index] = _learned(field, redactor)
        elif index == at[1]:
            fields[index] = ",".join(_option(option, redactor) for option in field.split(","))
        else:
            fields[index] = redactor.text(field)
    return (f"{redactor.text(head)} - " if separator else "") + " ".join(fields) + "\n"


_PLAIN_OPTION = re.compile(
    r"(?:mode|size|nr_inodes|gid|uid|hidepid|ptmxmode|errors|data|inode64|stripe)=[\w.%-]+"
)


def _option(option: str, redactor: Redactor) -> str:
    key, has_value, value = option.partition("=")
    if not has_value or _PLAIN_OPTION.fullmatch(option) or _SIMPLE.fullmatch(value):
        return option
    changed = redactor.text(value)
    return f"{key}={changed if changed != value or '/' in value else _learned(value, redactor)}"


_SERIAL = re.compile(r"^((?:Serial|serial number)\s*:\s*)(\S+)", re.MULTILINE)


def processors(text: str, redactor: Redactor) -> str:
    """/proc/cpuinfo: a Raspberry Pi says its serial number there."""
    return _SERIAL.sub(lambda m: m[1] + redactor.learn("id", m[2]), redactor.text(text))


_BUILDER = re.compile(r"(Linux version \S+ \()([^()@\s]+@[^()\s]+)\)")


def kernel_version(text: str, redactor: Redactor) -> str:
    """/proc/version: who built a distribution's kernel is public, who built one at home is not."""

    def builder(match: re.Match[str]) -> str:
        if any(sign in match[0] for sign in _public_builders()):
            return match[0]
        user, _, host = match[2].partition("@")
        who = user if user in ("root", "builder", "build") else redactor.learn("user", user)
        return f"{match[1]}{who}@{redactor.learn('host', host)})"

    return redactor.text(_BUILDER.sub(builder, text))


@cache
def _public_builders() -> tuple[str, ...]:
    """What the knowledge table looks for in /proc/version, and the builders of distributions that it knows else by."""
    from kdiag.knowledge.tables import table

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
    """The rule for a file that holds nothing but a secret."""
    return lambda text, redactor: text.replace(
        text.strip("\0\n\t "), redactor.learn(kind, text.strip("\0\n\t "))
    )


_RULES: tuple[tuple[re.Pattern[str], Rule], ...] = (
    (re.compile("/proc/cmdline|/etc/kernel/cmdline"), command_line),
    (re.compile(r"/proc/[^/]+/cmdline"), arguments),
    (re.compile(r"/proc/[^/]+(?:/task/\d+)?/environ"), environment),
    (re.compile(r"/proc/(?:[^/]+/mount(?:info|s|stats)|mounts)|/etc/(?:mtab|fstab)"), mounts),
    (re.compile("/proc/cpuinfo"), processors),
    (re.compile("/proc/version"), kernel_version),
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
    "/proc/cmdline|/proc/version|/proc/cpuinfo|/etc/hostname|/etc/machine-id|/proc/sys/kernel/hostname"
)

_CONFIG_LIMIT = 16 * 1024 * 1024
#: BTF and ELF files, and what is packed, hold no text of this machine's.
_OPAQUE = (b"\x9f\xeb", b"\xeb\x9f", b"\x7fELF", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd", b"SQLite format 3\0")


def text(path: str, content: str, redactor: Redactor) -> str:
    """The content of a text file, or what was quoted of it, as it may go out."""
    return (_rule(path) or Redactor.text_of)(content, redactor)


def _rule(path: str) -> Rule | None:
    return next((rule for pattern, rule in _RULES if pattern.fullmatch(path)), None)


def redacted(path: str, data: bytes, redactor: Redactor) -> bytes:
    """A file as it may go out."""
    rule = _rule(path)
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
