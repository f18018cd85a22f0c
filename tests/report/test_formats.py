"""What all formats have in common, and how they are found by name and file name."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import kdiag.report.faces
from kdiag.checking.registry import discover
from kdiag.report.formats import FORMATS, NAMES, Options, UnknownFormat, explainer, named, of_path, render_as
from tests.support.report_samples import everything, hostile, live, samples

SAMPLES = dict(samples())


def test_every_format_has_its_module_and_the_other_way_round() -> None:
    modules = {path.stem for path in Path(kdiag.report.faces.__file__).parent.glob("*.py")}
    assert set(NAMES) <= modules
    assert all(known.name == name for name, known in FORMATS.items())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("sample", SAMPLES)
def test_every_format_tells_every_report(name: str, sample: str) -> None:
    text = render_as(name, SAMPLES[sample])
    assert text.endswith("\n") and not text.endswith("\n\n")
    assert "\r" not in text
    text.encode("utf-8")
    if name != "json":  # there everything is escaped inside strings
        odd = {c for c in text if not c.isprintable() and c != "\n"}
        assert not odd, f"characters that move, hide or reorder: {sorted(map(ascii, odd))}"
    assert render_as(name, SAMPLES[sample]) == text, "the same report, the same document"


def test_no_format_grows_without_bounds() -> None:
    for name in NAMES:
        limit = 20_000_000 if name in ("json", "text") else 2_000_000
        assert len(render_as(name, SAMPLES["huge"])) < limit, name


def test_text_takes_its_options() -> None:
    plain = render_as("text", live(), Options(width=60))
    assert max(map(len, plain.splitlines())) < max(
        map(len, render_as("text", live(), Options(width=110)).splitlines())
    )
    assert "\x1b[" in render_as("text", live(), Options(color=True))
    assert render_as("text", everything(), Options(unicode=False)).isascii()


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a/report.HTML", "html"),
        ("x.htm", "html"),
        ("kdiag.json", "json"),
        ("kdiag.sarif", "sarif"),
        ("kdiag.sarif.json", "sarif"),
        ("TEST-kdiag.xml", "junit"),
        ("summary.md", "markdown"),
        ("/var/lib/node_exporter/kdiag.prom", "prometheus"),
        ("out.tap", "tap"),
        ("out.txt", "text"),
        ("out", None),
        ("html", None),
        ("-", None),
    ],
)
def test_file_names_mean_formats(path: str, name: str | None) -> None:
    assert of_path(path) == name


def test_an_unknown_format_is_told_with_the_nearest() -> None:
    with pytest.raises(UnknownFormat, match=r"no format is called 'junitt'; did you mean junit\?"):
        named("junitt")
    with pytest.raises(UnknownFormat, match=r"\(text, line, json, markdown, html, "):
        render_as("zzz", everything())


def test_checks_speak_for_their_findings() -> None:
    explain = explainer(discover(plugins=False))
    assert "tracefs" in explain("tracing.tracefs")
    assert explain("config.KPROBES") == explain("config.BPF") != ""
    assert explain("no.such") == ""


def test_nothing_is_imported_before_it_is_needed() -> None:
    code = """
import sys, json
import kdiag.report.formats, kdiag.report.outputs, kdiag.report.write, kdiag.config.waivers, kdiag.config.file
print(json.dumps([m for m in ("jinja2", "xml.etree.ElementTree", "tabulate", "hashlib", "tomllib", "tomli",
                              "kdiag.report.faces.html", "kdiag.capabilities.definitions",
                              "kdiag.report.faces.text") if m in sys.modules]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []


#: In the log of a CI job each of these is an order.
ORDERS = (
    "x\n::error file=a::owned",
    "y\r\n  ::set-output name=x::owned",
    "::add-mask::e",
    "##[add-path]/tmp",
    "z ##vso[task.setvariable variable=a]b ##teamcity[message text='owned']",
    "word " * 30 + "::stop-commands::owned",
    "w" * 75 + "::stop-commands::owned",
)


def orders(text: str) -> list[str]:
    """Lines that a log would obey."""
    return [
        line
        for line in text.split("\n")
        if line.lstrip().startswith("::") or any(mark in line for mark in ("##[", "##vso[", "##teamcity["))
    ]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("order", ORDERS, ids=range(len(ORDERS)))
def test_no_value_is_an_order_to_the_log_of_a_job(name: str, order: str) -> None:
    report = hostile(order)
    for options in (
        Options(width=60),
        Options(width=80, verbose=True, unicode=False),
        Options(width=110, color=True),
    ):
        found = orders(render_as(name, report, options))
        if name == "github":
            found = [
                line for line in found if not re.match(r"::(error|warning|notice|group|endgroup)( |::)", line)
            ]
            assert not any("::add-mask" in line[:15] or "::stop" in line[:15] for line in found)
        assert not found


@pytest.mark.parametrize("order", ORDERS, ids=range(len(ORDERS)))
def test_nor_is_one_of_a_comparison(order: str) -> None:
    from kdiag.commands.compare import FORMATS as COMPARED
    from kdiag.commands.compare import rendered
    from kdiag.compare.differences import compare
    from kdiag.compare.grouping import Fold
    from kdiag.compare.reading.summary import Reader
    from kdiag.report.faces.json import render

    fold = Fold()
    for report in (hostile(order), everything()):
        fold.add(order, Reader().read(render(report).encode()))
    for name in COMPARED:
        assert not orders(rendered(compare(fold, None, ""), name, Options(width=60, verbose=True)))
