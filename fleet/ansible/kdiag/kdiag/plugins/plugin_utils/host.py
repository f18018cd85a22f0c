# Copyright: the authors of kdiag
# Apache License 2.0 (see https://www.apache.org/licenses/LICENSE-2.0)
"""How kdiag comes to a host without Ansible's Python there: a file is sent, a shell runs it, and it is removed."""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
import shlex
import tarfile
import tempfile

from ansible.errors import AnsibleActionFail

#: The oldest Python of the one-file kdiag, asked for in words that Python 2 understands.
ENOUGH = "import sys; sys.exit(sys.version_info < (3, 10))"
_WAYS = ("pyz", "standalone", "collector")
#: What the archive of the stand-alone program is called, and the machines that it is for, as uname(1) calls them.
_ARCHIVE = re.compile(r"-linux-(\w+)\.tar\.gz$")
_PROGRAM = re.compile(r"(\./)?[\w.-]+/kdiag")
_MACHINE = ("release", "arch", "kernel", "distribution", "bpftrace")


class Host:
    """A host as an action plugin reaches it."""

    def __init__(self, action):
        self._action = action
        self._files = {}
        for way in _WAYS:
            given = action._task.args.get(way)
            if given:
                self._files[way] = action._find_needle("files", given)

    def way(self, allowed=_WAYS):
        """The first way that this host takes: a Python that is new enough, a program that starts, a shell."""
        if "pyz" in self._files and "pyz" in allowed:
            for python in ("python3", "/usr/libexec/platform-python"):
                if self.run(f"{python} -c {shlex.quote(ENOUGH)}")["rc"] == 0:
                    return "pyz", python
        if "standalone" in self._files and "standalone" in allowed and self._is_for_this_machine():
            return "standalone", ""
        if "collector" in self._files and "collector" in allowed:
            return "collector", "/bin/sh"
        missing = [name for name in allowed if name not in self._files]
        what = (
            f"and neither {' or '.join(missing)} is given"
            if missing
            else "and is another machine than standalone's"
        )
        raise AnsibleActionFail(f"this host has no Python 3.10 or newer, {what}")

    def _is_for_this_machine(self):
        """Whether the stand-alone program is for machines like this one, as far as its name says that."""
        named = _ARCHIVE.search(self._files["standalone"])
        return named is None or self.run("uname -m")["stdout"].strip() == named[1]

    def run(self, command):
        """What a command says on the host, by its shell."""
        return self._action._low_level_execute_command(command)

    def send(self, way):
        """The path on the host of the file for this way."""
        shell = self._action._connection._shell
        # The action made one beforehand, as it says that it transfers files; Ansible removes it after the task.
        directory = shell.tmpdir or self._action._make_tmp_path()
        shell.tmpdir = directory
        path = shell.join_path(directory, f"kdiag-{way}")
        self._action._transfer_file(self._files[way], path)
        self._action._fixup_perms2((directory, path), execute=True)
        return path if way != "standalone" else self._unpacked(path, directory)

    def _unpacked(self, path, directory):
        """The program in the archive that was sent; the file itself, if it is none."""
        if not tarfile.is_tarfile(self._files["standalone"]):
            return path
        with tarfile.open(self._files["standalone"]) as archive:
            name = next((one.name for one in archive if _PROGRAM.fullmatch(one.name)), None)
        if name is None:
            raise AnsibleActionFail(f"{self._files['standalone']}: an archive without the program kdiag")
        done = self.run(f"cd {shlex.quote(directory)} && gzip -dc {shlex.quote(path)} | tar xf -")
        if done["rc"]:
            raise AnsibleActionFail(f"the stand-alone program cannot be unpacked: {shown(done['stderr'])}")
        return self._action._connection._shell.join_path(directory, name)

    def remove(self):
        """Removes what was sent."""
        directory = self._action._connection._shell.tmpdir
        if directory:
            self._action._remove_tmp_path(directory)


def limited(command, seconds, limit):
    """A command whose answer comes as text of a limited size, whatever bytes it writes; its status is the last line."""
    timed = f"timeout {seconds} {command}"
    return f"{{ {{ {timed}; echo $? >&3; }} 2>/dev/null | head -c {limit + 1} | base64; }} 3>&1"


def answer(text, limit):
    """(status, bytes) of what `limited` brought. Raises AnsibleActionFail for what is not that."""
    lines = text.replace("\r", "").split("\n")
    status = None
    body = []
    for line in map(str.strip, lines):
        if line.isdigit() and len(line) <= 3:
            status = int(line)
        elif line:
            body.append(line)
    try:
        data = base64.b64decode("".join(body), validate=True)
    except (binascii.Error, ValueError):
        raise AnsibleActionFail("the host's answer is not what kdiag sends (no base64)") from None
    if len(data) > limit:
        raise AnsibleActionFail(f"the host's answer is larger than {limit} bytes")
    return status, data


def report_of(data):
    """The report in JSON. Raises AnsibleActionFail for what is not one, or not whole."""
    try:
        report = json.loads(data.decode("utf-8"))
        verdict, machine = report["verdict"], report["machine"]
        status, summary, next_step = verdict["status"], verdict["summary"], verdict.get("next", "")
        required = set(report.get("required", ()))
        failing = [c["id"] for c in report["capabilities"] if c["id"] in required and c["status"] == "fails"]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise AnsibleActionFail(f"the host's answer is not a whole report: {type(error).__name__}") from None
    if status not in ("ready", "not-ready", "unknown"):
        raise AnsibleActionFail("the host's answer has no verdict that kdiag gives")
    facts = {name: shown(machine.get(name, "")) for name in _MACHINE}
    facts.update(
        verdict=status, summary=shown(summary), next=shown(next_step), failing=[shown(c) for c in failing]
    )
    return facts


def shown(text):
    """A host's words without what a terminal would obey, and not longer than a few lines."""
    return "".join(c if c.isprintable() else "?" for c in str(text))[:500]


def write(path, data):
    """A file beside its place, renamed when it is whole."""
    directory = os.path.dirname(path) or "."
    os.makedirs(directory, exist_ok=True)
    handle, new = tempfile.mkstemp(dir=directory, prefix=".kdiag-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(new, 0o644)
        os.replace(new, path)
    except BaseException:
        os.unlink(new)
        raise
