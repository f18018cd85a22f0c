"""Whatever a machine answers, its recording answers: every question, every kind of answer, in memory and on disk."""

from __future__ import annotations

import errno
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from kdiag.system import CommandResult, Identity, ProbeResult, Stat, System, Uname, Unavailable
from kdiag.system.recorder import Recorder
from kdiag.system.recording import BadRecording, Recording
from kdiag.system.recording_files import Memory

SCHEMA = {"schema": "kdiag.recording/1"}
LARGE = bytes(range(256)) * 4096
BTF = b"\x9f\xeb\x01\x00" + bytes(5000)


class Scripted:
    """A machine on which every kind of question meets every kind of answer."""

    root = "/"
    live = True

    def read(self, path: str, limit: int = 1 << 20) -> bytes | None:
        if path == "/refused":
            raise Unavailable("/refused: EACCES: Permission denied", errno.EACCES)
        data = {"/text": b"text", "/nul": b"a\0b", "/large": LARGE, "/btf": BTF}.get(path)
        if data is not None and len(data) > limit:
            raise Unavailable(f"{path}: too large for anybody")
        return data

    def head(self, path: str, size: int) -> bytes | None:
        data = self.read(path, 1 << 30)
        return None if data is None else data[:size]

    def open(self, path: str) -> BinaryIO | None:
        if path == "/image":
            return io.BytesIO(LARGE[:1000] + BTF + LARGE)
        data = self.read(path, 1 << 30)
        return None if data is None else io.BytesIO(data)

    def stat(self, path: str) -> Stat | None:
        if path == "/hidden":
            raise Unavailable("/hidden: EPERM", errno.EPERM)
        return {"/text": Stat("file", 0o640, 1, 2, 4), "/link": Stat("dir", 0o755, 0, 0, 40)}.get(path)

    def lstat(self, path: str) -> Stat | None:
        return {"/link": Stat("link", 0o777, 0, 0, 7, "/target"), "/refused": Stat("file", 0, 0, 0, 0)}.get(
            path
        )

    def listdir(self, path: str) -> tuple[str, ...] | None:
        if path == "/closed":
            raise Unavailable("/closed: EACCES: Permission denied", errno.EACCES)
        return {"/dir": ("a", "b"), "/empty": ()}.get(path)

    def filesystem(self, path: str) -> int | None:
        return {"/dir": 0x74726163}.get(path)

    def which(self, name: str) -> str | None:
        if name == "strange":
            raise Unavailable("PATH cannot be searched")
        return {"sh": "/bin/sh"}.get(name)

    def start(self, argv: tuple[str, ...], timeout: float = 1.0) -> None:
        pass

    def run(self, argv: tuple[str, ...], timeout: float = 1.0) -> CommandResult:
        if argv[0] == "hangs":
            raise Unavailable("hangs gave no answer within 1 s", errno.ETIMEDOUT)
        return CommandResult(argv, 3, "out", "err", 1.5)

    def probe(self, name: str) -> ProbeResult:
        if name == "bpf:never":
            raise Unavailable("bpf:never: no such probe")
        return ProbeResult(errno.EPERM, "load")

    def env(self, name: str) -> str | None:
        if name == "SECRET":
            raise Unavailable("$SECRET: the environment of another root is not known")
        return {"HOME": "/root"}.get(name)

    def distribution(self) -> tuple[str, str, str] | None:
        raise Unavailable("release files of the distribution: unreadable")

    def uname(self) -> Uname:
        raise Unavailable("the running kernel is not the one of /mnt")

    def identity(self) -> Identity:
        return Identity(1000, 0, (4, 27), (65536, -1), "/usr/bin/python3")


def _opened(path: str, *spots: tuple[int, int]) -> Callable[[System], object]:
    def look(system: System) -> object:
        handle = system.open(path)
        if handle is None:
            return None
        with handle:
            size = handle.seek(0, io.SEEK_END)
            return size, [(handle.seek(at), handle.read(count), handle.tell()) for at, count in spots]

    return look


def _without_time(answer: object) -> object:
    return (
        answer
        if not isinstance(answer, CommandResult)
        else (answer.argv, answer.status, answer.stdout, answer.stderr)
    )


def ask(method: str, *arguments: object) -> Callable[[System], object]:
    return lambda system: getattr(system, method)(*arguments)


def each(
    method: str, *arguments: str, then: tuple[object, ...] = ()
) -> dict[str, Callable[[System], object]]:
    return {f"{method} {one}": ask(method, one, *then) for one in arguments}


QUESTIONS: dict[str, Callable[[System], object]] = {
    **each("read", "/text", "/nul", "/gone", "/refused", "/large"),
    "read too large": ask("read", "/btf", 10),
    **each("head", "/text", "/gone", "/refused", "/only-head", then=(2,)),
    "open a part": _opened("/image", (0, 64), (6004, 8), (1000, len(BTF)), (60, 8)),
    "open absent": _opened("/gone"),
    "open refused": _opened("/refused"),
    **each("stat", "/text", "/link", "/gone", "/hidden"),
    **each("lstat", "/link", "/gone", "/refused", "/closed"),
    **each("listdir", "/dir", "/empty", "/gone", "/closed", "/refused"),
    **each("filesystem", "/dir", "/gone", "/closed"),
    **each("which", "sh", "none", "strange"),
    "run": ask("run", ("tool", "--version")),
    "run hangs": ask("run", ("hangs",)),
    **each("probe", "bpf:map", "bpf:never"),
    **each("env", "HOME", "UNSET", "SECRET"),
    "distribution": ask("distribution"),
    "uname": ask("uname"),
    "identity": ask("identity"),
}


def answer(system: System, question: Callable[[System], object]) -> object:
    """The answer, or the refusal with its reason."""
    try:
        return _without_time(question(system))
    except Unavailable as gap:
        return "unavailable", gap.reason, gap.errno


def in_memory(recorder: Recorder) -> Recording:
    files = {**recorder.stored(), "recording.json": json.dumps(recorder.index()).encode()}
    return Recording(Memory(files, "memory"))


@pytest.mark.parametrize("name", QUESTIONS)
def test_one_question_alone(name: str) -> None:
    recorder = Recorder(Scripted())
    live = answer(recorder, QUESTIONS[name])
    assert answer(in_memory(recorder), QUESTIONS[name]) == live


@pytest.mark.parametrize("order", [1, -1])
def test_all_questions_together(order: int, tmp_path: Path) -> None:
    """No answer changes because of another one about the same path."""
    recorder = Recorder(Scripted())
    live = {name: answer(recorder, QUESTIONS[name]) for name in [*QUESTIONS][::order]}
    recorder.write(tmp_path / "r")
    for system in (in_memory(recorder), Recording(tmp_path / "r")):
        assert {name: answer(system, QUESTIONS[name]) for name in [*QUESTIONS][::order]} == live


def test_what_was_not_asked_is_not_recorded() -> None:
    system = in_memory(Recorder(Scripted()))
    for name, question in QUESTIONS.items():
        told = answer(system, question)
        assert isinstance(told, tuple), name
        assert told[0] == "unavailable", name
        assert "not recorded" in str(told[1]), name


def test_a_head_is_not_the_whole_file() -> None:
    recorder = Recorder(Scripted())
    recorder.head("/large", 16)
    assert recorder.files["/large"] == LARGE[:16]
    system = in_memory(recorder)
    assert system.head("/large", 16) == LARGE[:16]
    assert system.head("/large", 4) == LARGE[:4]
    for question in (ask("read", "/large"), ask("head", "/large", 17), ask("open", "/large")):
        with pytest.raises(Unavailable, match="only its first 16 bytes"):
            question(system)


def test_the_longest_head_is_kept_and_the_whole_file_beats_it() -> None:
    recorder = Recorder(Scripted())
    for size in (16, 64, 8):
        recorder.head("/large", size)
    assert in_memory(recorder).head("/large", 64) == LARGE[:64]
    recorder.read("/large")
    recorder.head("/large", 4)
    assert in_memory(recorder).read("/large") == LARGE


def test_a_short_file_is_whole_in_its_head() -> None:
    recorder = Recorder(Scripted())
    recorder.head("/text", 100)
    assert in_memory(recorder).head("/text", 1000) == b"text"


def test_only_what_was_read_of_an_opened_file_is_stored() -> None:
    recorder = Recorder(Scripted())
    _opened("/image", (0, 64), (32, 64), (8000, 4))(recorder)
    assert recorder.stored()["root/image.pieces"] == LARGE[:96] + (LARGE[:1000] + BTF + LARGE)[8000:8004]
    handle = in_memory(recorder).open("/image")
    assert handle is not None
    handle.seek(90)
    with pytest.raises(Unavailable, match="bytes 90 to 100 were not recorded"):
        handle.read(10)


def test_btf_that_is_in_another_file_too_is_stored_once() -> None:
    recorder = Recorder(Scripted())
    recorder.read("/btf")
    look = _opened("/image", (0, 64), (1000, len(BTF)))
    live = look(recorder)
    assert len(recorder.stored()["root/image.pieces"]) == 64
    assert look(in_memory(recorder)) == live


def test_packed_files_are_read_as_if_they_were_not(tmp_path: Path) -> None:
    import lzma

    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "btf.xz").write_bytes(lzma.compress(BTF))
    index = {**SCHEMA, "packed": {"/btf": len(BTF)}}
    (tmp_path / "recording.json").write_text(json.dumps(index))
    system = Recording(tmp_path)
    assert system.read("/btf") == BTF
    assert system.head("/btf", 4) == BTF[:4]
    assert system.stat("/btf") == Stat("file", 0o644, 0, 0, len(BTF))
    with pytest.raises(Unavailable, match="more than 100 bytes"):
        system.read("/btf", 100)


def test_a_link_without_a_recorded_end_is_followed_in_the_recording(tmp_path: Path) -> None:
    index = {
        **SCHEMA,
        "absent": ["/nothing"],
        "listings": {"/usr/src/h": []},
        "stats": {
            "/m/build": {"kind": "link", "target": "../usr/src/h"},
            "/dangling": {"kind": "link", "target": "/nothing"},
            "/loop": {"kind": "link", "target": "loop"},
            "/elsewhere": {"kind": "link", "target": "/not/recorded"},
        },
    }
    (tmp_path / "recording.json").write_text(json.dumps(index))
    system = Recording(tmp_path)
    found = system.stat("/m/build")
    assert found is not None
    assert found.kind == "dir"
    assert system.stat("/dangling") is None
    for path in ("/loop", "/elsewhere"):
        with pytest.raises(Unavailable, match="not recorded"):
            system.stat(path)


@pytest.mark.parametrize(
    ("index", "place"),
    [
        ({"schema": "kdiag.recording/2"}, "newer than this kdiag"),
        ({"schema": "kdiag.report/1"}, "must be 'kdiag.recording/1'"),
        ({**SCHEMA, "probes": {"bpf:map": {"errno": 2**70}}}, r"probes\['bpf:map'\].errno must be between"),
        ({**SCHEMA, "probes": {"bpf:map": {"errno": -1}}}, "between 0 and 4095"),
        ({**SCHEMA, "stats": {"/x": {"kind": "door"}}}, r"stats\['/x'\].kind must be one of"),
        ({**SCHEMA, "stats": {"/x": {"mode": "-7"}}}, "octal"),
        ({**SCHEMA, "stats": {"/x": {"size": -1}}}, "size"),
        ({**SCHEMA, "identity": {"uid": -1}}, "identity.uid"),
        ({**SCHEMA, "identity": {"groups": [1, "x"]}}, r"identity.groups\[1\]"),
        ({**SCHEMA, "commands": [{"argv": []}]}, r"commands\[0\].argv"),
        ({**SCHEMA, "absent": ["/a", None]}, r"absent\[1\]"),
        ({**SCHEMA, "heads": {"/x": "4"}}, "heads"),
        ({**SCHEMA, "packed": {"/x": 2**40}}, "packed"),
        ({**SCHEMA, "packed": {"/x": 4}}, "there is no file"),
        ({**SCHEMA, "pieces": {"/x": {"size": 4, "ranges": [[2, 4]]}}}, "within 4 bytes"),
        ({**SCHEMA, "pieces": {"/x": {"size": 9, "ranges": [[2, 4], [3, 1]]}}}, r"ranges\[1\]"),
        ({**SCHEMA, "pieces": {"/x": {"size": 9, "ranges": [], "shared": [[1]]}}}, r"shared\[0\]"),
    ],
)
def test_lies_are_told_with_their_place(index: object, place: str, tmp_path: Path) -> None:
    (tmp_path / "recording.json").write_text(json.dumps(index))
    with pytest.raises(BadRecording, match=place) as bad:
        Recording(tmp_path)
    assert str(tmp_path / "recording.json") in str(bad.value)


@pytest.mark.parametrize(
    "text",
    ['{"schema": ' + "9" * 100_000 + "}", '{"schema": Infinity}', "[" * 200_000, '{"a":' * 100_000, "\udcff"],
    ids=["digits", "infinity", "lists", "objects", "not UTF-8"],
)
def test_json_that_is_meant_to_hurt(text: str, tmp_path: Path) -> None:
    (tmp_path / "recording.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(BadRecording, match=r"recording\.json"):
        Recording(tmp_path)


@pytest.mark.parametrize("damage", [b"", b"not xz", b"\xfd7zXZ\x00\x00\x04cut"])
def test_packed_files_that_are_damaged(damage: bytes, tmp_path: Path) -> None:
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "x.xz").write_bytes(damage)
    (tmp_path / "recording.json").write_text(json.dumps({**SCHEMA, "packed": {"/x": 7}}))
    with pytest.raises(BadRecording, match=r"root/x\.xz"):
        Recording(tmp_path)


@pytest.mark.slow
def test_a_bomb_stops_at_the_size_it_told(tmp_path: Path) -> None:
    import lzma

    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "x.xz").write_bytes(lzma.compress(bytes(1 << 26)))
    (tmp_path / "recording.json").write_text(json.dumps({**SCHEMA, "packed": {"/x": 1000}}))
    with pytest.raises(BadRecording, match="limit of 1000 bytes"):
        Recording(tmp_path)


def test_not_even_its_root_leads_out(tmp_path: Path) -> None:
    """A recording whose `root` is a link to / would otherwise be topped up from this machine."""
    (tmp_path / "recording.json").write_text(json.dumps(SCHEMA))
    (tmp_path / "root").symlink_to("/")
    with pytest.raises(Unavailable, match="not recorded"):
        Recording(tmp_path).read("/etc/passwd")


def test_the_index_is_no_link_and_no_pipe(tmp_path: Path) -> None:
    import os

    (tmp_path / "secret").write_text(json.dumps(SCHEMA))
    for name in ("link", "pipe"):
        (tmp_path / name).mkdir()
    (tmp_path / "link" / "recording.json").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "pipe" / "recording.json")
    for name in ("link", "pipe"):
        with pytest.raises(BadRecording, match="no such file"):
            Recording(tmp_path / name)


def test_a_sparse_file_is_not_read(tmp_path: Path) -> None:
    import os

    (tmp_path / "recording.json").write_text(json.dumps(SCHEMA))
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "huge").touch()
    os.truncate(tmp_path / "root" / "huge", 1 << 40)
    system = Recording(tmp_path)
    with pytest.raises(Unavailable, match="more than"):
        system.read("/huge")
    with pytest.raises(Unavailable, match="a recording may hold"):
        system.read("/huge", 1 << 41)
    with pytest.raises(Unavailable, match="a recording may hold"):
        system.head("/huge", 10)


@pytest.mark.parametrize(
    "path", ["/nul\0byte", "/\ud800", "/x" * 5000, "relative", "", "/../x", "/.", "/a//b"]
)
def test_odd_names_are_not_recorded(path: str, tmp_path: Path) -> None:
    (tmp_path / "recording.json").write_text(json.dumps(SCHEMA))
    (tmp_path / "root" / "x").mkdir(parents=True)
    with pytest.raises(Unavailable, match="not recorded"):
        Recording(tmp_path).read(path)
