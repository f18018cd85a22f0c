"""Whether a program starts: by running it, else by what its loader would find."""

from __future__ import annotations

import errno
import re
import signal
from typing import TYPE_CHECKING, NamedTuple

from kdiag.machine.programs.once import Once
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.machine.programs.loader import Loader
    from kdiag.system import CommandResult, System

#: Seconds for a program that prints its release.
TIMEOUT = 10.0
_LIBBCC = "libbcc.so.0"
#: execve(2) of a program of another architecture, or with a library of one.
_NOT_FOR_HERE = (errno.ENOEXEC, errno.ELIBBAD)
#: What the dynamic linkers of glibc and musl, the kernel and an interpreter say of a program that cannot start.
_LOADER = re.compile(
    r"error while loading shared libraries|symbol lookup error|Error loading shared library|Error relocating"
    r"|version `.*' not found|: undefined symbol|cannot open shared object file|ModuleNotFoundError|ImportError"
)


class Start(NamedTuple):
    """How the start of a program ended. runs: None where it was not tried, `words` then say why; where it does not run
    they are the loader's or its own. command: what was run. hung: it was started, and gave no answer.
    """

    runs: bool | None
    words: str
    command: str
    hung: bool = False


class Starts:
    """Starts programs, each command once."""

    def __init__(self, system: System, loader: Loader) -> None:
        self._system = system
        self._loader = loader
        self._answers: Once[tuple[str, ...], CommandResult] = Once(lambda argv: system.run(argv, TIMEOUT))

    def begin(self, argv: tuple[str, ...]) -> None:
        """Let it run while other facts are gathered."""
        self._system.start(argv, TIMEOUT)

    def run(self, argv: tuple[str, ...]) -> CommandResult:
        """What a command said; run once, however many ask: bpftrace takes a tenth of a check to start."""
        return self._answers(argv)

    def started(self, argv: tuple[str, ...]) -> Start:
        """How the start of a program ended."""
        command = " ".join(argv[:2] if len(argv) == 2 else (*argv[:2], repr(argv[2])))
        try:
            result = self.run(argv)
        except Unavailable as gap:
            if gap.errno == errno.ENOENT and there(self._system, argv[0]):
                # execve(2): "or a script interpreter or the ELF interpreter does not exist".
                words = "the program that has to load it (its ELF interpreter, or that of its first line) is not there"
                return Start(False, words, command)
            if gap.errno in _NOT_FOR_HERE:
                return Start(False, gap.reason, command)
            return self._by_its_files(argv[0], gap, command)
        if result.status == 0:
            return Start(True, first_line(result.stdout or result.stderr), command)
        return Start(False, start_words(result), command)

    def _by_its_files(self, program: str, gap: Unavailable, command: str) -> Start:
        """What can be told of a program that was not run: whether its loader finds all that it needs. BCC's module
        loads its library by name (src/python/bcc/libbcc.py), which its interpreter does not say.
        """
        try:
            users = [program]
            if command.endswith("import bcc'"):
                library = self._loader.find(_LIBBCC, program)
                if library is None:
                    words = f"{_LIBBCC}, which the module bcc loads, is in none of the loader's places"
                    return Start(False, words, f"what {program} would load")
                users.append(library)
            for user in users:
                missing = self._loader.missing(user)
                if missing is not None:
                    words = f"{missing.soname}, which {missing.needed_by} needs, is in none of the loader's places"
                    return Start(False, words, f"what {program} would load")
        except Unavailable:
            pass
        return Start(None, gap.reason, command, hung=gap.errno == errno.ETIMEDOUT)


def start_words(result: CommandResult) -> str:
    """Why a program that was started did not run: the loader's line, else its first, else the signal or the status."""
    text = result.stderr if result.stderr.strip() else result.stdout
    line = next((line for line in text.splitlines() if _LOADER.search(line)), first_line(text))
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


def first_line(text: str) -> str:
    """At most 200 characters of it."""
    return text.strip().partition("\n")[0][:200]


def there(system: System, path: str) -> bool:
    """Whether there is something by this name, as far as it can be looked at."""
    try:
        return system.stat(path) is not None
    except Unavailable:
        return False
