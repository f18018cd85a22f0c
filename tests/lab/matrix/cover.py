"""Which cells the standard matrix has: a covering array, and the small slice of it that CI runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .axes import ARM64, HEADERS, KERNELS, ROOTS, WHO, Cell, everything, possible


def standard() -> list[Cell]:
    """Every pair of axis values and every triple of kernel, bpftrace and headers, in as few cells as covertable finds.

    Where the person asking is free to choose it is root: whoever may not trace at all hides what the headers do. The
    same cells in the same order each time.
    """
    from covertable import make  # a test dependency; plan and run need it, the rest of the lab does not

    rows: Sequence[Mapping[str, str]] = make(
        {"kernel": list(KERNELS), "root": list(ROOTS), "headers": list(HEADERS), "who": list(WHO)},
        strength=2,
        sub_models=[{"fields": ["kernel", "root", "headers"], "strength": 3}],
        constraints=[
            {
                "operator": "fn",
                "requires": ["kernel", "headers"],
                "evaluate": lambda row: possible(row["kernel"], row["headers"]),
            }
        ],
        weights={"who": {0: 100}},
    )
    return [Cell(row["kernel"], row["root"], row["headers"], row["who"]) for row in rows]


#: What CI looks at: an old and a new Debian, a kernel without BTF and with kheaders as a module; bpftrace old and new;
#: people who may not. Cells of one kernel stand together, what has to be built comes last.
SLICE = (
    Cell("debian-5.10", "debian12", "none", "root"),
    Cell("debian-7.3", "sid", "wrong-path", "user-namespace"),
    Cell("debian-7.3", "sid", "wrong-path", "container"),
    Cell("debian-7.3", "sid", "wrong-path", "root"),
    Cell("nobtf-ikheaders-m", "debian11", "module", "root"),
    Cell("nobtf-ikheaders-m", "debian12", "none", "root"),
    Cell("nobtf-ikheaders-m", "debian13", "extracted", "root"),
)


def arm64() -> list[Cell]:
    """Every pair of bpftrace, headers and who on the arm64 kernel."""
    from covertable import make

    headers = [name for name in HEADERS if possible(ARM64, name)]
    rows = make({"root": list(ROOTS), "headers": headers, "who": list(WHO)}, strength=2)
    return [Cell(ARM64, row["root"], row["headers"], row["who"]) for row in rows]


#: name -> cells, for ``--which``
SETS = {
    "standard": standard,
    "arm64": arm64,
    "slice": lambda: list(SLICE),
    "full": lambda: list(everything()),
}
