"""Small kernels built from Debian's kernel source, each a list of config fragments.

A family of variants shares a build tree, so that switching IKHEADERS costs a minute and not a whole build. The tree
stays between runs (kind ``build``): an interrupted build goes on where it was. What is complete is copied into an
entry of the kind ``kernels``, named by the fragments' content, the source and the compiler.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import cache, debs, image, kernels, layers, mirror, tools
from .catalogue import FRAGMENTS, Variant, catalogue
from .errors import LabError
from .kernels import Kernel

SUITE, SOURCE = "trixie", "linux-source-6.12"
_REVISION = 1
_TOOLS = ("make", "gcc", "ld", "flex", "bison", "bc", "perl", "cpio", "xz", "tar", "depmod", "mkfs.ext4")


#: kernels that are built, by name
VARIANTS: Mapping[str, Variant] = catalogue().variants


def parse_fragment(text: str) -> dict[str, str]:
    """Lines of a config fragment -> option: its whole line, ``# CONFIG_X is not set`` included."""
    lines = {}
    for line in text.splitlines():
        found = re.match(r"(?:# )?(CONFIG_\w+)(?:=| is not set$)", line)
        if found:
            lines[found[1]] = line
        elif line.strip() and not line.startswith("#"):
            raise LabError(f"not a line of a config fragment: {line!r}")
    return lines


def merge(texts: Sequence[str]) -> str:
    """Fragments in order -> one fragment in which the last word on each option stands."""
    lines: dict[str, str] = {}
    for text in texts:
        lines.update(parse_fragment(text))
    return "".join(f"{line}\n" for line in lines.values())


def fragment(variant: Variant) -> str:
    """The merged fragment of a variant."""
    wanted = merge([(FRAGMENTS / f"{name}.config").read_text() for name in variant.fragments])
    return f'{wanted}CONFIG_LOCALVERSION="-lab-{variant.name}"\n'


def unmet(wanted: str, config: str) -> list[str]:
    """Lines of the fragment that the finished config does not follow (a dependency is missing)."""
    have = parse_fragment(config)
    lines = parse_fragment(wanted)
    return [line for option, line in lines.items() if have.get(option, f"# {option} is not set") != line]


def recipe(variant: Variant) -> dict[str, object]:
    """What decides a built kernel, but for the source's point release, which its release tells."""
    compiler = tools.run(["gcc", "-dumpfullversion"]).strip() if tools.which("gcc") else ""
    return {"revision": _REVISION, "fragment": fragment(variant), "source": [SUITE, SOURCE], "gcc": compiler}


def get(name: str) -> Kernel:
    """The built kernel of that name; building takes a quarter of an hour of CPU or more."""
    variant = VARIANTS[name]
    tools.require(_TOOLS, why="building a kernel")
    if "btf" in variant.fragments:
        tools.require(["pahole"], why="building a kernel with BTF")
    place = cache.obtain("kernels", name, recipe(variant), lambda path: _make(path, variant))
    return kernels.from_directory(place, name)


def source() -> Path:
    """Debian's kernel source, unpacked (1.6 GB)."""

    def make(place: Path) -> None:
        place.mkdir(parents=True)
        with tempfile.TemporaryDirectory(prefix="kdiag-lab-apt-") as scratch:
            apt = mirror.private_apt(Path(scratch), [SUITE], "amd64")
            (deb,) = debs.download(apt, [SOURCE], place)
        debs.unpack(deb, place / "deb")
        (archive,) = (place / "deb/usr/src").glob("linux-source-*.tar.xz")
        tools.say("unpacking the kernel source ...")
        tools.run(["tar", "-C", str(place), "--strip-components=1", "-xf", str(archive)])
        cache.remove(place / "deb")
        deb.unlink()

    return cache.obtain("sources", SOURCE, {"suite": SUITE, "package": SOURCE}, make)


@dataclass(frozen=True, slots=True)
class _Work:
    """Where a variant is built: the source, the build tree and its lock, the log of this build."""

    source: Path
    tree: Path
    lock: int
    log: Path


def _make(place: Path, variant: Variant) -> None:
    unpacked = source()
    top = cache.home() / "build"
    with cache.locked(f"build-{variant.family}") as lock:
        work = _Work(unpacked, top / variant.family, lock, top / f"{variant.name}.log")
        work.tree.mkdir(parents=True, exist_ok=True)
        work.log.unlink(missing_ok=True)
        tools.say(f"building {variant.name}; follow it with: tail -f {work.log}")
        _configure(work, variant)
        _kbuild(work, "-j", str(_jobs()), "bzImage", *_module_targets(variant))
        place.mkdir(parents=True)
        _collect(work, place, _module_targets(variant) != [])


def _module_targets(variant: Variant) -> list[str]:
    return [] if "nomodules" in variant.fragments else ["modules"]


def _jobs() -> int:
    return int(os.environ.get("KDIAG_LAB_JOBS", "0")) or len(os.sched_getaffinity(0))


def _kbuild(work: _Work, *words: str) -> None:
    stamp = {"KBUILD_BUILD_USER": "lab", "KBUILD_BUILD_HOST": "lab", "KBUILD_BUILD_TIMESTAMP": "2026-01-01"}
    command = ["nice", "-n", "10", "make", "-C", str(work.source), f"O={work.tree}", *words]
    tools.run_long(command, work.log, lock=work.lock, env=stamp)


def _configure(work: _Work, variant: Variant) -> None:
    wanted = fragment(variant)
    followed, listing = work.tree / "lab.followed", work.tree / "lab.fragment"
    if followed.exists() and followed.read_text() == wanted:
        return
    followed.unlink(missing_ok=True)
    listing.write_text(wanted)
    _kbuild(work, f"KCONFIG_ALLCONFIG={listing}", "allnoconfig")
    missing = unmet(wanted, (work.tree / ".config").read_text())
    if missing:
        raise LabError(f"{variant.name}: the config does not follow the fragments: {'; '.join(missing)}")
    followed.write_text(wanted)


def _collect(work: _Work, place: Path, with_modules: bool) -> None:
    """Copy what a kernel entry holds: image, config, modules (kheaders.ko apart), the layer."""
    shutil.copyfile(work.tree / "arch/x86/boot/bzImage", place / "bzImage")
    shutil.copyfile(work.tree / ".config", place / "config")
    release = kernels.release_of((place / "bzImage").read_bytes())
    stage = place / "tree"
    (stage / "boot").mkdir(parents=True)
    shutil.copyfile(work.tree / ".config", stage / f"boot/config-{release}")
    shutil.copyfile(work.tree / "System.map", stage / f"boot/System.map-{release}")
    shutil.copyfile(place / "bzImage", stage / f"boot/vmlinuz-{release}")
    if with_modules:
        install = ["INSTALL_MOD_STRIP=1", f"INSTALL_MOD_PATH={stage}", "DEPMOD=true", "modules_install"]
        _kbuild(work, *install)
        top = stage / "lib/modules" / release
        for link in ("build", "source"):
            (top / link).unlink(missing_ok=True)
        kheaders = top / "kernel/kernel/kheaders.ko"
        if kheaders.exists():
            shutil.move(kheaders, place / "kheaders.ko")
        layers.depmod(stage, release)
        shutil.copytree(top, place / "modules" / release, symlinks=True)
    layers.merge_usr(stage)
    image.from_tree(stage, place / "layer.ext4")
    cache.remove(stage)
