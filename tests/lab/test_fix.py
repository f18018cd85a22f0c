"""`kdiag fix` in booted kernels, with the real bpftrace: what it repairs works, what it undoes is gone, what kills it
heals. Minutes of guest time.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from . import assemble, fixing

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get("KDIAG_LAB"), reason="boots kernels: set KDIAG_LAB=1"),
    pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="no qemu-system-x86_64"),
]

PROGRAMS = "tracepoint-args,include,kprobe-include"
STORE = ["+ /var/cache/kdiag", "+ /var/cache/kdiag/headers"]
STATE = ["+ /var/lib/kdiag", "+ /var/lib/kdiag/journal", "+ /var/lib/kdiag/lock"]
HIDE_TRACEFS = "umount /sys/kernel/tracing /sys/kernel/debug"


@dataclass(frozen=True, slots=True)
class Case:
    """A guest that lacks headers. gains: the programs that a fix makes work; lacks: those that nothing can.

    itself: bpftrace unpacks the archive on its own, into /tmp and for each program again.
    """

    kernel: str
    root: str
    gains: frozenset[str]
    lacks: frozenset[str] = frozenset()
    layers: tuple[str, ...] = ("kheaders",)
    step: str = "kheaders.extract-module"
    itself: bool = False


INCLUDES = frozenset({"include", "kprobe-include"})
CASES = [
    Case("nobtf-ikheaders-m", "debian12", frozenset(), itself=True),
    Case("btf-ikheaders-m", "sid", INCLUDES),
    Case("nokprobes", "debian13", frozenset({"include"}), frozenset({"kprobe-include"})),
    Case("btf-ikheaders-y", "debian11", frozenset(), layers=(), step="kheaders.extract", itself=True),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kernel}-{case.root}")
def test_headers_out_of_the_kernel(case: Case) -> None:
    """What needs headers fails, works after a fix with the variables of `kdiag env` and `kdiag run`, and fails again
    after the undo, of which nothing is left. Where bpftrace helps itself, it need not any more.
    """
    request = assemble.Request(case.kernel, case.root, case.layers)
    answer = fixing.ask(request, f"trial {PROGRAMS} --no-smoke")
    before, after, again = (works(answer[name]) for name in ("before", "after", "again"))
    everything = frozenset(PROGRAMS.split(","))
    assert before == everything - case.gains - case.lacks
    assert after == before | case.gains
    assert again == before
    assert bool(answer["before"]["unpacked"]) is case.itself
    assert answer["after"]["unpacked"] == []
    judge(answer, case.step)


def test_headers_and_the_proof() -> None:
    """Without --no-smoke a fix runs all programs before and after it, and says how many work."""
    request = assemble.Request("nobtf-ikheaders-m", "debian13", ("kheaders",))
    answer = fixing.ask(request, f"trial {PROGRAMS}", limit=1200)
    assert works(answer["before"]) == works(answer["again"]) == frozenset()
    assert works(answer["after"]) == INCLUDES | {"tracepoint-args"}
    judge(answer, "kheaders.extract-module")
    said = re.search(
        r"Now works: (\d+) of (\d+) smoke programs \(before: (\d+)\)",
        " ".join(answer["fix"]["out"].split()),
    )
    assert said is not None, answer["fix"]["out"]
    now, total, before = map(int, said.groups())
    assert now <= total
    assert now >= before + len(INCLUDES | {"tracepoint-args"})


def judge(answer: Mapping[str, Any], step: str) -> None:
    """A tree was made and taken back, and nothing else on the whole machine."""
    assert answer["fix"]["status"] == answer["undo"]["status"] == 0, answer["fix"]
    [entry] = answer["journal"]
    assert (entry["step"], entry["finished"]) == (step, True)
    assert answer["changed"] == sorted([*STORE, f"+ {entry['effect']['target']}", *STATE])
    assert "NICE 40" in answer["evaluated"]["out"]  # by the line of the README
    assert answer["left"] == []


def works(proof: Mapping[str, Any]) -> frozenset[str]:
    """The programs that saw their event; kdiag must have known each."""
    report = proof["report"]
    assert report["summary"]["disagreements"] == []
    return frozenset(one["id"] for one in report["programs"] if one["outcome"] in ("works", "warns"))


def test_a_missing_mount() -> None:
    """Debian's kernel with nothing mounted: only tracefs is, under a name of our own, and only that is unmounted."""
    request = assemble.Request("debian-6.12", "debian13")
    answer = fixing.ask(request, "trial tracepoint-args,hello --no-smoke", HIDE_TRACEFS)
    assert works(answer["before"]) == works(answer["again"]) == frozenset({"hello"})
    assert works(answer["after"]) == frozenset({"hello", "tracepoint-args"})
    assert answer["fix"]["status"] == answer["undo"]["status"] == 0, answer["fix"]
    assert [entry["step"] for entry in answer["journal"]] == ["tracefs.mount"]
    assert answer["changed"] == sorted(["+ mount /sys/kernel/tracing", *STATE])
    assert answer["left"] == []


# -- kill -9 ---------------------------------------------------------------------------------------------------------


def test_kill_9_at_every_point_heals() -> None:
    """A mount, a module, a tree and a link. Killed anywhere, an undo brings back the machine as it was; a plain fix
    ends where an undisturbed one does, and its undo, too, leaves nothing.
    """
    request = assemble.Request("nobtf-ikheaders-m", "debian13", ("kheaders",))
    answer = fixing.ask(request, "kills --load --link", HIDE_TRACEFS, limit=2400)
    steps = ("tracefs.mount", "kheaders.load", "kheaders.extract", "headers.link")
    assert [entry["step"] for entry in answer["journal"]] == [*steps]
    assert answer["left"] == []
    points = [kill["point"] for kill in answer["kills"]]
    assert {f"{step} {word}" for step in steps for word in ("begun", "made", "done")} <= {*points}
    assert "kheaders.extract midway" in points
    assert sum(point.startswith("outside") for point in points) == 3
    for kill in answer["kills"]:
        assert kill["killed"] == [-9, -9], kill
        assert kill["undone"]["status"] == 0, kill
        assert kill["left"] == [], kill
        assert kill["fixed"]["status"] == 0, kill
        assert kill["other"] == [], kill
        assert kill["undone at last"]["status"] == 0, kill
        assert kill["left at last"] == [], kill


# -- packages --------------------------------------------------------------------------------------------------------

#: What apt and dpkg write for themselves; and dpkg removes an empty directory that, here, no package owns.
THEIRS = ("/var/lib/dpkg/", "/var/lib/apt/", "/var/cache/apt/", "/var/log/", "/usr/src")


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="no dpkg-deb")
def test_the_exact_package(tmp_path: Path) -> None:
    """The real apt-get and dpkg with Debian's own header packages, out of a repository in the guest."""
    kernel = assemble.find_kernel("debian-6.12")
    brought = [fixing.empty("gcc-14", "14.2.0", tmp_path), fixing.empty("pahole", "1.30", tmp_path)]
    request = assemble.Request("debian-6.12", "debian13", (str(fixing.machinery()),))
    script = """
        kdiag fix --yes --no-smoke >/dev/null 2>&1; echo $?
        mkdir -p /etc/kernel/header_postinst.d /usr/src
        printf '#!/bin/sh\\nexit 3\\n' >/etc/kernel/header_postinst.d/broken
        chmod +x /etc/kernel/header_postinst.d/broken
        kdiag fix --yes --no-smoke --packages 2>&1 >/dev/null | tr '\\n' ' '; echo
        echo $(dpkg -l | grep -E "linux-(headers|kbuild)|gcc-14 |pahole")
        rm /etc/kernel/header_postinst.d/broken
        python3 /opt/fixing.py trial include --no-smoke --packages
    """
    text = fixing.output(request, script, 900, fixing.repository([*kernel.headers, *brought]))
    without, broken, left, rest = text.split("\n", 3)
    assert without == "0"  # nothing is installed unasked
    # dpkg's own words, no guess that the repository could be to blame, and nothing that is half installed
    assert f"dpkg: error processing package linux-headers-{kernel.release} (--configure):" in broken
    assert "post-installation script subprocess returned error" in broken
    assert "snapshot" not in broken and "everything is as before" in broken
    assert left == ""
    answer = json.loads(rest)
    assert works(answer["before"]) == works(answer["again"]) == frozenset()
    assert works(answer["after"]) == frozenset({"include"})
    assert answer["fix"]["status"] == answer["undo"]["status"] == 0, answer["fix"]
    [entry] = answer["journal"]
    names = [deb.name.split("_")[0] for deb in (*kernel.headers, *brought)]
    assert entry["effect"]["wanted"] == [f"linux-headers-{kernel.release}"]
    assert entry["effect"]["added"] == sorted(names)
    assert f"+ /usr/lib/modules/{kernel.release}/build" in answer["changed"]
    assert [line for line in answer["left"] if not line[2:].startswith(THEIRS)] == []


# -- another architecture --------------------------------------------------------------------------------------------


@pytest.mark.skipif(shutil.which("qemu-system-aarch64") is None, reason="no qemu-system-aarch64")
def test_an_arm64_machine() -> None:
    """Without headers; and led to another architecture's."""
    request = assemble.Request("debian-6.12-arm64", "debian13", ("kheaders-extracted@nobtf-ikheaders-m",))
    other = assemble.find_kernel("nobtf-ikheaders-m").release
    script = f"""
        kdiag check --format json; echo; echo @@
        kdiag smoke --only hello,include --format json; echo; echo @@
        export BPFTRACE_KERNEL_SOURCE=/opt/kheaders/{other}
        kdiag check --format json; echo; echo @@
        kdiag smoke --only hello,include --format json; exit 0
    """
    check, smoke, misled, proof = map(json.loads, fixing.output(request, script, 600).split("@@"))
    for report in (check, misled):
        assert report["machine"]["arch"] == "aarch64"
        status = {one["id"]: one["status"] for one in report["capabilities"]}
        assert (status["hello"], status["include"]) == ("works", "fails")
    assert works({"report": smoke}) == works({"report": proof}) == {"hello"}
    [tree] = [one for one in misled["findings"] if one["id"] == "headers.tree"]
    assert tree["status"] == "fail"
    assert tree["summary"] == f"/opt/kheaders/{other} is for x86, not for arm64"
