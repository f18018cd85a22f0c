"""Reports that every format must be able to tell: this machine's, one with everything in it, hostile and empty ones."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path

from kdiag.config.waivers import Waiver, apply
from kdiag.model import (
    Capability,
    Evidence,
    Finding,
    MachineInfo,
    Readiness,
    Remedy,
    Report,
    Status,
    Verdict,
    Works,
    WrongRemedy,
)
from kdiag.report.document import load
from kdiag.system.live import Live
from tests.support.reports import report_on

STORED = Path(__file__).parents[1] / "report" / "sample.json"

#: What means harm in one format or another, or only looks odd.
HOSTILE = (
    "</script><script>document.title='owned'</script>",
    "<img src=x onerror=document.title='owned'>",
    "</details></table></body><h1>owned</h1>",
    '"><a href="javascript:document.title=1">click</a>',
    "[click](javascript:alert(1)) ![x](http://x.test/y.png) https://x.test www.x.test @somebody #1",
    "a | b\n| c | d\n```\n~~~\n# heading\n- item\n</summary>",
    "::error::owned",
    "  ::set-output name=x::y\n::add-mask::e\n##[error]owned ##[add-mask]x",
    "x # SKIP nothing\nnot ok 99 - owned\nBail out! owned\n1..1\n  ...\n  ---",
    'label" } 1\nkdiag_verdict{status="ready"} 1\n\\n \\',
    "]]> <!-- & &amp; %s {0} {{ 7*7 }} {% raw %} ${x} %0A%0D%25",
    "\x00\x01\x1b[31mred\x1b]0;title\x07 \x7f\x85\u2028\u2029\ufffe\uffff",
    "\u202egnp.exe\u202c \u2066x\u2069 \u200b\ufeff",
    "\udcff\udc80 not UTF-8",
    "😀 日本語 عربى e\u0301",
    "../../etc/passwd file:///etc/passwd",
    "-",
    "   \t\r\n ",
)


@cache
def live() -> Report:
    """This machine."""
    return report_on(Live("/"))


@cache
def stored() -> Report:
    """A stored one of another machine."""
    return load(STORED.read_bytes())


def finding(name: str, status: Status, *causes: str, **more: object) -> Finding:
    """A finding with evidence."""
    values: dict[str, object] = {
        "title": f"Title of {name}",
        "summary": f"summary of {name}",
        "reason": f"reason of {name}",
        "evidence": (Evidence(f"/proc/{name}", "line one\nline two"), Evidence("bpf(2)", "EPERM")),
        "causes": causes,
    }
    return Finding(status=status, id=name, **{**values, **more})  # type: ignore[arg-type]


def capability(name: str, status: Works, *findings: str, root: Works | None = None) -> Capability:
    """A capability that these findings decide."""
    because = "" if status is Works.WORKS else f"why {name} is {status.value}"
    tool = "BCC" if name.startswith("bcc") else "bpftrace"
    return Capability(name, f"Title of {name}", tool, status, because, findings, root)


REMEDY = Remedy(
    "mount", "Mount it", "safe", ("sudo mount -t tracefs tracefs /t",), "here", ("root",), ("sudo umount /t",)
)
MANUAL = Remedy("vm", "Change the VM's settings", "manual", (), "the VM's settings", ("reboot",))


def everything(readiness: Readiness = Readiness.NOT_READY) -> Report:
    """All statuses of everything, causes and symptoms, remedies of all kinds."""
    findings = (
        finding("a.root", Status.FAIL, remedies=(REMEDY, MANUAL), with_root="a look"),
        finding("a.symptom", Status.FAIL, "a.root", wrong_remedies=(WrongRemedy("apt install x", "no"),)),
        finding("b.note", Status.WARN),
        finding("c.unknown", Status.UNKNOWN),
        finding("d.other", Status.FAIL),
        finding("e.idle", Status.WARN),
        finding("f.fine", Status.OK),
        finding("g.skip", Status.SKIP),
    )
    capabilities = (
        capability("works", Works.WORKS, "f.fine"),
        capability("caveat", Works.CAVEAT, "b.note"),
        capability("broken", Works.FAILS, "a.symptom", "a.root", root=Works.WORKS),
        capability("unsure", Works.UNKNOWN, "c.unknown"),
        capability("bcc-other", Works.FAILS, "d.other"),
        capability("maybe", Works.UNKNOWN, "c.unknown"),
    )
    return Report(
        kdiag="0.1.0",
        created="2025-01-02T03:04:05Z",
        machine=MachineInfo(
            "6.1.0", "#1 SMP", "x86_64", "Debian", "Debian 12", "no container", "", "0.17.0", "root"
        ),
        findings=findings,
        capabilities=capabilities,
        required=("works", "caveat", "broken", "unsure"),
        verdict=Verdict(readiness, "2 of 4 required capabilities work", "sudo mount it", "here"),
        blocks={
            "a.root": ("broken",),
            "a.symptom": ("broken",),
            "b.note": ("caveat",),
            "c.unknown": ("unsure", "maybe"),
            "d.other": ("bcc-other",),
        },
    )


def waived(*names: str) -> Report:
    """`everything` with waivers for these ids, which hold until 2030-06-30."""
    return apply(everything(), tuple(Waiver(name, f"reason for {name}", date(2030, 6, 30)) for name in names))


def hostile(text: str) -> Report:
    """The text in every place that takes one; ids differ by a number."""
    findings = tuple(
        Finding(
            status=status,
            summary=text,
            reason=text,
            id=f"{number}.{text}",
            title=text,
            evidence=(Evidence(text, text),),
            causes=(f"0.{text}",) if number else (),
            remedies=(Remedy(text, text, "manual", (text, text), text, (text,), (text,)),),
            wrong_remedies=(WrongRemedy(text, text),),
            with_root=text,
        )
        for number, status in enumerate(Status)
    )
    capabilities = tuple(
        Capability(f"{number}.{text}", text, text, status, text, tuple(f.id for f in findings), Works.UNKNOWN)
        for number, status in enumerate(Works)
    )
    ids = tuple(c.id for c in capabilities)
    report = Report(
        kdiag=text,
        created=text,
        machine=MachineInfo(*[text] * 10),
        findings=findings,
        capabilities=capabilities,
        required=ids[:2],
        verdict=Verdict(Readiness.NOT_READY, text, text),
        blocks={f.id: ids for f in findings},
    )
    return apply(report, (Waiver(f"3.{text}", text, date(2030, 1, 1)), Waiver(text, text, date(2030, 1, 1))))


def huge() -> Report:
    """Evidence of a megabyte, in one piece and in thousands."""
    big = finding("a.big", Status.FAIL, evidence=(Evidence("/proc/kallsyms", "0 T symbol\n" * 100_000),))
    many = finding(
        "a.many", Status.FAIL, evidence=tuple(Evidence(f"/p/{i}", "x" * 100) for i in range(10_000))
    )
    base = everything()
    return Report(
        base.kdiag,
        base.created,
        base.machine,
        (big, many),
        (capability("broken", Works.FAILS, "a.big", "a.many"),),
        ("broken",),
        base.verdict,
        {"a.big": ("broken",), "a.many": ("broken",)},
    )


EMPTY = Report("", "", MachineInfo(root=""), (), (), (), Verdict(Readiness.UNKNOWN, "nothing was asked"))


def circle() -> Report:
    """Findings that explain each other: a file may say so."""
    base = everything()
    findings = (finding("a.one", Status.FAIL, "a.two"), finding("a.two", Status.FAIL, "a.one"))
    return Report(
        base.kdiag,
        base.created,
        base.machine,
        findings,
        (capability("broken", Works.FAILS, "a.one"),),
        ("broken",),
        base.verdict,
        {"a.one": ("broken",), "a.two": ("broken",)},
    )


def samples() -> Iterator[tuple[str, Report]]:
    """All of them, by name."""
    yield "live", live()
    yield "stored", stored()
    for readiness in Readiness:
        yield f"everything-{readiness.value}", everything(readiness)
    yield "waived", waived("broken", "c.unknown", "gone")
    yield "empty", EMPTY
    yield "circle", circle()
    yield "huge", huge()
    for number, text in enumerate(HOSTILE):
        yield f"hostile-{number}", hostile(text)
