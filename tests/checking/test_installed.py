"""A kernel that is installed and not running: what its files show, what they rule out, and what is only expected."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdiag.checking.analysis import analyse
from kdiag.checking.installed import analyse_installed, losses
from kdiag.commands.record import system_from
from kdiag.machine import Machine
from kdiag.model import Readiness, Report, Status, Works
from kdiag.system import CommandResult, Stat, Unavailable
from kdiag.system.base import READ_LIMIT
from kdiag.system.below import Below
from kdiag.system.installed import Installed
from kdiag.system.live import Live
from tests.support.reports import builtin

FIXTURES = Path(__file__).parents[2] / "fixtures"
WITH_BTF = FIXTURES / "lab-6.12-btf-kheaders"
RELEASE = "6.12.200-new"


def config_of(fixture: Path) -> bytes | None:
    """The configuration of a recorded kernel as text, None if it was not recorded."""
    machine = Machine(system_from(str(fixture)))
    try:
        found = machine.config.found
    except Unavailable:
        return None
    lines = (
        f"# CONFIG_{name} is not set" if value == "n" else f"CONFIG_{name}={value}"
        for name, value in found.config.values.items()
    )
    return (
        f"# Linux/x86 {machine.kernel.release} Kernel Configuration\n".encode()
        + "\n".join(lines).encode()
        + b"\n"
    )


class Upgraded(Below):
    """A recorded machine on which another kernel was installed: its configuration, and a directory of modules."""

    def __init__(self, fixture: Path, config: bytes | None, release: str) -> None:
        super().__init__(system_from(str(fixture)), "")
        self._config, self._release = config, release

    def read(self, path: str, limit: int = READ_LIMIT) -> bytes | None:
        if path == f"/boot/config-{self._release}":
            return self._config
        return None if self._release in path else super().read(path, limit)

    def stat(self, path: str) -> Stat | None:
        if path in (f"/boot/config-{self._release}", f"/lib/modules/{self._release}"):
            return Stat("file", 0o644, 0, 0, 1)
        return None if self._release in path else super().stat(path)

    def env(self, name: str) -> str | None:
        return self._system.env(name)

    def run(self, argv: tuple[str, ...], timeout: float = 10.0) -> CommandResult:
        return self._system.run(argv, timeout)


def installed(fixture: Path, config: bytes | None, release: str = RELEASE) -> Installed:
    return Installed(Upgraded(fixture, config, release), release)


def report_on(system: Installed, now: Report | None = None, required: tuple[str, ...] = ()) -> Report:
    known = builtin()
    return analyse_installed(
        Machine(system, installed=system.release), system, known, known.checks, required, now=now
    )


def running(fixture: Path, required: tuple[str, ...] = ()) -> Report:
    known = builtin()
    return analyse(Machine(system_from(str(fixture))), known, known.checks, required)


@pytest.mark.parametrize("name", ["lab-6.12-btf-kheaders", "lab-6.12-nobtf-kheaders", "firecracker"])
def test_nothing_is_ruled_out_that_works_on_the_recorded_machine(name: str) -> None:
    """The configuration of a recorded kernel, judged as one that does not run, against what was seen when it ran."""
    config = config_of(FIXTURES / name)
    assert config is not None
    real = running(FIXTURES / name)
    release = real.machine.release
    then = report_on(installed(FIXTURES / name, config, release))
    wrong = {
        f.id: f.summary
        for f in then.findings
        if f.status is Status.FAIL
        and f.id.startswith(("bpf.", "btf.vmlinux", "perf.", "tracing."))
        and (found := real.finding(f.id)) is not None
        and found.status is Status.OK
    }
    assert wrong == {}


def without(config: bytes, *options: str) -> bytes:
    for option in options:
        assert f"\nCONFIG_{option}=y\n".encode() in config
        config = config.replace(
            f"\nCONFIG_{option}=y\n".encode(), f"\n# CONFIG_{option} is not set\n".encode()
        )
    return config


def test_a_kernel_that_loses_btf_is_told_before_it_boots() -> None:
    config, required = config_of(WITH_BTF), ("hello", "fentry")
    assert config is not None
    now = running(WITH_BTF, required)
    then = report_on(installed(WITH_BTF, without(config, "DEBUG_INFO_BTF")), now, required)
    lost = {loss.capability.id: loss for loss in losses(now, then) if loss.lost}
    assert lost["fentry"].required
    assert then.verdict.status is Readiness.NOT_READY
    assert "hello" not in lost


def test_the_same_kernel_again_loses_nothing_and_is_only_expected_to_work() -> None:
    config = config_of(WITH_BTF)
    assert config is not None
    now = running(WITH_BTF, ("hello",))
    then = report_on(installed(WITH_BTF, config), now, ("hello",))
    assert [loss for loss in losses(now, then) if loss.lost and loss.required] == []
    hello = next(c for c in then.capabilities if c.id == "hello")
    assert hello.status is Works.UNKNOWN
    assert hello.because.startswith("expected to work")
    assert then.verdict.status is Readiness.UNKNOWN
    assert "only its boot proves it" in then.verdict.summary


def test_without_a_configuration_nothing_is_lost_and_nothing_promised() -> None:
    now = running(WITH_BTF, ("fentry",))
    then = report_on(installed(WITH_BTF, None), now, ("fentry",))
    assert then.finding("config.source").status is Status.UNKNOWN  # type: ignore[union-attr]
    assert not [loss for loss in losses(now, then) if loss.lost and loss.capability.id == "fentry"]


def test_only_files_are_asked() -> None:
    system = Installed(Live("/"), RELEASE)
    for question in (
        lambda: system.read("/proc/version"),
        lambda: system.stat("/sys/fs/bpf"),
        lambda: system.listdir("/dev"),
        lambda: system.probe("bpf:map"),
        lambda: system.run(("/usr/bin/bpftrace", "--info")),
        system.uname,
    ):
        with pytest.raises(Unavailable, match=r"not running|running kernel"):
            question()
