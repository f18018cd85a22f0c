"""What a program is: which tool runs it, which capabilities it stands on, what causes its event, what proves it."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import NamedTuple

from kdiag.knowledge.tools.behaviour import Behaviour
from kdiag.smoke.cause import Cause

#: A second interpreter to cause events with: it may have USDT probes, or a C library, where kdiag's own has none.
SYSTEM_PYTHON = "/usr/bin/python3"
_LIBC = re.compile(r".*/(libc\.so\.6|libc-2\.\d+\.so|ld-musl-[^/]+\.so\.1|libc\.musl-[^/]+\.so\.1)")


class Skip(Exception):
    """This program cannot be run here, for a reason that says nothing about the kernel or the tool."""


class Scene(NamedTuple):
    """What a script and its proof are written from. exact_pids: whether the kernel's process ids are ours."""

    behaviour: Behaviour
    cause: Cause
    exact_pids: bool = True

    @property
    def mine(self) -> str:
        """The filter that lets through only what the causing process does."""
        return f'/comm == "{self.cause.comm}"/'

    @property
    def args(self) -> str:
        """`args` with the operator that this release takes."""
        return f"args{self.behaviour.args_operator}"

    def say(self, text: str, *values: str) -> str:
        """A printf of a line that begins with our name."""
        return f'printf("{self.cause.comm} {text}\\n"{"".join(f", {value}" for value in values)});'

    def said(self, text: str) -> str:
        """The pattern of such a line; `text` is a pattern, too."""
        return f"^{re.escape(self.cause.comm)} {text}$"

    def pid(self, pid: int | str) -> str:
        """The pattern of a process id; any where the kernel's are not the ones that we see (a PID namespace)."""
        return str(pid) if self.exact_pids else r"\d+"


def libc(scene: Scene) -> str:
    """The C library of the causing process, whose functions uprobes are put on. Raises Skip."""
    path = next(filter(_LIBC.fullmatch, scene.cause.objects()), None)
    if path is None:
        raise Skip("no Python here uses a shared C library whose functions could be probed")
    return path


class Shown(NamedTuple):
    """What may be in the proof besides the scene: the answers of the causing process, the tool's own pid."""

    answers: tuple[str, ...]
    pid: int


#: bpftrace prints it before attaching up to 0.23, on stdout, and after it since 0.24, on stderr.
ATTACHING = rb"^Attach(?:ing|ed) \d+ probes?"


class Program(NamedTuple):
    """One small program.

    needs: capabilities, the one that it stands for first. arguments: for the tool; may raise Skip. proof: a pattern
    (MULTILINE) that is found in standard output only if the very event was seen. action: of the causing process,
    empty where the tool's own start is the event. heavy: clang reads kernel headers, a long script, or
    bpftool puts all types in order. almost: a pattern that explains a missing proof, and the explanation. elsewhere:
    interpreters to try besides ours.
    begins: the script has a BEGIN, and so rests on `hello`, too. tool: as `--tool` names it. ready: the pattern
    (MULTILINE) by which the tool says that it is tracing; while it says nothing events are caused late and again.
    before: what the causing process does before the tool is started. shown: what a report says of the arguments, where
    they themselves are not for people. alone: the arguments begin with the program, which brings its tool along.
    answers: what it prints is an answer, in which the words of a complaint are none.
    """

    id: str
    title: str
    needs: tuple[str, ...]
    arguments: Callable[[Scene], tuple[str, ...]]
    proof: Callable[[Scene, Shown], str]
    action: str = ""
    heavy: bool = False
    almost: tuple[str, str] | None = None
    elsewhere: tuple[str, ...] = ()
    begins: bool = False
    tool: str = "bpftrace"
    ready: bytes = ATTACHING
    before: str = ""
    shown: tuple[str, ...] = ()
    alone: bool = False
    answers: bool = False

    @property
    def rests_on(self) -> tuple[str, ...]:
        """The capabilities that have to work for it."""
        return (*self.needs, "hello") if self.begins else self.needs


class Runner(NamedTuple):
    """How a tool is started: the words before a program's arguments; none where it is not installed.

    title: as its makers write it. identity: arguments that ask who it is; believes: whether the tool answers so.
    judged: the file that kdiag's own interpreter loads as root, and that has to be trusted instead of it. absent: why
    nothing is said of a tool that is not installed, "" where it then fails. hint: how it is installed.
    """

    title: str
    words: tuple[str, ...]
    identity: tuple[str, ...]
    believes: Callable[[str], bool]
    judged: str = ""
    absent: str = ""
    hint: str = ""

    @property
    def path(self) -> str:
        """The program or the library that is the tool, "" if there is none."""
        return self.judged or (self.words[0] if self.words else "")


#: Tools by the name that `--tool` takes.
Runners = Mapping[str, Runner]
