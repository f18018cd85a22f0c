"""The kernel's BTF: parsed, not stat'ed; its modules' BTF; and where libbpf looks besides."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from kdiag.knowledge.tools.stock_scripts import functions
from kdiag.parse.btf import BtfError, Kind, parse
from kdiag.parse.elf import build_id_from_notes
from kdiag.parse.errors import ParseError
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.machine import Machine
    from kdiag.parse.btf.value import Btf
    from kdiag.parse.mountinfo import Mount
    from kdiag.system import System

SYSFS = "/sys/kernel/btf"
VMLINUX = f"{SYSFS}/vmlinux"

#: Module BTF is parsed, smallest first, up to this many bytes in one run: enough to prove that split BTF works.
_MODULE_BUDGET = 512 * 1024
#: Ten times what the largest kernels have.
_SECTION_LIMIT = 64 * 1024 * 1024


class NoBtf(Unavailable):
    """The kernel provides no BTF: a definite no, unlike its parent."""


class ModuleBtf(NamedTuple):
    """Module BTF: the names provided, how many were parsed, and (name, message) of those that are broken."""

    names: tuple[str, ...]
    parsed: int
    broken: tuple[tuple[str, str], ...]


#: The first libbpf that takes bare BTF in those places: btf__parse() there in the place of btf__parse_elf().
TAKES_BARE = (1, 1, 0)
_MAGICS = (b"\x9f\xeb", b"\xeb\x9f")


def fallback_paths(release: str) -> tuple[str, ...]:
    """Where libbpf looks when sysfs has no BTF (src/btf.c, btf__load_vmlinux_btf): ELF files with a .BTF section,
    and since 1.1 (`TAKES_BARE`) also bare BTF, as BTFHub has it.
    """
    return (
        f"/boot/vmlinux-{release}",
        f"/lib/modules/{release}/vmlinux-{release}",
        f"/lib/modules/{release}/build/vmlinux",
        f"/usr/lib/modules/{release}/kernel/vmlinux",
        f"/usr/lib/debug/boot/vmlinux-{release}",
        f"/usr/lib/debug/boot/vmlinux-{release}.debug",
        f"/usr/lib/debug/lib/modules/{release}/vmlinux",
    )


class Fallback(NamedTuple):
    """A file on libbpf's list. problem is empty for one that holds sound BTF of this very build.

    same_build: by GNU build-id against /sys/kernel/notes, None if one of the two cannot be known. seen: False for a
    place that could not be looked at; problem then says why. bare: no ELF file around it. highest: the name of its
    highest kind.
    """

    path: str
    size: int
    problem: str
    same_build: bool | None
    seen: bool = True
    bare: bool = False
    highest: str = ""


class Survey(NamedTuple):
    """What kdiag needs to know of the kernel's BTF, without the BTF itself.

    size in bytes; counts by kind name, highest: the name of the highest kind; ids: of the functions that probes attach
    to; task_struct: its type id and number of members, None if it is not there.
    """

    size: int
    n_types: int
    byteorder: str
    counts: tuple[tuple[str, int], ...]
    highest: str
    ids: tuple[tuple[str, int], ...]
    task_struct: tuple[int, int] | None
    modules: ModuleBtf

    def function(self, name: str) -> int | None:
        """The type id of one of `FUNCTIONS`."""
        return dict(self.ids).get(name)


#: Of the block layer, as tools name them whatever the kernel calls them now (BCC's tools/biolatency.py, tag by tag).
BLOCK_FUNCTIONS = (
    *("__blk_account_io_start", "blk_account_io_start", "blk_start_request", "blk_mq_start_request"),
    *("__blk_account_io_done", "blk_account_io_done"),
)
#: Functions that probes attach to (kdiag.system.probes), a helper and a kfunc that show what programs may do, and those
#: that stock scripts attach to.
FUNCTIONS = tuple(
    dict.fromkeys(
        ("bpf_fentry_test1", "bpf_iter_task", "bpf_loop", "bpf_rcu_read_lock", *BLOCK_FUNCTIONS, *functions())
    )
)


def survey(system: System) -> Survey:
    """Read and judge the kernel's BTF and its modules'.

    Raises NoBtf if the kernel provides none, Unavailable if it cannot be read, BtfError if it is broken.
    """
    data = system.read(VMLINUX)
    if data is None:
        if system.stat("/sys/kernel") is None:
            raise Unavailable("/sys is not mounted: whether the kernel provides BTF is not known")
        raise NoBtf(f"{VMLINUX} is not there")
    btf = parse(data, served=True)
    ids = ((name, btf.find(name, (Kind.FUNC,))) for name in FUNCTIONS)
    task = btf.find("task_struct", (Kind.STRUCT,))
    return Survey(
        size=btf.size,
        n_types=btf.n_types,
        byteorder=btf.byteorder,
        counts=tuple((kind.name, count) for kind, count in btf.counts.items() if count),
        highest=_highest(btf),
        ids=tuple((name, type_id) for name, type_id in ids if type_id is not None),
        task_struct=None if task is None else (task, len(btf.members(task, flatten=True))),
        modules=_modules(system, btf),
    )


def _highest(btf: Btf) -> str:
    return max((kind for kind, count in btf.counts.items() if count), default=Kind.INT).name


def _modules(system: System, base: Btf) -> ModuleBtf:
    names = tuple(name for name in system.listdir(SYSFS) or () if name != "vmlinux")
    sizes = {}
    for name in names:
        info = system.stat(f"{SYSFS}/{name}")
        if info is not None:
            sizes[name] = info.size
    left, parsed, broken = _MODULE_BUDGET, 0, []
    for name in sorted(sizes, key=lambda n: (sizes[n], n)):
        left -= sizes[name]
        if left < 0:
            break
        try:
            data = system.read(f"{SYSFS}/{name}")
            if data is not None:
                parse(data, base=base, served=True)
                parsed += 1
        except Unavailable:
            continue
        except BtfError as error:
            broken.append((name, str(error)))
    return ModuleBtf(names, parsed, tuple(broken))


class BtfFacts:
    """BTF of the examined kernel."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._system = machine.system

    @cached_property
    def _survey(self) -> Survey | Exception:
        """The survey or what it raised: a broken BTF is not read again for every question."""
        try:
            return self._machine.survey()
        except (Unavailable, BtfError) as error:
            return error

    @property
    def vmlinux(self) -> Survey:
        """What /sys/kernel/btf/vmlinux holds. Raises as `survey` does."""
        if isinstance(self._survey, Survey):
            return self._survey
        raise self._survey

    @cached_property
    def hidden_by(self) -> Mount | None:
        """What is mounted over the kernel's own files and hides them; None for nothing that can be seen."""
        try:
            mount = self._machine.tracing.mounts.covering(VMLINUX)
        except Unavailable:
            return None
        if mount is None or mount.fstype == "sysfs" or not mount.mount_point.startswith(SYSFS):
            return None
        return mount

    def function(self, name: str) -> int | None:
        """The type id of any function, None if it is not there. Raises as `vmlinux` does.

        Reads the whole BTF again: for questions that hardly any machine raises.
        """
        known = self.vmlinux
        if name in FUNCTIONS:
            return known.function(name)
        data = self._machine.system.read(VMLINUX) or b""
        return parse(data, served=True).find(name, (Kind.FUNC,))

    @property
    def modules(self) -> ModuleBtf:
        """Module BTF on top of vmlinux. Raises as `vmlinux` does."""
        return self.vmlinux.modules

    @cached_property
    def fallbacks(self) -> tuple[Fallback, ...]:
        """The files of libbpf's list that exist or cannot be looked at, judged; read only until the answer is known."""
        found = []
        for path in fallback_paths(self._machine.kernel.release):
            try:
                info = self._system.stat(path)
            except Unavailable as gap:
                found.append(Fallback(path, 0, gap.reason, None, seen=False))
                continue
            if info is not None:
                found.append(self._judge(path, info.size))
        return tuple(found)

    @cached_property
    def build_id(self) -> str | None:
        """The running kernel's GNU build-id in hex, from /sys/kernel/notes; None if it has none."""
        data = self._system.read("/sys/kernel/notes", 65536)
        return None if data is None else build_id_from_notes(data)

    def _judge(self, path: str, size: int) -> Fallback:
        try:
            data = self.bare(path)
            section, build = (data, None) if data is not None else self._elf(path)
        except (ParseError, Unavailable) as error:
            return Fallback(path, size, str(error), None)
        bare = data is not None
        if section is None:
            return Fallback(path, size, "an ELF file without a .BTF section", None)
        try:
            highest = _highest(parse(section))
        except ParseError as error:
            what = "its BTF" if bare else "its .BTF section"
            return Fallback(path, size, f"{what} is broken: {error}", None, bare=bare)
        try:
            running = self.build_id
        except Unavailable:
            running = None
        same = None if running is None or build is None else running == build
        problem = "BTF of another build of the kernel" if same is False else ""
        return Fallback(path, size, problem, same, bare=bare, highest=highest)

    def bare(self, path: str) -> bytes | None:
        """All of a file that is bare BTF, None for anything else. Raises Unavailable."""
        handle = self._system.open(path)
        if handle is None:
            raise Unavailable(f"{path} went away")
        with handle:
            if handle.read(2) not in _MAGICS:
                return None
            handle.seek(0)
            data = handle.read(_SECTION_LIMIT + 1)
        if len(data) > _SECTION_LIMIT:
            raise Unavailable(f"bare BTF of more than {_SECTION_LIMIT} bytes")
        return data

    def _elf(self, path: str) -> tuple[bytes | None, str | None]:
        """The .BTF section and the build-id of an ELF file; a debug image of 800 MB is not read whole for
        that.
        """
        from elftools.common.exceptions import ELFError
        from elftools.elf.elffile import ELFFile

        handle = self._system.open(path)
        if handle is None:
            raise Unavailable(f"{path} went away")
        with handle:
            try:
                elf = ELFFile(handle)
                btf = elf.get_section_by_name(".BTF")
                if btf is not None and btf["sh_size"] > _SECTION_LIMIT:
                    raise Unavailable(f"its .BTF section claims {btf['sh_size']} bytes")
                notes = b"".join(
                    s.data()
                    for s in elf.iter_sections()
                    if s["sh_type"] == "SHT_NOTE" and s["sh_size"] < 65536
                )
                return (None if btf is None else bytes(btf.data())), build_id_from_notes(notes)
            except (ELFError, OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
                # pyelftools raises many things on files that are not what they claim.
                raise Unavailable(f"not a readable ELF file: {error}") from None
