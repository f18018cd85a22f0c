"""This machine recorded and played back: as root and as nobody, with a stranger's plug-in, through the command line."""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from kdiag.capabilities.definitions import DEFAULT_REQUIRED
from kdiag.model import Finding
from kdiag.recording import pack, secrets
from kdiag.recording.clean import report_without
from kdiag.recording.make import Made, make
from kdiag.recording.redact import Redactor
from kdiag.report.document import load
from kdiag.system.live import Live
from tests.support.needs import need_root
from tests.support.reports import builtin, report_on
from tests.support.waiting import HANG

pytestmark = [pytest.mark.live, pytest.mark.skipif(sys.platform != "linux", reason="records Linux")]

#: What may change between two looks at a running machine.
UNSTEADY = {"privileges.memlock", "perf.hardware", "environment.stack-memory"}


def recorded(*, redact: bool = True) -> Made:
    registry, system = builtin(), Live()
    known = secrets.of(system, os.environ, os.uname().nodename) if redact else None
    return make(system, registry, registry.checks, DEFAULT_REQUIRED, known)


def played(made: Made, directory: Path) -> tuple[Finding, ...]:
    path = str(directory / "m.tar.xz")
    pack.write(path, made.members(directory=False), made.created)
    return report_on(pack.opened(path)).findings


def test_the_recording_says_what_the_machine_says(tmp_path: Path) -> None:
    made = recorded(redact=False)
    assert made.differs == ()
    live = {f.id: f for f in report_on(Live()).findings}
    again = {f.id: f for f in played(made, tmp_path)}
    assert again.keys() == live.keys()
    assert {i: f for i, f in again.items() if i not in UNSTEADY} == {
        i: f for i, f in live.items() if i not in UNSTEADY
    }


def test_the_redacted_recording_says_the_same_without_secrets(tmp_path: Path) -> None:
    made = recorded()
    assert made.differs == ()
    again = played(made, tmp_path)
    assert again == made.report.findings
    live = report_on(Live())
    assert [(f.id, f.status, f.causes) for f in again] == [(f.id, f.status, f.causes) for f in live.findings]
    release = os.uname().release
    clean = report_without(live, Redactor(secrets.Secrets(), (release,)))
    assert [f.summary for f in again] == [f.summary for f in clean.findings]


def test_no_name_of_this_machine_is_in_it() -> None:
    made = recorded()
    known = secrets.of(Live(), os.environ, os.uname().nodename)
    told = [*known.hosts, *known.users, *known.ids]
    try:
        words = Path("/proc/cmdline").read_text(encoding="utf-8").partition(" -- ")[2].split()
    except OSError:
        words = []
    told += [word for word in words if len(word) >= 12 and word.isascii()]
    for name, data in made.members(directory=False).items():
        if name.endswith("btf/vmlinux"):
            continue  # names of the kernel's types
        for secret in told:
            assert secret.encode() not in data, (secret, name)


def _as_nobody(work: Callable[[], object]) -> object:
    """The outcome of a function in a process that gave up root. All modules that it needs must be imported."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            os.setgroups([])
            os.setresgid(65534, 65534, 65534)
            os.setresuid(65534, 65534, 65534)
            os.environ["HOME"] = "/nonexistent"
            with os.fdopen(writer, "wb") as out:
                pickle.dump(work(), out)
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as file:
        answer: object = pickle.load(file) if (data := file.peek(1)) else data
    os.waitpid(child, 0)
    return answer


def test_nobodys_recording_says_what_nobody_sees(tmp_path: Path) -> None:
    need_root()
    recorded()  # imports all that the child cannot read any more

    def work() -> object:
        live = report_on(Live())
        made = recorded(redact=False)
        return live.findings, made

    answer = _as_nobody(work)
    assert isinstance(answer, tuple), "the child failed"
    live, made = answer
    assert made.differs == ()
    assert _steady(played(made, tmp_path)) == _steady(live)
    roots = {f.id: f.status for f in report_on(Live()).findings}
    assert {f.id: f.status for f in live} != roots, "nobody should see less than root"


def _steady(findings: tuple[Finding, ...]) -> list[Finding]:
    return [finding for finding in findings if finding.id not in UNSTEADY]


def test_nothing_is_topped_up_from_this_machine(tmp_path: Path) -> None:
    """A recording of nothing knows nothing, whoever plays it back."""
    (tmp_path / "recording.json").write_text('{"schema": "kdiag.recording/1"}')
    report = report_on(pack.opened(str(tmp_path)))
    assert os.uname().release not in json.dumps(dataclasses.asdict(report))
    assert report.machine.release == ""


# -- the command line --------------------------------------------------------------------------------------------------

PLUGIN = '''
    from kdiag.check import check
    from kdiag.model import Evidence, fail, ok


    @check("example.everything", "A stranger's questions")
    def everything(machine):
        """Asks for what no check of ours asks for."""
        system = machine.system
        names = system.listdir("/proc/sys/net/ipv4/conf") or ()
        seen = (system.read("/proc/uptime", 4096), system.stat("/etc/fstab"), system.lstat("/proc/self/exe"))
        answer = system.run(("/bin/echo", "stranger"))
        yield ok(f"{len(names)} interfaces, {answer.stdout.strip()}, {seen[1] is not None}",
                 evidence=(Evidence("$TERM", str(system.env("TERM"))),))
        yield fail("always", id="example.always", causes=("example.everything",))
'''


def kdiag(*arguments: str, path: Path | None = None, status: tuple[int, ...] = (0,)) -> str:
    inherited = [p for p in os.environ.get("PYTHONPATH", "").split(os.pathsep) if p]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join([*([str(path)] if path else []), *inherited])}
    done = subprocess.run(
        [sys.executable, "-m", "kdiag", *arguments],
        capture_output=True,
        text=True,
        timeout=HANG,
        check=False,
        env=env,
        cwd=tempfile.gettempdir(),
    )
    assert done.returncode in status, (arguments, done.returncode, done.stdout[-500:], done.stderr)
    return done.stdout


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A directory as pip would leave it."""
    package = tmp_path / "site" / "example_checks"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(textwrap.dedent(PLUGIN))
    info = tmp_path / "site" / "example_checks-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: example-checks\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[kdiag.checks]\nmine = example_checks\n")
    return tmp_path / "site"


READY = (0, 1, 3)


def test_a_strangers_plug_in_is_recorded_and_played_back(site: Path, tmp_path: Path) -> None:
    path = str(tmp_path / "m.tar.xz")
    told = kdiag("record", "-o", path, path=site)
    assert f"kdiag check --from {path}" in told
    live = load(kdiag("check", "--format", "json", path=site, status=READY))
    again = load(kdiag("check", "--format", "json", "--from", path, path=site, status=READY))
    for name in ("example.everything", "example.always"):
        finding = again.finding(name)
        assert finding is not None
        assert finding == live.finding(name)
        assert "not recorded" not in finding.summary
    kept = load(pack.store(path).read("report.json"))
    assert kept.findings == again.findings
    # Without the plug-in it is a recording like any other.
    assert (
        load(kdiag("check", "--format", "json", "--from", path, status=READY)).finding("example.always")
        is None
    )


def test_an_older_recording_does_not_know_a_newer_check(site: Path, tmp_path: Path) -> None:
    path = str(tmp_path / "m")
    kdiag("record", "-o", path)
    finding = load(kdiag("check", "--format", "json", "--from", path, path=site, status=READY)).finding(
        "example.everything"
    )
    assert finding is not None
    assert finding.status.value == "unknown"
    assert "not recorded" in finding.summary


def test_listing_writes_nothing(tmp_path: Path) -> None:
    path = tmp_path / "m.tar.xz"
    text = kdiag("record", "--list", "-o", str(path))
    assert "/proc/version" in text
    assert not path.exists()


def test_to_standard_output_and_back(tmp_path: Path) -> None:
    pytest.importorskip("zstandard")
    command = [sys.executable, "-m", "kdiag"]
    made = subprocess.run([*command, "record", "-o", "-"], capture_output=True, check=True, cwd=tmp_path)
    assert made.stdout.startswith(b"\x28\xb5\x2f\xfd")
    command += ["check", "--from", "-", "--format", "json"]
    done = subprocess.run(command, input=made.stdout, capture_output=True, check=False, cwd=tmp_path)
    assert done.returncode in READY, done.stderr
    assert load(done.stdout).findings == load(pack.archive(made.stdout, "x").read("report.json")).findings


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("record",), (2,), "-o FILE"),
        (("record", "-o", "/nonexistent/m.tar.xz"), (2, 4), "no directory"),
        (("record", "-o", "/tmp/x.zip"), (2, 4), ".tar.zst"),
        (("check", "--from", "/nonexistent"), (2,), "/nonexistent: No such file"),
        (("check", "--from", "/etc/passwd"), (2,), "not a recording"),
        (("check", "--from", "/proc"), (2,), "recording.json"),
    ],
)
def test_what_cannot_be_done_is_told(
    arguments: tuple[str, ...], status: tuple[int, ...], message: str
) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kdiag", *arguments], capture_output=True, text=True, check=False, cwd="/"
    )
    assert done.returncode in status
    assert message in done.stderr
    assert "Traceback" not in done.stderr
