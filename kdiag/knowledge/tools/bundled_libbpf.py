"""The libbpf that bpftrace is built with where it is linked into it: at least that of the release's submodule.

Read tag by tag (`git ls-tree TAG libbpf` in bpftrace/bpftrace, `git describe` of that in libbpf/libbpf). Releases in
between have no submodule; what their CMakeLists.txt asks for is theirs.
"""

from __future__ import annotations

from kdiag.knowledge.tools.behaviour import Version

_AT_LEAST: tuple[tuple[Version, Version], ...] = (
    ((0, 17, 0), (1, 1, 0)),
    ((0, 19, 1), (1, 2, 0)),
    ((0, 22, 0), (1, 5, 0)),  # CMakeLists.txt: "bpftrace requires libbpf 1.5 or greater"
    ((0, 24, 2), (1, 6, 0)),
)


def bundled(bpftrace: Version) -> Version | None:
    """The release that a bpftrace brings at least, None before it brought one."""
    return next((libbpf for since, libbpf in reversed(_AT_LEAST) if bpftrace >= since), None)
