"""A machine to repair: this one, except for what a test says about its kernel, with directories of the test's own.

Answers about files, file systems and the kernel's identity are changed; the changes that a fix makes are real, below
the test's directory.
"""

from __future__ import annotations

import errno
import io
import lzma
import os
import struct
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from kdiag.fix.store.places import Places
from kdiag.fix.verify import LiveWith
from kdiag.machine.tracing import MAGIC
from kdiag.system import CommandResult, Identity, ProbeResult, Stat, Uname, Unavailable
from kdiag.system.base import READ_LIMIT

RELEASE = "6.12.107-test"
KERNEL = Path(__file__).resolve().parents[3] / "shared" / "kernels" / "6.12-ikheaders-m"
SERVED = "/sys/kernel/kheaders.tar.xz"
TRACEFS = "/sys/kernel/tracing"

#: Path -> what is there: bytes, a file of this machine, a directory (its names), or nothing.
Files = dict[str, bytes | Path | tuple[str, ...] | None]


def archive(release: str = RELEASE, srcarch: str = "x86") -> bytes:
    """A headers archive that has what a tree is judged by, and little else."""
    texts = {
        "include/linux/kconfig.h": "#define IS_ENABLED(x) 0\n",
        "include/linux/types.h": "typedef unsigned int u32;\n",
        "include/generated/autoconf.h": "#define CONFIG_X86 1\n",
        "include/generated/utsrelease.h": f'#define UTS_RELEASE "{release}"\n',
        "include/generated/uapi/linux/version.h": "#define LINUX_VERSION_CODE 396395\n",
        f"arch/{srcarch}/include/asm/ptrace.h": "struct pt_regs {};\n",
        f"arch/{srcarch}/include/generated/uapi/asm/types.h": "#include <asm-generic/types.h>\n",
    }
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        made: set[str] = set()
        for name, text in texts.items():
            for parent in reversed(Path(name).parents[:-1]):
                if str(parent) not in made:
                    made.add(str(parent))
                    entry = tarfile.TarInfo(f"./{parent}")
                    entry.type, entry.mode = tarfile.DIRTYPE, 0o755
                    tar.addfile(entry)
            entry = tarfile.TarInfo(f"./{name}")
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    return lzma.compress(packed.getvalue())


class FixableMachine(LiveWith):
    """This machine with some answers changed."""

    def __init__(self, case: Case, values: Mapping[str, str]) -> None:
        super().__init__(values)
        self.case = case

    def _path(self, path: str) -> bytes | Path | tuple[str, ...] | str | None:
        for known, answer in self.case.files.items():
            if path == known:
                return answer
            if answer is None and path.startswith(f"{known}/"):
                return None
        return path

    def read(self, path: str, limit: int = READ_LIMIT) -> bytes | None:
        answer = self._path(path)
        if isinstance(answer, Path):
            return answer.read_bytes() if answer.exists() else None
        if isinstance(answer, tuple):
            raise Unavailable(f"{path}: a dir, not a file")
        return super().read(path, limit) if isinstance(answer, str) else answer

    def head(self, path: str, size: int) -> bytes | None:
        data = self.read(path)
        return None if data is None else data[:size]

    def open(self, path: str) -> BinaryIO | None:
        data = self.read(path)
        return None if data is None else io.BytesIO(data)

    def stat(self, path: str) -> Stat | None:
        answer = self._path(path)
        if isinstance(answer, str):
            return super().stat(path)
        if isinstance(answer, Path):
            return super().stat(str(answer))
        if isinstance(answer, tuple):
            return Stat("dir", 0o755, 0, 0, 0)
        return None if answer is None else Stat("file", 0o644, 0, 0, len(answer))

    def lstat(self, path: str) -> Stat | None:
        return super().lstat(path) if isinstance(self._path(path), str) else self.stat(path)

    def listdir(self, path: str) -> tuple[str, ...] | None:
        answer = self._path(path)
        if isinstance(answer, str):
            return super().listdir(path)
        return answer if isinstance(answer, tuple) else None

    def filesystem(self, path: str) -> int | None:
        return self.case.magics[path] if path in self.case.magics else super().filesystem(path)

    def which(self, name: str) -> str | None:
        if name == "bpftrace":
            return "/usr/bin/bpftrace"
        return self.case.programs[name] if name in self.case.programs else super().which(name)

    def start(self, argv: tuple[str, ...], timeout: float = 10.0) -> None:
        if not argv[0].endswith("bpftrace"):
            super().start(argv, timeout)

    def run(self, argv: tuple[str, ...], timeout: float = 10.0) -> CommandResult:
        if argv[0].endswith("bpftrace"):
            return CommandResult(argv, 0, f"bpftrace v{self.case.bpftrace}\n", "")
        return super().run(argv, timeout)

    def probe(self, name: str) -> ProbeResult:
        return self.case.probes[name] if name in self.case.probes else super().probe(name)

    def uname(self) -> Uname:
        return Uname("Linux", self.case.release, "#1 SMP", "x86_64")

    def identity(self) -> Identity:
        real = super().identity()
        euid = real.euid if self.case.euid is None else self.case.euid
        return Identity(euid, euid, real.groups, real.memlock, real.interpreter)


@dataclass
class Case:
    """What is true of the machine, and where its results go: all of it below `home`."""

    home: Path
    release: str = RELEASE
    bpftrace: str = "0.17.0"
    files: Files = field(default_factory=dict)
    magics: dict[str, int | None] = field(default_factory=lambda: {TRACEFS: MAGIC["tracefs"]})
    euid: int | None = None
    probes: dict[str, ProbeResult] = field(default_factory=dict)
    programs: dict[str, str | None] = field(default_factory=lambda: {"modprobe": "/usr/sbin/modprobe"})

    @property
    def made(self) -> bool:
        """Whether its files are there already: then they are what has become of them."""
        return (self.home / ".made").exists()

    @property
    def places(self) -> Places:
        """Directories below the test's own."""
        headers = self.home / "cache" / "kdiag" / "headers"
        return Places(headers, (headers,), self.home / "state" / "kdiag", self.home / "lib" / "modules")

    @property
    def path(self) -> str:
        """Where programs that change the machine are looked for."""
        return f"{self.home}/bin:/usr/bin:/bin"

    def look(self, values: Mapping[str, str]) -> FixableMachine:
        """A fresh look at it."""
        return FixableMachine(self, values)


def case(home: Path, *variants: str, **changes: object) -> Case:
    """A kernel with CONFIG_IKHEADERS=m, its module on disk and not loaded; tracefs mounted; no headers
    anywhere.
    """
    for name in ("cache", "state", "lib") if not (home / ".made").exists() else ():
        (home / name).mkdir(exist_ok=True)
    one = Case(home, **changes)  # type: ignore[arg-type]  # the names are Case's own
    module = home / "kheaders.ko"
    if not module.exists():
        module.write_bytes(b"not an ELF file, for brevity" + archive(one.release) + bytes(64))
    directory = f"/lib/modules/{one.release}"
    one.files = {
        SERVED: None,
        directory: ("kernel", "modules.dep"),
        f"{directory}/modules.dep": b"kernel/kernel/kheaders.ko:\n",
        f"{directory}/kernel/kernel/kheaders.ko": module,
        f"{directory}/build": None,
        f"{directory}/source": None,
        "/proc/modules": b"ext4 1 2 - Live 0x0\n",
        f"/usr/src/linux-headers-{one.release}": None,
        f"/usr/src/kernels/{one.release}": None,
        "/proc/config.gz": config("CONFIG_IKHEADERS=m"),
        **one.files,
    }
    for name in variants:
        VARIANTS[name](one)
    if not one.made:
        (home / ".made").touch()
    return one


def config(line: str) -> bytes:
    """A kernel's configuration with this line."""
    return f"#\n# Linux/x86 6.12.107 Kernel Configuration\n#\n{line}\nCONFIG_MODULES=y\n".encode()


def snapshot(home: Path) -> dict[str, str]:
    """Everything below the test's directory: kinds, modes, sizes and link targets."""
    found: dict[str, str] = {}
    for directory, names, files in os.walk(home):
        for name in (*names, *files):
            path = Path(directory, name)
            info = path.lstat()
            target = os.readlink(path) if path.is_symlink() else ""
            size = 0 if path.is_dir() else info.st_size
            found[str(path.relative_to(home))] = f"{info.st_mode:o} {info.st_uid} {size} {target}"
    return found


# -- what else may be true of the machine ----------------------------------------------------------------------------


def served(one: Case) -> None:
    """CONFIG_IKHEADERS=y: the kernel serves its archive."""
    path = one.home / "kheaders.tar.xz"
    if not one.made:
        path.write_bytes(archive(one.release))
    one.files[SERVED] = path


def loadable(one: Case) -> None:
    """The module can be loaded: a modprobe of our own makes the archive appear and go."""
    served_at, modules = one.home / "served.tar.xz", one.home / "proc-modules"
    packed = one.home / "kheaders.tar.xz"
    if not one.made:
        modules.write_text("ext4 1 2 - Live 0x0\n")
        packed.write_bytes(archive(one.release))
    one.files |= {SERVED: served_at, "/proc/modules": modules, "/usr/sbin/modprobe": b"as below"}
    program(
        one,
        "modprobe",
        f"""
        if [ "$1" = -r ]; then rm -f {served_at}; echo "ext4 1 2 - Live 0x0" > {modules}; exit 0; fi
        cp {packed} {served_at}; echo "kheaders 4194304 0 - Live 0x0" >> {modules}
        """,
    )


def blocked(one: Case) -> None:
    """The module is on disk, and no modprobe is."""
    one.programs["modprobe"] = None
    one.files |= {"/usr/sbin/modprobe": None, "/sbin/modprobe": None}


def without_module(one: Case) -> None:
    """CONFIG_IKHEADERS is off."""
    one.files |= {
        f"/lib/modules/{one.release}/modules.dep": b"kernel/fs/ext4.ko:\n",
        "/proc/config.gz": config("# CONFIG_IKHEADERS is not set"),
    }


def without_btf(one: Case) -> None:
    """The kernel serves no BTF, and no vmlinux is anywhere."""
    release = one.release
    one.files |= {
        "/sys/kernel/btf": (),
        "/sys/kernel/btf/vmlinux": None,
        f"/boot/vmlinux-{release}": None,
        "/usr/lib/debug": None,
        f"/usr/lib/modules/{release}": None,
    }
    one.probes["bpf:btf-ids"] = ProbeResult(errno.ENOENT)


def debian(one: Case) -> None:
    """A package manager of our own that has the headers, with something that they need."""
    release = one.release
    status = one.home / "dpkg-status"
    if not one.made:
        status.write_text(
            "Package: base-files\nStatus: install ok installed\nVersion: 13\nArchitecture: amd64\n\n"
        )
    one.files |= {
        "/etc/os-release": b'ID=debian\nVERSION_ID="13"\nPRETTY_NAME="Debian GNU/Linux 13 (trixie)"\n',
        "/var/lib/dpkg/status": status,
        "/etc/apt/sources.list": b"deb http://mirror.example/debian trixie main\n",
        "/etc/apt/sources.list.d": (),
    }
    names = (
        f"linux-headers-{release} linux-headers-{release.rsplit('-', 1)[0]}-common linux-kbuild-6.12 gcc-x"
    )
    program(
        one,
        "apt-get",
        f"""
        [ "$1" = -y ] && shift
        [ "$1" = update ] && exit 0
        stanza="Package: %s\\nStatus: install ok installed\\nVersion: 1\\nArchitecture: amd64\\n\\n"
        for name in {names}; do
            printf "$stanza" "$name" >> {status}
        done
        """,
    )
    program(
        one,
        "dpkg",
        f"""
        shift
        for name in "$@"; do sed -i "/^Package: $name$/,/^$/d" {status}; done
        """,
    )


VARIANTS = {f.__name__: f for f in (served, loadable, blocked, without_module, without_btf, debian)}


def program(one: Case, name: str, script: str) -> Path:
    """A program where the fix looks for programs."""
    one.programs[name] = f"/usr/sbin/{name}"
    path = one.home / "bin" / name
    if not one.made:
        path.parent.mkdir(exist_ok=True)
        path.write_text("#!/bin/sh\n" + script)
        path.chmod(0o755)
    return path


# -- BTF -------------------------------------------------------------------------------------------------------------


def btf(registers: str = "orig_ax", pointer: int = 8, order: str = "<", more: tuple[int, ...] = ()) -> bytes:
    """The BTF of a very small kernel: task_struct, list_head, pt_regs; `more` are the words of type 5 and on."""
    strings = b"\0"
    words: list[int] = []

    def name(text: str) -> int:
        nonlocal strings
        strings += text.encode() + b"\0"
        return len(strings) - len(text) - 1

    def composite(text: str, *members: tuple[str, int]) -> None:
        words.extend((name(text), 4 << 24 | len(members), 64))
        for member, offset in members:
            words.extend((name(member), 1, offset))

    words.extend((name("unsigned int"), 1 << 24, 4, 32))
    composite("task_struct", ("pid", 0), ("tgid", 32))
    composite("list_head", ("next", 0), ("prev", pointer * 8))
    composite("pt_regs", (registers, 0))
    words.extend(more)
    types = struct.pack(f"{order}{len(words)}I", *words)
    head = struct.pack(f"{order}HBB5I", 0xEB9F, 1, 0, 24, 0, len(types), len(types), len(strings))
    return head + types + strings


def vmlinux(section: bytes, build_id: bytes | None = None) -> bytes:
    """An ELF image with a .BTF section, and a build-id if it is to have one."""
    note = b"" if build_id is None else struct.pack("<III4s", 4, len(build_id), 3, b"GNU\0") + build_id
    names = b"\0.BTF\0.notes\0.shstrtab\0"
    at = 64
    sections = [bytes(64)]
    for name, kind, data in ((1, 1, section), (6, 7, note), (13, 3, names)):
        sections.append(struct.pack("<IIQQQQIIQQ", name, kind, 0, 0, at, len(data), 0, 0, 4, 0))
        at += len(data)
    head = struct.pack("<16sHHIQQQIHHHHHH", b"\x7fELF\2\1\1", 2, 62, 1, 0, 0, at, 0, 64, 0, 0, 64, 4, 3)
    return head + section + note + names + b"".join(sections)


def notes(build_id: bytes) -> bytes:
    """/sys/kernel/notes of a kernel with this build-id."""
    return struct.pack("<III4s", 4, len(build_id), 3, b"GNU\0") + build_id
