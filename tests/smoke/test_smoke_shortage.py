"""What a machine was short of, from what the kernel says of it."""

from __future__ import annotations

import pytest

from kdiag.smoke.shortage import Pressure, read, words

MEMINFO = "MemTotal:         180224 kB\nMemFree:            2048 kB\nMemAvailable:       3072 kB\n"
PRESSURE = (
    "some avg10=90.00 avg60=81.12 avg300=20.00 total=1\nfull avg10=80.00 avg60=64.60 avg300=15.00 total=1\n"
)


def test_memory_that_is_gone() -> None:
    assert read(MEMINFO, PRESSURE) == Pressure(3, 176, 64.6)
    assert words(read(MEMINFO, PRESSURE)) == (
        "this machine is short of memory: 3 of 176 MiB are available, "
        "and all programs waited for it 65 % of the last minute"
    )


@pytest.mark.parametrize(
    ("meminfo", "pressure", "said"),
    [
        (MEMINFO, "", "this machine is short of memory: 3 of 176 MiB are available"),
        ("", PRESSURE, "this machine is short of memory: all programs waited for it 65 % of the last minute"),
        (MEMINFO.replace("3072", "90000"), "", ""),
        (MEMINFO.replace("3072", "90000"), PRESSURE.replace("64.60", "0.20"), ""),
        ("", "", ""),
        ("MemTotal: none kB\n", "full\n", ""),
    ],
)
def test_what_is_said(meminfo: str, pressure: str, said: str) -> None:
    assert words(read(meminfo, pressure)) == said
