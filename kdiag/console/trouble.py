"""What an exception is really about: an interrupt, or too little of something; neither is a defect."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was raised for."""
    cause: BaseException | None = error
    for _ in range(10):
        if cause is None:
            return
        yield cause
        cause = cause.__cause__ or cause.__context__


def interrupt(error: BaseException) -> KeyboardInterrupt | None:
    """The interrupt that an error was made of: before Python 3.12 one that comes while a class is made, in a
    `__set_name__`, becomes a RuntimeError.
    """
    return next((cause for cause in _chain(error) if isinstance(cause, KeyboardInterrupt)), None)


def shortage(error: BaseException) -> str:
    """What this process has too little of, in a sentence, if that is why it failed; "" if it is not."""
    for cause in _chain(error):
        number = cause.errno if isinstance(cause, OSError) else None
        words = str(cause) if isinstance(cause, (ImportError, RuntimeError)) or _packs(cause) else ""
        # What the dynamic linker says of a library that has no room (glibc, elf/dl-map-segments.h) is no OSError.
        if (
            isinstance(cause, MemoryError)
            or number == errno.ENOMEM
            or "annot allocate memory" in words
            or "failed to map segment" in words
            or "not enough memory" in words
        ):
            return f"there is too little memory for this command{_limit('RLIMIT_AS', 'ulimit -v')}"
        if number in (errno.EMFILE, errno.ENFILE) or "Too many open files" in words:
            return f"too few files may be open at a time{_limit('RLIMIT_NOFILE', 'ulimit -n')}"
        if "start new thread" in words:
            return f"no thread can be started{_limit('RLIMIT_NPROC', 'ulimit -u')}"
    return ""


#: What kdiag imports and does not bring, and its own checks, which lie beside it: the names that Python knows them by.
_REQUIRED = frozenset({"typer", "click", "rich", "elftools", "tabulate", "jinja2", "tomli", "kdiag_checks"})


def missing(error: BaseException) -> str:
    """The required package that this Python lacks, in a sentence, if that is why it failed; "" if it is not."""
    for cause in _chain(error):
        name = (cause.name or "").partition(".")[0] if isinstance(cause, ModuleNotFoundError) else ""
        if name in _REQUIRED:
            return (
                f"{sys.executable or 'this Python'} lacks the package {name}, which kdiag requires: install kdiag with "
                "pip (in a checkout: pip install .), or use the stand-alone build, which requires no Python"
            )
    return ""


def _packs(error: BaseException) -> bool:
    """Whether it is an error of the compressors, which have words of their own for it."""
    return type(error).__module__.partition(".")[0] in ("zstandard", "zstd", "compression", "_zstd")


def _limit(name: str, command: str) -> str:
    """The limit of this process, as the shell that set it shows it."""
    try:
        import resource
    except ImportError:  # for the same reason
        return ""
    soft = resource.getrlimit(getattr(resource, name))[0]
    if soft == resource.RLIM_INFINITY:
        return ""
    return f": the limit is {soft // 1024 if name == 'RLIMIT_AS' else soft} ({command})"
