"""A machine to repair: this one, except for what a test says about its kernel; with directories of the test's
own.

Files, file systems and the kernel's identity are doctored; the changes that a fix makes are real, below the
test's directory.
"""

from __future__ import annotations

import io
import lzma
import os
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from kdiag.fix.places import Places
from kdiag.fix.verify import LiveWith
from kdiag.machine.tracing import MAGIC
from kdiag.system import CommandResult, Identity, Stat, Uname, Unavailable
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


class Doctored(LiveWith):
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
        return "/usr/bin/bpftrace" if name == "bpftrace" else super().which(name)

    def start(self, argv: tuple[str, ...], timeout: float = 10.0) -> None:
        if not argv[0].endswith("bpftrace"):
            super().start(argv, timeout)

    def run(self, argv: tuple[str, ...], timeout: float = 10.0) -> CommandResult:
        if argv[0].endswith("bpftrace"):
            return CommandResult(argv, 0, f"bpftrace v{self.case.bpftrace}\n", "")
        return super().run(argv, timeout)

    def uname(self) -> Uname:
        return Uname("Linux", self.case.release, "#1 SMP", "x86_64")

    def identity(self) -> Identity:
        real = super().identity()
        euid = real.euid if self.case.euid is None else self.case.euid
        return Identity(euid, euid, real.groups, real.memlock, real.interpreter)


@dataclass
class Case:
    """What is true of the doctored machine, and where its results go: all of it below `home`."""

    home: Path
    release: str = RELEASE
    bpftrace: str = "0.17.0"
    files: Files = field(default_factory=dict)
    magics: dict[str, int | None] = field(default_factory=lambda: {TRACEFS: MAGIC["tracefs"]})
    euid: int | None = None

    @property
    def places(self) -> Places:
        """Directories below the test's own."""
        headers = self.home / "cache" / "kdiag" / "headers"
        return Places(headers, (headers,), self.home / "state" / "kdiag", self.home / "lib" / "modules")

    def look(self, values: Mapping[str, str]) -> Doctored:
        """A fresh look at it."""
        return Doctored(self, values)


def case(home: Path, **changes: object) -> Case:
    """A kernel with CONFIG_IKHEADERS=m, its module on disk and not loaded; tracefs mounted; no headers
    anywhere.
    """
    for name in ("cache", "state", "lib"):
        (home / name).mkdir(exist_ok=True)
    module = home / "kheaders.ko"
    if not module.exists():
        module.write_bytes(b"not an ELF file, for brevity" + archive() + bytes(64))
    one = Case(home, **changes)  # type: ignore[arg-type]  # the names are Case's own
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
        "/proc/config.gz": None,
        f"/boot/config-{one.release}": b"#\n# Linux/x86 6.12.107 Kernel Configuration\n#\nCONFIG_IKHEADERS=m\n",
        **one.files,
    }
    return one


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
