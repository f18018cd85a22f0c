"""Whose links count: below a host's root the host's, in any other directory those of this system."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kdiag.system import live
from kdiag.system.live import Live
from tests.support.needs import need, need_program, need_root

ASK = """
import json, sys
from kdiag.system import live
live.HOSTS = (sys.argv[1],)
system = live.Live()
print(json.dumps((system.read(f"{sys.argv[1]}/etc/os-release") or b"absent").decode()))
"""


def a_root(at: Path) -> Path:
    """A system whose os-release is an absolute link, and one of its own behind it."""
    (at / "usr/bin").mkdir(parents=True)
    (at / "usr/lib").mkdir()
    (at / "etc").mkdir()
    (at / "usr/lib/kdiag-os-release").write_text("ID=of-the-host\n")
    (at / "usr/lib/os-release").write_text("ID=of-the-host\n")
    (at / "etc/os-release").symlink_to("/usr/lib/kdiag-os-release")
    return at


def test_in_a_directory_that_is_only_called_so_links_lead_where_they_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = a_root(tmp_path / "host")
    monkeypatch.setattr(live, "HOSTS", (str(place),))
    monkeypatch.delenv("KDIAG_HOST", raising=False)
    assert Live().read(f"{place}/etc/os-release") is None
    assert Live(host=str(place)).read(f"{place}/etc/os-release") == b"ID=of-the-host\n"


def test_below_a_mounted_root_links_stay_on_the_host(tmp_path: Path) -> None:
    need_root()
    need_program("unshare")
    place = a_root(tmp_path / "host")
    script = 'mount --bind "$1" "$1" && exec "$2" -c "$3" "$1"'
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, "sh", str(place), sys.executable, ASK],
        capture_output=True,
        check=False,
        env={k: v for k, v in os.environ.items() if k != "KDIAG_HOST"},
    )
    need(done.returncode == 0, f"mounting in a mount namespace: {done.stderr.decode()}")
    assert json.loads(done.stdout) == "ID=of-the-host\n"
