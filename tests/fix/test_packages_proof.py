"""Which packages an undo may remove: those that this fix installed, by what was there before and after, and by what the
package manager tells.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from test_journal_damage import first_version

from kdiag.console import exits
from kdiag.fix.changes.package_log import Came, by_log, by_rpm
from kdiag.fix.changes.packages import unmake
from kdiag.fix.context import Context
from kdiag.fix.effects import Installed
from kdiag.fix.entries import Entry
from kdiag.fix.errors import FixError
from kdiag.fix.journal import Journal
from kdiag.parse.packages import Package
from tests.support.fix_runs import DEBIAN, Run
from tests.support.fixable_machine import Case, case, snapshot
from tests.support.waiting import utc

LOG = "/var/log/dpkg.log"


def machine(home: Path, **words: object) -> Case:
    return case(home, "without_module", "debian", release=DEBIAN, euid=0, **words)


def status(one: Case) -> str:
    return (one.home / "dpkg-status").read_text()


def test_what_is_there_before_is_noted(tmp_path: Path) -> None:
    one = machine(tmp_path)
    Run(one).fix(yes=True, options={"packages": True})
    [entry] = Journal(one.places.journal).entries()
    assert isinstance(entry.effect, Installed)
    assert entry.effect.before == ("base-files",)
    assert set(entry.effect.added) >= {f"linux-headers-{DEBIAN}", "gcc-x"}
    announcement, end = map(json.loads, one.places.journal.read_text().splitlines())
    assert announcement["effect"]["before"] == ["base-files"] and "before" not in end["effect"]


def journal_of(one: Case, effect: Installed, *, finished: bool = True) -> Journal:
    """A journal by hand, as one who is root may write it."""
    one.places.state.mkdir(parents=True, mode=0o700)
    journal = Journal(one.places.journal)
    entry = journal.begin("headers.package", replace(effect, added=()), "boot")
    if finished:
        journal.done(entry, effect)
    return journal


def test_a_package_that_was_there_before_stays(tmp_path: Path) -> None:
    """Named as one that came, and noted as one that was there: nothing is done by such a journal."""
    one = machine(tmp_path)
    journal_of(one, Installed("apt-get", ("gcc-x",), ("base-files", "gcc-x"), ("base-files",)))
    before = snapshot(tmp_path)
    run = Run(one)
    assert run.fix(undo=True, yes=True) == exits.FAILED
    assert "line 2: base-files: noted as there before, and as installed by the fix" in run.errors
    before.pop("state/kdiag/lock", None)
    after = snapshot(tmp_path)
    after.pop("state/kdiag/lock", None)
    assert after == before


def test_a_package_that_was_half_there_stays(tmp_path: Path) -> None:
    """Asked for, because it was not whole; the installation was cut short."""
    one = machine(tmp_path)
    with (tmp_path / "dpkg-status").open("a") as file:
        file.write("Package: gcc-x\nStatus: install ok unpacked\nVersion: 1\nArchitecture: amd64\n\n")
    journal_of(one, Installed("apt-get", ("gcc-x",), (), ("base-files", "gcc-x")), finished=False)
    run = Run(one)
    assert run.fix(undo=True, yes=True) == exits.READY
    assert "never by this fix" in run.text
    assert "Package: gcc-x" in status(one)


def test_the_log_of_dpkg_is_believed(tmp_path: Path) -> None:
    """Installed three days before the fix, says dpkg; the journal says that the fix did."""
    when = utc(-3 * 86_400, "%Y-%m-%d %H:%M:%S")
    log = f"{when} install base-files:amd64 <none> 13\n{when} status installed base-files:amd64 13\n".encode()
    one = machine(tmp_path, files={LOG: log})
    journal_of(one, Installed("apt-get", ("base-files",), ("base-files",), ("dash",)))
    run = Run(one)
    assert run.fix(undo=True, yes=True) == exits.FAILED
    assert f"{LOG} says that base-files was there before" in run.errors
    assert "dpkg --purge base-files" in run.errors
    assert "Package: base-files" in status(one)
    assert len(Journal(one.places.journal).entries()) == 1


@pytest.mark.parametrize("told", [True, False])
def test_a_journal_of_before_needs_the_log(tmp_path: Path, told: bool) -> None:
    """The first version did not note what was there before."""
    log = b"2026-01-31 15:00:00 install gcc-x:amd64 <none> 1\n" if told else None
    one = machine(tmp_path, files={LOG: log, f"{LOG}.1": None})
    with (tmp_path / "dpkg-status").open("a") as file:
        file.write("Package: gcc-x\nStatus: install ok installed\nVersion: 1\nArchitecture: amd64\n\n")
    one.places.state.mkdir(parents=True, mode=0o700)
    effect = {"kind": "packages", "manager": "apt-get", "wanted": ["gcc-x"], "added": ["gcc-x"]}
    one.places.journal.write_bytes(first_version(effect))  # type: ignore[arg-type]
    one.places.journal.chmod(0o600)
    run = Run(one)
    assert run.fix(undo=True, yes=True) == (exits.READY if told else exits.FAILED), run.errors
    assert ("Package: gcc-x" in status(one)) is not told
    assert told or "nothing proves that kdiag installed gcc-x" in run.errors


# -- the accounts of the managers ------------------------------------------------------------------------------------

DPKG = b"""\
2026-01-31 12:00:00 startup archives unpack
2026-01-31 12:00:01 install gcc-x:amd64 <none> 1
2026-01-31 12:00:02 upgrade libc6:amd64 2.36 2.37
2026-01-31 12:00:03 install old:all 1.0 2.0
2026-13-31 12:00:03 install odd:all <none> 2.0
2026-02-01 12:00:00 install gcc-x:amd64 <none> 1
"""
PACMAN = b"""\
[2026-01-31T12:00:01+0100] [ALPM] installed linux-headers (6.12-1)
[2026-01-31T12:00:01+0100] [ALPM] upgraded glibc (2.40-1 -> 2.41-1)
[2019-01-31 12:00] [ALPM] installed linux (4.20-1)
"""


def test_logs(tmp_path: Path) -> None:
    one = Case(tmp_path, files={LOG: DPKG, f"{LOG}.1": None, "/var/log/pacman.log": PACMAN})
    found = by_log(one.look({}), "dpkg")
    assert sorted(found) == ["gcc-x", "odd"]
    assert not found["gcc-x"].before("2026-02-01T00:00:00Z")
    assert found["gcc-x"].before("2026-02-03T00:00:00Z")
    assert sorted(by_log(one.look({}), "pacman")) == ["linux", "linux-headers"]
    assert by_log(one.look({}), "apk") == {}


def test_rpm_notes_when() -> None:
    found = by_rpm((("a-1.x86_64", Package("a", "1", since=1_769_860_800)), ("b-1", Package("b", "1"))))
    assert sorted(found) == ["a-1.x86_64"]
    assert found["a-1.x86_64"].before("2026-02-01T00:00:00Z")
    assert not found["a-1.x86_64"].before("2026-01-31T12:00:01Z")
    assert Came(0.0, 0.0, "x").before("not a time")


def cut_short(effect: Installed) -> Entry:
    """The journal's entry of an installation that began and did not end."""
    return Entry("0" * 16, "headers.package", effect, "boot", "2026-01-31T12:00:00Z", False, effect)


def test_rpm_removes_the_version_that_came(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut short, with another version of the same name there before; asked for by name and version."""
    one = machine(tmp_path)
    context = Context(one.look({}), one.places, DEBIAN, "x86", "boot", one.path)
    now = {
        "kernel-devel": {"kernel-devel-6.1-1.x86_64", "kernel-devel-6.2-1.x86_64"},
        "gcc": {"gcc-14-1.x86_64"},
    }
    removed: list[tuple[str, ...]] = []
    monkeypatch.setattr("kdiag.fix.changes.packages._installed", lambda _world: now)
    monkeypatch.setattr("kdiag.fix.changes.packages._account", lambda _world: {})
    monkeypatch.setattr(
        "kdiag.fix.changes.packages._remove", lambda _manager, names, _world: removed.append(names)
    )
    for wanted in ("kernel-devel", "kernel-devel-6.2-1", "kernel-devel-6.2-1.x86_64"):
        effect = Installed("dnf", (wanted,), (), ("kernel-devel-6.1-1.x86_64",))
        unmake(effect, context, cut_short(effect))
    assert removed == [("kernel-devel-6.2-1.x86_64",)] * 3
    effect = Installed("dnf", ("kernel-devel",))
    with pytest.raises(FixError, match="nothing proves"):
        unmake(effect, context, cut_short(effect))
