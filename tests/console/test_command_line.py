"""Commands as this person can type them: what sudo finds by name, and what needs its path."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kdiag.cli.app import _MODULES
from kdiag.completion.shells import script
from kdiag.console.called import program, secure_path, spoken
from kdiag.console.command_line import localised, typed
from kdiag.model import Finding, MachineInfo, Readiness, Remedy, Report, Status, Verdict

DEBIAN = 'Defaults\tenv_reset\nDefaults\tsecure_path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"\n'
RED_HAT = "Defaults    always_set_home\nDefaults    secure_path = /sbin:/bin:/usr/sbin:/usr/bin\n"


@pytest.mark.parametrize(
    ("text", "local"),
    [
        (DEBIAN, True),
        (RED_HAT, False),
        (DEBIAN + RED_HAT, False),
        ("Defaults env_reset,secure_path=/usr/local/bin:/bin\n", True),
        ("# Defaults secure_path=/usr/local/bin\n", False),
        ("Defaults:other secure_path=/usr/local/bin\n", False),
        ("Defaults !secure_path\n", False),
        ("root ALL=(ALL:ALL) ALL\n", False),
        ("", False),
    ],
)
def test_where_sudo_looks(text: str, local: bool, tmp_path: Path) -> None:
    (tmp_path / "sudoers").write_text(text)
    assert ("/usr/local/bin" in secure_path((str(tmp_path / "sudoers"),))) is local
    assert "/bin" in secure_path((str(tmp_path / "sudoers"),))


def test_what_is_added_counts(tmp_path: Path) -> None:
    (tmp_path / "sudoers").write_text(RED_HAT)
    (tmp_path / "sudoers.d").mkdir()
    (tmp_path / "sudoers.d" / "local").write_text("Defaults secure_path = /opt/bin:/bin\n")
    assert "/opt/bin" in secure_path((str(tmp_path / "sudoers"),))


def test_without_sudo(tmp_path: Path) -> None:
    assert secure_path((str(tmp_path / "none"),)) == ("/usr/sbin", "/usr/bin", "/sbin", "/bin")


def test_the_name_where_it_is_found_and_the_path_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "a place"
    place.mkdir()
    (place / "kdiag").write_text("#!/bin/sh\n")
    (place / "kdiag").chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(place / "kdiag"), "check"])
    (tmp_path / "sudoers").write_text(f"Defaults secure_path=/bin:{tmp_path}\n")
    sudoers = (str(tmp_path / "sudoers"),)
    monkeypatch.setenv("PATH", f"/bin:{place}")
    monkeypatch.setenv("UV", "/usr/bin/uv")
    assert program(root=True, sudoers=sudoers) == f"'{place}/kdiag'", "uvx put it there, for this run only"
    monkeypatch.delenv("UV")
    assert program(root=True, sudoers=sudoers) == "kdiag"
    assert program(root=False, sudoers=sudoers) == f"'{place}/kdiag'"
    monkeypatch.setenv("PATH", "/bin")
    assert program(root=True, sudoers=sudoers) == f"'{place}/kdiag'"


def test_a_command_for_root_and_for_others() -> None:
    assert typed("sudo kdiag fix", root=True, kdiag="/opt/kdiag") == "/opt/kdiag fix"
    assert (
        typed("sudo kdiag fix", root=False, kdiag="/usr/local/bin/kdiag") == "sudo /usr/local/bin/kdiag fix"
    )


def asking(command: str, place: str = "here") -> Report:
    remedy = Remedy("r", "mount it", commands=(command,), run_on=place, needs=("root",))
    found = Finding(Status.FAIL, "not mounted", id="a", remedies=(remedy,))
    verdict = Verdict(Readiness.NOT_READY, "not mounted", command, place)
    return Report("0", "", MachineInfo(), (found,), (), (), verdict)


def test_where_there_is_no_sudo_root_has_to_type_it() -> None:
    told = localised(asking("sudo mount it"), root=False, kdiag="kdiag", sudo=False)
    assert (told.verdict.next, told.verdict.run_on) == ("mount it", "as root")
    assert told.findings[0].remedies[0].commands == ("mount it",)
    assert localised(asking("kdiag smoke"), root=False, kdiag="kdiag", sudo=False).verdict.run_on == "here"
    told = localised(asking("sudo mount it"), root=True, kdiag="kdiag", sudo=False)
    assert (told.verdict.next, told.verdict.run_on) == ("mount it", "here")


def test_what_is_typed_elsewhere_stays_as_it_is() -> None:
    """Who is root here need not be root there, and that machine has a kdiag and a sudo of its own."""
    told = localised(asking("sudo kdiag check", "the host"), root=True, kdiag="/opt/kdiag")
    assert told == asking("sudo kdiag check", "the host")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("kdiag check", "/opt/k/kdiag check"),
        (
            "look at `kdiag explain btf` and `kdiag why`",
            "look at `/opt/k/kdiag explain btf` and `/opt/k/kdiag why`",
        ),
        ("as root: sudo kdiag fix && kdiag check", "as root: sudo /opt/k/kdiag fix && /opt/k/kdiag check"),
        (
            "name the shell: kdiag --show-completion bash",
            "name the shell: /opt/k/kdiag --show-completion bash",
        ),
        ("kdiag looks at programs, kdiag checks nothing", "kdiag looks at programs, kdiag checks nothing"),
        ("`kdiag.toml` of kdiag 0.1.0", "`kdiag.toml` of kdiag 0.1.0"),
        ("/opt/k/kdiag check", "/opt/k/kdiag check"),
    ],
)
def test_commands_in_a_text_name_the_file_that_was_started(
    text: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("kdiag.console.called.program", lambda *, root: "/opt/k/kdiag")
    monkeypatch.setattr(sys, "argv", ["/opt/k/kdiag"])
    assert spoken(text) == said
    monkeypatch.setattr(sys, "argv", ["/usr/lib/python3/dist-packages/kdiag/__main__.py"])
    assert spoken(text) == text


def test_every_command_is_known_in_a_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("kdiag.console.called.program", lambda *, root: "/k")
    monkeypatch.setattr(sys, "argv", ["/opt/k/kdiag"])
    names = [name for commands in _MODULES.values() for name in commands]
    assert len(names) > 12
    assert [name for name in names if spoken(f"kdiag {name} x") != f"/k {name} x"] == []


def test_the_completion_of_an_archive_is_that_of_its_name() -> None:
    for shell, line in (
        ("bash", "complete -F _kdiag k.pyz\n"),
        ("zsh", "    compdef _kdiag k.pyz\n"),
        ("fish", "complete -c k.pyz -f -a"),
    ):
        assert line in script(shell, "k.pyz")
        assert script(shell, "k.pyz").replace("k.pyz", "kdiag") == script(shell)
