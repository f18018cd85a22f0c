"""The rules and the dashboard against a real Prometheus that scrapes a real node_exporter with kdiag's own metrics."""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import urllib.parse
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kdiag.checking.analysis import analyse
from kdiag.commands.record import system_from
from kdiag.machine import Machine
from kdiag.report.faces.prometheus import render
from tests.support.reports import builtin
from tests.support.waiting import HANG, wait_until

FLEET = Path(__file__).parents[2] / "fleet"
RULES = FLEET / "prometheus" / "kdiag.rules.yml"
DASHBOARD = json.loads((FLEET / "grafana" / "kdiag.json").read_text())
NEXT_KERNEL = "# TYPE kdiag_next_kernel_loses_required gauge\nkdiag_next_kernel_loses_required 0\n"


def tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed (packages prometheus and prometheus-node-exporter)")
    return found


def metrics() -> str:
    known = builtin()
    machine = Machine(system_from(str(FLEET.parent / "fixtures" / "firecracker")))
    return render(analyse(machine, known, known.checks))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def queries() -> list[str]:
    return [
        target["expr"].replace("$job", ".+") for panel in DASHBOARD["panels"] for target in panel["targets"]
    ]


class Asked:
    """The HTTP API of a Prometheus."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/api/v1"

    def query(self, expression: str) -> list[Any]:
        address = f"{self._url}/query?{urllib.parse.urlencode({'query': expression})}"
        with urllib.request.urlopen(address, timeout=HANG) as answer:
            return list(json.load(answer)["data"]["result"])

    def scraped(self) -> bool:
        try:
            return bool(self.query("kdiag_info"))
        except OSError:
            return False


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    server, exporter = tool("prometheus"), tool("prometheus-node-exporter")
    place = tmp_path_factory.mktemp("prometheus")
    (place / "kdiag.prom").write_text(metrics())
    (place / "next.prom").write_text(NEXT_KERNEL)
    scraped, asked = free_port(), free_port()
    (place / "p.yml").write_text(
        f"global: {{scrape_interval: 1s, evaluation_interval: 1s}}\nrule_files: [{RULES}]\n"
        f'scrape_configs: [{{job_name: node, static_configs: [{{targets: ["127.0.0.1:{scraped}"]}}]}}]\n'
    )
    commands = (
        [exporter, f"--web.listen-address=127.0.0.1:{scraped}", "--collector.disable-defaults",
         "--collector.textfile", f"--collector.textfile.directory={place}"],
        [server, f"--config.file={place}/p.yml", f"--storage.tsdb.path={place}/data",
         f"--web.listen-address=127.0.0.1:{asked}"],
    )  # fmt: skip
    with (place / "log").open("w") as log:
        running = [subprocess.Popen(command, stdout=log, stderr=log) for command in commands]
        try:
            api = Asked(asked)
            wait_until(lambda: api.scraped() or any(one.poll() is not None for one in running))
            yield api
        finally:
            for process in running:
                process.terminate()
            for process in running:
                process.wait()


def test_promtool_takes_the_rules_and_their_tests() -> None:
    promtool = tool("promtool")
    for command in (["check", "rules", str(RULES)], ["test", "rules", str(RULES.with_suffix(".test.yml"))]):
        done = subprocess.run(
            [promtool, *command], capture_output=True, text=True, check=False, cwd=RULES.parent
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_promtool_finds_nothing_to_complain_of_in_the_metrics() -> None:
    done = subprocess.run(
        [tool("promtool"), "check", "metrics"], input=metrics(), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@pytest.mark.parametrize("query", queries())
def test_every_query_of_the_dashboard_is_answered(prometheus: Asked, query: str) -> None:
    result = prometheus.query(query)
    # The recorded machine lacks what is required, so that no panel is empty.
    assert result, query


def test_a_machine_has_a_bounded_number_of_series(prometheus: Asked) -> None:
    (count,) = prometheus.query('count({__name__=~"kdiag_.*"})')
    assert int(count["value"][1]) < 400
    labels = {key for one in prometheus.query('{__name__=~"kdiag_.*"}') for key in one["metric"]}
    assert labels <= {
        "__name__", "instance", "job", "status", "capability", "tool", "waived",
        "version", "release", "arch", "distribution", "bpftrace",
    }  # fmt: skip


def test_the_rules_name_metrics_that_there_are() -> None:
    names = {line.split("{")[0].split(" ")[0] for line in metrics().splitlines() if line and line[0] != "#"}
    names |= {"kdiag_next_kernel_loses_required", "kdiag_waiver_end_timestamp_seconds"}
    text = RULES.read_text() + json.dumps(DASHBOARD)
    used = set(re.findall(r"\bkdiag_[a-z_]+", text))
    assert used <= names
