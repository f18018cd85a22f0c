"""Kernel header trees: where each tool looks, in its own order, and whether what is there can be used."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from kdiag.machine.compilers.bcc import Bcc
from kdiag.machine.text import read_text
from kdiag.parse import utsrelease
from kdiag.system import System, Unavailable

if TYPE_CHECKING:
    from kdiag.machine import Machine

#: A chain of links longer than this is a loop (include/linux/namei.h, MAXSYMLINKS).
_MAX_HOPS = 40

#: Where `kdiag fix` puts headers for all users (kdiag.fix.store.trees).
PREPARED = "/var/cache/kdiag/headers"

#: Where distributions put trees, by release.
_SOURCES = ("/usr/src/linux-headers-{}", "/usr/src/kernels/{}", "/usr/src/linux-{}")

#: The directory that BCC takes below /lib/modules/R for `build`, where there are not both (loader.cc).
BCC_SUFFIX = "BCC_KERNEL_MODULES_SUFFIX"
VARIABLES = ("BPFTRACE_KERNEL_SOURCE", "BPFTRACE_KERNEL_BUILD", "BPFTRACE_BTF", "BCC_KERNEL_SOURCE")


class Chain(NamedTuple):
    """A path followed link by link. end: where it arrives; broken: the first path that does not exist, None
    if whole.
    """

    path: str
    hops: tuple[tuple[str, str], ...]
    end: str
    broken: str | None
    is_dir: bool

    def describe(self) -> str:
        """What is behind the path: `-> target -> target`, `absent`, with the first broken hop if there is
        one.
        """
        text = " ".join(f"-> {target}" for _, target in self.hops)
        if self.broken is not None:
            return f"{text} (absent: {self.broken})" if self.hops else "absent"
        end = "a directory" if self.is_dir else "not a directory"
        return f"{text} ({end})" if self.hops else end


def follow(system: System, path: str) -> Chain:
    """Follow `path` through its links. Raises Unavailable where a hop cannot be looked at."""
    hops: list[tuple[str, str]] = []
    current = path.rstrip("/") or "/"
    for _ in range(_MAX_HOPS):
        info = system.lstat(current)
        if info is None:
            return Chain(path, tuple(hops), current, _first_missing(system, current), is_dir=False)
        if info.kind != "link":
            return Chain(path, tuple(hops), current, None, is_dir=info.kind == "dir")
        target = info.target or ""
        hops.append((current, target))
        current = _joined(system, current.rpartition("/")[0], target)
    raise Unavailable(f"{path}: a loop of links")


def _joined(system: System, directory: str, target: str) -> str:
    """Where a link in `directory` leads. `..` goes up from where the directory really is: on merged-/usr systems
    /lib/modules/R is /usr/lib/modules/R, and Debian's build link is ../../../src/linux-headers-R.
    """
    done: list[str] = []
    pending = (
        target.split("/")[::-1]
        if target.startswith("/")
        else [*target.split("/")[::-1], *directory.split("/")[::-1]]
    )
    links = 0
    while pending:
        part = pending.pop()
        if part == "..":
            if done:
                done.pop()
        elif part not in ("", "."):
            done.append(part)
            link = _link(system, "/" + "/".join(done)) if ".." in pending else None
            if link is not None:
                links += 1
                if links > _MAX_HOPS:
                    raise Unavailable(f"{directory}: a loop of links")
                done = [] if link.startswith("/") else done[:-1]
                pending += link.split("/")[::-1]
    return "/" + "/".join(done)


def _link(system: System, path: str) -> str | None:
    """The target of a link, None for anything else, also for what cannot be looked at."""
    try:
        info = system.lstat(path)
    except Unavailable:
        return None
    return info.target if info is not None and info.kind == "link" else None


def _first_missing(system: System, path: str) -> str:
    """The topmost part of `path` that does not exist."""
    missing = path
    parent = path.rpartition("/")[0]
    while parent:
        try:
            if system.stat(parent) is not None:
                return missing
        except Unavailable:
            return missing
        missing, parent = parent, parent.rpartition("/")[0]
    return missing


class Selection(NamedTuple):
    """The directories a tool takes. via: the variable or the links that led there; missing: a variable's
    path is not there.
    """

    source: str
    build: str
    via: str
    missing: bool = False


class Tree(NamedTuple):
    """A header tree (source and build side, often the same directory), judged.

    missing: files of the completeness test that are not there; release: UTS_RELEASE it was made for;
    arches: names below arch/; uapi_only: holds the user-space API alone; untrusted: who else could write it.
    """

    source: str
    build: str
    missing: tuple[str, ...]
    release: str | None
    arches: tuple[str, ...]
    uapi_only: bool
    untrusted: str | None

    @property
    def complete(self) -> bool:
        """Everything that clang needs is there."""
        return not self.missing


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
        return None if chosen is None else self.judge(chosen.source, chosen.build)

    @cached_property
    def bcc_tree(self) -> Tree | None:
        """The tree BCC would use, judged; None if it would find none."""
        chosen = self.for_bcc
        if chosen is None:
            return None
        ours = self.for_bpftrace
        if ours is not None and (ours.source, ours.build) == (chosen.source, chosen.build):
            return self.bpftrace_tree
        return self.judge(chosen.source, chosen.build)

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
                tree = self.judge(place, build)
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

    def judge(self, source: str, build: str) -> Tree:
        """The completeness, version, architecture and trust tests on one pair of directories."""
        try:
            arch: str | None = self._machine.kernel.source_arch
        except Unavailable:
            arch = None
        wanted = [
            f"{source}/include/linux/kconfig.h",
            f"{source}/include/linux/types.h",
            f"{build}/include/generated/autoconf.h",
        ]
        if arch:
            wanted += [f"{source}/arch/{arch}/include", f"{build}/arch/{arch}/include/generated"]
        missing = [path for path in wanted if self._system.stat(path) is None]
        versions = (f"{build}/include/generated/uapi/linux/version.h", f"{build}/include/linux/version.h")
        if all(self._system.stat(path) is None for path in versions):
            missing.append(versions[0])
        # `make headers_install` puts the user-space API at include/linux, without kconfig.h and generated files.
        uapi = bool(missing) and any(
            self._system.stat(f"{source}/{path}") is not None
            for path in ("include/linux/types.h", "include/uapi/linux/types.h", "linux/types.h")
        )
        return Tree(
            source=source,
            build=build,
            missing=tuple(missing),
            release=self._tree_release(build),
            # the build side is made for one architecture; the source side of a split tree has them all
            arches=tuple(
                self._system.listdir(f"{build}/arch") or self._system.listdir(f"{source}/arch") or ()
            ),
            uapi_only=uapi
            and self._system.stat(f"{source}/include/linux/kconfig.h") is None
            and self._system.stat(f"{build}/include/generated") is None,
            untrusted=self.untrusted(source) or (self.untrusted(build) if build != source else None),
        )

    def _tree_release(self, build: str) -> str | None:
        text = self._system.read(f"{build}/{utsrelease.PATH}", utsrelease.LIMIT)
        if text is not None and (release := utsrelease.release(text)):
            return release
        return read_text(self._system, f"{build}/include/config/kernel.release", 4096)

    def untrusted(self, path: str) -> str | None:
        """Why root should not feed this tree to a compiler, or take headers out of this file: another user can write it
        or one of its parents.
        """
        place = follow(self._system, path).end
        try:
            mine = self._system.identity().euid
        except Unavailable:
            mine = 0
        while place:
            info = self._system.stat(place)
            if info is not None:
                if info.uid not in (0, mine):
                    return f"{place} belongs to uid {info.uid}"
                if info.mode & 0o022 and not (info.mode & 0o1000 and info.kind == "dir"):
                    return f"{place} is writable by others (mode {info.mode:04o})"
            place = place.rpartition("/")[0]
        return None
