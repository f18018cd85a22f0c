"""Concepts: a screen each, with the machine's own data in it, and nothing said that was not looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdiag.capabilities.definitions import DEFINITIONS
from kdiag.commands.explain import answers
from kdiag.explain.concepts import concept as ideas
from kdiag.explain.here import Here
from kdiag.explain.options import naming
from kdiag.explain.text import render
from kdiag.explain.value import Answer, NotKnown
from kdiag.knowledge.bpf.profiles import profiles
from kdiag.knowledge.names.concepts import concepts, of_capability
from kdiag.report.terminal.page import Page
from kdiag.system.recording import Recording
from tests.support import machines
from tests.support.description import Description
from tests.support.explained import here

FIXTURES = Path(__file__).parents[2] / "fixtures"
NAMES = [one.name for one in concepts()]


def on(described: Description) -> Here:
    return here(described, types=False)


def played(name: str) -> Here:
    return here(Recording(FIXTURES / name))


def healthy(version: str = "0.23.2") -> Description:
    return machines.bpftrace(machines.linux(), version)


HERE = on(healthy())
PLACES = {
    "all of it works": HERE,
    "an ordinary user": on(machines.user(healthy())),
    "no BTF, no tracefs, no bpftrace": on(machines.unmounted(machines.without_btf(machines.linux()))),
    **{name: played(name) for name in ("orbstack-container", "gvisor", "minimal", "wsl2-6.18")},
}


def explain(word: str, here: Here = HERE) -> Answer:
    return next(answers([word], here))


def text(word: str, here: Here = HERE) -> str:
    """What is printed, on one line."""
    return " ".join(render([explain(word, here)], Page(100)).split())


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", NAMES)
def test_every_concept_is_a_screen_that_ends_with_a_command(name: str, place: str) -> None:
    answer = explain(ideas.PREFIX + name, PLACES[place])
    lines = render([answer], Page(80)).splitlines()
    assert answer.kind == "concept" and len(lines) <= 42
    own = next(section for section in answer.sections if section.title == "On the recorded machine")
    assert own.rows and all(all(row) for row in own.rows)
    assert answer.sections[-1].title == "Try it" and answer.sections[-1].commands


@pytest.mark.parametrize("name", NAMES)
def test_what_a_concept_names_is_there(name: str) -> None:
    one = next(concept for concept in concepts() if concept.name == name)
    made = {finding.id for finding in HERE.report.findings}
    assert set(one.findings) <= made and set(one.capabilities) <= {d.id for d in DEFINITIONS}
    assert one.sources and one.text
    for command in (*one.to_try, *(line for part in one.text for line in part.split("`")[1::2])):
        words = command.replace("'", "").split()
        if words[:2] == ["kdiag", "explain"]:
            assert [explain(word) for word in words[2:]]


def test_words_lead_to_one_concept() -> None:
    words = [word for one in concepts() for word in (one.name, *one.aliases)]
    assert len(words) == len(set(words)) and all(word == word.lower() for word in words)


def test_no_word_for_a_concept_is_a_profile_or_an_option() -> None:
    words = {word for one in concepts() for word in (one.name, *one.aliases)}
    assert not words & set(profiles())
    # Who types `bpf` wants to know what it is; the option is CONFIG_BPF.
    assert {word for word in words if naming.fits(word)} == {"bpf"}


def test_a_capability_of_the_same_name_is_meant_and_points_to_the_concept() -> None:
    answer = explain("rawtracepoint")
    assert answer.kind == "capability"
    assert "$ kdiag explain concept:rawtracepoint" in text("rawtracepoint")
    assert explain("concept:rawtracepoint").kind == explain("raw-tracepoint").kind == "concept"


@pytest.mark.parametrize("definition", DEFINITIONS, ids=lambda d: d.id)
def test_a_capability_leads_to_a_concept_about_little_else(definition: object) -> None:
    found = of_capability(definition.id)  # type: ignore[attr-defined]
    if found is not None:
        assert f"kdiag explain {ideas.spelt(found)}" in text(definition.id)  # type: ignore[attr-defined]


def test_kprobe_and_fentry_are_explained_together() -> None:
    assert "$ kdiag explain kprobe-fentry" in text("kprobe") and "$ kdiag explain kprobe-fentry" in text(
        "fentry"
    )
    assert "$ kdiag explain uprobe-usdt" in text("usdt") and "$ kdiag explain ring-buffer" in text(
        "core-ringbuf"
    )


def test_btf_has_this_kernel_s_numbers() -> None:
    found = HERE.machine.btf.vmlinux
    assert f"{found.size:,} bytes, {found.n_types:,} types" in text("btf")
    assert "/sys/kernel/btf/vmlinux is not there" in text("btf", on(machines.without_btf(machines.linux())))


def test_kheaders_answers_for_distributions() -> None:
    said = text("kheaders")
    assert "CONFIG_IKHEADERS" in said and " have y, " in said and " have m, " in said


@pytest.mark.parametrize(
    ("version", "said"),
    [
        ("0.17.0", "bpftrace 0.17.0 does not print it"),
        ("0.21.0", "it comes here, and is harmless: BTF has the types"),
        ("0.23.2", "prints it only below the error of a script that did not compile"),
    ],
)
def test_the_warning_is_said_to_come_or_not(version: str, said: str) -> None:
    assert said in text("headers-warning", on(healthy(version)))


def test_without_btf_the_warning_is_not_called_harmless() -> None:
    here = on(machines.without_btf(healthy("0.21.0")))
    assert "it comes here, and there is no BTF that could stand in for headers" in text(
        "headers-warning", here
    )


def test_the_kernel_of_a_container_is_named() -> None:
    said = text("containers", played("orbstack-container"))
    assert "6.15.11-orbstack" in said and "in a container (" in said and "are its host's" in said
    assert "in a VM (" in text("vm", played("wsl2-6.18"))


@pytest.mark.parametrize("version", ["0.17.0", "0.25.0"])
def test_where_the_types_of_arguments_come_from_is_the_release_s(version: str) -> None:
    said = text("tracepoint", on(healthy(version)))
    alone = HERE.machine.tools.behaviour is not None and version == "0.25.0"
    assert ("from BTF alone" in said) == alone


def test_a_concept_that_is_not_there_is_refused() -> None:
    with pytest.raises(NotKnown, match=r"no concept is called 'trace-point'; did you mean tracepoint\?"):
        explain("concept:trace-point")


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("bpf", "ebpf"),
        ("BPF", "ebpf"),
        ("linux-headers", "headers"),
        ("헤더", "headers"),
        ("sudo", "capabilities"),
        ("kubernetes", "containers"),
        ("WSL2", "containers"),
        ("secureboot", "lockdown"),
        ("pahole", "btf"),
        ("offsets", "co-re"),
        ("probes", "tracepoint"),
    ],
)
def test_what_a_learner_types_leads_to_the_concept(word: str, name: str) -> None:
    found = ideas.find(word)
    assert found is not None and found.name == name
