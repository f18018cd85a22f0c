"""Which documents go where, and files that are written whole or not at all."""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from kdiag.report.document import load
from kdiag.report.formats import Options
from kdiag.report.outputs import BadOutputs, Output, emit, plan
from kdiag.report.write import WriteError, write_atomically
from tests.support.needs import need_root
from tests.support.report_samples import everything, hostile

# -- the plan ----------------------------------------------------------------------------------------------


def test_pairs(tmp_path: Path) -> None:
    page, xml = str(tmp_path / "a.html"), str(tmp_path / "b.xml")
    assert plan([], []) == [Output("text", "-")]
    assert plan(["json"], []) == [Output("json", "-")]
    assert plan(["json"], [page]) == [Output("json", page)]
    assert plan(["github", "junit"], ["-", xml]) == [Output("github", "-"), Output("junit", xml)]
    assert plan([], [page, xml, "-"]) == [Output("html", page), Output("junit", xml), Output("text", "-")]
    assert plan(["text", "json"], ["/dev/null", "/dev/null"])[1] == Output("json", "/dev/null")


@pytest.mark.parametrize(
    ("formats", "outputs", "message"),
    [
        (["html", "junit"], [], "2 formats and nowhere to put them: give each --format an -o FILE"),
        (["html", "junit"], ["a.html"], "2 x --format and 1 x -o do not pair"),
        (["html"], ["a.html", "b.xml"], "1 x --format and 2 x -o do not pair"),
        (["htm"], [], "--format: no format is called 'htm'; did you mean html?"),
        ([], ["report"], "-o report: the name does not show the format (.txt, .json, "),
        ([], ["a.html", "./a.html"], "-o: two documents would go to /"),
        (["text", "json"], ["-", "-"], "-o: two documents would go to standard output"),
        (["json"], ["/"], "-o /: this is a directory"),
        (["json"], ["no/such/x.json"], "-o no/such/x.json: there is no directory no/such"),
        (["json"], [""], "-o: an empty file name"),
    ],
)
def test_what_does_not_pair_is_refused(
    formats: list[str], outputs: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BadOutputs) as caught:
        plan(formats, outputs)
    assert str(caught.value).startswith(message)


def test_two_links_to_one_file_are_one_place(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("")
    (tmp_path / "b.json").symlink_to("a.json")
    with pytest.raises(BadOutputs, match="two documents would go to"):
        plan([], [str(tmp_path / "a.json"), str(tmp_path / "b.json")])


# -- emitting ----------------------------------------------------------------------------------------------


Stream = Callable[..., io.BytesIO]


@pytest.fixture
def stream(monkeypatch: pytest.MonkeyPatch) -> Stream:
    """Standard output with an encoding; what was written to it."""

    def stream(encoding: str = "utf-8") -> io.BytesIO:
        raw = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding=encoding))
        return raw

    return stream


def test_one_report_many_documents(tmp_path: Path, stream: Stream) -> None:
    report = everything()
    raw = stream()
    names = {"x.html": "html", "x.json": "json", "x.xml": "junit"}
    emit(report, [Output("text"), *(Output(f, str(tmp_path / n)) for n, f in names.items())])
    assert b"What you can trace here" in raw.getvalue()
    assert load((tmp_path / "x.json").read_bytes()) == report
    assert (tmp_path / "x.html").read_text().startswith("<!DOCTYPE html>")
    assert sorted(os.listdir(tmp_path)) == sorted(names), "no temporary file is left"


def test_documents_are_utf8_whatever_the_locale(stream: Stream) -> None:
    for name in ("json", "html", "markdown", "tap"):
        raw = stream("latin-1")
        emit(hostile("日本語"), [Output(name)])
        assert "日本語" in raw.getvalue().decode("utf-8")
    raw = stream("latin-1")
    emit(hostile("日本語"), [Output("text")], Options(width=300))
    assert b"\\u65e5\\u672c\\u8a9e" in raw.getvalue()


def test_text_in_a_file_has_no_colours(tmp_path: Path, stream: Stream) -> None:
    raw = stream()
    path = tmp_path / "x.txt"
    emit(everything(), [Output("text"), Output("text", str(path))], Options(color=True, unicode=False))
    assert b"\x1b[" in raw.getvalue() and "\x1b[" not in path.read_text("utf-8")
    assert "✗" in path.read_text("utf-8")


def test_one_file_that_cannot_be_written_keeps_no_other_from_it(tmp_path: Path, stream: Stream) -> None:
    raw = stream()
    bad, good = str(tmp_path / "no" / "x.json"), str(tmp_path / "y.json")
    with pytest.raises(WriteError, match=r"cannot write .*/no/x\.json: No such file or directory"):
        emit(everything(), [Output("json", bad), Output("json", good), Output("text")])
    assert json.loads(Path(good).read_text())["kdiag"] == "0.1.0" and raw.getvalue()


# -- writing -----------------------------------------------------------------------------------------------


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_has_the_mode_that_the_umask_leaves(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_atomically(str(tmp_path / "new"), "é\n")
    finally:
        os.umask(before)
    assert mode(tmp_path / "new") == 0o640
    assert (tmp_path / "new").read_bytes() == "é\n".encode()


def test_mode_and_links_stay(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_text("old")
    target.chmod(0o604)
    link.symlink_to("target")
    write_atomically(str(link), "new")
    assert link.is_symlink() and target.read_text() == "new" and mode(target) == 0o604
    dangling = tmp_path / "dangling"
    dangling.symlink_to("made")
    write_atomically(str(dangling), "x")
    assert dangling.is_symlink() and (tmp_path / "made").read_text() == "x"


def test_the_owner_stays(tmp_path: Path) -> None:
    need_root()
    path = tmp_path / "x"
    path.write_text("old")
    os.chown(path, 12345, 54321)
    write_atomically(str(path), "new")
    assert (path.stat().st_uid, path.stat().st_gid, path.read_text()) == (12345, 54321, "new")


def test_a_strangers_link_is_refused(tmp_path: Path) -> None:
    need_root()
    victim, link = tmp_path / "victim", tmp_path / "report.json"
    victim.write_text("precious")
    link.symlink_to(victim)
    os.chown(link, 12345, 54321, follow_symlinks=False)
    with pytest.raises(WriteError, match=r"report\.json is a symbolic link and belongs to uid 12345"):
        write_atomically(str(link), "x")
    assert victim.read_text() == "precious"


def test_circles_of_links_end(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(WriteError, match="symbolic links"):
        write_atomically(str(tmp_path / "a"), "x")


def test_what_is_no_file_is_written_in_place(tmp_path: Path) -> None:
    write_atomically("/dev/null", "x")
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    got: list[str] = []
    reader = threading.Thread(target=lambda: got.append(pipe.read_text()))
    reader.start()
    write_atomically(str(pipe), "through")
    reader.join(10)
    assert got == ["through"] and stat.S_ISFIFO(pipe.stat().st_mode)


def test_standard_output() -> None:
    code = "from kdiag.report.write import write_atomically as w; print('a', end=''); w('-', 'é\\udc80'); print('b')"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, env={**os.environ, "LC_ALL": "C"}
    )
    assert done.stdout == "aé\\udc80b\n".encode()


def test_a_full_disk_leaves_the_old_file(tmp_path: Path) -> None:
    """RLIMIT_FSIZE stands for a disk that is full: the write fails in the middle."""
    path = tmp_path / "x.json"
    path.write_text("old")
    code = f"""
import resource, signal
from kdiag.report.write import WriteError, write_atomically
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    write_atomically({str(path)!r}, "x" * 5000)
except WriteError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"cannot write {path}: File too large\n"
    assert path.read_text() == "old" and os.listdir(tmp_path) == ["x.json"]


@pytest.mark.parametrize("name", ["no/x", ".", "x" * 300])
def test_errors_name_the_path(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(WriteError) as caught:
        write_atomically(name, "x")
    assert str(caught.value).startswith(f"cannot write {name}: ") and caught.value.path == name
    assert os.listdir(tmp_path) == []
