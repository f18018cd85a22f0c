"""The program that holds predictions of stock scripts against bpftrace reads what the guest's part prints."""

from __future__ import annotations

import json
import subprocess

from tests.support.stock_tools import guest, read, table

CLAUSES = "BEGIN { }\nkprobe:a, kprobe:b { }\nkprobe:vfs_* { }\n"


def output(*tools: tuple[str, str, int, str, str]) -> str:
    answers = [
        {"subject": path, "outcome": "works" if "good" in path else "fails", "verdict": "because"}
        for path, *_ in tools
    ]
    tried = "".join(
        f"@@TOOL {path} {state} {status}\n{said}\n@@SCRIPT\n{script}\n@@END\n"
        for path, state, status, said, script in tools
    )
    return f"@@MACHINE 6.1 bpftrace v0.17.0\n@@PREDICTED\n{json.dumps({'answers': answers})}\n{tried}"


def test_outcomes_are_told_apart() -> None:
    warned = "WARNING: could not attach probe kprobe:a, skipping.\n"
    run = read(
        output(
            ("/x/good1.bt", "running", 0, "Attaching 3 probes...", CLAUSES),
            ("/x/good2.bt", "running", 0, f"{warned}Attaching 4 probes...", CLAUSES),
            (
                "/x/bad1.bt",
                "running",
                0,
                f"{warned}{warned.replace(':a', ':b')}Attaching 4 probes...",
                CLAUSES,
            ),
            ("/x/bad2.bt", "running", 0, "Attaching 1 probe...", CLAUSES),
            ("/x/bad3.bt", "ended", 1, "ERROR: couldn't set RLIMIT_MEMLOCK\nERROR: no such field", CLAUSES),
            (
                "/x/bad4.bt",
                "running",
                0,
                "Could not read symbols from /t/available_filter_functions",
                CLAUSES,
            ),
            ("/x/good5.bt", "ended", 1, "Attaching 3 probes...", CLAUSES),
        )
    )
    assert [one.agrees for one in run.outcomes] == [True] * 6 + [False]
    assert [one.tried.ran for one in run.outcomes] == [True, True, False, False, False, False, False]
    assert run.outcomes[4].tried.said == "ERROR: no such field"
    assert "6 of 7 as predicted: 2 run, 4 do not; wrong: 1 predicted to run" in table(run, markdown=False)
    assert "| good5.bt | works | does not run |" in table(run, markdown=True)


def test_the_guests_part_is_a_sound_shell_script() -> None:
    assert subprocess.run(("sh", "-n"), input=guest(), text=True, check=False).returncode == 0
