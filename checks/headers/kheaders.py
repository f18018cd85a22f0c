"""kheaders: the kernel's own headers, as the kernel provides them."""

from __future__ import annotations

from collections.abc import Iterator

from kdiag.check import check
from kdiag.machine import Machine
from kdiag.machine.kheaders import ARCHIVE, mismatch
from kdiag.model import Evidence, Finding, WrongRemedy, fail, ok, unknown
from kdiag.parse.errors import ParseError
from kdiag.system import Unavailable

from .unpacking import EXTRACT, EXTRACT_MODULE, LOAD, MODPROBE

#: By the module's state; of "off" the module's own finding, which is the cause, says all.
_WHY_NOT = {
    "loadable": "the module is on disk and not loaded",
    "blocked": "the module is on disk and cannot be loaded here",
    "deleted": "modules.dep lists the module, and its file is gone",
    "not-installed": "the kernel was built with CONFIG_IKHEADERS=m, and the module is not installed",
    "builtin": "it is built in, yet the file is not shown: /sys is masked, or not that of this kernel",
    "loaded": "the module is loaded, yet the file is not shown: /sys is masked",
    "absent": "modules.dep lists no kheaders: it is off in this kernel, or its package is not installed",
    "no-modules": "it is not built in, and this kernel loads no modules",
    "unknown": "cannot tell whether the kernel has the module: no configuration and no module directory here",
}


@check("kheaders.archive", "The kernel provides its headers")
def archive(machine: Machine) -> Iterator[Finding]:
    """Whether /sys/kernel/kheaders.tar.xz is there, readable, sound, and of this architecture and release.

    The kernel provides the archive with CONFIG_IKHEADERS=y, or with =m after `modprobe kheaders`. bpftrace
    does not use it automatically (0.20 and older did): it has to be unpacked. See it yourself: `tar -tf
    /sys/kernel/kheaders.tar.xz | head`.
    """
    kheaders = machine.kheaders
    data = kheaders.archive
    if data is None:
        state = kheaders.module
        yield fail(
            "the kernel does not provide its headers",
            reason=_WHY_NOT.get(state.state, ""),
            evidence=(Evidence(ARCHIVE, "absent"),),
            causes=("kheaders.module",),
            remedies=(LOAD,)
            if state.state == "loadable"
            else (EXTRACT_MODULE,)
            if state.state == "blocked"
            else (),
            wrong_remedies=(MODPROBE,) if state.state == "off" else (),
        )
        return
    problem = kheaders.problem
    evidence = [Evidence(ARCHIVE, f"{len(data)} bytes")]
    if problem:
        yield fail(
            f"the kernel's header archive cannot be used: {problem}",
            evidence=tuple(evidence),
            causes=("kernel.arch",),
            wrong_remedies=(
                WrongRemedy(
                    "unpacking it nevertheless",
                    "headers of another architecture stop with 'asm/types.h' file not found",
                ),
            ),
        )
        return
    info = kheaders.archive_info
    if info is not None:
        evidence.append(
            Evidence(
                "archive",
                f"arch/: {', '.join(info.archs) or 'not seen yet'}; release {info.release or 'not seen yet'}",
            )
        )
    yield ok("the kernel provides its headers", evidence=tuple(evidence), remedies=(EXTRACT,))


@check("kheaders.available", "Headers can be had from the kernel")
def available(machine: Machine) -> Iterator[Finding]:
    """Whether the kernel's own headers are within reach: the served archive, or the module file on disk,
    whose .rodata holds the same archive between the symbols kernel_headers_data and
    kernel_headers_data_end, loaded or not.
    """
    kheaders = machine.kheaders
    try:
        served = kheaders.archive is not None and not kheaders.problem
    except Unavailable:
        served = False
    if served:
        yield ok(
            "the kernel provides its headers", evidence=(Evidence(ARCHIVE, "sound"),), remedies=(EXTRACT,)
        )
        return
    state = kheaders.module
    if state.state == "unknown":
        yield unknown("cannot tell whether the kernel has a source of headers", causes=("kheaders.module",))
        return
    if state.state not in ("loadable", "blocked"):
        yield fail(_none(state.state), causes=("kheaders.archive", "kheaders.module"))
        return
    path = state.path or ""
    try:
        info = kheaders.archive_in_module
        if info is None:
            yield fail("the module's file went away", evidence=(Evidence(path, "absent"),))
            return
        problem = mismatch(machine, info)
    except (Unavailable, ParseError) as error:
        yield fail(
            f"the kheaders module does not give its archive: {error}", evidence=(Evidence(path, str(error)),)
        )
        return
    if problem:
        yield fail(f"the archive in the module {problem}", evidence=(Evidence(path, problem),))
    else:
        yield ok(
            "the archive can be taken from the module file",
            evidence=(Evidence(path, "holds a sound archive"),),
            remedies=(LOAD,) if state.state == "loadable" else (EXTRACT_MODULE,),
        )


def _none(state: str) -> str:
    if state in ("not-installed", "deleted"):
        return "the kernel's headers are in a module that is not installed"
    if state in ("loaded", "builtin"):
        return "the kernel contains its headers and does not provide them here"
    return (
        "this kernel contains no headers"
        if state != "absent"
        else "no source of the kernel's headers is here"
    )
