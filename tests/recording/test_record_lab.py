"""Recordings made inside lab kernels say outside what the guest said. Minutes when cold: only if asked for."""

from __future__ import annotations

import io
import os
import shutil
import tarfile

import pytest

from kdiag.recording import pack
from kdiag.report.document import load
from kdiag.system.recording import Recording

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not os.environ.get("KDIAG_LAB"), reason="boots kernels: set KDIAG_LAB=1"),
    pytest.mark.skipif(shutil.which("qemu-system-x86_64") is None, reason="no qemu-system-x86_64"),
]

SCRIPT = """
    cd /tmp
    kdiag record --no-redact -o plain.tar.xz >&2
    kdiag record -o clean.tar.xz >&2
    kdiag check --format json > live.json
    tar cf - plain.tar.xz clean.tar.xz live.json
"""


@pytest.mark.parametrize(
    ("kernel", "root", "layers", "append", "user"),
    [
        ("debian-5.10", "debian11", [], [], "root"),
        ("debian-6.12", "debian13", ["headers"], ["lockdown=confidentiality"], "root"),
        ("debian-6.12", "debian12", ["headers-arch"], [], "user"),
    ],
)
def test_a_guests_recording(kernel: str, root: str, layers: list[str], append: list[str], user: str) -> None:
    from lab import assemble, qemu
    from lab.guest import Job

    from tests.support.reports import report_on

    request = assemble.Request(kernel, root, layers=layers, append=append)
    outcome = qemu.run(assemble.boot(request, Job(SCRIPT, user, 200)), limit=240)
    assert qemu.explain(outcome) is None
    with tarfile.open(fileobj=io.BytesIO(outcome.out)) as archive:
        out = {m.name: f.read() for m in archive if (f := archive.extractfile(m)) is not None}
    live = load(out["live.json"])
    for name in ("plain.tar.xz", "clean.tar.xz"):
        recording = pack.archive(out[name], name)
        kept = load(recording.read("report.json"))
        again = report_on(Recording(recording))
        assert again.findings == kept.findings
        assert again.capabilities == kept.capabilities == live.capabilities
        assert [(f.id, f.status, f.causes) for f in kept.findings] == [
            (f.id, f.status, f.causes) for f in live.findings
        ]
        assert len(out[name]) < 4_000_000
    plain = load(pack.archive(out["plain.tar.xz"], "").read("report.json"))
    # The command line puts remedies into the words of the one who types them; all else is the same to the letter.
    assert [(f.summary, f.reason, f.evidence) for f in plain.findings] == [
        (f.summary, f.reason, f.evidence) for f in live.findings
    ]
