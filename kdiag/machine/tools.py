"""The tracing tools that are installed: where, which version, how they came here."""

from __future__ import annotations

import re
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from kdiag.knowledge.tools.bpftrace import behaviour, parse_version
from kdiag.knowledge.tools.bpftrace_history import NEWEST_READ
from kdiag.machine.programs.bcc import BccTools
from kdiag.machine.programs.build import BuildFacts
from kdiag.machine.programs.libbpf import LibbpfFacts
from kdiag.machine.programs.libraries import Libraries
from kdiag.machine.programs.loader import Loader
from kdiag.machine.programs.start import Start, Starts, first_line, start_words
from kdiag.machine.programs.triggers import Triggers, triggers
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.knowledge.tools.behaviour import Behaviour
    from kdiag.machine import Machine
    from kdiag.machine.programs.libraries import Version

#: Directories that a user's PATH often lacks and root's has.
_MORE = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin", "/snap/bin")


class Tool(NamedTuple):
    """An installed program. version: numbers and as printed; origin: `snap`, a package with its version,
    `by hand`.
    """

    name: str
    path: str
    version: Version | None
    printed: str
    origin: str
    problem: str = ""


class Tools:
    """bpftrace, bpftool, BCC, clang, libbpf."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._system = machine.system

    @cached_property
    def shared(self) -> Libraries:
        """Shared libraries by their names."""
        return Libraries(self._machine)

    @cached_property
    def _starts(self) -> Starts:
        return Starts(self._system, self.loader)

    @cached_property
    def bcc(self) -> BccTools:
        """BCC's tools, module and library."""
        return BccTools(self._system, self._find, self._starts, self.shared)

    @cached_property
    def loader(self) -> Loader:
        """What programs and libraries load."""
        return Loader(self._machine)

    @cached_property
    def builds(self) -> BuildFacts:
        """How bpftrace was built."""
        return BuildFacts(self._machine)

    @cached_property
    def own_libbpf(self) -> LibbpfFacts:
        """The libbpf of each tool."""
        return LibbpfFacts(self._machine)

    def _find(self, name: str) -> str | None:
        path = self._system.which(name)
        if path is not None:
            return path
        for directory in _MORE:
            try:
                info = self._system.stat(f"{directory}/{name}")
            except Unavailable:
                continue
            if info is not None and info.kind == "file" and info.mode & 0o111:
                return f"{directory}/{name}"
        return None

    @cached_property
    def bpftrace_path(self) -> str | None:
        return self._find("bpftrace")

    @cached_property
    def bpftool_path(self) -> str | None:
        return self._find("bpftool")

    def start(self) -> None:
        """Let the tools print their versions while other facts are gathered."""
        for path, option in ((self.bpftrace_path, "--version"), (self.bpftool_path, "version")):
            if path is not None:
                self._starts.begin((path, option))

    @cached_property
    def bpftrace(self) -> Tool | None:
        """None if not installed. Its `problem` says why the version is not known."""
        path = self.bpftrace_path
        if path is None:
            return None
        origin = self._origin("bpftrace", path)
        try:
            result = self._starts.run((path, "--version"))
        except Unavailable as gap:
            # The package's version is that of this program only if this program is the package's.
            packaged = origin.rpartition(" ")[2] if origin.startswith("package") else None
            return Tool("bpftrace", path, parse_version(packaged or ""), packaged or "", origin, gap.reason)
        text = (result.stdout or result.stderr).strip()
        version = parse_version(text)
        printed = first_line(text)
        if result.status != 0:
            problem = f"`bpftrace --version` ended with status {result.status}: {start_words(result)}"
            if version is None and origin.startswith("package"):
                printed = origin.rpartition(" ")[2]
                version = parse_version(printed)
        else:
            problem = "" if version else f"`bpftrace --version` printed {first_line(text)!r}"
        return Tool("bpftrace", path, version, printed, origin, problem)

    @cached_property
    def bpftrace_start(self) -> Start | None:
        """Whether bpftrace starts; None if it is not installed."""
        path = self.bpftrace_path
        return None if path is None else self._starts.started((path, "--version"))

    @cached_property
    def bpftool_start(self) -> Start | None:
        """Whether bpftool starts; None if it is not installed."""
        path = self.bpftool_path
        return None if path is None else self._starts.started((path, "version"))

    @cached_property
    def bpftrace_triggers(self) -> Triggers | None:
        """The functions for BEGIN and END; None if bpftrace is not installed. Raises Unavailable as `triggers` does."""
        path = self.bpftrace_path
        return None if path is None else triggers(self._system, path)

    @cached_property
    def behaviour(self) -> Behaviour | None:
        """How the installed bpftrace behaves; None if none is installed or its version is not known."""
        tool = self.bpftrace
        return behaviour(tool.version) if tool is not None and tool.version is not None else None

    @property
    def likeliest_behaviour(self) -> Behaviour:
        """That of the installed bpftrace; of one that does not say its release, and without one, the newest known."""
        return self.behaviour or behaviour(NEWEST_READ)

    @cached_property
    def packaged_bpftrace(self) -> Version | None:
        """The release that this distribution would install, None if not known."""
        from kdiag.knowledge.distributions import packaged_bpftrace

        try:
            system = self._machine.kernel.os_release
        except Unavailable:
            return None
        return None if system is None else packaged_bpftrace(system.id, system.version_id)

    @cached_property
    def bpftool(self) -> Tool | None:
        """None if not installed; `problem` for Ubuntu's wrapper without the linux-tools of this kernel."""
        path = self.bpftool_path
        if path is None:
            return None
        origin = self._origin("bpftool", path)
        try:
            result = self._starts.run((path, "version"))
        except Unavailable as gap:
            return Tool("bpftool", path, None, "", origin, gap.reason)
        text = result.stdout.strip()
        if result.status != 0:
            return Tool(
                "bpftool",
                path,
                None,
                "",
                origin,
                first_line(result.stderr or text) or f"status {result.status}",
            )
        return Tool("bpftool", path, _numbers(text), " ".join(text.split("\n")[:2]), origin)

    @cached_property
    def bpftool_libcap(self) -> bool | None:
        """Whether bpftool was linked with libcap, by which it looks at capabilities. None where its file does not
        tell: a script (Ubuntu's, of which the kernel's own is looked at), or one with its libraries in itself.
        """
        behind = f"/usr/lib/linux-tools/{self._machine.kernel.release}/bpftool"
        for path in (self.bpftool_path, behind):
            try:
                needed = () if path is None else self.loader.needs(path).needed
            except Unavailable:
                continue
            if needed:
                return any(name.startswith("libcap.so") for name in needed)
        return None

    @cached_property
    def libbpfs(self) -> tuple[tuple[str, Version], ...]:
        """Every shared libbpf, the newest first: path and version by its file name."""
        return self.shared.releases("libbpf")

    @property
    def libraries(self) -> tuple[tuple[str, Version], ...]:
        """`BCC` and `libbpf` with the release of their shared library, as far as they are here; oldest first."""
        bcc = [self.bcc.library] if self.bcc.installed and self.bcc.library is not None else []
        found = (("BCC", bcc), ("libbpf", self.libbpfs))
        return tuple(sorted((name, release) for name, those in found for _, release in those))

    @cached_property
    def clang(self) -> str | None:
        return self._find("clang")

    def _origin(self, name: str, path: str) -> str:
        try:
            info = self._system.lstat(path)
        except Unavailable:
            info = None
        target = info.target if info is not None and info.target else ""
        if path.startswith("/snap/") or target.endswith("/snap") or target.startswith("/snap/"):
            return "snap"
        try:
            packaged = self._machine.packages.version_of(name)
        except Unavailable:
            return "unknown"
        if packaged and path.startswith(("/usr/bin/", "/usr/sbin/", "/bin/", "/sbin/")):
            return f"package {name} {packaged}"
        return "by hand"


def _numbers(text: str) -> Version | None:
    found = re.search(r"v?(\d+)\.(\d+)(?:\.(\d+))?", text)
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else None
