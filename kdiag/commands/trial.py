"""`kdiag explain FILE --try`: an object is loaded for real, attached to nothing, and let go.

A process of its own does it through the libbpf that is installed and pins nothing, so that the kernel frees everything
when the process ends, however that happens; it ends with kdiag. Where no libbpf is installed, bpftool does it, with the
one that it carries. bpftool pins what it loads: in a BPF file system that is mounted for that process alone, in a mount
namespace of its own, so that nothing else sees the pins, and they go with it.
"""

from __future__ import annotations

import ctypes
import os
import subprocess
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from kdiag.commands.runners import runners
from kdiag.console.wrap import clean
from kdiag.explain.object.answer import judged as judged_objects
from kdiag.explain.object.source import LIMIT
from kdiag.explain.value import Answer, Section
from kdiag.smoke.watch import die_with_parent
from kdiag.trust.owner import Untrusted
from kdiag.trust.program import distrusted, start
from kdiag.trust.read import own_file

if TYPE_CHECKING:
    from kdiag.explain.here import Here
    from kdiag.explain.object.judge import Judged

#: The verifier may look at a million instructions of each program.
_SECONDS = 120.0
_LINES = 8
_LONGEST = 64 * 1024
#: Where bpftool pins, below sysfs: the kernel makes the directory (kernel/bpf/inode.c).
_PINS = "/sys/fs/bpf"
#: include/uapi/linux/sched.h, include/uapi/linux/mount.h.
_NEWNS, _REC, _PRIVATE = 0x00020000, 0x4000, 1 << 18


class NotTried(Exception):
    """Why nothing was loaded."""


class _Tried(NamedTuple):
    """What became of one object: whether it loaded, and what libbpf and the kernel said last."""

    loaded: bool
    said: tuple[str, ...]


def tried(answer: Answer, here: Here) -> Answer:
    """The answer with what really happens. Raises NotTried."""
    if answer.kind != "object":
        raise NotTried(f"{answer.subject} is no BPF object and no program that carries one")
    try:
        data = own_file(answer.subject, LIMIT)
    except Untrusted as error:
        raise NotTried(f"{answer.subject} was not loaded, because {error}") from None
    except OSError as error:
        raise NotTried(f"cannot read {answer.subject}: {error.strerror or error}") from None
    words, program = _way(here)
    try:
        why = distrusted(program)
    except OSError as error:
        why = error.strerror or str(error)
    if why:
        raise NotTried(f"{program} was not used, because {why}")
    source, judged = judged_objects(answer.subject, here)
    if source.data != data:
        raise NotTried(f"{answer.subject} changed while it was read")
    load = _load if words else _load_by_bpftool
    done = [load(words or (program,), one.object.image.data) for one in judged]
    return _told(answer, judged, done, program)


def _way(here: Here) -> tuple[tuple[str, ...], str]:
    """How libbpf is called, and which library it is; without one no words, and which bpftool there is. Raises
    NotTried.
    """
    known = runners(here.machine.tools)
    if known["libbpf"].words:
        return known["libbpf"].words, known["libbpf"].path
    if known["bpftool"].words:
        return (), known["bpftool"].words[0]
    raise NotTried("no libbpf.so and no bpftool is installed to load it with: install either")


def _load(words: tuple[str, ...], image: bytes) -> _Tried:
    process = start((*words, "load"), stdin=subprocess.PIPE, before=die_with_parent())
    return _ended(process, image, lambda out: out.strip() == b"loaded")


def _load_by_bpftool(words: tuple[str, ...], image: bytes) -> _Tried:
    """The object by `bpftool prog loadall`, out of memory that nobody else can write."""
    object_ = os.memfd_create("kdiag-object")
    try:
        os.write(object_, image)
        argv = (*words, "prog", "loadall", f"/proc/self/fd/{object_}", f"{_PINS}/kdiag")
        process = start(argv, pass_fds=(object_,), before=_with_own_pins())
    except subprocess.SubprocessError:
        raise NotTried(
            f"bpftool pins what it loads, and this process may not mount a BPF file system of its own at {_PINS}: that "
            "requires CAP_SYS_ADMIN; an installed libbpf.so is used without it"
        ) from None
    finally:
        os.close(object_)
    return _ended(process, b"", lambda _: process.returncode == 0)


def _with_own_pins() -> Callable[[], None]:
    """For the child before exec: a mount namespace of its own, and in it a BPF file system that is empty. Each mount of
    it is another one (kernel/bpf/inode.c, bpf_get_tree), which the kernel frees with the namespace.
    """
    end_with_us, libc = die_with_parent(), ctypes.CDLL(None, use_errno=True)

    def prepare() -> None:
        end_with_us()
        if (
            libc.unshare(_NEWNS)
            or libc.mount(b"none", b"/", None, ctypes.c_ulong(_REC | _PRIVATE), None)
            or libc.mount(b"kdiag", _PINS.encode(), b"bpf", ctypes.c_ulong(0), b"mode=0700")
        ):
            raise OSError(ctypes.get_errno(), "no mount of its own")

    return prepare


def _ended(process: subprocess.Popen[bytes], image: bytes, loaded: Callable[[bytes], bool]) -> _Tried:
    """What became of it. image: what it reads; loaded: by what it printed."""
    try:
        out, err = process.communicate(image or None, timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        return _Tried(False, (f"stopped after {_SECONDS:g} s",))
    finally:
        if process.poll() is None:
            process.kill()
            process.communicate()
    lines = [clean(line) for line in err[-_LONGEST:].decode("utf-8", "replace").splitlines() if line.strip()]
    return _Tried(loaded(out), tuple(_telling(lines)))


def _telling(lines: list[str]) -> list[str]:
    """What libbpf and the verifier said last: of the verifier's log the end, without its statistics."""
    ends = [nth for nth, line in enumerate(lines) if "END PROG LOAD LOG" in line]
    if ends:
        log = [line for line in lines[: ends[-1]] if not line.startswith("processed ")]
        return [line for line in log[-_LINES:] if "BEGIN PROG LOAD LOG" not in line]
    return [line.removeprefix("kdiag: ") for line in lines[-_LINES:]]


def _told(answer: Answer, judged: Sequence[Judged], done: Sequence[_Tried], library: str) -> Answer:
    """The answer, its verdict by what happened: but for what a program that carries its object decides itself."""
    pairs = [(one.loads, "works" if real.loaded else "fails") for one, real in zip(judged, done, strict=True)]
    failed = next((one for one in done if not one.loaded), None)
    what = "the object" if len(done) == 1 else f"the {len(done)} objects"
    taken = "and the kernel took it" if failed is None else "and it was refused"
    text = [f"{library} loaded {what}, {taken}. Nothing is left of it."]
    embedded = any(one.embedded for one in judged)
    if failed is not None and embedded:
        text.append("The program that carries it may set sizes and leave programs out before it loads it.")
    elif any(said not in (real, "unknown") for said, real in pairs):
        text.append("kdiag predicted otherwise: that is a mistake of kdiag's, please report it.")
    said = () if failed is None else failed.said
    first, *rest = answer.sections
    sections = (first, Section("Tried here", tuple(text), rows=tuple((line,) for line in said)), *rest)
    if failed is None and any(one.decision.stage != "load" for one in judged):
        return answer._replace(sections=sections)  # it loads; what it attaches to was not tried
    if failed is not None and embedded:
        return answer._replace(sections=sections)
    because = f", because {said[-1]}" if said else ""
    verdict = "It loads here: it was tried." if failed is None else f"It does not load here{because}."
    return answer._replace(outcome="works" if failed is None else "fails", verdict=verdict, sections=sections)
