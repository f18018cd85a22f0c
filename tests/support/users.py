"""Being another user for a while."""

from __future__ import annotations

import os
from collections.abc import Callable

from tests.support.needs import need_root


def as_user(uid: int, work: Callable[[], str]) -> str:
    """What `work` returns when done by another user, in a child of this process."""
    need_root()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(read)
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            text = work()
        except BaseException as error:
            text = f"{type(error).__name__}: {error}"
        os.write(write, text.encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as answer:
        text = answer.read().decode()
    os.waitpid(child, 0)
    return text
