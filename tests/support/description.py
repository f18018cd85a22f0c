"""Makes recordings of machines that are described in Python: what a `Description` holds exists, all else is absent.

A description is a small tree of files, links and directories together with what the kernel answers to calls. `write`
turns it into a directory that `kdiag.system.recording.Recording` plays back. Links to directories are resolved here,
because a recording knows paths only: the files behind `/lib/modules/R/build` are there under both names.

What machines are made of is in `machines`, whole ones are in `known_machines`; hand-written recordings are in
`fixtures/`.
"""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from kdiag.system.recording import SCHEMA, Json, Recording
from kdiag.system.recording_files import Memory

#: Variables that kdiag asks for. A recording has to name those that are not set, or they are "not recorded".
VARIABLES = (
    "BPFTRACE_KERNEL_SOURCE",
    "BPFTRACE_KERNEL_BUILD",
    "BPFTRACE_BTF",
    "BCC_KERNEL_SOURCE",
    "BCC_KERNEL_MODULES_SUFFIX",
    "ARCH",
    "KDIAG_KCONFIG",
    "KUBERNETES_SERVICE_HOST",
    "XDG_CACHE_HOME",
    "HOME",
    "PATH",
    "TMPDIR",
    "SNAP",
)
#: Programs that kdiag looks for along PATH.
PROGRAMS = (
    "bpftrace",
    "bpftool",
    "clang",
    "modprobe",
    "execsnoop-bpfcc",
    "funccount-bpfcc",
    "zstd",
    "xz",
    "tar",
    "sudo",
)


@dataclass(frozen=True, slots=True)
class Node:
    """Something at a path. kind: file, dir, link, fifo, socket, char, block."""

    kind: str
    data: bytes = b""
    mode: int = 0o644
    uid: int = 0
    target: str = ""
    size: int | None = None


def parents(path: str) -> Iterator[str]:
    """The directories above a path, nearest first, without `/`."""
    while path := path.rpartition("/")[0]:
        yield path


@dataclass
class Description:
    """One machine. Every method that changes it returns it, so that descriptions read as one sentence."""

    release: str = "6.12.107+deb13-amd64"
    machine: str = "x86_64"
    version: str = "#1 SMP PREEMPT_DYNAMIC Debian 6.12.107-1 (2026-10-30)"
    nodes: dict[str, Node] = field(default_factory=dict)
    refused: dict[str, int] = field(default_factory=dict)
    mounts: dict[str, int] = field(default_factory=dict)
    probes: dict[str, tuple[int, str]] = field(default_factory=dict)
    commands: dict[tuple[str, ...], tuple[int, str, str]] = field(default_factory=dict)
    unanswered: dict[tuple[str, ...], str] = field(default_factory=dict)
    refused_commands: dict[tuple[str, ...], int] = field(default_factory=dict)
    programs: dict[str, str | None] = field(default_factory=dict)
    variables: dict[str, str | None] = field(default_factory=dict)
    uid: int = 0
    memlock: tuple[int, int] = (8 * 1024 * 1024, 8 * 1024 * 1024)
    interpreter: str = "/usr/bin/python3"
    #: What the kernel was built without, for those who work out its answers.
    lacks: set[str] = field(default_factory=set)

    # -- files -----------------------------------------------------------------------------------------------------

    def file(self, path: str, data: bytes | str = b"", *, mode: int = 0o644, uid: int = 0) -> Description:
        """A file, with its text or bytes."""
        self.nodes[path] = Node("file", data.encode() if isinstance(data, str) else data, mode, uid)
        return self

    def files(self, files: dict[str, str | bytes]) -> Description:
        """Several plain files."""
        for path, data in files.items():
            self.file(path, data)
        return self

    def dir(self, path: str, *, mode: int = 0o755, uid: int = 0) -> Description:
        """A directory of its own; those above files are there anyway."""
        self.nodes[path] = Node("dir", b"", mode, uid)
        return self

    def link(self, path: str, target: str) -> Description:
        """A symbolic link, whole or dangling."""
        self.nodes[path] = Node("link", b"", 0o777, 0, target)
        return self

    def node(self, path: str, node: Node) -> Description:
        """Anything else."""
        self.nodes[path] = node
        return self

    def remove(self, *paths: str) -> Description:
        """Take files, or whole directories, out of the description, and what was refused or mounted there."""
        for path in paths:
            self.nodes = {p: v for p, v in self.nodes.items() if not _within(p, path)}
            self.refused = {p: v for p, v in self.refused.items() if not _within(p, path)}
            self.mounts = {p: v for p, v in self.mounts.items() if not _within(p, path)}
        return self

    def refuse(self, path: str, number: int = errno.EACCES) -> Description:
        """Looking there ends in this errno."""
        self.refused[path] = number
        return self

    def close(self, directory: str, number: int = errno.EACCES) -> Description:
        """A directory that can be seen and not entered (mode 0700): all in it ends in this errno."""
        self.dir(directory, mode=0o700).refuse(directory, number)
        for path in self._below(directory):
            self.refuse(path, number)
            for parent in parents(path):
                if _within(parent, directory):
                    self.refuse(parent, number)
        self.nodes = {p: node for p, node in self.nodes.items() if not p.startswith(f"{directory}/")}
        self.mounts = {p: magic for p, magic in self.mounts.items() if not p.startswith(f"{directory}/")}
        return self

    # -- what the kernel and the shell answer ------------------------------------------------------------------------

    def mount(self, path: str, magic: int) -> Description:
        """What statfs(2) says about a path."""
        self.mounts[path] = magic
        return self.dir(path)

    def probe(self, name: str, number: int = 0, detail: str = "") -> Description:
        """The outcome of a system call."""
        self.probes[name] = (number, detail)
        return self

    def command(self, argv: str, stdout: str = "", *, status: int = 0, stderr: str = "") -> Description:
        """What a command prints; `argv` is split at blanks."""
        self.commands[tuple(argv.split())] = (status, stdout, stderr)
        return self

    def program(self, name: str, path: str) -> Description:
        """A program on the PATH, the first path wins."""
        self.programs[name] = path
        return self if path in self.nodes else self.file(path, b"\x7fELF", mode=0o755)

    def env(self, name: str, value: str | None) -> Description:
        """An environment variable of the one who asks."""
        self.variables[name] = value
        return self

    # -- writing -----------------------------------------------------------------------------------------------------

    def _physical(self, path: str) -> str:
        """The path without links in it, as far as it exists."""
        done = ""
        pending = [part for part in path.split("/") if part][::-1]
        for _ in range(200):
            if not pending:
                break
            part = pending.pop()
            if part == ".":
                continue
            if part == "..":
                done = done.rpartition("/")[0]
                continue
            node = self.nodes.get(f"{done}/{part}")
            if node is None or node.kind != "link":
                done = f"{done}/{part}"
                continue
            if node.target.startswith("/"):
                done = ""
            pending += [piece for piece in node.target.split("/") if piece][::-1]
        return done or "/"

    def _below(self, directory: str) -> dict[str, Node]:
        return {path: node for path, node in self.nodes.items() if path.startswith(f"{directory}/")}

    def _seen(self) -> tuple[dict[str, Node], dict[str, Node]]:
        """(what lstat sees, what stat sees behind links), the files behind links under every name they have."""
        plain = dict(self.nodes)
        behind: dict[str, Node] = {}
        directories = {parent for path in self.nodes for parent in parents(path)}
        links = [path for path, node in self.nodes.items() if node.kind == "link"]
        for path in links:
            target = self._physical(path)
            node = self.nodes.get(target)
            if node is not None and node.kind != "link":
                behind[path] = node
            elif node is None and target in directories:
                behind[path] = Node("dir", mode=0o755)
            if path.startswith(f"{target}/"):
                continue  # a link to a directory above itself: its depth has no end
            for inner, found in self._below(target).items():
                plain.setdefault(f"{path}{inner.removeprefix(target)}", found)
                real = self.nodes.get(self._physical(inner))
                if found.kind == "link" and real is not None and real.kind == "file":
                    behind[f"{path}{inner.removeprefix(target)}"] = real
        return plain, behind

    def stored(self) -> dict[str, bytes]:
        """The files of the recording by their names in it."""
        plain, behind = self._seen()
        files = {}
        for path, node in plain.items():
            content = behind.get(path, node)
            if content.kind == "file" and path not in self.refused:
                files[f"root{path}"] = content.data
        index = self._answers() | self._paths(plain, behind)
        return {**files, "recording.json": json.dumps(index, indent=1).encode() + b"\n"}

    def write(self, directory: Path) -> Path:
        """Write the recording into a new directory, and return that."""
        for name, data in self.stored().items():
            target = directory / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        return directory

    def _paths(self, plain: dict[str, Node], behind: dict[str, Node]) -> dict[str, Json]:
        """The part of recording.json that is about paths."""
        listings: dict[str, set[str]] = {}
        for path in [*plain, *self.refused]:
            below = path
            for parent in parents(path):
                listings.setdefault(parent, set()).add(below.rpartition("/")[2])
                below = parent
        for path, node in [*plain.items(), *behind.items()]:
            if node.kind == "dir":
                listings.setdefault(path, set())
        stats: dict[str, Json] = {
            path: _stat(node)
            for path, node in plain.items()
            if node.kind not in ("file", "dir") or (node.mode, node.uid) != (_USUAL[node.kind], 0)
        }
        stats |= {f"{path} ->": _stat(node) for path, node in behind.items()}
        return {
            "absent": ["/**"],
            "unavailable": {path: _refusal(path, number) for path, number in self.refused.items()},
            "stats": stats,
            "listings": {
                p: [*sorted(names)] for p, names in sorted(listings.items()) if p not in self.refused
            },
            "filesystems": {**self.mounts},
        }

    def _answers(self) -> dict[str, Json]:
        """The part of recording.json that is about calls and commands."""
        commands: list[Json] = [
            {"argv": [*argv], "status": status, "stdout": out, "stderr": err}
            for argv, (status, out, err) in self.commands.items()
        ]
        commands += [{"argv": [*argv], "unavailable": why} for argv, why in self.unanswered.items()]
        commands += [
            {"argv": [*argv], "unavailable": f"{argv[0]}: {os.strerror(number)}", "errno": number}
            for argv, number in self.refused_commands.items()
        ]
        probes: dict[str, Json] = {
            name: {"errno": number, "detail": detail} for name, (number, detail) in self.probes.items()
        }
        return {
            "schema": SCHEMA,
            "uname": {
                "sysname": "Linux",
                "release": self.release,
                "version": self.version,
                "machine": self.machine,
            },
            "identity": {
                "uid": self.uid,
                "euid": self.uid,
                "groups": [self.uid],
                "memlock": [*self.memlock],
                "interpreter": self.interpreter,
            },
            "commands": commands,
            "which": {**dict.fromkeys(PROGRAMS), **self.programs},
            "probes": probes,
            "env": {**dict.fromkeys(VARIABLES), **self.variables},
        }

    def recording(self) -> Recording:
        """The machine as a system, in memory."""
        return Recording(Memory(self.stored(), "a described machine"))


_USUAL = {"file": 0o644, "dir": 0o755}


def _within(path: str, directory: str) -> bool:
    return path == directory or path.startswith(f"{directory}/")


def _stat(node: Node) -> dict[str, Json]:
    known: dict[str, Json] = {
        "kind": node.kind,
        "mode": f"{node.mode:04o}",
        "uid": node.uid,
        "size": len(node.data) if node.size is None else node.size,
    }
    return {**known, "target": node.target} if node.kind == "link" else known


def _refusal(path: str, number: int) -> Json:
    return {"reason": f"{path}: {errno.errorcode[number]}: {os.strerror(number)}", "errno": number}


def with_size(node: Node, size: int) -> Node:
    """A file that says to be larger than what is stored of it."""
    return replace(node, size=size)
