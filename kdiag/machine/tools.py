"""The tracing tools that are installed: where, which version, how they came here."""

from __future__ import annotations

import errno
import re
import signal
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from kdiag.knowledge.tools.bpftrace import behaviour, parse_version
from kdiag.knowledge.tools.bpftrace_history import NEWEST_READ
from kdiag.machine.programs.build import BuildFacts
from kdiag.machine.programs.libbpf import LibbpfFacts
from kdiag.machine.programs.loader import Loader
from kdiag.parse.elf_names import names
from kdiag.parse.errors import ParseError
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.knowledge.tools.behaviour import Behaviour
    from kdiag.machine import Machine
    from kdiag.system import CommandResult

Version = tuple[int, int, int]

#: Directories that a user's PATH often lacks and root's has.
_MORE = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin", "/snap/bin")
#: Debian's directory of an architecture (https://wiki.debian.org/Multiarch/Tuples), by `uname -m` or the ELF machine.
_MULTIARCH = {
    "x86_64": ("x86_64-linux-gnu",),
    "i386": ("i386-linux-gnu",),
    "i486": ("i386-linux-gnu",),
    "i586": ("i386-linux-gnu",),
    "i686": ("i386-linux-gnu",),
    "aarch64": ("aarch64-linux-gnu",),
    "arm": ("arm-linux-gnueabihf", "arm-linux-gnueabi"),
    "armv6l": ("arm-linux-gnueabihf", "arm-linux-gnueabi"),
    "armv7l": ("arm-linux-gnueabihf", "arm-linux-gnueabi"),
    "armv8l": ("arm-linux-gnueabihf", "arm-linux-gnueabi"),
    "ppc": ("powerpc-linux-gnu",),
    "ppc64": ("powerpc64-linux-gnu",),
    "ppc64le": ("powerpc64le-linux-gnu",),
    "riscv64": ("riscv64-linux-gnu",),
    "s390x": ("s390x-linux-gnu",),
    "loongarch64": ("loongarch64-linux-gnu",),
    "mips": ("mipsel-linux-gnu", "mips-linux-gnu"),
    "mips64": ("mips64el-linux-gnuabi64", "mips64-linux-gnuabi64", "mipsel-linux-gnu", "mips-linux-gnu"),
}
_LIBRARY_DIRS = (
    "/usr/lib64",
    "/usr/lib",
    "/usr/local/lib64",
    "/usr/local/lib",
    "/lib64",
)
_TIMEOUT = 10.0
_LIBBCC, _PYTHON = "libbcc.so.0", "/usr/bin/python3"
#: src/triggers.h of bpftrace, up to 0.21.
_TRIGGERS = ("BEGIN_trigger", "END_trigger")
#: execve(2) of a program of another architecture, or with a library of one.
_NOT_FOR_HERE = (errno.ENOEXEC, errno.ELIBBAD)


class Start(NamedTuple):
    """How the start of a program ended. runs: None where it was not tried, `words` then say why; where it does not run
    they are the loader's or its own. command: what was run. hung: it was started, and gave no answer.
    """

    runs: bool | None
    words: str
    command: str
    hung: bool = False


class Triggers(NamedTuple):
    """Whether bpftrace finds the functions of its own that BEGIN and END are probes on. looked: each file and what it
    has.
    """

    found: bool
    looked: tuple[tuple[str, str], ...]


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
        self._answers: dict[tuple[str, ...], CommandResult | Unavailable] = {}

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

    def _run(self, argv: tuple[str, ...]) -> CommandResult:
        """What a command said; run once, however many ask: bpftrace takes a tenth of a check to start."""
        if argv not in self._answers:
            try:
                self._answers[argv] = self._system.run(argv, _TIMEOUT)
            except Unavailable as gap:
                self._answers[argv] = gap
        answer = self._answers[argv]
        if isinstance(answer, Unavailable):
            raise answer
        return answer

    def start(self) -> None:
        """Let the tools print their versions while other facts are gathered."""
        for path, option in ((self.bpftrace_path, "--version"), (self.bpftool_path, "version")):
            if path is not None:
                self._system.start((path, option), _TIMEOUT)

    @cached_property
    def bpftrace(self) -> Tool | None:
        """None if not installed. Its `problem` says why the version is not known."""
        path = self.bpftrace_path
        if path is None:
            return None
        origin = self._origin("bpftrace", path)
        try:
            result = self._run((path, "--version"))
        except Unavailable as gap:
            # The package's version is that of this program only if this program is the package's.
            packaged = origin.rpartition(" ")[2] if origin.startswith("package") else None
            return Tool("bpftrace", path, parse_version(packaged or ""), packaged or "", origin, gap.reason)
        text = (result.stdout or result.stderr).strip()
        version = parse_version(text)
        printed = _first_line(text)
        if result.status != 0:
            problem = f"`bpftrace --version` ended with status {result.status}: {start_words(result)}"
            if version is None and origin.startswith("package"):
                printed = origin.rpartition(" ")[2]
                version = parse_version(printed)
        else:
            problem = "" if version else f"`bpftrace --version` printed {_first_line(text)!r}"
        return Tool("bpftrace", path, version, printed, origin, problem)

    @cached_property
    def bpftrace_start(self) -> Start | None:
        """Whether bpftrace starts; None if it is not installed."""
        path = self.bpftrace_path
        return None if path is None else self._started((path, "--version"))

    @cached_property
    def bpftool_start(self) -> Start | None:
        """Whether bpftool starts; None if it is not installed."""
        path = self.bpftool_path
        return None if path is None else self._started((path, "version"))

    @cached_property
    def bcc_start(self) -> Start | None:
        """Whether BCC's tools start: their interpreter finds the module, and that its library. None without BCC."""
        program = self.bcc_program
        if program is None:
            return self._started((_PYTHON, "-IBc", "import bcc")) if self.bcc_module is not None else None
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
        return self._started((interpreter, "-IBc", "import bcc"))

    def _by_its_files(self, program: str, gap: Unavailable, command: str) -> Start:
        """What can be told of a program that was not run: whether its loader finds all that it needs. BCC's module
        loads its library by name (src/python/bcc/libbcc.py), which its interpreter does not say.
        """
        try:
            users = [program]
            if command.endswith("import bcc'"):
                library = self.loader.find(_LIBBCC, program)
                if library is None:
                    words = f"{_LIBBCC}, which the module bcc loads, is in none of the loader's places"
                    return Start(False, words, f"what {program} would load")
                users.append(library)
            for user in users:
                missing = self.loader.missing(user)
                if missing is not None:
                    words = f"{missing.soname}, which {missing.needed_by} needs, is in none of the loader's places"
                    return Start(False, words, f"what {program} would load")
        except Unavailable:
            pass
        return Start(None, gap.reason, command, hung=gap.errno == errno.ETIMEDOUT)

    def _started(self, argv: tuple[str, ...]) -> Start:
        command = " ".join(argv[:2] if len(argv) == 2 else (*argv[:2], repr(argv[2])))
        try:
            result = self._run(argv)
        except Unavailable as gap:
            if gap.errno == errno.ENOENT and self._exists(argv[0]):
                # execve(2): "or a script interpreter or the ELF interpreter does not exist".
                words = "the program that has to load it (its ELF interpreter, or that of its first line) is not there"
                return Start(False, words, command)
            if gap.errno in _NOT_FOR_HERE:
                return Start(False, gap.reason, command)
            return self._by_its_files(argv[0], gap, command)
        if result.status == 0:
            return Start(True, _first_line(result.stdout or result.stderr), command)
        return Start(False, start_words(result), command)

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
    def bpftrace_triggers(self) -> Triggers | None:
        """BEGIN_trigger and END_trigger by name, as BCC's library looks for them (src/cc/bcc_elf.c): in the debug file
        of the program's build id and in its own tables. A debug link is of no use: it is followed from the directory of
        /proc/self/exe. None if bpftrace is not installed.

        Raises Unavailable for what is no ELF program, and for a recording from before the question.
        """
        path = self.bpftrace_path
        if path is None:
            return None
        found, said, build_id = self._triggers_in(path)
        looked = [(path, said)]
        if not found and build_id is not None:
            debug = f"/usr/lib/debug/.build-id/{build_id[:2]}/{build_id[2:]}.debug"
            if self._system.stat(debug) is None:
                looked.append((debug, "absent"))
            else:
                found, said, _ = self._triggers_in(debug)
                looked.append((debug, said))
        return Triggers(found, tuple(looked))

    def _triggers_in(self, path: str) -> tuple[bool, str, str | None]:
        """Whether both functions are there, that in words, and the build id."""
        file = self._system.open(path)
        if file is None:
            raise Unavailable(f"{path} went away")
        with file:
            try:
                said = names(file, _TRIGGERS)
            except ParseError as error:
                raise Unavailable(f"{path}: {error}") from None
        missing = [name for name in _TRIGGERS if name not in said.found]
        words = f"no {' and no '.join(missing)}" if missing else f"has {' and '.join(_TRIGGERS)}"
        return not missing, f"{words}{' (stripped)' if said.stripped and missing else ''}", said.build_id

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
            result = self._run((path, "version"))
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
                _first_line(result.stderr or text) or f"status {result.status}",
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
        return self._libraries(re.compile(r"libbpf\.so\.(\d+)\.(\d+)\.(\d+)$"))

    @cached_property
    def libbcc(self) -> tuple[str, Version] | None:
        """BCC's shared library: path and version by its file name."""
        found = self._libraries(re.compile(r"libbcc\.so\.(\d+)\.(\d+)\.(\d+)$"))
        return found[0] if found else None

    @property
    def libraries(self) -> tuple[tuple[str, Version], ...]:
        """`BCC` and `libbpf` with the release of their shared library, as far as they are here; oldest first."""
        bcc = [self.libbcc] if self.has_bcc and self.libbcc is not None else []
        found = (("BCC", bcc), ("libbpf", self.libbpfs))
        return tuple(sorted((name, release) for name, those in found for _, release in those))

    def library(self, name: str) -> str | None:
        """The file of a shared library by its name without an ending (`libc`), None if there is none. Raises
        Unavailable where no directory of libraries could be looked at.
        """
        pattern = re.compile(re.escape(name) + r"\.so(\.[0-9]+)*")
        seen = False
        for directory in (*self.multiarch_directories, *_LIBRARY_DIRS):
            try:
                names = self._system.listdir(directory)
            except Unavailable:
                continue
            seen = seen or names is not None
            found = [one for one in names or () if pattern.fullmatch(one)]
            if found:
                # libc.so of a development package is a text; the one with the number is the library.
                return f"{directory}/{max(found, key=len)}"
        if not seen:
            raise Unavailable("the directories of libraries: not recorded")
        return None

    @cached_property
    def bcc_tools(self) -> str | None:
        """Where BCC's command line tools are (Debian suffixes them -bpfcc), None if not installed."""
        return self._find("execsnoop-bpfcc") or next(
            (d for d in ("/usr/share/bcc/tools", "/usr/sbin/execsnoop-bpfcc") if self._exists(d)), None
        )

    @cached_property
    def bcc_module(self) -> str | None:
        """BCC's Python package, which distributions pack apart from the tools (Debian: python3-bpfcc); None without."""
        places = ["/usr/lib/python3/dist-packages/bcc"]
        for library in ("/usr/lib", "/usr/lib64"):
            try:
                names = self._system.listdir(library) or ()
            except Unavailable:
                continue
            places += [f"{library}/{name}/site-packages/bcc" for name in names if name.startswith("python3.")]
        return next((place for place in places if self._exists(f"{place}/__init__.py")), None)

    @property
    def has_bcc(self) -> bool:
        """Whether BCC is installed: its tools, or the module that they and other scripts use."""
        return self.bcc_tools is not None or self.bcc_module is not None

    @cached_property
    def bcc_program(self) -> str | None:
        """One of BCC's tools, by which the others are judged."""
        return self.bcc_tool("execsnoop")

    def bcc_tool(self, name: str) -> str | None:
        """Where one of BCC's tools is, None if it is not installed."""
        where = self.bcc_tools
        if where is None:
            return None
        beside = where.endswith("/execsnoop-bpfcc")
        path = f"{where.rpartition('/')[0]}/{name}-bpfcc" if beside else f"{where}/{name}"
        return path if path == where or self._exists(path) else None

    def bcc_installed(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Those of these tools of BCC that are installed, as far as their directory can be listed."""
        where = self.bcc_tools or ""
        beside = where.endswith("/execsnoop-bpfcc")
        try:
            there = frozenset(self._system.listdir(where.rpartition("/")[0] if beside else where) or ())
        except Unavailable:
            return ()
        return tuple(name for name in names if (f"{name}-bpfcc" if beside else name) in there)

    @cached_property
    def bcc_interpreter(self) -> str | None:
        """The Python of BCC's tools, by the first line of one of them: it has the module `bcc`. Without tools that of
        the distribution, if the module is there; else None.
        """
        if self.bcc_program is None:
            return _PYTHON if self.bcc_module is not None and self._exists(_PYTHON) else None
        line = (self._system.head(self.bcc_program, 256) or b"") if self.bcc_program else b""
        words = line.partition(b"\n")[0][2:].decode("utf-8", "replace").split() if line[:2] == b"#!" else []
        named = next((word for word in words if not word.endswith("/env")), "")
        if "python" not in named:
            return None
        return named if named.startswith("/") else self._find(named)

    @cached_property
    def clang(self) -> str | None:
        return self._find("clang")

    def _exists(self, path: str) -> bool:
        try:
            return self._system.stat(path) is not None
        except Unavailable:
            return False

    @cached_property
    def multiarch_directories(self) -> tuple[str, ...]:
        """Of the directories of architectures those of this user space: on a kernel of 64 bits it may have 32."""
        kernel = self._machine.kernel
        try:
            named = [kernel.arch]
        except Unavailable:
            named = []
        if kernel.interpreter is not None:
            named.insert(0, kernel.interpreter.machine)
        known = [name for machine in named for name in _MULTIARCH.get(machine, ())]
        every = [name for names in _MULTIARCH.values() for name in names]
        return tuple(f"/usr/lib/{name}" for name in dict.fromkeys(known or every))

    def _libraries(self, pattern: re.Pattern[str]) -> tuple[tuple[str, Version], ...]:
        found: list[tuple[Version, str]] = []
        for directory in (*self.multiarch_directories, *_LIBRARY_DIRS):
            try:
                names = self._system.listdir(directory) or ()
            except Unavailable:
                continue
            for name in names:
                match = pattern.match(name)
                if match:
                    found.append(((int(match[1]), int(match[2]), int(match[3])), f"{directory}/{name}"))
        return tuple((path, version) for version, path in sorted(found, reverse=True))

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


#: What the dynamic linkers of glibc and musl, the kernel and an interpreter say of a program that cannot start.
_LOADER = re.compile(
    r"error while loading shared libraries|symbol lookup error|Error loading shared library|Error relocating"
    r"|version `.*' not found|: undefined symbol|cannot open shared object file|ModuleNotFoundError|ImportError"
)


def start_words(result: CommandResult) -> str:
    """Why a program that was started did not run: the loader's line, else its first, else the signal or the status."""
    text = result.stderr if result.stderr.strip() else result.stdout
    line = next((line for line in text.splitlines() if _LOADER.search(line)), _first_line(text))
    if result.status < 0:
        try:
            name = signal.Signals(-result.status).name
        except ValueError:
            name = f"signal {-result.status}"
        return f"ended by {name}{f': {line.strip()[:200]}' if line else ''}"
    # A loader and a shell put the program's name before it.
    said = (
        line.strip()
        .removeprefix(f"{result.argv[0]}: ")
        .removeprefix(f"{result.argv[0].rpartition('/')[2]}: ")
    )
    return said[:200] or f"status {result.status}"


def _first_line(text: str) -> str:
    return text.strip().partition("\n")[0][:200]


def _numbers(text: str) -> Version | None:
    found = re.search(r"v?(\d+)\.(\d+)(?:\.(\d+))?", text)
    return (int(found[1]), int(found[2]), int(found[3] or 0)) if found else None
