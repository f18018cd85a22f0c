"""`kdiag compare` and `kdiag report`: exit statuses, bad inputs by name, recordings and reports together, thousands."""

from __future__ import annotations

import json
import lzma
import subprocess
import sys
from pathlib import Path

import pytest

from kdiag.commands.compare import compare
from kdiag.commands.report import reports, worst
from kdiag.compare.reading.inputs import BadInput
from kdiag.console import exits
from kdiag.model import Report, Status, Works
from kdiag.recording import pack
from kdiag.report.faces.json import render
from kdiag.system.recording import Recording
from tests.support import machines
from tests.support.comparison_samples import broken, capability, finding, report, without
from tests.support.needs import need
from tests.support.paths import FIXTURES
from tests.support.reports import report_on
from tests.support.waiting import HANG


def kept(path: Path, one: Report) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(render(one))
    return str(path)


@pytest.mark.parametrize(
    ("now", "status"),
    [
        (report(), exits.READY),
        (report(release="7.0"), exits.READY),
        (broken(), exits.NOT_READY),
        (report(capability("one", Works.CAVEAT, "x.a")), exits.READY),
        (report(capability("one", Works.UNKNOWN, "x.a")), exits.CANNOT_TELL),
        (without(report(), "three"), exits.CANNOT_TELL),
        (without(broken(), "three"), exits.NOT_READY),
        (report(finding("x.d", Status.FAIL)), exits.READY),
    ],
)
def test_a_baseline_decides_the_exit_status(now: Report, status: int, tmp_path: Path) -> None:
    base = kept(tmp_path / "base.json", report())
    found = compare([kept(tmp_path / "now.json", now)], base)
    assert found.status == status
    assert found.note == ""
    assert (
        compare([kept(tmp_path / "x" / f"{n}.json", r) for n, r in enumerate((report(), now))], base).status
        == status
    )


def test_differences_alone_are_no_failure(tmp_path: Path) -> None:
    found = compare([kept(tmp_path / "a.json", report()), kept(tmp_path / "b.json", broken())])
    assert found.status == exits.READY
    assert found.comparison.groups


def test_inputs_that_cannot_be_read_are_told_and_left_out(tmp_path: Path) -> None:
    kept(tmp_path / "a.json", report())
    kept(tmp_path / "b.json", report())
    (tmp_path / "c.json").write_text("{")
    (tmp_path / "d.json").write_text(render(report()).replace('"status": "ok"', '"status": "fine"', 1))
    (tmp_path / "e.json").write_text('{"schema": "kdiag.report/7"}')
    (tmp_path / "f.tar.xz").write_bytes(b"\xfd7zXZ\x00")
    found = compare([str(tmp_path)])
    assert found.comparison.total == 2
    assert found.status == exits.USAGE
    told = found.note.splitlines()
    assert [line.partition(": ")[0] for line in told] == [
        str(tmp_path / n) for n in ("c.json", "d.json", "e.json", "f.tar.xz")
    ]
    assert "not JSON at line 1" in told[0]
    assert "findings[0].status: expected one of ok|warn|fail|unknown|skip, found 'fine'" in told[1]
    assert "newer than this kdiag" in told[2]
    assert [name for name, _ in found.comparison.skipped] == [line.partition(": ")[0] for line in told]


def test_a_regression_is_told_even_if_something_else_could_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "m" / "bad").parent.mkdir()
    (tmp_path / "m" / "bad.json").write_text("[]")
    kept(tmp_path / "m" / "now.json", broken())
    assert compare([str(tmp_path / "m")], kept(tmp_path / "base.json", report())).status == exits.NOT_READY


@pytest.mark.parametrize("files", [["a.json"], []])
def test_one_machine_alone_is_nothing_to_compare(files: list[str], tmp_path: Path) -> None:
    given = [kept(tmp_path / name, report()) for name in files]
    with pytest.raises(BadInput, match=r"one machine|nothing to compare"):
        compare(given)


def test_a_baseline_that_is_none(tmp_path: Path) -> None:
    now = kept(tmp_path / "now.json", report())
    (tmp_path / "bad.json").write_text("{}")
    for path, why in (("bad.json", "schema"), ("nowhere.json", "no such file"), (".", "not 2")):
        with pytest.raises(BadInput, match=why):
            compare([now], str(tmp_path / path))


def test_recordings_are_played_back(tmp_path: Path) -> None:
    fixtures = [FIXTURES / name for name in ("firecracker", "wsl2-6.18")]
    archive = str(tmp_path / "m.tar.xz")
    files = {str(p.relative_to(fixtures[0])): p.read_bytes() for p in fixtures[0].rglob("*") if p.is_file()}
    pack.write(archive, files, 0)
    direct = kept(tmp_path / "direct.json", report_on(Recording(fixtures[0])))
    found = compare([str(fixtures[0]), archive, direct, str(fixtures[1])]).comparison
    assert sorted(c.count for c in found.columns) == [1, 3]
    assert found.kinds == 2


def test_reports_are_read_again(tmp_path: Path) -> None:
    paths = [kept(tmp_path / "a.json", report()), str(FIXTURES / "minimal")]
    found = dict(reports(paths))
    assert [*found] == paths
    assert found[paths[0]] == report()
    (tmp_path / "bad.json").write_text("{}")
    given = [str(tmp_path / "bad.json"), *paths]
    (_, bad), *others = reports(given)
    assert isinstance(bad, BadInput)
    assert str(bad).startswith(f"{tmp_path}/bad.json: schema")
    assert [name for name, _ in others] == paths
    assert worst([0, 2, 3]) == 2
    assert worst([2, 1]) == 1
    assert worst([0, 3, 0]) == 3
    assert worst([3, 1, 0]) == 1
    assert worst([0]) == 0


# -- the command line --------------------------------------------------------------------------------------------------


def kdiag(*arguments: str, stdin: bytes = b"", cwd: Path | None = None) -> subprocess.CompletedProcess[bytes]:
    done = subprocess.run(
        [sys.executable, "-m", "kdiag", *arguments],
        input=stdin,
        capture_output=True,
        timeout=HANG,
        check=False,
        cwd=cwd,
    )
    assert b"Traceback" not in done.stderr, done.stderr
    return done


def test_in_ci(tmp_path: Path) -> None:
    base, now = kept(tmp_path / "base.json", report()), kept(tmp_path / "now.json", broken())
    done = kdiag("compare", "--baseline", base, now)
    assert done.returncode == 1
    assert "Worked before, fails now" in done.stdout.decode()
    document = json.loads(kdiag("compare", "--baseline", base, now, "--format", "json").stdout)
    assert [c["id"] for c in document["changes"]] == ["one"]
    assert kdiag("compare", "--baseline", now, base).returncode == 0
    assert b"## " in kdiag("compare", base, now, "--format", "markdown").stdout


def test_a_stream(tmp_path: Path) -> None:
    lines = b"".join(
        json.dumps(json.loads(render(r))).encode() + b"\n" for r in (report(), broken(), report())
    )
    done = kdiag("compare", "-", stdin=lines)
    assert done.returncode == 0
    assert done.stdout.decode().startswith("3 machines, 2 kinds")


@pytest.mark.parametrize("suffix", [".tar.xz", ".tar"])
def test_a_recording_on_standard_input(suffix: str, tmp_path: Path) -> None:
    """As `kdiag record -o - | kdiag compare - --baseline base.json` sends it, and unpacked."""
    files = machines.linux("6.1.0-50-amd64").stored()
    packed = pack.packed(files, "x.tar.xz", 0)
    sent = packed if suffix == ".tar.xz" else lzma.decompress(packed)
    base = tmp_path / "base.tar.xz"
    base.write_bytes(packed)
    alone = kdiag("compare", str(base), "--baseline", str(base), "--format", "json")
    piped = kdiag("compare", "-", "--baseline", str(base), "--format", "json", stdin=sent)
    assert (piped.returncode, piped.stderr) == (alone.returncode, alone.stderr) == (0, b"")
    assert json.loads(piped.stdout)["changes"] == json.loads(alone.stdout)["changes"] == []
    cut = kdiag("compare", "-", "--baseline", str(base), stdin=packed[: len(packed) // 2])
    assert cut.returncode == 2
    assert b"standard input: a damaged archive" in cut.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["compare", "/nonexistent"], "/nonexistent: there is no such file"),
        (["compare"], "FILE"),
        (["compare", "x", "--format", "jsn"], "json"),
        (["report", "/etc/hostname/x"], "no such file"),
    ],
)
def test_usage(arguments: list[str], message: str) -> None:
    done = kdiag(*arguments)
    assert done.returncode == 2
    assert message in done.stderr.decode()


PEAK = """
import sys
from pathlib import Path
from kdiag.commands.compare import compare
found = compare([sys.argv[1]])
peak = next(l for l in Path("/proc/self/status").read_text().splitlines() if l.startswith("VmHWM"))
print(found.comparison.total, peak.split()[1])
"""


def test_many_machines_take_little(tmp_path: Path) -> None:
    """A thousand reports of 90 kB, 90 MB in all, are not held in memory."""
    from benchmarks.reports import make

    need(Path("/proc/self/status").exists(), "Linux")
    assert make(tmp_path, 1000) > 40_000_000
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(tmp_path)], capture_output=True, text=True, check=True
    )
    total, peak = map(int, done.stdout.split())
    assert total == 1000
    assert peak < 100 * 1024, "kilobytes"
