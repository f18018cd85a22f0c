"""Recordings: what a hand-written one may say, what it does not hold, and what is no recording."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kdiag.system import Unavailable
from kdiag.system.recorder import Recorder
from kdiag.system.recording import BadRecording, Recording
from tests.support.paths import FIXTURES
from tests.support.reports import report_on

SCHEMA = {"schema": "kdiag.recording/1"}
REFUSED = {"reason": "/etc/shadow: EACCES", "errno": 13}


def make(directory: Path, index: object, **files: str) -> Recording:
    directory.mkdir(exist_ok=True)
    (directory / "recording.json").write_text(json.dumps(index))
    for name, text in files.items():
        target = directory / "root" / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    return Recording(directory)


def test_three_answers(tmp_path: Path) -> None:
    system = make(
        tmp_path,
        {
            **SCHEMA,
            "absent": ["/etc/gone"],
            "unavailable": {"/etc/shadow": REFUSED},
        },
        there="text",
    )
    assert system.read("/there") == b"text"
    assert system.read("/etc/gone") is None
    with pytest.raises(Unavailable, match="EACCES") as refused:
        system.read("/etc/shadow")
    assert refused.value.errno == 13
    with pytest.raises(Unavailable, match="not recorded"):
        system.read("/etc/other")


def test_absent_below(tmp_path: Path) -> None:
    system = make(tmp_path, {**SCHEMA, "absent": ["/proc/**"]})
    assert system.read("/proc/version") is None
    with pytest.raises(Unavailable):
        system.read("/procession")


def test_a_listing_tells_what_is_absent(tmp_path: Path) -> None:
    system = make(tmp_path, {**SCHEMA, "listings": {"/sys/kernel": ["btf"]}})
    assert system.listdir("/sys/kernel") == ("btf",)
    assert system.stat("/sys/kernel/tracing") is None
    with pytest.raises(Unavailable):
        system.read("/sys/kernel/btf/vmlinux")


@pytest.mark.parametrize(
    "question",
    [
        lambda s: s.read("/x"),
        lambda s: s.head("/x", 4),
        lambda s: s.open("/x"),
        lambda s: s.stat("/x"),
        lambda s: s.lstat("/x"),
        lambda s: s.listdir("/x"),
        lambda s: s.filesystem("/x"),
        lambda s: s.which("x"),
        lambda s: s.run(("x",)),
        lambda s: s.probe("bpf:map"),
        lambda s: s.env("X"),
        lambda s: s.uname(),
        lambda s: s.identity(),
        lambda s: s.distribution(),
    ],
)
def test_what_was_never_asked_is_not_recorded(question, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(Unavailable, match="not recorded"):
        question(make(tmp_path, SCHEMA))


def test_nothing_leads_out_of_a_recording(tmp_path: Path) -> None:
    """A recording may come from a stranger: links and `..` in it show nothing of this machine."""
    secret = tmp_path / "secret"
    secret.write_text("mine")
    system = make(tmp_path / "r", SCHEMA, ok="fine")
    (tmp_path / "r" / "root" / "link").symlink_to(secret)
    (tmp_path / "r" / "root" / "etc").symlink_to("/etc")
    for path in ("/link", "/etc/passwd", "/../../secret", "/ok/../../../secret", "//etc/passwd"):
        with pytest.raises(Unavailable):
            system.read(path)


@pytest.mark.parametrize(
    "index",
    [
        [],
        "text",
        {},
        {"schema": "kdiag.recording/99"},
        {**SCHEMA, "absent": "x"},
        {**SCHEMA, "absent": [1]},
        {**SCHEMA, "stats": {"/x": {"mode": "rwx"}}},
        {**SCHEMA, "stats": {"/x": 3}},
        {**SCHEMA, "listings": {"/x": "y"}},
        {**SCHEMA, "filesystems": {"/x": "tracefs"}},
        {**SCHEMA, "probes": {"bpf:map": {"errno": "EPERM"}}},
        {**SCHEMA, "probes": {"bpf:map": {"errno": True}}},
        {**SCHEMA, "commands": [{"argv": "bpftrace"}]},
        {**SCHEMA, "commands": [{"status": 0}]},
        {**SCHEMA, "uname": "Linux"},
        {**SCHEMA, "identity": {"memlock": [1]}},
        {**SCHEMA, "env": {"HOME": 1}},
    ],
)
def test_what_is_no_recording(index: object, tmp_path: Path) -> None:
    with pytest.raises(BadRecording, match=r"recording\.json"):
        make(tmp_path, index)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, '{"schema": NaN'])
def test_what_is_not_even_json(text: str, tmp_path: Path) -> None:
    (tmp_path / "recording.json").write_text(text)
    with pytest.raises(BadRecording, match=r"recording\.json"):
        Recording(tmp_path)


def test_no_directory(tmp_path: Path) -> None:
    with pytest.raises(BadRecording):
        Recording(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["firecracker", "wsl2-6.18", "user-namespace", "docker-desktop-old"])
def test_a_recording_of_a_recording_is_the_same(name: str, tmp_path: Path) -> None:
    """What the checks asked, written down and played back, gives the same report."""
    recorder = Recorder(Recording(FIXTURES / name))
    first = report_on(recorder)
    recorder.write(tmp_path / "again")
    second = report_on(Recording(tmp_path / "again"))
    assert second.findings == first.findings
    assert second.capabilities == first.capabilities
    assert second.machine == first.machine
