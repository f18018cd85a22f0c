"""The manifests: what they may do, what comes out for each node, and the schemas of three releases of the API."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

KUBERNETES = Path(__file__).parents[2] / "fleet" / "kubernetes"
HELM = KUBERNETES.parent / "helm" / "kdiag"
MANIFESTS = ("base/daemonset.yaml", "job/job.yaml", "preflight/initcontainer.yaml")


def jobs(nodes: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["/bin/sh", str(KUBERNETES / "job" / "jobs-per-node"), *arguments]
    return subprocess.run(command, input=nodes, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("name", MANIFESTS)
def test_a_pod_has_the_least_that_is_needed(name: str) -> None:
    text = (KUBERNETES / name).read_text()
    assert "add: [BPF, PERFMON]" in text
    assert "drop: [ALL]" in text
    assert "privileged: true" not in text
    mounts = re.findall(r"mountPath: (/host|/sys/kernel/tracing)\n\s+readOnly: (\w+)", text)
    assert mounts == [("/host", "true"), ("/sys/kernel/tracing", "true")]
    assert "readOnlyRootFilesystem: true" in text


def test_each_node_gets_a_job_by_its_name() -> None:
    long = "node/" + "x" * 80 + ".example"
    done = jobs(f"node/a.example\n{long}\n\n", "registry.example/kdiag@sha256:00")
    assert done.returncode == 0
    names = re.findall(r"^  name: (\S+)$", done.stdout, re.M)
    assert names[0] == "kdiag-a.example"
    assert len(names) == 2
    assert all(len(name) <= 63 for name in names)
    assert re.findall(r"nodeName: (\S+)", done.stdout) == ["a.example", long.removeprefix("node/")]
    assert done.stdout.count("image: registry.example/kdiag@sha256:00\n") == 2


@pytest.mark.parametrize("bad", ["node/a;reboot\n", "node/A|x\n", "node/$(id)\n"])
def test_what_is_no_name_is_refused(bad: str) -> None:
    done = jobs(bad)
    assert done.returncode == 2
    assert "not a node's name" in done.stderr


def node_status() -> ModuleType:
    path = KUBERNETES / "node-status" / "node-status.py"
    found = importlib.util.spec_from_file_location("node_status", path)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.mark.parametrize(
    ("verdict", "condition"), [("ready", "True"), ("not-ready", "False"), ("unknown", "Unknown")]
)
def test_the_node_says_the_verdict(verdict: str, condition: str) -> None:
    report = {"verdict": {"status": verdict, "summary": "tracefs is not mounted"}}
    (_, label), (path, status) = node_status().patches(report, "2026-01-01T00:00:00Z")
    assert label == {"metadata": {"labels": {"kdiag.dev/verdict": verdict}}}
    assert path == "/status"
    assert status["status"]["conditions"][0]["status"] == condition


@pytest.mark.parametrize("version", ["1.25.0", "1.31.0", "1.37.0"])
def test_the_schemas_of_the_api_take_them(version: str, tmp_path: Path) -> None:
    validate, kubectl = shutil.which("kubernetes-validate"), shutil.which("kubectl")
    if validate is None or kubectl is None:
        pytest.skip("kubernetes-validate (PyPI) or kubectl is not installed")
    built = subprocess.run(
        [kubectl, "kustomize", str(KUBERNETES / "base")], capture_output=True, check=True
    ).stdout
    (tmp_path / "base.yaml").write_bytes(built)
    (tmp_path / "jobs.yaml").write_text(jobs("node/a\nnode/b\n").stdout)
    files = [tmp_path / "base.yaml", tmp_path / "jobs.yaml", KUBERNETES / "preflight" / "initcontainer.yaml"]
    files.append(KUBERNETES / "node-status" / "rbac.yaml")
    command = [validate, "-k", version, "--strict", *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_chart_has_the_same_pod() -> None:
    """What the chart sets is taken out of both; the rest is the manifest, line by line."""
    chart = (HELM / "templates" / "daemonset.yaml").read_text().splitlines()
    plain = set((KUBERNETES / "base" / "daemonset.yaml").read_text().splitlines())
    assert [line for line in chart if "{{" not in line and line not in plain] == []
