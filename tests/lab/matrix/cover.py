"""Which cells the standard matrix has: a covering array, and the small slice of it that CI runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from .axes import HEADERS, KERNELS, ROOTS, WHO, Cell, everything, possible


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


#: What CI looks at: no BTF, kheaders as a module, an old and a new Debian; bpftrace old and new; someone who may not.
SLICE = (
    Cell("nobtf-ikheaders-m", "debian12", "none", "root"),
    Cell("nobtf-ikheaders-m", "debian13", "extracted", "root"),
    Cell("btf-ikheaders-m", "debian11", "module", "root"),
    Cell("debian-5.10", "debian12", "none", "root"),
    Cell("debian-7.3", "sid", "wrong-path", "root"),
    Cell("debian-7.3", "sid", "wrong-path", "user-namespace"),
    Cell("debian-7.3", "sid", "wrong-path", "container"),
)

#: name -> cells, for ``--which``
SETS = {"standard": standard, "slice": lambda: list(SLICE), "full": lambda: list(everything())}
