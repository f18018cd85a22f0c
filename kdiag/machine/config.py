"""The kernel's configuration: where it was found, whether it belongs to the running kernel, what it says."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from kdiag.parse.compression import decompress, identify
from kdiag.parse.errors import ParseError
from kdiag.parse.kconfig import parse
from kdiag.system import Unavailable

if TYPE_CHECKING:
    from kdiag.machine import Machine
    from kdiag.parse.kconfig import KernelConfig

#: A kernel image is some 15 MB; debug images can be far larger and hold nothing more for us.
_IMAGE_LIMIT = 192 * 1024 * 1024


class Attempt(NamedTuple):
    """One place that was tried. outcome: `used`, `absent`, or why not."""

    path: str
    outcome: str


class ConfigHit(NamedTuple):
    """The configuration in use. by_kernel: provided by the running kernel itself, so it cannot be another's."""

    path: str
    config: KernelConfig
    by_kernel: bool
    attempts: tuple[Attempt, ...]


def candidate_paths(release: str, machine: str) -> tuple[str, ...]:
    """The union of the paths that sixteen tools search, the kernel's own first (R is the release)."""
    return (
        "/proc/config.gz",
        "/proc/config",
        f"/boot/config-{release}",
        f"/lib/modules/{release}/config",
        f"/usr/lib/modules/{release}/config",
        f"/usr/lib/ostree-boot/config-{release}",
        f"/usr/lib/kernel/config-{release}",
        f"/lib/kernel/config-{release}",
        f"/etc/kernels/kernel-config-{machine}-{release}",
        f"/lib/modules/{release}/build/.config",
        f"/lib/modules/{release}/source/.config",
        f"/usr/src/linux-headers-{release}/.config",
        f"/usr/src/kernels/{release}/.config",
        f"/usr/src/linux-{release}/.config",
        "/usr/src/linux/.config",
        f"/run/host/usr/lib/modules/{release}/config",
        f"/run/host/boot/config-{release}",
        "/boot/config",
        "/boot/config-lts",
        "/boot/config-virt",
        "/proc/1/root/media/sr0/boot/config-virt",
        "/proc/1/root/media/vda/boot/config-virt",
    )


#: Paths whose name does not hold the release: the banner line must prove that they belong to this kernel.
_UNNAMED = ("/usr/src/linux/.config", "/boot/config", "/boot/config-lts", "/boot/config-virt")


class ConfigFacts:
    """The configuration of the examined kernel."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._system = machine.system

    @property
    def found(self) -> ConfigHit:
        """The first configuration that can be read and belongs to this kernel.

        Raises Unavailable; its reason names what stood in the way, `attempts` has every place.
        """
        if isinstance(self._search, Unavailable):
            raise self._search
        return self._search

    @cached_property
    def _search(self) -> ConfigHit | Unavailable:
        """The one search; also a failed one is not repeated."""
        try:
            return self._searched()
        except Unavailable as gap:
            return gap

    def _searched(self) -> ConfigHit:
        for path in self._paths():
            hit = self._try(path)
            if hit is not None:
                return hit
        for path in self._images():
            hit = self._try_image(path)
            if hit is not None:
                return hit
        refused = [a for a in self._attempts if a.outcome != "absent"]
        detail = "; ".join(f"{a.path}: {a.outcome}" for a in refused[:3])
        raise Unavailable(
            f"no kernel config in any of {len(self._attempts)} places" + (f" ({detail})" if detail else "")
        )

    @cached_property
    def _attempts(self) -> list[Attempt]:
        return []

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """Every place that was tried so far, with the outcome."""
        return tuple(self._attempts)

    def _paths(self) -> tuple[str, ...]:
        asked = self._env("KDIAG_KCONFIG")
        try:
            arch = (
                self._machine.kernel.uname.machine
            )  # `arch` may come from the configuration that is looked for
        except Unavailable:
            arch = "x86_64"
        own = candidate_paths(self._machine.kernel.release, arch)
        return ((asked,) if asked else ()) + own[:2] + self._of_host(own) + own[2:]

    def _of_host(self, own: tuple[str, ...]) -> tuple[str, ...]:
        """The same places on the host's side. Those whose name has the release are of this kernel there as well."""
        host = self._machine.host.machine
        if host is None:
            return ()
        release = self._machine.kernel.release
        return tuple(
            host.seen_at(path) for path in own if release in path and not path.startswith(("/proc", "/run"))
        )

    def _images(self) -> tuple[str, ...]:
        """Where IKCONFIG can be recovered from without loading or booting anything."""
        release = self._machine.kernel.release
        sides = dict.fromkeys((self._machine, self._machine.origin))
        found = ((side, side.modules.find("configs")) for side in sides)
        configs = tuple(side.seen_at(path) for side, path in found if path is not None)
        images = (
            f"/boot/vmlinuz-{release}",
            f"/lib/modules/{release}/vmlinuz",
            f"/usr/lib/modules/{release}/vmlinuz",
            f"/boot/vmlinux-{release}",
            f"/boot/Image-{release}",
            f"/boot/kernel-{release}",
        )
        return (*configs, *self._of_host(images), *images)

    def _env(self, name: str) -> str | None:
        try:
            return self._system.env(name)
        except Unavailable:
            return None

    def _note(self, path: str, outcome: str) -> None:
        self._attempts.append(Attempt(path, outcome))

    def _try(self, path: str) -> ConfigHit | None:
        try:
            data = self._system.read(path, 16 * 1024 * 1024)
            if data is None:
                self._note(path, "absent")
                return None
            if identify(data[:16]) == "gzip":
                data = decompress(data, limit=16 * 1024 * 1024)
            return self._judge(path, parse(data), by_kernel=path.startswith("/proc/config"))
        except Unavailable as gap:
            self._note(path, gap.reason.removeprefix(f"{path}: "))
        except ParseError as error:
            self._note(path, f"not a kernel config: {error}")
        return None

    def _try_image(self, path: str) -> ConfigHit | None:
        from kdiag.parse.ikconfig import recover

        try:
            data = self._system.read(path, _IMAGE_LIMIT)
            if data is None:
                self._note(path, "absent")
                return None
            if ".ko" in path.rpartition("/")[2]:
                data = decompress(data, limit=_IMAGE_LIMIT)
            text = recover(data)
            if text is None:
                self._note(path, "holds no configuration (IKCONFIG is off)")
                return None
            return self._judge(path, parse(text), by_kernel=False)
        except Unavailable as gap:
            self._note(path, gap.reason.removeprefix(f"{path}: "))
        except ParseError as error:
            self._note(path, str(error))
        return None

    def _judge(self, path: str, config: KernelConfig, *, by_kernel: bool) -> ConfigHit | None:
        if not config.complete and not by_kernel:
            self._note(path, "a fragment, not the configuration of a built kernel")
            return None
        release = self._machine.kernel.release
        version = config.banner_version
        if not by_kernel and version is not None and not release_starts_with(release, version):
            self._note(path, f"of another kernel: {version}, while {release} is running")
            return None
        if path in _UNNAMED and version is None:
            self._note(path, "does not say which kernel it belongs to")
            return None
        self._note(path, "used")
        return ConfigHit(path, config, by_kernel, self.attempts)

    def value(self, option: str) -> str | None:
        """The value of CONFIG_`option`: `y`, `m`, `n` (is not set), the raw text otherwise, None if it has
        no line.

        Raises Unavailable where no configuration could be found.
        """
        return self.found.config.values.get(option)


def release_starts_with(release: str, version: str) -> bool:
    """Whether a config's banner version (6.12.107) can belong to a release (6.12.107+deb13-amd64,
    6.8.0-31-generic).

    Distributions number their releases by ABI: Debian's 6.1.0-50-amd64 is built from 6.1.170, Ubuntu's
    6.8.0-31-generic from 6.8.1, so only major and minor must agree.
    """
    return release.split(".")[:2] == version.split(".")[:2] or release.startswith(version)
