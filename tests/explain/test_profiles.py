"""Profiles of what tools require: their data, how they stand on a machine, `kdiag check --profile`, and those of
kdiag.toml with what can be wrong with them.
"""

from __future__ import annotations

import errno
import json
import re
from pathlib import Path

import pytest

from kdiag.capabilities.definitions import DEFINITIONS
from kdiag.checking.registry import discover
from kdiag.commands.explain import answers
from kdiag.explain.here import Here
from kdiag.explain.json import render as render_json
from kdiag.explain.text import render
from kdiag.knowledge.bpf.profiles import Line, Profile, profiles
from kdiag.knowledge.bpf.tables import helpers, map_types, program_types
from kdiag.machine import Machine
from kdiag.machine.privileges import CAPABILITIES
from kdiag.parse.btf import Kind, parse
from kdiag.report.terminal.page import Page
from tests.support import machines
from tests.support.description import Description
from tests.support.reports import report_on
from tests.support.typed import in_process

TYPES = (Path(__file__).parent / "objects" / "kernel.btf").read_bytes()


def machine() -> Description:
    """A kernel whose types have programs of type TRACING, and hash maps but no ring buffers."""
    test = parse(TYPES, lazy=True).find("bpf_fentry_test1", (Kind.FUNC,))
    described = machines.mounted(machines.linux()).file("/sys/kernel/btf/vmlinux", TYPES)
    return described.probe(f"bpf:fentry:{test}", 0)


def here(described: Description, own: dict[str, Profile] | None = None) -> Here:
    recorded = described.recording()
    known = discover(plugins=False)
    return Here(Machine(recorded), lambda: known, lambda: report_on(recorded), "the recorded machine", own)


def seen(name: str, place: Here) -> dict[str, tuple[str, ...]]:
    (answer,) = answers([name], place)
    return {row[0]: row[1:] for section in answer.sections for row in section.rows}


KNOWN = {
    "map": {one.name for one in map_types().values()},
    "program": set(program_types()),
    "helper": {one.name for one in helpers().values()},
    "privilege": {f"CAP_{name}" for name in CAPABILITIES},
    "capability": {one.id for one in DEFINITIONS},
}


@pytest.mark.parametrize("profile", profiles().values(), ids=lambda one: one.name)
def test_a_built_in_profile_names_its_source_and_only_what_there_is(profile: Profile) -> None:
    assert re.fullmatch(r"[\w.-]+/[\w.-]+, [\w./-]+ \([0-9a-f]{12}\)", profile.source), profile.source
    assert profile.title and profile.lines
    for line in profile.lines:
        assert line.name in KNOWN.get(line.kind, {line.name}), line
        if line.kind == "kernel":
            assert re.fullmatch(r"\d+\.\d+", line.name)
        if line.kind == "option":
            assert re.fullmatch(r"[A-Z0-9_]+", line.name)


@pytest.mark.parametrize("name", profiles())
def test_every_profile_is_explained_within_the_page(name: str) -> None:
    place = here(machine())
    given = tuple(answers(["profile", name], place))
    assert [answer.kind for answer in given] == ["profile"]
    for width in (40, 80):
        assert render(given, Page(width)).startswith(f"{name}: ")
    assert json.loads(render_json(given))["answers"][0]["outcome"] in ("works", "fails", "unknown")


def test_profile_alone_is_the_capability() -> None:
    assert [answer.kind for answer in answers(["profile", "kprobe"], here(machine()))] == ["capability"] * 2


def test_each_line_is_held_against_the_machine() -> None:
    own = Profile("ours", "ours", "kdiag.toml", (
        Line("kernel", "5.4"), Line("kernel", "99.1"), Line("types", ""), Line("map", "HASH"), Line("map", "RINGBUF"),
        Line("program", "TRACING"), Line("helper", "probe_read_kernel"), Line("helper", "loop"),
        Line("privilege", "CAP_BPF"), Line("capability", "core-kprobe"), Line("option", "BPF_SYSCALL"),
        Line("option", "NO_SUCH_OPTION"), Line("option", "NOT_NEEDED", "something else"),
    ))  # fmt: skip
    place = here(machine(), {"ours": own})
    status = next(one.status.value for one in place.report.capabilities if one.id == "core-kprobe")
    judged = {"fails": "no", "unknown": "cannot tell"}.get(status, "yes")
    rows = seen("ours", place)
    assert {what: row[0] for what, row in rows.items()} == {
        "kernel 5.4 or newer": "yes",
        "kernel 99.1 or newer": "cannot tell",
        "BTF of the kernel": "yes",
        "map type HASH": "yes",
        "map type RINGBUF": "no",
        "program type TRACING": "yes",
        "helper bpf_probe_read_kernel": "yes",
        "helper bpf_loop": "no",
        "CAP_BPF": "yes",
        "capability core-kprobe": judged,
        "CONFIG_BPF_SYSCALL": "yes",
        "CONFIG_NO_SUCH_OPTION": "no",
        "CONFIG_NOT_NEEDED": "no",
    }


def test_what_is_for_one_purpose_decides_nothing() -> None:
    lines = (Line("types", ""), Line("option", "NOT_NEEDED", "something else"))
    (answer,) = answers(["ours"], here(machine(), {"ours": Profile("ours", "", "kdiag.toml", lines)}))
    assert answer.outcome == "works"
    assert [section.title for section in answer.sections][2] == "For something else"


def test_what_cannot_be_seen_is_not_missing() -> None:
    described = machine().refuse("/sys/kernel/btf/vmlinux", errno.EACCES)
    rows = seen("falco", here(described))
    assert (rows["BTF of the kernel"][0], rows["map type RINGBUF"][0]) == ("cannot tell", "cannot tell")


# -- kdiag check --profile, and kdiag.toml ----------------------------------------------------------------------------


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(machine().write(tmp_path_factory.mktemp("machine") / "recorded"))


def check(recorded: str, config: Path | None, *arguments: str) -> tuple[int, str]:
    words = ["check", "--no-plugins", "--from", recorded, "--config", str(config or ""), *arguments]
    done = in_process(words)
    return done.exit_code, done.stdout + done.stderr


def write(directory: Path, text: str) -> Path:
    file = directory / "kdiag.toml"
    file.write_text(text, encoding="utf-8")
    file.chmod(0o600)
    return file


def test_a_profile_decides_over_the_check(recorded: str, tmp_path: Path) -> None:
    code, out = check(recorded, None, "--profile", "falco", "--format", "json")
    report = json.loads(out)
    row = next(one for one in report["capabilities"] if one["id"] == "profile:falco")
    assert (code, row["status"], "profile:falco" in report["required"]) == (1, "fails", True)
    assert "core-ringbuf" in report["required"], "what stands for a sentence of its document"
    assert row["because"] == "map type RINGBUF: not there"
    ours = write(tmp_path, '[profile.ours]\nmaps = ["BPF_MAP_TYPE_HASH"]\ncapabilities = ["CAP_BPF"]\n')
    code, out = check(recorded, ours, "--profile", "ours")
    assert (code, out.splitlines()[0]) == (
        0,
        "READY: the required capability works; of the 32 others, 19 work fully",
    ) or (code == 0 and out.startswith("READY: the required capability works"))
    assert "--tool profile" not in out


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (
            '[profile.x]\nmap = ["HASH"]\n',
            "profile.x: no key of a profile is called 'map'; did you mean maps?",
        ),
        (
            '[profile.x]\nmaps = ["RINBUF"]\n',
            "profile.x, maps 1: no map type is called 'RINBUF'; did you mean RINGBUF?",
        ),
        ('[profile.x]\nhelpers = ["loop", "bpf_lop"]\n', "profile.x, helpers 2: no helper is called 'lop'"),
        (
            '[profile.x]\nprograms = ["XPD"]\n',
            "profile.x, programs 1: no program type is called 'XPD'; did you mean XDP?",
        ),
        (
            '[profile.x]\ncapabilities = ["CAP_BFP"]\n',
            "capabilities 1: no capability of Linux is called 'CAP_BFP'",
        ),
        (
            '[profile.x]\ncapabilities = ["core-kprob"]\n',
            "no capability is called 'core-kprob'; did you mean core-kprobe?",
        ),
        (
            '[profile.x]\noptions = ["CONFIG_A B"]\n',
            "profile.x, options 1: 'CONFIG_A B' is no name of a kernel option",
        ),
        ("[profile.x]\noptions = [3]\n", "profile.x, options 1: expected a name, found the number 3"),
        ('[profile.x]\nmaps = "HASH"\n', "profile.x, maps: expected a list of names, found 'HASH'"),
        ("[profile.x]\n", "profile.x: a profile requires something: capabilities, maps"),
        ('[profile."a b"]\nmaps = ["HASH"]\n', "profile: 'a b' is no name for a profile"),
        ("profile = 3\n", "profile: profiles are written as [profile.NAME]"),
    ],
)
def test_what_is_wrong_with_a_profile_is_told_by_file_and_key(
    recorded: str, tmp_path: Path, text: str, why: str
) -> None:
    file = write(tmp_path, text)
    code, out = check(recorded, file)
    assert (code, f"{file}: " in out, why in out.replace("\n", " ")) == (2, True, True), out


def test_a_name_that_there_is_not(recorded: str) -> None:
    code, out = check(recorded, None, "--profile", "falc")
    assert (code, "no profile is called 'falc'; did you mean falco?" in out) == (2, True)
