"""The units, their programs and the hooks of package managers, with a kdiag that answers what a test says."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

SYSTEMD = Path(__file__).parents[2] / "fleet" / "systemd"
RELEASE = "6.12.200-next"


@pytest.fixture
def fake(tmp_path: Path) -> Path:
    """A kdiag that writes its arguments down, makes the files of -o, and ends with $ANSWER."""
    program = tmp_path / "bin" / "kdiag"
    program.parent.mkdir()
    program.write_text(
        "#!/bin/sh\n"
        f'echo "$*" >>{tmp_path}/calls\n'
        'while [ $# -gt 0 ]; do if [ "$1" = -o ]; then echo written >"$2"; fi; shift; done\n'
        "echo 'kdiag: 1 thing will not work'\n"
        'exit "${ANSWER:-0}"\n'
    )
    program.chmod(0o755)
    return program


def run(fake: Path, name: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"KDIAG": str(fake), "KDIAG_HOOK": "always"} | variables
    return subprocess.run(
        ["/bin/sh", str(SYSTEMD / name), *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("answer", ["0", "1", "2", "3", "4", "70"])
def test_a_package_manager_never_fails_for_it(fake: Path, answer: str) -> None:
    done = run(fake, "kdiag-warn", RELEASE, ANSWER=answer)
    assert done.returncode == 0
    assert bool(done.stdout) is (answer != "0")


def test_the_warning_is_passed_on_and_the_release_is_asked_for(fake: Path, tmp_path: Path) -> None:
    assert "will not work" in run(fake, "kdiag-warn", RELEASE, ANSWER="1").stdout
    assert f"--kernel {RELEASE} --losses" in (tmp_path / "calls").read_text()


def test_nothing_is_said_of_the_running_kernel_and_without_kdiag(fake: Path, tmp_path: Path) -> None:
    assert run(fake, "kdiag-warn", os.uname().release, ANSWER="1").stdout == ""
    assert run(tmp_path / "none", "kdiag-warn", RELEASE).returncode == 0
    assert not (tmp_path / "calls").exists()


def test_a_record_is_two_files_and_old_reports_go(fake: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    history = state / "history"
    history.mkdir(parents=True)
    for day in range(10, 16):
        (history / f"202001{day}T000000Z.json").write_text("{}")
    places = {"STATE_DIRECTORY": str(state), "KDIAG_TEXTFILES": str(tmp_path), "KDIAG_KEEP": "3"}
    assert run(fake, "kdiag-record", ANSWER="1", **places).returncode == 1
    assert (tmp_path / "kdiag.prom").read_text() == "written\n"
    left = sorted(path.name for path in history.iterdir())
    assert left[:2] == ["20200114T000000Z.json", "20200115T000000Z.json"]
    assert len(left) == 3
    assert (state / "latest.json").read_text() == "written\n"


def test_a_broken_kdiag_is_no_answer(fake: Path, tmp_path: Path) -> None:
    places = {"STATE_DIRECTORY": str(tmp_path / "state"), "KDIAG_TEXTFILES": str(tmp_path)}
    done = run(fake, "kdiag-record", ANSWER="70", **places)
    assert done.returncode == 70
    assert "last run" in done.stderr


@pytest.mark.parametrize(("answer", "lost"), [("0", "0"), ("1", "1"), ("3", "0")])
def test_the_next_kernel_is_a_metric(fake: Path, tmp_path: Path, answer: str, lost: str) -> None:
    for release in ("5.10.0-1", "6.12.0-9", "6.2.0-1"):
        (tmp_path / "modules" / release).mkdir(parents=True)
        (tmp_path / "modules" / release / "modules.dep").touch()
    (tmp_path / "modules" / "9.0-removed").mkdir()
    run(
        fake,
        "kdiag-next-kernel",
        ANSWER=answer,
        KDIAG_MODULES=str(tmp_path / "modules"),
        KDIAG_TEXTFILES=str(tmp_path),
    )
    assert "--kernel 6.12.0-9 " in (tmp_path / "calls").read_text()
    assert f"kdiag_next_kernel_loses_required {lost}\n" in (tmp_path / "kdiag-kernel.prom").read_text()
    assert not list(tmp_path.glob(".kdiag*"))


def test_the_hooks_pass_the_release_on() -> None:
    for name in ("zz-kdiag", "95-kdiag.install"):
        subprocess.run(["/bin/sh", "-n", str(SYSTEMD / "hooks" / name)], check=True)
    # run-parts(8) of Debian leaves out names with a dot.
    assert re.fullmatch(r"[A-Za-z0-9_-]+", "zz-kdiag")


@pytest.mark.parametrize("unit", ["kdiag-check.service", "kdiag-kernel.service"])
def test_the_units_are_confined(unit: str) -> None:
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("systemd-analyze is not installed")
    command = [program, "security", "--offline=yes", "--threshold=50", str(SYSTEMD / unit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "unrecognized option" in done.stderr or "Unknown" in done.stderr:
        pytest.skip("this systemd-analyze does not judge files")
    assert done.returncode == 0, done.stdout.splitlines()[-1:]


@pytest.mark.parametrize("unit", ["kdiag-check.service", "kdiag-kernel.service"])
def test_the_filter_lets_through_what_kdiag_calls(unit: str) -> None:
    """What a filter refuses ends the program; these are not in @system-service (`systemd-analyze syscall-filter`)."""
    (allowed,) = re.findall(r"^SystemCallFilter=(.*)$", (SYSTEMD / unit).read_text(), re.M)
    assert {"bpf", "perf_event_open", "syslog"} < set(allowed.split())
