"""No finding is `ok` by what a table, a configuration or a default promises: only by what was seen.

Over all recordings and all machines described in Python, asked by root and by an ordinary user, and over the machine
that runs the tests.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from kdiag.capabilities.expression import Context, need
from kdiag.check import check
from kdiag.checking.registry import Registered
from kdiag.checking.runner import run_one
from kdiag.machine import Machine
from kdiag.model import Evidence, Finding, Report, Status, Works, expect, expected, ok
from kdiag.report.faces.json import render
from kdiag.system.live import Live
from kdiag.system.recording import Recording
from tests.support import kernel_parts as parts
from tests.support import known_machines as known
from tests.support import machines
from tests.support.paths import FIXTURES
from tests.support.reports import builtin, report_on
from tests.support.users import as_user

#: What a look that was refused leaves behind: it is no sight.
REFUSED = re.compile(r"(.*: )?(EPERM|EACCES|ENOSYS)\b|.*not recorded")


def unseen(finding: Finding) -> bool:
    """Whether nothing in the evidence was really seen."""
    return all(e.is_expected or REFUSED.match(e.observed) for e in finding.evidence)


def wrong(report: Report) -> list[Finding]:
    return [
        f
        for f in report.findings
        if f.status is Status.OK and (unseen(f) or any(e.is_expected for e in f.evidence))
    ]


def told(report: Report) -> dict[str, Finding]:
    return {f.id: f for f in report.findings}


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(p for p in FIXTURES.iterdir() if p.is_dir()), ids=lambda p: p.name)
def test_recorded_machines(path: Path) -> None:
    assert not wrong(report_on(Recording(path)))


@pytest.mark.parametrize("name", known.BY_NAME)
def test_described_machines(name: str) -> None:
    described = known.BY_NAME[name]()
    assert not wrong(report_on(described.recording()))
    if name not in ("wsl1", "gvisor"):  # no bpf(2) there whose answers to a user could be worked out
        assert not wrong(report_on(machines.user(described).recording()))


def test_this_machine() -> None:
    assert not wrong(report_on(Live()))


def test_this_machine_for_another_user() -> None:
    """65534 sees less than root, and nothing more is fine for that."""
    text = as_user(65534, lambda: render(report_on(Live())))
    mine = told(report_on(Live()))
    for finding in json.loads(text)["findings"]:
        evidence = tuple(Evidence(e["source"], e["observed"]) for e in finding["evidence"])
        theirs = Finding(Status(finding["status"]), finding["summary"], evidence=evidence)
        if theirs.status is Status.OK:
            assert not unseen(theirs), finding
        if finding["id"] in mine and mine[finding["id"]].status is Status.FAIL:
            assert theirs.status is not Status.OK or finding["id"].startswith("sysctl."), finding


# -- one by one ------------------------------------------------------------------------------------------------------


def test_a_user_is_not_told_that_the_list_of_functions_is_there() -> None:
    """Root gets EPERM from a kernel whose configuration has CONFIG_DYNAMIC_FTRACE: seen in guests."""
    described = machines.user(machines.linux(config_at="/proc/config.gz"))
    found = told(report_on(described.recording()))["tracing.functions"]
    assert found.status is Status.UNKNOWN
    assert found.likely is Status.OK
    assert any(e.is_expected and "DYNAMIC_FTRACE" in e.observed for e in found.evidence)


@pytest.mark.parametrize(
    "finding_id",
    ["bpf.map", "bpf.prog.kprobe", "perf.events", "bpf.kprobe_multi", "tracing.syscalls", "tracing.kallsyms"],
)
def test_what_only_root_may_try_is_unknown(finding_id: str) -> None:
    described = machines.user(machines.linux(config_at="/proc/config.gz"))
    described.file("/proc/kallsyms", "0000000000000000 T _stext\n" * 9)
    found = told(report_on(described.recording()))[finding_id]
    assert found.status is Status.UNKNOWN, found
    assert found.likely is Status.OK and found.with_root


def test_hidden_addresses_are_not_expected_where_all_users_are_refused() -> None:
    described = machines.sysctls(machines.user(machines.linux()), kptr_restrict=2).file(
        "/proc/kallsyms", "0000000000000000 T a\n" * 9
    )
    found = told(report_on(described.recording()))["tracing.kallsyms"]
    assert found.status is Status.UNKNOWN and found.likely is None


def test_built_in_by_the_configuration_and_not_shown() -> None:
    """/proc/config.gz says CONFIG_IKHEADERS=y, and the file is not to be seen."""
    described = machines.linux(config_at="/proc/config.gz", options={"IKHEADERS": "y"})
    assert told(report_on(described.recording()))["kheaders.module"].status is Status.UNKNOWN
    served = machines.kheaders(
        machines.linux(config_at="/proc/config.gz", options={"IKHEADERS": "y"}), "builtin"
    )
    assert told(report_on(served.recording()))["kheaders.module"].status is Status.OK


def test_what_the_table_says_of_an_option_is_not_said_of_the_kernel() -> None:
    """Without a configuration nobody knows how this kernel was built."""
    for report in (
        report_on(Recording(FIXTURES / "kind-node")),
        report_on(known.kind_node().recording()),
        report_on(known.fedora_43().remove("/boot").recording()),
    ):
        for finding in report.findings:
            said = f"{finding.summary} {finding.reason}"
            assert not re.search(r"built with CONFIG_\w+=|CONFIG_IKHEADERS=m, and", said), finding
    found = told(report_on(known.kind_node().recording()))["kheaders.module"]
    assert "expected of Ubuntu" in " ".join(e.observed for e in found.evidence)


def test_a_module_that_is_configured_and_not_installed_is_named() -> None:
    described = machines.modules(machines.linux(options={"IKHEADERS": "m"}))
    found = told(report_on(described.recording()))["kheaders.available"]
    assert found.status is Status.FAIL and "not installed" in found.summary


def test_no_claim_about_kheaders_where_nothing_can_be_loaded() -> None:
    """No /proc/modules and no configuration: that it is not there is known, and not why."""
    described = machines.linux(config_at=None).remove("/proc/modules", "/lib/modules")
    found = told(report_on(described.recording()))["kheaders.module"]
    assert found.status is Status.FAIL
    assert "CONFIG_IKHEADERS is off" not in f"{found.summary} {found.reason}"


def test_an_old_kernel_does_not_show_no_new_privs() -> None:
    """The line came with 4.10: its absence is no answer for one who needs sudo."""
    status = parts.process_status(0, machines.ALL_CAPABILITIES)
    old = "".join(line for line in status.splitlines(True) if not line.startswith("NoNewPrivs"))
    described = machines.user(machines.linux("4.9.0-19-amd64")).file("/proc/self/status", old)
    assert told(report_on(described.recording()))["privileges.no-new-privs"].status is Status.UNKNOWN


def test_a_container_that_nobody_looked_for() -> None:
    described = machines.linux().refuse("/proc/1/environ")
    for name in ("pid", "ipc", "uts", "cgroup", "user"):
        described.remove(f"/proc/self/ns/{name}").refuse(f"/proc/self/ns/{name}")
    assert told(report_on(described.recording()))["environment.container"].status is Status.UNKNOWN


# -- the mechanism ---------------------------------------------------------------------------------------------------


def test_a_check_that_calls_an_expectation_ok_is_corrected() -> None:
    """Also one of another package."""

    @check("other.thing", "Another package's")
    def careless(_machine: Machine) -> Iterator[Finding]:
        yield ok(
            "it should be there", evidence=(Evidence("uname -r", "6.1"), expect("a table", "y", of="6.1"))
        )

    found = Registered(careless, "other", "other", "1")
    [finding] = run_one(Machine(machines.linux().recording()), found)
    assert finding.status is Status.UNKNOWN and finding.likely is Status.OK


def test_an_expectation_counts_for_the_forecast_and_for_nothing_else() -> None:
    found = expected("not looked at", id="a.b", evidence=(expect("config", "y"),))
    assert need("a.b")(Context({"a.b": found})).works is Works.UNKNOWN
    report = report_on(
        machines.bpftrace(machines.user(machines.linux(config_at="/proc/config.gz")), "0.23.2").recording()
    )
    by_id = {c.id: c for c in report.capabilities}
    assert by_id["hello"].status is Works.FAILS and by_id["hello"].with_root is Works.WORKS


def test_no_check_writes_an_expectation_by_hand() -> None:
    """`expect` makes them, so that the label is the same everywhere."""
    for found in builtin().checks:
        source = Path(found.check.run.__code__.co_filename).read_text(encoding="utf-8")
        assert not re.search(r'Evidence\([^)]*"expected', source), found.module
