"""Small but real pieces of machines: BTF, configurations, kheaders, header trees, package databases.

Each is of the right format and of a few kilobytes, so that the product's own readers read them.
"""

from __future__ import annotations

import gzip
import io
import lzma
import re
import sqlite3
import struct
import tarfile
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path, PurePosixPath

from kdiag.parse.btf import Kind
from tests.support.btf_encoder import Encoder, Name, Ref, composite, record

#: Ids of the functions that kdiag's probes need, in the BTF made here.
FENTRY_TEST, ITER_TASK = 5, 6
_PATH = 7


@cache
def btf(
    *,
    enum64: bool = True,
    order: str = "<",
    functions: tuple[str, ...] = (),
    padding: int = 0,
    tags: bool = False,
) -> bytes:
    """BTF of a kernel: task_struct, path, the functions of kdiag's probes; ENUM64 as kernels from 6.0 on have it.

    functions: more of them; padding: types without a meaning, as a whole kernel has many; tags: a tagged pointer.
    """
    encoder = Encoder().add(
        record(Kind.INT, "int", 4, 0x01000020),  # 1
        record(Kind.PTR, "", Ref(3)),  # 2
        composite(Kind.STRUCT, "task_struct", ("pid", 1, 0), ("real_parent", 2, 64)),  # 3
        record(Kind.FUNC_PROTO, "", Ref(1), Name("a"), Ref(1), vlen=1),  # 4
        record(Kind.FUNC, "bpf_fentry_test1", Ref(4), vlen=1),  # 5
        record(Kind.FUNC, "bpf_iter_task", Ref(4), vlen=1),  # 6
        composite(Kind.STRUCT, "path", ("dentry", 2, 0)),  # 7
        record(Kind.FUNC, "bpf_loop", Ref(4), vlen=1),  # 8
        record(Kind.FUNC, "bpf_rcu_read_lock", Ref(4), vlen=1),  # 9
    )
    for name in functions:
        encoder.add(record(Kind.FUNC, name, Ref(4), vlen=1))
    for _ in range(padding):
        encoder.add(record(Kind.PTR, "", Ref(1)))
    if tags:
        encoder.add(record(Kind.TYPE_TAG, "rcu", Ref(3)))
    if enum64:
        encoder.add(record(Kind.ENUM64, "wide", 8, Name("HIGH"), 0, 0x80000000, vlen=1))
    return encoder.encode(order)


def circular_btf() -> bytes:
    """BTF with a task_struct that contains itself: libbpf takes it, and what asks for its size never comes back."""
    return Encoder().add(composite(Kind.STRUCT, "task_struct", ("pid", 1, 0))).encode()


def module_btf(base: bytes) -> bytes:
    """Split BTF of a module on top of `base`: one struct that points to its vmlinux's task_struct."""
    strings = struct.unpack_from("<I", base, 20)[0]
    encoder = Encoder(names_from=strings).add(composite(Kind.STRUCT, "xfs_inode", ("owner", 2, 0)))
    return encoder.encode()


@cache
def btf_elf(section: bytes) -> bytes:
    """An ELF file that holds nothing but a .BTF section, as Debian's headers packages have one since 6.12."""
    names = b"\0.BTF\0.shstrtab\0"
    return _elf([(1, 1, section, 0), (6, 3, names, 0)], machine=62, kind=2)


@cache
def program(*functions: str, build_id: bytes = b"") -> bytes:
    """A program whose table of symbols names these functions; without any it is stripped."""
    strings = b"\0" + b"".join(name.encode() + b"\0" for name in functions)
    places = (strings.index(b"\0%b\0" % name.encode()) + 1 for name in functions)
    symbols = bytes(24) + b"".join(struct.pack("<IBBHQQ", at, 2, 0, 1, 0x1000, 1) for at in places)
    note = struct.pack("<III", 4, len(build_id), 3) + b"GNU\0" + build_id
    sections = [
        (0, 3, strings, 0),
        *([(0, 2, symbols, 1)] if functions else []),
        (0, 7, note if build_id else b"", 0),
    ]
    return _elf([*sections, (0, 3, b"\0", 0)], machine=62, kind=3)


def _elf(sections: list[tuple[int, int, bytes, int]], *, machine: int, kind: int) -> bytes:
    """An ELF64 file of (name offset, type, content, link); the last section holds the names."""
    body, headers = b"", [bytes(64)]
    for name, section_kind, content, link in sections:
        entry = 24 if section_kind == 2 else 0
        headers.append(
            struct.pack(
                "<IIQQQQIIQQ", name, section_kind, 0, 0, 64 + len(body), len(content), link, 0, 1, entry
            )
        )
        body += content
    start = struct.pack(
        "<HHIQQQIHHHHHH",
        kind,
        machine,
        1,
        0,
        0,
        64 + len(body),
        0,
        64,
        0,
        0,
        64,
        len(headers),
        len(headers) - 1,
    )
    return b"\x7fELF\2\1\1" + bytes(9) + start + body + b"".join(headers)


# -- tracepoints ------------------------------------------------------------------------------------------------------

_COMMON = """
	field:unsigned short common_type;	offset:0;	size:2;	signed:0;
	field:unsigned char common_flags;	offset:2;	size:1;	signed:0;
	field:unsigned char common_preempt_count;	offset:3;	size:1;	signed:0;
	field:int common_pid;	offset:4;	size:4;	signed:1;

"""


def _event(name: str, number: int, *fields: tuple[str, int]) -> dict[str, str]:
    """The files of a tracepoint: its fields with their sizes, as 6.12 has them on x86_64."""
    lines, at = [], 8
    for field, size in fields:
        at += -at % min(size, 8)
        lines.append(f"\tfield:{field};\toffset:{at};\tsize:{size};\tsigned:0;\n")
        at += size
    return {
        "id": f"{number}\n",
        "format": f'name: {name}\nID: {number}\nformat:{_COMMON}{"".join(lines)}\nprint fmt: ""\n',
    }


EVENTS = {
    "syscalls/sys_enter_openat": _event(
        "sys_enter_openat", 673,
        ("int __syscall_nr", 4), ("int dfd", 8), ("const char * filename", 8), ("int flags", 8), ("umode_t mode", 8),
    ),
    "sock/inet_sock_set_state": _event(
        "inet_sock_set_state", 1383,
        ("const void * skaddr", 8), ("int oldstate", 4), ("int newstate", 4), ("__u16 sport", 2), ("__u16 dport", 2),
        ("__u16 family", 2), ("__u16 protocol", 2), ("__u8 saddr[4]", 4), ("__u8 daddr[4]", 4),
        ("__u8 saddr_v6[16]", 16), ("__u8 daddr_v6[16]", 16),
    ),
    "sched/sched_process_fork": _event(
        "sched_process_fork", 290,
        ("char parent_comm[16]", 16), ("pid_t parent_pid", 4), ("char child_comm[16]", 16), ("pid_t child_pid", 4),
    ),
}  # fmt: skip


# -- configuration ---------------------------------------------------------------------------------------------------

_ON = """
BPF BPF_SYSCALL BPF_JIT HAVE_EBPF_JIT BPF_EVENTS PERF_EVENTS HAVE_PERF_EVENTS PROFILING KPROBES
HAVE_KPROBES KPROBE_EVENTS KPROBES_ON_FTRACE HAVE_REGS_AND_STACK_ACCESS_API FPROBE UPROBES
ARCH_SUPPORTS_UPROBES UPROBE_EVENTS MMU FUNCTION_TRACER DYNAMIC_FTRACE HAVE_DYNAMIC_FTRACE
DYNAMIC_FTRACE_WITH_ARGS DYNAMIC_FTRACE_WITH_REGS DYNAMIC_FTRACE_WITH_DIRECT_CALLS FTRACE_SYSCALLS
HAVE_SYSCALL_TRACEPOINTS TRACEPOINTS TRACING EVENT_TRACING DEBUG_FS DEBUG_INFO DEBUG_INFO_DWARF5
DEBUG_INFO_BTF DEBUG_INFO_BTF_MODULES PAHOLE_HAS_SPLIT_BTF KALLSYMS KALLSYMS_ALL STACKTRACE UNWINDER_ORC
MODULES CGROUPS CGROUP_BPF NET INET SECURITY SECURITYFS SECURITY_LOCKDOWN_LSM LOCK_DOWN_KERNEL_FORCE_NONE
BPF_LSM
"""
#: What a distribution's kernel has; `CONFIG_` left out.
USUAL = dict.fromkeys(_ON.split(), "y") | {"IKHEADERS": "n", "IKCONFIG": "n"}


def config(version: str, changes: Mapping[str, str | None] | None = None, *, arch: str = "x86") -> str:
    """A whole configuration of this source version. changes: `y`, `m`, `n`, text, or None for no line at all."""
    values: dict[str, str | None] = {
        "X86_64" if arch == "x86" else arch.upper(): "y",
        **USUAL,
        **(changes or {}),
    }
    # A complete configuration mentions thousands of options.
    values |= {f"DRIVER_{number:03}": "m" for number in range(200)}
    lines = [
        f"# CONFIG_{name} is not set" if value == "n" else f"CONFIG_{name}={value}"
        for name, value in values.items()
        if value is not None
    ]
    banner = (
        f"#\n# Automatically generated file; DO NOT EDIT.\n# Linux/{arch} {version} Kernel Configuration\n#\n"
    )
    return banner + "\n".join(lines) + "\n"


def config_gz(version: str, changes: Mapping[str, str | None] | None = None, *, arch: str = "x86") -> bytes:
    """The same as /proc/config.gz serves it."""
    return gzip.compress(config(version, changes, arch=arch).encode(), mtime=0)


# -- headers ---------------------------------------------------------------------------------------------------------


def version_numbers(release: str) -> tuple[int, int, int]:
    """6, 12, 107 of 6.12.107+deb13-amd64."""
    found = re.match(r"(\d+)\.(\d+)(?:\.(\d+))?", release)
    assert found is not None
    return int(found[1]), int(found[2]), int(found[3] or 0)


def generated(release: str) -> dict[str, str]:
    """The files of a header tree that its build makes."""
    major, minor, patch = version_numbers(release)
    code = (major << 16) + (minor << 8) + min(patch, 255)
    return {
        "include/generated/autoconf.h": "#define CONFIG_BPF 1\n",
        "include/generated/utsrelease.h": f'#define UTS_RELEASE "{release}"\n',
        "include/generated/uapi/linux/version.h": f"#define LINUX_VERSION_CODE {code}\n",
        "include/config/auto.conf": "CONFIG_BPF=y\n",
    }


def common(arch: str = "x86") -> dict[str, str]:
    """The files of a header tree that are the same for every architecture and flavour."""
    names = ("kconfig", "types", "sched", "path", "dcache", "compiler")
    return {f"include/linux/{name}.h": f"/* {name} */\n" for name in names} | {
        f"arch/{arch}/include/asm/ptrace.h": "/* ptrace */\n",
        "include/uapi/linux/types.h": "/* uapi */\n",
        "include/uapi/linux/bpf.h": "struct bpf_timer {\n\t__u64 o[2];\n};\n",
        "include/linux/bpf.h": "#include <uapi/linux/bpf.h>\nsizeof(struct bpf_timer);\n",
    }


def tree(release: str, arch: str = "x86") -> dict[str, str]:
    """A complete header tree: what kheaders, Fedora's kernel-devel or both of Debian's packages together hold."""
    made = {f"arch/{arch}/include/generated/uapi/asm/types.h": "/* asm */\n"}
    return {**common(arch), **generated(release), **made}


def xbps(packages: Mapping[str, str]) -> str:
    """Void's list of installed packages."""
    entry = (
        "<key>{0}</key><dict><key>pkgver</key><string>{0}-{1}</string>"
        "<key>state</key><string>installed</string></dict>"
    )
    entries = "".join(entry.format(name, version) for name, version in packages.items())
    return f'<?xml version="1.0"?><plist version="1.0"><dict>{entries}</dict></plist>'


@cache
def archive(release: str, arch: str = "x86") -> bytes:
    """kheaders.tar.xz of this release."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as tar:
        names = dict.fromkeys(
            f"./{parent}" for path in tree(release, arch) for parent in PurePosixPath(path).parents
        )
        entries = {name.removesuffix("/."): None for name in names} | {
            f"./{path}": text.encode() for path, text in tree(release, arch).items()
        }
        for name, content in sorted(entries.items()):
            info = tarfile.TarInfo(name)
            info.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
            info.mode = 0o755 if content is None else 0o644
            info.size = len(content or b"")
            tar.addfile(info, io.BytesIO(content or b""))
    return lzma.compress(buffer.getvalue())


@cache
def kheaders_module(data: bytes) -> bytes:
    """kheaders.ko: a relocatable ELF file with the archive between its two symbols in .rodata."""
    strings = b"\0kernel_headers_data\0kernel_headers_data_end\0"
    symbols = (
        bytes(24)
        + struct.pack("<IBBHQQ", 1, 16, 0, 1, 0, 0)
        + struct.pack("<IBBHQQ", 21, 16, 0, 1, len(data), 0)
    )
    names = b"\0.rodata\0.strtab\0.symtab\0.shstrtab\0"
    return _elf(
        [(1, 1, data, 0), (9, 3, strings, 0), (17, 2, symbols, 2), (25, 3, names, 0)], machine=62, kind=1
    )


# -- user space ------------------------------------------------------------------------------------------------------


def dpkg(*packages: tuple[str, str] | str) -> str:
    """/var/lib/dpkg/status with these packages installed; a name alone gets version 1."""
    pairs = [(package, "1") if isinstance(package, str) else package for package in packages]
    return "\n".join(
        f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n"
        for name, version in [("base-files", "13"), *pairs]
    )


def process_status(effective: int, bounding: int, *, seccomp: int = 0, no_new_privs: int = 0) -> str:
    """/proc/self/status, the lines that matter."""
    return (
        f"Name:\tkdiag\nCapInh:\t{0:016x}\nCapPrm:\t{effective:016x}\nCapEff:\t{effective:016x}\nCapBnd:\t{bounding:016x}\n"
        f"CapAmb:\t{0:016x}\nNoNewPrivs:\t{no_new_privs}\nSeccomp:\t{seccomp}\n"
    )


def limits(files: int, hard: int | str = 524288) -> str:
    """/proc/self/limits, the lines around the one that matters (fs/proc/base.c, lnames)."""
    return (
        "Limit                     Soft Limit           Hard Limit           Units     \n"
        "Max processes             14954                14954                processes \n"
        f"Max open files            {files:<20} {hard:<20} files     \n"
        "Max locked memory         8388608              8388608              bytes     \n"
    )


def rpm_header(name: str, version: str, release: str, arch: str = "x86_64") -> bytes:
    """The header of an installed package as every rpm database stores it (rpm docs/manual/format_header.md)."""
    index, store = b"", b""
    for tag, text in ((1000, name), (1001, version), (1002, release), (1022, arch)):
        index += struct.pack(">IIII", tag, 6, len(store), 1)
        store += text.encode() + b"\0"
    return struct.pack(">II", len(index) // 16, len(store)) + index + store


@cache
def rpm_database(*packages: tuple[str, str, str]) -> bytes:
    """rpmdb.sqlite with packages of (name, version, release); the schema is that of rpm lib/backend/sqlite.cc."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "rpmdb.sqlite"
        connection = sqlite3.connect(path)
        connection.execute(
            "CREATE TABLE Packages (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)"
        )
        connection.execute(
            "CREATE TABLE Name (key TEXT NOT NULL, hnum INTEGER NOT NULL, idx INTEGER NOT NULL)"
        )
        for number, package in enumerate(packages, 1):
            connection.execute("INSERT INTO Packages VALUES (?, ?)", (number, rpm_header(*package)))
            connection.execute("INSERT INTO Name VALUES (?, ?, 0)", (package[0], number))
        connection.commit()
        connection.close()
        return path.read_bytes()
