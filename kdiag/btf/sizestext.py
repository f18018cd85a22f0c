"""What type information takes and saves, as text."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kdiag.btf.sizes import LINES
from kdiag.console.wrap import wrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kdiag.btf.sizes import Debug, Sizes


class Beside(NamedTuple):
    """Debug information of the same build, None without; where it was looked for; whether this is a kernel's BTF."""

    debug: Debug | None
    looked: Sequence[str]
    kernel: bool


#: Merge of "bpf-btf-dedup" in Linux, commit 31de389707c8 of February 2019.
_EXPECTED = (
    "Each type is written once, though most of a kernel's source files name the same ones. What that saves can be "
    "measured only beside debug information, and none is at hand. Expected: when this step came (Linux commit "
    "31de389707c8, 2019), 1.75 MB and 29,247 types were left of 112 MB and 3,073,497 types."
)


def render(sizes: Sizes, title: str, beside: Beside, width: int) -> str:
    """The sizes, in lines of this width where they are sentences."""
    names = sizes.names
    total = sum(kind.types for kind in sizes.kinds)
    lines = [
        f"{title}: {sizes.size:,} bytes, {total:,} types",
        "",
        f"  {'':12}{'types':>10}{'elements':>12}{'bytes':>12}{'share':>9}",
        *(_row(kind.kind, kind.types, kind.elements, kind.size, sizes.size) for kind in sizes.kinds),
        _row("names", names.strings, 0, names.size, sizes.size),
        _row("header", 0, 0, sizes.other, sizes.size),
        "",
        "Elements are members, constants and parameters.",
    ]
    if sizes.modules:
        whole, count = sum(part.size for part in sizes.modules), len(sizes.modules)
        adds = "module adds" if count == 1 else "modules add"
        lines += wrap(
            f"{count} {adds} {whole:,} bytes: types that the kernel has are not repeated there.", width
        )
    lines += ["", *wrap(_names_saved(sizes), width)]
    if beside.debug is not None:
        lines += ["", *_beside(sizes, beside.debug, width)]
    elif beside.kernel:
        lines += ["", *wrap(_EXPECTED, width), *_looked(beside.looked)]
    return "\n".join(lines) + "\n"


def _row(name: str, types: int, elements: int, size: int, whole: int) -> str:
    counts = [f"{count:,}" if count else "" for count in (types, elements)]
    share = f"{100 * size / whole:.1f}%" if whole else ""
    return f"  {name:12}{counts[0]:>10}{counts[1]:>12}{size:12,}{share:>9}"


def _names_saved(sizes: Sizes) -> str:
    names = sizes.names
    return (
        f"Each name is written once: {names.references:,} references to names would take {names.unshared:,} bytes, "
        f"the {names.strings:,} names take {names.size:,}."
    )


def _looked(looked: Sequence[str]) -> list[str]:
    if not looked:
        return []
    return [
        "",
        "No debug information of this build was found (another place: --dwarf FILE):",
        *(f"  {one}" for one in looked),
    ]


def _beside(sizes: Sizes, debug: Debug, width: int) -> list[str]:
    """The same kernel's DWARF, section by section, and what BTF does without."""
    rows = sorted(debug.sections, key=lambda one: -one.size)
    count = f"{debug.units:,} compile unit{'s' * (debug.units != 1)}"
    units = f", {count}, each with its own types" if debug.units else ""
    text = [*wrap(f"Debug information (DWARF) in {debug.place}: {debug.size:,} bytes{units}", width)]
    for one in rows:
        packed = f"  ({one.stored:,} packed)" if one.stored != one.size else ""
        text.append(f"  {one.name:22}{one.size:14,}{packed}")
    text += ["", f"That is {debug.size / max(1, sizes.size):,.1f} times what BTF takes."]
    lines = debug.of(*LINES)
    if lines:
        part = f"{100 * lines / debug.size:.1f}%"
        text += wrap(
            f"{lines:,} bytes of it ({part}) are about source lines, of which BTF says nothing.", width
        )
    return text
