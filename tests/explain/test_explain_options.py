"""`kdiag explain` of kernel options, capabilities of processes, sysctls and patterns: as people spell them, with the
value here and where it was read, what rests on them by the expressions, and what other kernels do.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kdiag.capabilities.definitions import DEFINITIONS
from kdiag.capabilities.relations import resting_on
from kdiag.commands.explain import answers
from kdiag.explain.here import Here
from kdiag.explain.options import listing
from kdiag.explain.options.survey import folded, survey
from kdiag.explain.text import render
from kdiag.explain.value import Answer, NotKnown
from kdiag.knowledge.kernel_options import surveyed
from kdiag.knowledge.names.settings import settings
from kdiag.knowledge.options import by_name, findings_of, options, ways_of
from kdiag.knowledge.tools.behaviour import Behaviour
from kdiag.knowledge.tools.bpftrace import behaviour
from kdiag.machine.privileges import CAPABILITIES, SYSCTLS
from kdiag.report.terminal.page import Page
from kdiag.system.recording import Recording
from tests.support import machines
from tests.support.description import Description
from tests.support.explained import here
from tests.support.reports import builtin

FIXTURES = Path(__file__).parents[2] / "fixtures"
RELEASES = [behaviour(version) for version in ((0, 11, 0), (0, 17, 0), (0, 20, 0), (0, 23, 0), (0, 27, 0))]


def on(described: Description) -> Here:
    return here(described, types=False)


def played(name: str) -> Here:
    return here(Recording(FIXTURES / name))


def healthy(**options: str | None) -> Description:
    return machines.bpftrace(machines.linux(options=options), "0.23.2")


HERE = on(healthy(IKHEADERS="m"))


def explain(word: str, here: Here = HERE) -> Answer:
    return next(answers([word], here))


def text(word: str, here: Here = HERE) -> str:
    """What is printed, on one line."""
    return " ".join(render([explain(word, here)], Page(100)).split())


@pytest.mark.parametrize(
    ("spellings", "kind"),
    [
        ("CONFIG_IKHEADERS IKHEADERS config_ikheaders ikheaders config.IKHEADERS Config_IkHeaders", "option"),
        ("CONFIG_LOCK_DOWN_IN_EFI_SECURE_BOOT LOCK_DOWN_IN_SECURE_BOOT", "option"),
        ("CAP_BPF cap_bpf Cap_Bpf", "kernel-capability"),
        (
            "kernel.perf_event_paranoid perf_event_paranoid kernel/perf_event_paranoid KERNEL.perf_event_paranoid "
            "/proc/sys/kernel/perf_event_paranoid sysctl.kernel.perf_event_paranoid",
            "sysctl",
        ),
        ("kernel/yama/ptrace_scope ptrace_scope", "sysctl"),
    ],
)
def test_every_spelling_has_the_same_answer(spellings: str, kind: str) -> None:
    given = [explain(word) for word in spellings.split()]
    assert {answer.kind for answer in given} == {kind}
    assert len({answer.sections for answer in given}) == 1


def test_the_value_is_named_with_the_place_where_it_was_read() -> None:
    assert "`CONFIG_IKHEADERS=m` in /boot/config-6.12.107+deb13-amd64 (a file beside the kernel)." in text(
        "IKHEADERS"
    )
    off = on(healthy(IKHEADERS="n"))
    assert "`# CONFIG_IKHEADERS is not set` in /boot/config-" in text("IKHEADERS", off)


def test_what_nobody_read_is_expected_and_says_so() -> None:
    unread = on(machines.linux(config_at=None))
    said = text("IKHEADERS", unread)
    assert "Its value cannot be read: no kernel config in any of " in said
    assert "Of Debian 13 (6.12) CONFIG_IKHEADERS=n" in said or re.search(
        r"Of Debian [^.]*CONFIG_IKHEADERS=n", said
    )
    assert "which is not what this kernel says" in said


def test_a_kernel_that_is_not_known_is_not_guessed_at() -> None:
    here = on(machines.linux("6.12.1-of-nobody", config_at=None))
    said = text("IKHEADERS", here)
    assert "Its value cannot be read" in said and "CONFIG_IKHEADERS=" not in said.partition("What rests")[0]


@pytest.mark.parametrize("name", [one.name for one in settings() if one.kind == "sysctl"])
def test_every_sysctl_of_the_table_is_one_that_is_read(name: str) -> None:
    assert name in SYSCTLS


def test_every_sysctl_that_is_read_is_in_the_table() -> None:
    assert set(SYSCTLS) <= {one.name for one in settings()}


def test_the_values_of_a_sysctl_have_their_meaning() -> None:
    paranoid = on(machines.linux(paranoid=3))
    assert "kernel.perf_event_paranoid is 3: Debian's patch: nothing without CAP_SYS_ADMIN" in text(
        "perf_event_paranoid", paranoid
    )
    assert "kernel.bpf_stats_enabled" in text("kernel.bpf_stats_enabled")
    assert "This kernel does not have it: /proc/sys/net/core/bpf_jit_harden is not there." in text(
        "bpf_jit_harden"
    )


def test_a_capability_is_held_or_not_and_may_be_out_of_reach() -> None:
    assert "The caller holds CAP_SYSLOG." in text("cap_syslog")
    user = on(machines.user(healthy()))
    assert "The caller does not hold CAP_SYSLOG." in text("cap_syslog", user)
    old = on(machines.linux("5.4.0-26-generic", machines.UBUNTU_2404))
    assert "This kernel does not have CAP_BPF; CAP_SYS_ADMIN is asked for instead." in text("CAP_BPF", old)


@pytest.mark.parametrize("name", CAPABILITIES)
def test_every_capability_of_linux_has_an_answer(name: str) -> None:
    assert explain(f"cap_{name.lower()}").kind == "kernel-capability"


def test_every_finding_that_is_named_is_one_that_checks_make() -> None:
    made = {finding.id for finding in HERE.report.findings}
    named = {i for option in options() for i in (*findings_of(option), *ways_of(option))}
    named |= {i for setting in settings() for i in setting.findings}
    assert named <= made


def test_every_row_has_its_sources() -> None:
    assert all(setting.sources and setting.what and setting.unlocks for setting in settings())
    assert all(option.sources for option in options() if option.costs)


@pytest.mark.parametrize("fixture", sorted(path.parent.name for path in FIXTURES.glob("*/recording.json")))
def test_what_a_missing_option_explains_rests_on_it(fixture: str) -> None:
    """Where a check says that an option is the cause, the rows that this stops are among those that rest on it."""
    for finding in played(fixture).report.findings:
        for name in (
            c.partition(".")[2] for c in finding.causes if c.startswith("config.") and c != "config.source"
        ):
            option = by_name()[name]
            if finding.id.startswith("config."):
                continue
            stopped = {r.definition.id for r in resting_on([finding.id], RELEASES) if r.needed}
            told = {r.definition.id for r in resting_on((*findings_of(option), *ways_of(option)), RELEASES)}
            assert stopped <= told, (finding.id, name)


@pytest.mark.parametrize("release", RELEASES, ids=lambda b: ".".join(map(str, b.version)))
def test_what_rests_on_a_finding_is_read_off_the_expressions(release: Behaviour) -> None:
    ids = {r.definition.id for r in resting_on(["bpf.map"], [release])}  # type: ignore[list-item]
    assert {"hello", "kprobe", "core-tools", "bcc-tools"} <= ids
    assert not resting_on(["no.such-finding"], [release])


def test_btf_is_needed_where_headers_are_no_way_out() -> None:
    def needed(version: tuple[int, int, int]) -> set[str]:
        ids = findings_of(by_name()["DEBUG_INFO_BTF"])
        return {r.definition.id for r in resting_on(ids, [behaviour(version)]) if r.needed}

    # Headers do instead for the arguments of tracepoints, and not for structs without #include.
    assert "tracepoint-args" not in needed((0, 17, 0))
    assert {"struct", "fentry"} <= needed((0, 17, 0))


def test_the_archive_of_headers_is_one_way_to_headers() -> None:
    rows = next(s.rows for s in explain("IKHEADERS").sections if s.title.startswith("What rests on it"))
    assert {how for how, _, _ in rows} == {"has another way"}
    assert {"include", "bcc-tools"} <= {one for _, _, ids in rows for one in ids.split(", ")}


@pytest.mark.parametrize("arch", ["x86_64", "aarch64"])
@pytest.mark.parametrize("name", ["IKHEADERS", "DEBUG_INFO_BTF", "FPROBE", "BPF_JIT"])
def test_every_kernel_of_the_table_is_counted_once(name: str, arch: str) -> None:
    here = on(machines.linux("6.12.107+deb13-arm64", machine="aarch64")) if arch == "aarch64" else HERE
    section = survey(by_name()[name], here)
    kernels = list(surveyed(arch))
    assert section.title.endswith(f"({len(kernels)} kernels, {arch})")
    told = " ".join(cell for row in section.rows for cell in row)
    unknown = [k for k in kernels if name not in k.expected]
    for kernel in kernels:
        if kernel not in unknown:
            assert kernel.name.split()[-1] in told
    if len(unknown) > 24 and len(unknown) < len(kernels):
        assert f"the other {len(unknown)}" in told


def test_read_expected_and_hints_are_told_apart() -> None:
    rows = {row[:2]: row[2] for row in survey(by_name()["IKHEADERS"], HERE).rows}
    assert "Debian 13 generic" in rows["n", "read"] and "Fedora 42, 43" in rows["m", "read"]
    assert "NixOS" in rows["m", "expected"] and "NixOS" not in rows["m", "read"]


def test_names_are_folded_by_their_first_words() -> None:
    assert folded(["A 1 x", "A 1 y", "A 2 x", "B", "B", "C D"]) == "A 1 x, y, 2 x; B; C D"


@pytest.mark.parametrize(
    ("pattern", "some", "count"),
    [
        ("CONFIG_*BTF*", "CONFIG_DEBUG_INFO_BTF", 4),
        ("config_*btf*", "CONFIG_DEBUG_INFO_BTF", 4),
        ("CAP_SYS_*", "CAP_SYS_ADMIN", 4),
    ],
)
def test_a_pattern_has_a_line_for_each_name(pattern: str, some: str, count: int) -> None:
    answer = explain(pattern)
    rows = next(section.rows for section in answer.sections if section.rows)
    assert answer.kind == "list" and len(rows) == count and some in {row[0] for row in rows}
    assert all(all(row) for row in rows)


def test_a_pattern_of_one_name_is_that_name() -> None:
    assert explain("CONFIG_IKH*").sections == explain("CONFIG_IKHEADERS").sections
    assert explain("sysctl.*kptr*").kind == "sysctl"


def test_a_pattern_that_fits_everything_is_bounded() -> None:
    answer = explain("*")
    every = len(list(listing.entries(builtin())))
    rows = next(section.rows for section in answer.sections if section.rows)
    assert len(rows) == listing.LONGEST < every
    assert f"for the other {every - listing.LONGEST}" in answer.sections[0].text[0]


def test_a_pattern_of_nothing_is_refused() -> None:
    with pytest.raises(NotKnown, match=r"no name fits 'CONFIG_NO\*SUCH'"):
        explain("CONFIG_NO*SUCH")


@pytest.mark.parametrize(
    ("word", "nearest"), [("CONFIG_IKHEADER", "CONFIG_IKHEADERS"), ("config_kprobe", "config_KPROBES")]
)
def test_the_nearest_option_is_offered(word: str, nearest: str) -> None:
    with pytest.raises(NotKnown, match=rf"nothing is called '{word}'; did you mean {nearest}\?"):
        explain(word)


def test_another_option_of_the_configuration_has_its_value() -> None:
    here = on(healthy(EXT4_FS="m"))
    assert "CONFIG_EXT4_FS=m, in /boot/config-" in text("CONFIG_EXT4_FS", here)
    with pytest.raises(NotKnown):
        explain("CONFIG_NO_SUCH_OPTION_AT_ALL", here)


def test_no_name_of_a_capability_of_kdiag_is_taken_by_another_kind() -> None:
    assert {explain(one.id).kind for one in DEFINITIONS} == {"capability"}


def test_options_are_listed_without_a_guess_where_nothing_is_read() -> None:
    unread = on(machines.linux("6.12.1-of-nobody", config_at=None))
    rows = next(section.rows for section in explain("CONFIG_*BTF*", unread).sections if section.rows)
    assert {row[1] for row in rows} == {"unknown"}
