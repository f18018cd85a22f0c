"""A described machine as real files in a directory, examined by the code that reads live machines.

`OnDisk` is `Live` but for what only a kernel can answer: that comes from the `Description`. So files are real ones:
FIFOs, directories where files are expected, loops of links, sparse files, missing permissions.
"""

from __future__ import annotations

import os
from pathlib import Path

from kdiag.parse.kernel_log import PATH as LOG
from kdiag.system.base import READ_LIMIT, CommandResult, Identity, ProbeResult, Stat, Uname, Unavailable
from kdiag.system.live import Live
from tests.support.description import Description


def write_machine(described: Description, root: Path) -> Path:
    """Make the machine's files, directories and links below `root`, and return that."""
    for path, node in sorted(described.nodes.items()):
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        if node.kind == "dir":
            target.mkdir(exist_ok=True)
        elif node.kind == "link":
            target.symlink_to(node.target)
        elif node.kind == "fifo":
            os.mkfifo(target)
        else:
            target.write_bytes(node.data)
    for path, node in sorted(described.nodes.items(), reverse=True):
        if node.kind in ("file", "dir"):
            (root / path.lstrip("/")).chmod(node.mode)
    return root


def _of_root(found: Stat | None) -> Stat | None:
    """The user who runs the tests owns what was written; on the described machine that is root."""
    return found._replace(uid=0) if found is not None and found.uid == os.geteuid() else found


class OnDisk(Live):
    """A machine on disk as a system. `root` is what the program sees as `/`, kernel file systems included."""

    def __init__(self, described: Description, root: Path) -> None:
        super().__init__(str(root))
        self._world = described

    @property
    def root(self) -> str:
        return "/"

    @property
    def live(self) -> bool:
        return True

    def read(self, path: str, limit: int = READ_LIMIT) -> bytes | None:
        """The log is a file, too: asked as the live machine, its own would be the answer."""
        if path != LOG:
            return super().read(path, limit)
        stream = self.open(path)
        if stream is None:
            return None
        with stream:
            return stream.read(limit)

    def stat(self, path: str) -> Stat | None:
        return _of_root(super().stat(path))

    def lstat(self, path: str) -> Stat | None:
        return _of_root(super().lstat(path))

    def filesystem(self, path: str) -> int | None:
        return self._world.mounts.get(path)

    def which(self, name: str) -> str | None:
        return self._world.programs.get(name)

    def start(self, argv: tuple[str, ...], timeout: float = 10.0) -> None:
        del argv, timeout

    def run(self, argv: tuple[str, ...], timeout: float = 10.0) -> CommandResult:
        del timeout
        if argv not in self._world.commands:
            raise Unavailable(f"{argv[0]}: no such command here")
        return CommandResult(argv, *self._world.commands[argv])

    def probe(self, name: str) -> ProbeResult:
        if name not in self._world.probes:
            raise Unavailable(f"{name}: no such probe here")
        return ProbeResult(*self._world.probes[name])

    def env(self, name: str) -> str | None:
        return self._world.variables.get(name)

    def uname(self) -> Uname:
        return Uname("Linux", self._world.release, self._world.version, self._world.machine)

    def identity(self) -> Identity:
        return Identity(self._world.uid, self._world.uid, (), self._world.memlock, self._world.interpreter)
