# Copyright: the authors of kdiag
# Apache License 2.0 (see https://www.apache.org/licenses/LICENSE-2.0)
"""kdiag.kdiag.fix on the controller: the plan in check mode, the repair, or its undoing."""

from __future__ import annotations

import shlex

from ansible.errors import AnsibleActionFail
from ansible.plugins.action import ActionBase
from ansible_collections.kdiag.kdiag.plugins.plugin_utils.host import Host, shown

_ARGUMENTS = {
    "pyz": {"type": "path"},
    "standalone": {"type": "path"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "packages": {"type": "bool", "default": False},
    "prove": {"type": "bool", "default": False},
    "timeout": {"type": "int", "default": 900},
}
#: Where kdiag fix keeps what it did; whether a run changed anything is seen there.
_STATE = "/var/lib/kdiag"


class ActionModule(ActionBase):
    """The action of kdiag.kdiag.fix."""

    _requires_connection = True
    TRANSFERS_FILES = True

    def run(self, tmp=None, task_vars=None):
        """Repairs one host."""
        result = super().run(tmp, task_vars)
        _unused, given = self.validate_argument_spec(_ARGUMENTS)
        host = Host(self)
        try:
            way, starter = host.way(("pyz", "standalone"))
            kdiag = (
                f"TERM=dumb NO_COLOR=1 timeout {given['timeout']} {starter} {shlex.quote(host.send(way))} fix"
            )
            options = " --packages" if given["packages"] else ""
            if given["state"] == "absent":
                return self._undo(host, kdiag, result)
            plan = host.run(f"{kdiag}{options} --dry-run")
            if plan["rc"] not in (0, 1, 3, 4):
                raise AnsibleActionFail(
                    f"kdiag fix --dry-run ended with {plan['rc']}: {shown(plan['stderr'])}"
                )
            if self._task.check_mode:
                result.update(plan=_lines(plan["stdout"]), changed=_has_steps(plan["stdout"]))
                return result
            before = self._fingerprint(host)
            proof = "" if given["prove"] else " --no-smoke"
            done = host.run(f"{kdiag}{options}{proof} --yes")
            result.update(plan=_lines(done["stdout"]), changed=self._fingerprint(host) != before)
            if done["rc"] == 4:
                raise AnsibleActionFail(f"a repair failed: {shown(done['stderr'] or done['stdout'])}")
        finally:
            host.remove()
        return result

    def _undo(self, host, kdiag, result):
        before = self._fingerprint(host)
        if self._task.check_mode:
            result.update(plan="what kdiag did is taken back", changed=bool(before))
            return result
        done = host.run(f"{kdiag} --undo --yes")
        if done["rc"] == 4:
            raise AnsibleActionFail(f"the undoing failed: {shown(done['stderr'] or done['stdout'])}")
        result.update(plan=_lines(done["stdout"]), changed=self._fingerprint(host) != before)
        return result

    def _fingerprint(self, host):
        command = (
            f"find {_STATE} -path {_STATE}/history -prune -o -type f -exec cksum {{}} + 2>/dev/null | sort"
        )
        return host.run(command)["stdout"].strip()


def _lines(text):
    return "\n".join(shown(line) for line in text.replace("\r", "").split("\n")[:200])


def _has_steps(text):
    """Whether a plan has steps: kdiag numbers them."""
    return any(line.lstrip().startswith("1.") for line in text.splitlines())
