"""Kernel header trees: where each tool looks, in its own order, and whether what is there can be used."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from kdiag.machine.compilers.bcc import Bcc
from kdiag.machine.trees.links import Chain, follow
from kdiag.machine.trees.tree import Selection, Tree, judge
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.machine import Machine

#: Where `kdiag fix` puts headers for all users (kdiag.fix.store.trees).
PREPARED = "/var/cache/kdiag/headers"

#: Where distributions put trees, by release.
_SOURCES = ("/usr/src/linux-headers-{}", "/usr/src/kernels/{}", "/usr/src/linux-{}")

#: The directory that BCC takes below /lib/modules/R for `build`, where there are not both (loader.cc).
BCC_SUFFIX = "BCC_KERNEL_MODULES_SUFFIX"
VARIABLES = ("BPFTRACE_KERNEL_SOURCE", "BPFTRACE_KERNEL_BUILD", "BPFTRACE_BTF", "BCC_KERNEL_SOURCE")


class Headers:
    """Header directories for the examined kernel."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._system = machine.system

    @cached_property
    def variables(self) -> dict[str, str | None]:
        """The tools' environment variables as set for this process. Unavailable for a mounted root."""
        return {name: self._system.env(name) for name in VARIABLES}

    def variable(self, name: str) -> str | None:
        """One variable; None also where it is not known, which says nothing of the others.

        The tools ask getenv(3) for a pointer: a variable that is set and empty is set.
        """
        try:
            return self._system.env(name)
        except Unavailable:
            return None

    @cached_property
    def links(self) -> dict[str, Chain]:
        """The `build` and `source` links of the module directory, followed."""
        base = f"/lib/modules/{self._machine.kernel.release}"
        return {name: follow(self._system, f"{base}/{name}") for name in ("source", "build")}

    @cached_property
    def for_bpftrace(self) -> Selection | None:
        """What bpftrace takes (get_kernel_dirs in src/utils.cpp): the variables unseen, else source and
        build. BPFTRACE_KERNEL_BUILD counts since 0.15 (8c08ca357). An empty variable meant "no headers" up to 0.21,
        and has been the directory "" since (3e915ae21).
        """
        source = self.variable("BPFTRACE_KERNEL_SOURCE")
        if source is not None:
            behaviour = self._machine.tools.behaviour
            if not source and behaviour is not None and behaviour.version < (0, 22, 0):
                return None
            honoured = behaviour is None or behaviour.honours_kernel_build
            build = self.variable("BPFTRACE_KERNEL_BUILD") if honoured else None
            build = source if build is None else build
            missing = not self._leads_to_dir(source)
            return Selection(source, build, "BPFTRACE_KERNEL_SOURCE", missing)
        has_source, has_build = self.links["source"].is_dir, self.links["build"].is_dir
        base = f"/lib/modules/{self._machine.kernel.release}"
        if not has_source and not has_build:
            return self._unpacked_by_itself()
        source_dir = f"{base}/source" if has_source else f"{base}/build"
        build_dir = f"{base}/build" if has_build else f"{base}/source"
        return Selection(source_dir, build_dir, base)

    def user_space(self, name: str) -> str | None:
        """Where one of the headers for compiling programs is, in /usr/include or the directory of an architecture."""
        places = (
            f"/usr/include/{one.rpartition('/')[2]}" for one in self._machine.tools.shared.of_architecture
        )
        paths = (f"{place}/{name}" for place in ("/usr/include", *places))
        return next((path for path in paths if self._system.stat(path) is not None), None)

    @cached_property
    def unpacked_place(self) -> str:
        """Where bpftrace up to 0.20.3 (src/utils.cpp) unpacks kheaders, and looks for what is unpacked already; BCC's
        place (`Bcc.unpacked`) is the same, but for TMPDIR, which its older releases do not know.
        """
        try:
            directory = self._system.env("TMPDIR")
        except Unavailable:
            directory = None
        return f"{directory or '/tmp'}/kheaders-{self._machine.kernel.release}"  # noqa: S108  looked at, never written

    def _unpacked_by_itself(self) -> Selection | None:
        """The directory into which old releases of bpftrace unpack kheaders, and which they use again."""
        behaviour = self._machine.tools.behaviour
        if behaviour is None or behaviour.unpacks_kheaders == "never":
            return None
        if behaviour.unpacks_kheaders == "without-btf" and self.has_btf:
            return None
        return self._unpacked(self.unpacked_place, of_root=behaviour.checks_kheaders_owner)

    def _unpacked(self, path: str, *, of_root: bool) -> Selection | None:
        info = self._system.stat(path)
        if info is None or info.kind != "dir" or (of_root and info.uid != 0):
            return None
        return Selection(path, path, path)

    @property
    def users_of_unpacked(self) -> tuple[str, ...]:
        """The installed tools that take what is unpacked there."""
        place = self.unpacked_place
        bcc = self.for_bcc if self._machine.tools.bcc.installed else None
        tools = (("bpftrace", self.for_bpftrace), ("BCC", bcc))
        return tuple(name for name, chosen in tools if chosen is not None and chosen.source == place)

    @cached_property
    def has_btf(self) -> bool:
        """Whether the kernel provides sound BTF."""
        try:
            return self._machine.btf.vmlinux.n_types > 0
        except (Unavailable, ValueError):
            return False

    @cached_property
    def for_bcc(self) -> Selection | None:
        """What BCC takes (src/cc/frontends/clang/kbuild_helper.cc and loader.cc): without a build directory what it, or
        another tool, unpacked before. None where it would have to unpack the kernel's own headers first.
        """
        source = self.variable("BCC_KERNEL_SOURCE")
        if source is not None:
            return Selection(source, source, "BCC_KERNEL_SOURCE", missing=not self._leads_to_dir(source))
        base = f"/lib/modules/{self._machine.kernel.release}"
        both = self.links["build"].is_dir and self.links["source"].is_dir
        suffix = self.optional(BCC_SUFFIX)
        if suffix is not None and not both:
            path = f"{base}/{suffix}"
            return Selection(path, path, BCC_SUFFIX, missing=not self._leads_to_dir(path))
        if not self.links["build"].is_dir:
            return self._unpacked(Bcc(self._machine).unpacked, of_root=True)
        return Selection(f"{base}/source" if both else f"{base}/build", f"{base}/build", base)

    def optional(self, name: str) -> str | None:
        """A variable that few set, None also where the environment was not recorded with it."""
        try:
            return self._system.env(name)
        except Unavailable:
            return None

    def _leads_to_dir(self, path: str) -> bool:
        """Whether a tool that is told this path finds a directory: of a host's link it follows what the link reads, and
        /host/lib/modules/R/build leads into the container.
        """
        if not self._is_dir(path):
            return False
        host = self._machine.host.machine
        if host is None or not path.startswith(f"{host.system.root}/"):
            return True
        return follow(self._system, path).is_dir

    def _is_dir(self, path: str) -> bool:
        info = self._system.stat(path) if path else None
        return info is not None and info.kind == "dir"

    @cached_property
    def bpftrace_tree(self) -> Tree | None:
        """The tree bpftrace would use, judged; None if it would find none."""
        chosen = self.for_bpftrace
        return None if chosen is None else judge(self._machine, chosen.source, chosen.build)

    @cached_property
    def bcc_tree(self) -> Tree | None:
        """The tree BCC would use, judged; None if it would find none."""
        chosen = self.for_bcc
        if chosen is None:
            return None
        ours = self.for_bpftrace
        if ours is not None and (ours.source, ours.build) == (chosen.source, chosen.build):
            return self.bpftrace_tree
        return judge(self._machine, chosen.source, chosen.build)

    def elsewhere(self) -> tuple[Tree, ...]:
        """Complete trees for this release in places where bpftrace does not look unless told to."""
        release = self._machine.kernel.release
        places = [
            *self._prepared(release),
            *(place.format(release) for place in _SOURCES),
            f"/run/booted-system/kernel-modules/lib/modules/{release}/build",
            f"/run/host/usr/src/kernels/{release}",
            f"/run/host/usr/src/linux-headers-{release}",
        ]
        taken = self.bpftrace_tree
        found = []
        for place, build in (*((p, p) for p in places), *self._of_host()):
            try:
                if not self._is_dir(place):
                    continue
                tree = judge(self._machine, place, build)
            except Unavailable:
                continue
            if tree.complete and tree.release == release and (taken is None or not taken.complete):
                found.append(tree)
        return tuple(found)

    def _of_host(self) -> tuple[tuple[str, str], ...]:
        """(source, build) of the host's own trees. Its links are absolute and lead nowhere here: what
        they read is looked up below the host's root, as the tools have to be told it.
        """
        host = self._machine.host.machine
        if host is None:
            return ()
        release = self._machine.kernel.release
        linked: tuple[tuple[str, str], ...] = ()
        try:
            chains = host.headers.links
        except Unavailable:
            chains = {}
        ends = {name: host.seen_at(chain.end) for name, chain in chains.items() if chain.is_dir}
        build = ends.get("build") or ends.get("source")
        if build is not None:
            linked = ((ends.get("source") or build, build),)
        places = (host.seen_at(place.format(release)) for place in _SOURCES)
        return linked + tuple((place, place) for place in places if (place, place) not in linked)

    def _prepared(self, release: str) -> list[str]:
        """Trees that `kdiag fix` has unpacked for this release, root's first."""
        bases = [PREPARED]
        try:
            cache, home = self._system.env("XDG_CACHE_HOME"), self._system.env("HOME")
        except Unavailable:
            cache = home = None
        if cache and cache.startswith("/"):
            bases.append(f"{cache}/kdiag/headers")
        elif home and home.startswith("/"):
            bases.append(f"{home}/.cache/kdiag/headers")
        found: list[str] = []
        for base in bases:
            try:
                names = self._system.listdir(base) or ()
            except Unavailable:
                continue
            found += [f"{base}/{name}" for name in names if name.startswith(f"{release}-")]
        return found

    @cached_property
    def other_releases(self) -> tuple[str, ...]:
        """Releases other than the examined one whose build link leads to a directory."""
        found = []
        for release in self._machine.modules.other_releases:
            try:
                if self._is_dir(f"/lib/modules/{release}/build"):
                    found.append(release)
            except Unavailable:
                continue
        return tuple(found)
