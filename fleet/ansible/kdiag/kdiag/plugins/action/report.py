# Copyright: the authors of kdiag
# Apache License 2.0 (see https://www.apache.org/licenses/LICENSE-2.0)
"""kdiag.kdiag.report on the controller: which kdiag fits the host, its answer, the report."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.kdiag.kdiag.plugins.plugin_utils.host import Host, answer, limited, report_of, write

_FACTS = "/etc/ansible/facts.d/kdiag.fact"
_ARGUMENTS = {
    "pyz": {"type": "path"},
    "standalone": {"type": "path"},
    "collector": {"type": "path"},
    "kdiag": {"type": "str", "default": "kdiag"},
    "dest": {"type": "path", "required": True},
    "require": {"type": "list", "elements": "str", "default": []},
    "facts": {"type": "bool", "default": False},
    "limit": {"type": "int", "default": 32 << 20},
    "timeout": {"type": "int", "default": 120},
}


class ActionModule(ActionBase):
    """The action of kdiag.kdiag.report."""

    _requires_connection = True
    TRANSFERS_FILES = True

    def run(self, tmp=None, task_vars=None):
        """Gathers one report."""
        result = super().run(tmp, task_vars)
        _unused, given = self.validate_argument_spec(_ARGUMENTS)
        host = Host(self)
        name = re.sub(r"[^A-Za-z0-9._-]", "_", (task_vars or {}).get("inventory_hostname", "host"))
        try:
            way, starter = host.way()
            path = host.send(way)
            status, data = answer(
                host.run(self._command(way, starter, path, given))["stdout"], given["limit"]
            )
        finally:
            host.remove()
        data = self._judged(way, status, data, given, name)
        facts = report_of(data)
        path = os.path.join(given["dest"], f"{name}.json")
        write(path, data)
        result.update(facts, path=path, way=way, changed=False)
        if given["facts"] and not self._task.check_mode:
            result["changed"] = self._facts(host, facts)
        return result

    def _command(self, way, starter, path, given):
        if way == "collector":
            return limited(f"{starter} {shlex.quote(path)}", given["timeout"], given["limit"])
        command = f"{starter} {shlex.quote(path)} check --no-plugins --config '' --format json"
        if given["require"]:
            command += f" --require {shlex.quote(','.join(given['require']))}"
        return limited(command, given["timeout"], given["limit"])

    def _judged(self, way, status, data, given, name):
        """The report as JSON: kdiag's own, or what kdiag here says of a recording."""
        if status == 124:
            raise AnsibleActionFail(f"kdiag was not done on the host after {given['timeout']} s")
        if way != "collector":
            if status not in (0, 1, 3):
                raise AnsibleActionFail(f"kdiag ended with {status} on the host")
            return data
        recording = os.path.join(given["dest"], f"{name}.recording")
        write(recording, data)
        command = [
            given["kdiag"],
            "check",
            "--from",
            recording,
            "--no-plugins",
            "--config",
            "",
            "--format",
            "json",
        ]
        if given["require"]:
            command += ["--require", ",".join(given["require"])]
        try:
            done = subprocess.run(command, capture_output=True, check=False, timeout=600)
        except (OSError, subprocess.SubprocessError) as error:
            raise AnsibleActionFail(f"{given['kdiag']} on the controller: {error}") from None
        if done.returncode not in (0, 1, 3):
            said = done.stderr.decode("utf-8", "replace").strip()[-300:]
            raise AnsibleActionFail(f"kdiag on the controller cannot read the recording: {said}")
        return done.stdout

    def _facts(self, host, facts):
        """Writes the facts where they differ, and says whether."""
        text = json.dumps(facts, indent=1, sort_keys=True) + "\n"
        there = host.run(f"cat {_FACTS} 2>/dev/null")["stdout"].replace("\r", "")
        if there.strip() == text.strip():
            return False
        new = f"{_FACTS}.new"
        command = (
            f"mkdir -p {os.path.dirname(_FACTS)} && printf %s {shlex.quote(text)} >{new} "
            f"&& chmod 644 {new} && mv -f {new} {_FACTS}"
        )
        done = host.run(command)
        if done["rc"]:
            raise AnsibleActionFail(f"{_FACTS} cannot be written: {done['stderr'][-200:]} (become: true?)")
        return True
