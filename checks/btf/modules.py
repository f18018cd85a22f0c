"""BTF of modules: in /sys/kernel/btf, or refused by the kernel."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from kdiag.check import check
from kdiag.machine import Machine
from kdiag.machine.btf import NoBtf
from kdiag.model import Evidence, Finding, Remedy, WrongRemedy, fail, ok, skip
from kdiag.parse.btf import BtfError

from ..refusals import quoted

if TYPE_CHECKING:
    from kdiag.parse.kernel_log import Notice


@check("btf.modules", "BTF of modules")
def modules(machine: Machine) -> Iterator[Finding]:
    """Split BTF of loaded modules in /sys/kernel/btf (5.11, CONFIG_DEBUG_INFO_BTF_MODULES), parsed on top
    of vmlinux, the smallest first up to half a megabyte; and the modules whose BTF the kernel refused, by its log.

    A module of another build of the kernel has BTF that does not fit: it is not loaded at all, or
    (CONFIG_MODULE_ALLOW_BTF_MISMATCH) without its BTF. See it yourself: `dmesg | grep BTF`.
    """
    try:
        found = machine.btf.modules
    except NoBtf:
        yield fail("no module BTF without the kernel's", causes=("btf.vmlinux",))
        return
    except BtfError:
        yield fail("module BTF cannot be read: the kernel's is broken", causes=("btf.vmlinux",))
        return
    evidence = (
        Evidence("/sys/kernel/btf", f"{_modules(len(found.names))}, {found.parsed} parsed"),
        *(Evidence(f"/sys/kernel/btf/{name}", text) for name, text in found.broken),
    )
    # A module that has its BTF by now was replaced since the kernel refused it.
    refused = tuple(
        n for n in machine.log.of("module-btf", "module-btf-ignored") if n.subject not in found.names
    )
    if refused:
        yield _refused_modules(machine, refused)
    elif found.broken:
        yield fail(f"{_modules(len(found.broken), 'has', 'have')} broken BTF", evidence=evidence)
    elif found.names:
        yield ok(f"{_modules(len(found.names), 'has', 'have')} BTF", evidence=evidence)
    elif machine.modules.loaded is None:
        yield fail("no modules, so no module BTF", evidence=evidence, causes=("kernel.modules",))
    elif not machine.modules.loaded:
        yield skip("no module is loaded", evidence=evidence)
    else:
        yield fail("no module provides BTF", evidence=evidence, causes=("config.DEBUG_INFO_BTF_MODULES",))


def _refused_modules(machine: Machine, refused: tuple[Notice, ...]) -> Finding:
    names = tuple(dict.fromkeys(n.subject for n in refused if n.kind == "module-btf"))
    text = f"the kernel refused the BTF of {len(names)} module{'s' if len(names) > 1 else ''}: {', '.join(names[:5])}"
    again = Remedy(
        "btf.same-build",
        f"Reinstall the kernel package of {machine.kernel.release} with its modules, so that both are of one build, "
        "and reboot; or boot another installed kernel",
        "manual",
        needs=("root", "reboot"),
    )
    newest = tuple({n.subject: n for n in refused}.values())[-5:]
    details = machine.log.of("btf")[-2:]
    return fail(
        text if names else "the kernel refused the BTF of a module, which it then loaded without it",
        reason="the module file was built with another build of this kernel"
        + ("; the kernel does not load it" if names else ""),
        evidence=tuple(map(quoted, (*newest, *details))),
        remedies=(again,),
        wrong_remedies=(
            WrongRemedy(
                "installing kernel headers", "the running kernel and the module file stay of two builds"
            ),
        ),
    )


def _modules(count: int, one: str = "", several: str = "") -> str:
    """`1 module`, `4 modules`, with the verb that goes with the number."""
    noun, verb = ("module", one) if count == 1 else ("modules", several)
    return f"{count} {noun} {verb}".rstrip()
