"""Which cells the standard matrix has: a covering array, and the small slice of it that CI runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..catalogue import catalogue
from .axes import (
    ARM64,
    CONDITIONS,
    EXTRA_ROOTS,
    KERNELS,
    ROOTS,
    STANDARD_HEADERS,
    STANDARD_WHO,
    Cell,
    anything,
    can_ask,
    everything,
    possible,
)


def standard() -> list[Cell]:
    """Every pair of axis values and every triple of kernel, bpftrace and headers, in as few cells as covertable finds.

    Where the person asking is free to choose it is root: whoever may not trace at all hides what the headers do. The
    same cells in the same order each time.
    """
    from covertable import make  # a test dependency; plan and run need it, the rest of the lab does not

    rows: Sequence[Mapping[str, str]] = make(
        {
            "kernel": list(KERNELS),
            "root": list(ROOTS),
            "headers": list(STANDARD_HEADERS),
            "who": list(STANDARD_WHO),
        },
        strength=2,
        sub_models=[{"fields": ["kernel", "root", "headers"], "strength": 3}],
        constraints=[
            {
                "operator": "fn",
                "requires": ["kernel", "headers"],
                "evaluate": lambda row: possible(row["kernel"], row["headers"]),
            },
            {
                "operator": "fn",
                "requires": ["kernel", "root", "who"],
                "evaluate": lambda row: can_ask(row["kernel"], row["root"], row["who"]),
            },
        ],
        weights={"who": {0: 100}},
    )
    return [Cell(row["kernel"], row["root"], row["headers"], row["who"]) for row in rows]


#: What CI looks at: an old and a new Debian, a kernel without BTF and with kheaders as a module; bpftrace old and new;
#: people who may not, a container; CO-RE and BCC. Cells of one kernel stand together, what has to be built comes last.
SLICE = (
    Cell("debian-5.10", "debian12", "none", "root"),
    Cell("debian-5.10", "debian12+tools", "none", "root"),
    Cell("debian-7.3", "sid", "wrong-path", "user-namespace"),
    Cell("debian-7.3", "sid", "wrong-path", "root"),
    Cell("nobtf-ikheaders-m", "debian11", "module", "root"),
    Cell("nobtf-ikheaders-m", "debian12", "none", "root"),
    Cell("nobtf-ikheaders-m", "debian13", "extracted", "root"),
)


def arm64() -> list[Cell]:
    """Every pair of bpftrace, headers and who (without engines and policies) on the arm64 kernel."""
    from covertable import make

    headers = [name for name in STANDARD_HEADERS if possible(ARM64, name)]
    rows = make(
        {
            "root": list(ROOTS),
            "headers": headers,
            "who": [name for name in STANDARD_WHO if not catalogue().who[name].layers],
        },
        strength=2,
    )
    return [Cell(ARM64, row["root"], row["headers"], row["who"]) for row in rows]


def conditions() -> list[Cell]:
    """Every pair of kernel, bpftrace and condition; and user-space headers on every kernel, with every bpftrace."""
    from covertable import make

    rows = make({"kernel": list(KERNELS), "root": list(ROOTS), "who": list(CONDITIONS)}, strength=2)
    cells = [Cell(row["kernel"], row["root"], "none", row["who"]) for row in rows]
    return cells + [Cell(kernel, root, "user-space", "root") for kernel in KERNELS for root in ROOTS]


def tools() -> list[Cell]:
    """Every pair of kernel, user space with BCC, libbpf-tools and bpftool, and headers; root asks."""
    from covertable import make

    rows = make(
        {"kernel": list(KERNELS), "root": list(EXTRA_ROOTS), "headers": list(STANDARD_HEADERS)},
        strength=2,
        constraints=[
            {
                "operator": "fn",
                "requires": ["kernel", "headers"],
                "evaluate": lambda row: possible(row["kernel"], row["headers"]),
            }
        ],
    )
    return [Cell(row["kernel"], row["root"], row["headers"], "root") for row in rows]


def containers() -> list[Cell]:
    """Every pair of Debian kernel, user space and container, profile or policy; no headers."""
    from covertable import make

    people = [name for name in STANDARD_WHO if catalogue().who[name].layers]
    kernels = [name for name in KERNELS if name in catalogue().sources]
    rows = make(
        {"kernel": kernels, "root": list(ROOTS), "who": people},
        strength=2,
        constraints=[
            {
                "operator": "fn",
                "requires": ["kernel", "root", "who"],
                "evaluate": lambda row: can_ask(row["kernel"], row["root"], row["who"]),
            }
        ],
    )
    return [Cell(row["kernel"], row["root"], "none", row["who"]) for row in rows]


#: name -> cells, for ``--which``
SETS = {
    "standard": standard,
    "arm64": arm64,
    "conditions": conditions,
    "tools": tools,
    "containers": containers,
    "slice": lambda: list(SLICE),
    "full": lambda: list(everything()),
    "any": lambda: list(anything()),
}
