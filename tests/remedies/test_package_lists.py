"""A package is named with what this machine's own lists say of it."""

from __future__ import annotations

import pytest

from kdiag.model import Report, Status
from tests.support import machines
from tests.support.description import Description
from tests.support.reports import report_on

RELEASE = "6.1.0-18-amd64"
HEADERS = f"linux-headers-{RELEASE}"
TOOLS = ("bpftrace", "bpftool", "bpfcc-tools", "bcc-tools", "bcc")
LISTS = "/var/lib/apt/lists"


def debian(*known: str, lists: bool = True) -> Description:
    """Debian 12 with an older kernel, and apt's lists with the packages that are known."""
    described = machines.linux(RELEASE, machines.DEBIAN["12"])
    if lists:
        described.file(f"{LISTS}/mirror.example_debian_dists_bookworm_main_binary-amd64_Packages.lz4")
    said = "".join(
        f"{name}:\n  Installed: (none)\n  Candidate: 1\n  Version table:\n     1 500\n"
        f"        500 http://mirror.example/debian bookworm/main amd64 Packages\n"
        for name in known
    )
    asked = (HEADERS, "linux-headers-6.1.0-18-common", "linux-kbuild-6.1", *TOOLS)
    described.command(" ".join(("/usr/bin/apt-cache", "policy", *asked)), said)
    return described


def told(report: Report) -> tuple[str, list[str]]:
    finding = report.finding("headers.package")
    assert finding is not None
    assert finding.status is Status.FAIL
    return finding.reason, [f"{remedy.title} {' '.join(remedy.commands)}" for remedy in finding.remedies]


def test_a_package_that_the_lists_have_is_named_as_it_is() -> None:
    reason, ways = told(report_on(debian(HEADERS, "bpftrace").recording()))
    assert "lists" not in reason
    assert len(ways) == 1
    assert "lists" not in ways[0]


def test_a_package_that_the_lists_do_not_have_is_named_with_that_and_another_way() -> None:
    reason, ways = told(report_on(debian("bpftrace").recording()))
    assert f"apt's lists here have no {HEADERS}" in reason
    assert "lists here do not have" in ways[0]
    assert "apt-get update" in ways[0]
    assert "reboot" in ways[1]


@pytest.mark.parametrize("lists", [True, False], ids=["no answer", "no lists"])
def test_without_lists_nothing_is_said_about_them(lists: bool) -> None:
    described = debian(lists=lists)
    described.commands = {argv: said for argv, said in described.commands.items() if "policy" not in argv}
    reason, ways = told(report_on(described.recording()))
    assert "lists" not in reason
    assert len(ways) == 1


def test_a_tool_that_the_lists_do_not_have_is_named_with_that() -> None:
    finding = report_on(debian(HEADERS).recording()).finding("tools.bpftrace")
    assert finding is not None
    assert "apt's lists here do not have bpftrace" in finding.remedies[0].title
