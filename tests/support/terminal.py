"""What a program writes to a terminal of its own."""

from __future__ import annotations

import os
import pty
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.waiting import HANG


def shown(
    command: Sequence[str], env: Mapping[str, str], *, cwd: Path | None = None, reads: bool = False
) -> bytes:
    """All that it writes there, its errors too. reads: whether the terminal is also what it reads from."""
    master, slave = pty.openpty()
    process = subprocess.Popen(
        command,
        cwd=cwd,
        env=env,
        stdin=slave if reads else subprocess.DEVNULL,
        stdout=slave,
        stderr=slave,
        start_new_session=True,
    )
    os.close(slave)
    text = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:
            break
        if not piece:
            break
        text += piece
    process.wait(timeout=HANG)
    os.close(master)
    return text
