"""A kernel that is installed and not running, on a system whose files are asked: this machine's, or another root's."""

from __future__ import annotations

import io
from typing import BinaryIO

from kdiag.parse.btf.image import recover
from kdiag.parse.errors import ParseError
from kdiag.system.base import (
    READ_LIMIT,
    CommandResult,
    Identity,
    ProbeResult,
    Stat,
    System,
    Uname,
    Unavailable,
)

#: What a kernel tells of itself, and what processes are on it.
_OF_KERNEL = ("/proc", "/sys", "/dev")
#: A program says its version whatever kernel runs; other questions may be answered by the running one.
_VERSION = (("--version",), ("version",))
#: Where no image can be read, the configuration still says that there is no BTF in it.
_WITHOUT_BTF = b"\n# CONFIG_DEBUG_INFO_BTF is not set\n"
_CONFIG_LIMIT = 16 * 1024 * 1024
_IMAGE_LIMIT = 192 * 1024 * 1024
BTF_DIRECTORY = "/sys/kernel/btf"
BTF_FILE = f"{BTF_DIRECTORY}/vmlinux"


def images(release: str) -> tuple[str, ...]:
    """Where distributions have the image of a release."""
    return (
        f"/boot/vmlinuz-{release}",
        f"/lib/modules/{release}/vmlinuz",
        f"/usr/lib/modules/{release}/vmlinuz",
        f"/boot/vmlinux-{release}",
        f"/boot/Image-{release}",
        f"/boot/kernel-{release}",
    )


class Installed:
    """Asks `system` for files. The one thing of /sys that is answered is the kernel's BTF, which its image holds."""

    def __init__(self, system: System, release: str) -> None:
        self._system = system
        self.release = release
        self._found: tuple[str, bytes | None] | Unavailable | None = None

    @property
    def root(self) -> str:
        return self._system.root

    @property
    def live(self) -> bool:
        return False

    @property
    def gap(self) -> Unavailable:
        """Why a question has no answer here."""
        return Unavailable(f"only the running kernel can tell, and {self.release} is not running")

    def _check(self, path: str) -> None:
        if any(path == top or path.startswith(f"{top}/") for top in _OF_KERNEL):
            raise self.gap

    def btf(self) -> tuple[str, bytes | None]:
        """The image that was read and its BTF, None if it has none. Raises Unavailable where no image can be read."""
        if self._found is None:
            try:
                self._found = self._searched()
            except Unavailable as gap:
                self._found = gap
        if isinstance(self._found, Unavailable):
            raise self._found
        return self._found

    def _searched(self) -> tuple[str, bytes | None]:
        problem: Unavailable | None = None
        for path in images(self.release):
            try:
                data = self._system.read(path, _IMAGE_LIMIT)
                if data is not None:
                    return path, recover(data)
            except Unavailable as gap:
                problem = problem or gap
            except ParseError as error:
                problem = problem or Unavailable(f"{path}: {error}")
        path = f"/boot/config-{self.release}"
        if _WITHOUT_BTF in (self._system.read(path, _CONFIG_LIMIT) or b""):
            return path, None
        raise problem or Unavailable(f"there is no image of {self.release} to read its BTF from")

    def read(self, path: str, limit: int = READ_LIMIT) -> bytes | None:
        if path == BTF_FILE:
            return self.btf()[1]
        self._check(path)
        return self._system.read(path, limit)

    def head(self, path: str, size: int) -> bytes | None:
        if path == BTF_FILE:
            data = self.btf()[1]
            return None if data is None else data[:size]
        self._check(path)
        return self._system.head(path, size)

    def open(self, path: str) -> BinaryIO | None:
        if path == BTF_FILE:
            data = self.btf()[1]
            return None if data is None else io.BytesIO(data)
        self._check(path)
        return self._system.open(path)

    def stat(self, path: str) -> Stat | None:
        if path in (BTF_DIRECTORY, "/sys/kernel"):
            self.btf()
            return Stat("dir", 0o755, 0, 0, 0)
        if path == BTF_FILE:
            data = self.btf()[1]
            return None if data is None else Stat("file", 0o444, 0, 0, len(data))
        self._check(path)
        return self._system.stat(path)

    def lstat(self, path: str) -> Stat | None:
        if path == BTF_FILE:
            return self.stat(path)
        self._check(path)
        return self._system.lstat(path)

    def listdir(self, path: str) -> tuple[str, ...] | None:
        if path == BTF_DIRECTORY:
            return None if self.btf()[1] is None else ("vmlinux",)
        self._check(path)
        return self._system.listdir(path)

    def filesystem(self, path: str) -> int | None:
        self._check(path)
        return self._system.filesystem(path)

    def which(self, name: str) -> str | None:
        return self._system.which(name)

    def start(self, argv: tuple[str, ...], timeout: float = 10.0) -> None:
        if argv[1:] in _VERSION:
            self._system.start(argv, timeout)

    def run(self, argv: tuple[str, ...], timeout: float = 10.0) -> CommandResult:
        if argv[1:] not in _VERSION:
            raise Unavailable(f"{argv[0]} would ask the running kernel, and {self.release} is not running")
        return self._system.run(argv, timeout)

    def probe(self, name: str) -> ProbeResult:
        del name
        raise self.gap

    def env(self, name: str) -> str | None:
        return self._system.env(name)

    def distribution(self) -> tuple[str, str, str] | None:
        return self._system.distribution()

    def uname(self) -> Uname:
        raise self.gap

    def identity(self) -> Identity:
        return self._system.identity()
