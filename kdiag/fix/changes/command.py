"""Running a program that changes the machine: found in trusted directories, bounded in time, its whole group
ended on time-out.
"""

from __future__ import annotations

import os
import signal
import subprocess

from kdiag.fix.context import Context
from kdiag.fix.errors import FixError
from kdiag.system.commands import OUTPUT_LIMIT, kill
from kdiag.trust.owner import Untrusted
from kdiag.trust.program import start
from kdiag.trust.search import find

#: What such programs get of our environment: nothing but what they need to reach a package mirror.
_KEEP = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "HOME", "TERM")


def locate(name: str, context: Context) -> str | None:
    """Where the program is, None if nowhere."""
    return find(name, context.path)


def run(argv: tuple[str, ...], context: Context, limit: float) -> tuple[int, str]:
    """Exit status and what was printed (both streams, the last megabyte). argv[0] is a name, looked for along
    `context.path`.

    The child keeps the lock's descriptor, so that no other fix starts while it is on its way, whatever happens
    to us. Raises FixError if it is not there, not to be trusted, or does not end within `limit` seconds.
    """
    program = locate(argv[0], context)
    if program is None:
        raise FixError(f"{argv[0]} is not installed", f"looked in {context.path.replace(':', ', ')}")
    try:
        process = start(
            (program, *argv[1:]),
            judge=True,
            env=_environment(context),
            stderr=subprocess.STDOUT,
            pass_fds=() if context.inherit is None else (context.inherit,),
            cwd="/",
        )
    except Untrusted as error:
        raise FixError(f"{program} is not run: {error}") from None
    except OSError as error:
        raise FixError(f"{program} cannot be started: {os.strerror(error.errno or 0)}") from None
    try:
        output, _ = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        kill(process)
        raise FixError(
            f"{' '.join((program, *argv[1:]))} did not end within {limit:g} s and was killed"
        ) from None
    except BaseException:
        _interrupt(process)
        raise
    return process.returncode, output[-OUTPUT_LIMIT:].decode("utf-8", "replace")


#: How apt ends when it was dpkg that failed; dpkg's own words stand somewhere before.
DPKG_FAILED = "E: Sub-process "


def last_line(output: str) -> str:
    """The last line that says something."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    if lines and lines[-1].startswith(DPKG_FAILED):
        told = [i for i, line in enumerate(lines) if line.startswith("dpkg: error")]
        if told and lines[told[0]].endswith(":"):  # the reason stands below the package's name
            return " ".join(lines[told[0] : told[0] + 2])[:300]
        lines = [lines[i] for i in told] or lines
    return lines[-1][:300] if lines else "it printed nothing"


def _environment(context: Context) -> dict[str, str]:
    kept = {name: os.environ[name] for name in _KEEP if name in os.environ}
    return {**kept, "PATH": context.path, "LC_ALL": "C", "DEBIAN_FRONTEND": "noninteractive"}


def _interrupt(process: subprocess.Popen[bytes]) -> None:
    """We are being interrupted: let it end in its own way (a package manager's state depends on it), then end
    it.
    """
    try:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=10.0)
    except (ProcessLookupError, PermissionError):
        pass
    except subprocess.TimeoutExpired:
        kill(process)
