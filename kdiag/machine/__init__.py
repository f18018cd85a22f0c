"""Typed facts about one machine, each observed once, on demand, and each saying where it came from.

A fact that could not be observed raises `Unavailable`; a check that lets it pass becomes a finding `unknown`.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from kdiag.system.below import Below

if TYPE_CHECKING:
    from collections.abc import Callable

    from kdiag.machine.bpf import Bpf
    from kdiag.machine.btf import BtfFacts, Survey
    from kdiag.machine.config import ConfigFacts
    from kdiag.machine.confinement import Confinement
    from kdiag.machine.environment import Environment
    from kdiag.machine.headers import Headers
    from kdiag.machine.host import Host
    from kdiag.machine.kernel import Kernel
    from kdiag.machine.kernel_log import KernelLog
    from kdiag.machine.kheaders import Kheaders
    from kdiag.machine.modules import Modules
    from kdiag.machine.names.functions import Functions
    from kdiag.machine.packages import Packages
    from kdiag.machine.privileges import Privileges
    from kdiag.machine.tools import Tools
    from kdiag.machine.tracing import Tracing
    from kdiag.system import System


class Machine:
    """All facts about the machine behind `system`; a fact's module is imported when it is first asked for."""

    def __init__(
        self,
        system: System,
        survey: Callable[[], Survey] | None = None,
        installed: str = "",
        running: Machine | None = None,
    ) -> None:
        """survey: where the kernel's BTF was, or is being, read already; else it is read when it is asked for.
        installed: the release of the kernel that is examined by its files, if that is not the running one; running:
        this machine on the running one, whose surroundings it shares.
        """
        self.system = system
        self.installed = installed
        self._running = running
        self._survey = survey

    def survey(self) -> Survey:
        """The kernel's BTF, surveyed. Raises as `kdiag.machine.btf.survey` does."""
        from kdiag.machine.btf import survey

        return self._survey() if self._survey is not None else survey(self.system)

    @cached_property
    def kernel(self) -> Kernel:
        from kdiag.machine.kernel import Kernel

        return Kernel(self)

    @cached_property
    def log(self) -> KernelLog:
        from kdiag.machine.kernel_log import KernelLog

        return KernelLog(self)

    @cached_property
    def config(self) -> ConfigFacts:
        from kdiag.machine.config import ConfigFacts

        return ConfigFacts(self)

    @cached_property
    def btf(self) -> BtfFacts:
        from kdiag.machine.btf import BtfFacts

        return BtfFacts(self)

    @cached_property
    def names(self) -> Functions:
        from kdiag.machine.names.functions import Functions

        return Functions(self)

    @cached_property
    def modules(self) -> Modules:
        from kdiag.machine.modules import Modules

        return Modules(self)

    @cached_property
    def kheaders(self) -> Kheaders:
        from kdiag.machine.kheaders import Kheaders

        return Kheaders(self)

    @cached_property
    def headers(self) -> Headers:
        from kdiag.machine.headers import Headers

        return Headers(self)

    @cached_property
    def host(self) -> Host:
        from kdiag.machine.host import Host

        return Host(self)

    @property
    def of_host(self) -> bool:
        """Whether these are the facts of a host's files, as a container sees them."""
        return isinstance(self.system, Below)

    @property
    def origin(self) -> Machine:
        """The side whose files belong to the kernel: the host's where a container can see them, else this one."""
        return self.host.machine or self

    def seen_at(self, path: str) -> str:
        """A path of this side as it is reached from where kdiag runs."""
        return f"{self.system.root}{path}" if self.of_host and not path.startswith("/proc/") else path

    @cached_property
    def packages(self) -> Packages:
        from kdiag.machine.packages import Packages

        return Packages(self)

    @cached_property
    def tracing(self) -> Tracing:
        from kdiag.machine.tracing import Tracing

        return Tracing(self)

    @cached_property
    def privileges(self) -> Privileges:
        from kdiag.machine.privileges import Privileges

        return Privileges(self)

    @cached_property
    def confinement(self) -> Confinement:
        from kdiag.machine.confinement import Confinement

        return Confinement(self)

    @cached_property
    def bpf(self) -> Bpf:
        from kdiag.machine.bpf import Bpf

        return Bpf(self)

    @cached_property
    def environment(self) -> Environment:
        if self._running is not None:
            return self._running.environment
        from kdiag.machine.environment import Environment

        return Environment(self)

    @cached_property
    def tools(self) -> Tools:
        from kdiag.machine.tools import Tools

        return Tools(self)
