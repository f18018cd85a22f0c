"""Prometheus metrics, read by the parser of prometheus_client."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from kdiag.model import Report, Works
from kdiag.report.faces.prometheus import render
from tests.support.report_samples import HOSTILE, everything, hostile, huge, live, samples, waived

SAMPLES = dict(samples())


def families(report: Report) -> dict[str, Metric]:
    found = list(text_string_to_metric_families(render(report)))
    assert len({f.name for f in found}) == len(found), "a metric must be told in one piece"
    return {f.name: f for f in found}


def values(family: Metric, *labels: str) -> dict[tuple[str, ...], float]:
    told = {tuple(s.labels[name] for name in labels): s.value for s in family.samples}
    assert len(told) == len(family.samples)
    return told


def test_states_are_one_hot() -> None:
    for report in (everything(), live()):
        told = values(families(report)["kdiag_capability_status"], "capability", "tool", "status")
        for capability in report.capabilities:
            states = {s: told[capability.id, capability.tool, s.value] for s in Works}
            assert states == {s: float(s is capability.status) for s in Works}
        assert len(told) == 4 * len(report.capabilities)


def test_the_other_metrics() -> None:
    told = families(everything())
    assert values(told["kdiag_verdict"], "status") == {("ready",): 0, ("not-ready",): 1, ("unknown",): 0}
    assert values(told["kdiag_capability_required"], "capability")["broken",] == 1
    assert values(told["kdiag_capability_required"], "capability")["maybe",] == 0
    findings = values(told["kdiag_findings"], "status")
    assert findings == {("ok",): 1, ("warn",): 2, ("fail",): 3, ("unknown",): 1, ("skip",): 1}
    (info,) = told["kdiag_info"].samples
    assert info.labels["release"] == "6.1.0" and info.value == 1
    (run,) = told["kdiag_last_run_timestamp_seconds"].samples
    assert run.value == datetime(2025, 1, 2, 3, 4, 5, tzinfo=timezone.utc).timestamp()


def test_waivers() -> None:
    told = families(waived("broken"))
    assert values(told["kdiag_capability_waived"], "capability")["broken",] == 1
    assert sum(s.value for s in told["kdiag_capability_waived"].samples) == 1
    ends = values(told["kdiag_waiver_end_timestamp_seconds"], "waived")
    assert ends == {("broken",): datetime(2030, 7, 1, tzinfo=timezone.utc).timestamp()}
    assert "kdiag_waiver_end_timestamp_seconds" not in families(everything())


@pytest.mark.parametrize("sample", SAMPLES)
def test_every_sample_is_read_back(sample: str) -> None:
    text = render(SAMPLES[sample])
    told = families(SAMPLES[sample])
    samples_told = [s for f in told.values() for s in f.samples]
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert len(lines) == len(samples_told)
    assert all(s.timestamp is None for s in samples_told), "the textfile collector refuses timestamps"
    assert all(f.type == "gauge" and f.documentation for f in told.values())


@pytest.mark.parametrize("text", [t for t in HOSTILE if t.strip() and t.isprintable()])
def test_labels_come_back_as_they_were(text: str) -> None:
    (info,) = families(hostile(text))["kdiag_info"].samples
    assert info.labels["release"] == text


def test_evidence_stays_out() -> None:
    assert len(render(huge())) < 5_000
    assert "line one" not in render(everything())
