"""The option table: names that exist, references that resolve, values judged in three answers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kdiag.knowledge.options import by_name, options

FACTS = Path(__file__).parents[3] / "shared" / "facts" / "search-paths-and-signals.md"
CONFIG = Path(__file__).parents[3] / "shared" / "kernels" / "6.12-ikheaders-m" / "config"


def test_names_are_unique_and_references_resolve() -> None:
    names = by_name()
    assert len(options()) == len({option.name for option in options()})
    for option in options():
        assert re.fullmatch(r"[A-Z0-9_]+", option.name)
        assert option.unlocks
        assert "CONFIG_" not in option.unlocks
        for other in (*option.alternatives, *option.needed((99,))):
            assert other in names, (option.name, other)
        for alternative in option.alternatives:
            assert alternative != option.name


def test_values_are_judged_in_three_answers() -> None:
    kheaders, reduced, hz, btf = (
        by_name()[name] for name in ("IKHEADERS", "DEBUG_INFO_REDUCED", "HZ", "DEBUG_INFO_BTF")
    )
    assert [kheaders.accepts(value) for value in ("y", "m", "n", None)] == [True, True, False, None]
    assert [reduced.accepts(value) for value in ("y", "n")] == [False, True]
    assert hz.accepts("250") is None
    assert btf.accepts("m") is False


def test_blockers_of_btf_are_there() -> None:
    blockers = {
        option.name for option in options() if "btf" in option.capabilities and option.accepted == ("n",)
    }
    assert blockers == {"DEBUG_INFO_REDUCED", "DEBUG_INFO_SPLIT", "GCC_PLUGIN_RANDSTRUCT"}


def test_both_spellings_of_the_secure_boot_option() -> None:
    assert by_name()["LOCK_DOWN_IN_SECURE_BOOT"] is by_name()["LOCK_DOWN_IN_EFI_SECURE_BOOT"]


@pytest.mark.parametrize(
    ("capability", "option"),
    [
        ("kprobe", "KPROBE_EVENTS"),
        ("kprobe_multi", "FPROBE"),
        ("fentry", "DYNAMIC_FTRACE_WITH_DIRECT_CALLS"),
        ("uprobe", "UPROBE_EVENTS"),
        ("usdt", "UPROBES"),
        ("override", "BPF_KPROBE_OVERRIDE"),
        ("lsm", "BPF_LSM"),
        ("kheaders", "IKHEADERS"),
        ("config", "IKCONFIG_PROC"),
        ("module_btf", "DEBUG_INFO_BTF_MODULES"),
        ("profile", "PERF_EVENTS"),
        ("kstack", "STACKTRACE"),
        ("cgroup", "CGROUP_BPF"),
    ],
)
def test_capabilities_know_their_options(capability: str, option: str) -> None:
    assert option in {found.name for found in options() if capability in found.capabilities}


@pytest.mark.skipif(not FACTS.exists(), reason="the facts are not here")
def test_every_option_of_the_facts_is_there() -> None:
    section = FACTS.read_text().split("\n## 8.")[1].split("\nEach rule should keep")[0]
    rows = [
        line.split("|")[1] for line in section.splitlines() if line.startswith("| ") and "Unlocks" not in line
    ]
    asked = set(re.findall(r"\b[A-Z][A-Z0-9_]{1,}\b", " ".join(rows)))
    # not options of their own: words of the table, and tracefs, which has none
    asked -= {"TRACEFS_FS", "DEBUG_INFO_DWARF", "ARGS", "REGS", "REDUCED", "SPLIT", "A", "_UMH"}
    assert asked - set(by_name()) == set()


@pytest.mark.skipif(not CONFIG.exists(), reason="no kernel configuration here")
def test_most_names_occur_in_a_real_configuration() -> None:
    known = set(re.findall(r"CONFIG_(\w+)", CONFIG.read_text()))
    # the others are hidden there: networking and security are off
    assert len({option.name for option in options()} & known) > 55


def test_every_option_of_linux_itself_has_its_first_release_with_a_source() -> None:
    without = [option.name for option in options() if not option.since]
    assert without == ["LOCK_DOWN_IN_EFI_SECURE_BOOT"]
    for option in options():
        assert re.fullmatch(r"\d\.\d+(\.\d+)?( or older)?", option.since or "0.0"), option.name
        assert option.sources, option.name


@pytest.mark.parametrize(
    ("version", "needed"), [((6, 12, 0), False), ((6, 13, 9), False), ((6, 14, 0), True)]
)
def test_what_an_option_needs_depends_on_the_kernel(version: tuple[int, ...], needed: bool) -> None:
    """fprobe was built on the function tracer, and is on the graph tracer since 6.14 (kernel/trace/Kconfig)."""
    names = by_name()["FPROBE"].needed(version)
    assert "DYNAMIC_FTRACE_WITH_ARGS" in names
    assert ("FUNCTION_GRAPH_TRACER" in names) is needed
