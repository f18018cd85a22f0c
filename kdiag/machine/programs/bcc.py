"""BCC as it is installed: its tools, its Python module, the interpreter of both, its library."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from kdiag.machine.programs.start import Start, there
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable

    from kdiag.machine.programs.libraries import Libraries, Version
    from kdiag.machine.programs.start import Starts
    from kdiag.system import System

_PYTHON = "/usr/bin/python3"


class BccTools:
    """What there is of BCC. find: where a program is, by name."""

    def __init__(
        self, system: System, find: Callable[[str], str | None], starts: Starts, libraries: Libraries
    ) -> None:
        self._system = system
        self._find = find
        self._starts = starts
        self._libraries = libraries

    @cached_property
    def library(self) -> tuple[str, Version] | None:
        """BCC's shared library: path and version by its file name."""
        found = self._libraries.releases("libbcc")
        return found[0] if found else None

    @cached_property
    def tools(self) -> str | None:
        """Where BCC's command line tools are (Debian suffixes them -bpfcc), None if not installed."""
        return self._find("execsnoop-bpfcc") or next(
            (d for d in ("/usr/share/bcc/tools", "/usr/sbin/execsnoop-bpfcc") if there(self._system, d)), None
        )

    @cached_property
    def module(self) -> str | None:
        """BCC's Python package, which distributions pack apart from the tools (Debian: python3-bpfcc); None without."""
        places = ["/usr/lib/python3/dist-packages/bcc"]
        for library in ("/usr/lib", "/usr/lib64"):
            try:
                names = self._system.listdir(library) or ()
            except Unavailable:
                continue
            places += [f"{library}/{name}/site-packages/bcc" for name in names if name.startswith("python3.")]
        return next((place for place in places if there(self._system, f"{place}/__init__.py")), None)

    @property
    def installed(self) -> bool:
        """Whether BCC is installed: its tools, or the module that they and other scripts use."""
        return self.tools is not None or self.module is not None

    @cached_property
    def program(self) -> str | None:
        """One of BCC's tools, by which the others are judged."""
        return self.tool("execsnoop")

    def tool(self, name: str) -> str | None:
        """Where one of BCC's tools is, None if it is not installed."""
        where = self.tools
        if where is None:
            return None
        beside = where.endswith("/execsnoop-bpfcc")
        path = f"{where.rpartition('/')[0]}/{name}-bpfcc" if beside else f"{where}/{name}"
        return path if path == where or there(self._system, path) else None

    def present(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Those of these tools of BCC that are installed, as far as their directory can be listed."""
        where = self.tools or ""
        beside = where.endswith("/execsnoop-bpfcc")
        try:
            listed = frozenset(self._system.listdir(where.rpartition("/")[0] if beside else where) or ())
        except Unavailable:
            return ()
        return tuple(name for name in names if (f"{name}-bpfcc" if beside else name) in listed)

    @cached_property
    def interpreter(self) -> str | None:
        """The Python of BCC's tools, by the first line of one of them: it has the module `bcc`. Without tools that of
        the distribution, if the module is there; else None.
        """
        if self.program is None:
            return _PYTHON if self.module is not None and there(self._system, _PYTHON) else None
        line = (self._system.head(self.program, 256) or b"") if self.program else b""
        words = line.partition(b"\n")[0][2:].decode("utf-8", "replace").split() if line[:2] == b"#!" else []
        named = next((word for word in words if not word.endswith("/env")), "")
        if "python" not in named:
            return None
        return named if named.startswith("/") else self._find(named)

    @cached_property
    def start(self) -> Start | None:
        """Whether BCC's tools start: their interpreter finds the module, and that its library. None without BCC."""
        program = self.program
        if program is None:
            return self._starts.started((_PYTHON, "-IBc", "import bcc")) if self.module is not None else None
        try:
            line = (self._system.head(program, 256) or b"").partition(b"\n")[0].decode("utf-8", "replace")
            words = line[2:].split() if line.startswith("#!") else []
            by_name = bool(words) and words[0].endswith("/env")
            interpreter = self._find(words[-1]) if by_name else words[0] if words else ""
        except Unavailable as gap:
            return Start(None, gap.reason, program)
        if interpreter is None:
            return Start(False, f"its first line asks for {words[-1]}, which is not there", program)
        if "python" not in interpreter:
            return Start(None, f"a script for {interpreter}" if interpreter else "not a script", program)
        # Isolated, so that no module of the current directory or of the user is the one that is found.
        return self._starts.started((interpreter, "-IBc", "import bcc"))
