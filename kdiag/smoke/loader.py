"""Loads one small CO-RE program with the libbpf that is installed, and tells what it saw. Run on its own, never
imported by kdiag, as `python -I -S -B -c <this file> LIBRARY version`, `... LIBRARY OBJECT NAME` or `... LIBRARY load`.

OBJECT: the object in base64. NAME: of the process whose events count. It prints `tracing` once the program is attached,
then `NAME seen N` whenever the number of events has grown; through a ring buffer `NAME ring N`; for an iterator, which
is a list and no event, `NAME listed`. It ends when it is interrupted. `load`: the object comes from standard input; it
is loaded and attached to nothing, and nothing but this process holds it, so that the kernel frees it when that ends.
Runs on any Python 3.7 or later, with libbpf 0.2 or newer (tools/lib/bpf/libbpf.h).
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import os
import resource
import signal
import sys
import time
from typing import Any

POINTER, TEXT = ctypes.c_void_p, ctypes.c_char_p
PAUSE = 0.02
#: what libbpf returns for an error in the place of a pointer, before 1.0 (include/linux/err.h)
MOST_ERRNO = 4095
PRINT = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, TEXT, POINTER)
SAMPLE = ctypes.CFUNCTYPE(ctypes.c_int, POINTER, POINTER, ctypes.c_size_t)
#: function -> what it returns, what it takes
FUNCTIONS = {
    "bpf_object__open_mem": (POINTER, (POINTER, ctypes.c_size_t, POINTER)),
    "bpf_object__load": (ctypes.c_int, (POINTER,)),
    "bpf_object__find_map_fd_by_name": (ctypes.c_int, (POINTER, TEXT)),
    "bpf_program__attach": (POINTER, (POINTER,)),
    "bpf_link__fd": (ctypes.c_int, (POINTER,)),
    "bpf_iter_create": (ctypes.c_int, (ctypes.c_int,)),
    "bpf_map_update_elem": (ctypes.c_int, (ctypes.c_int, POINTER, POINTER, ctypes.c_uint64)),
    "bpf_map_lookup_elem": (ctypes.c_int, (ctypes.c_int, POINTER, POINTER)),
    "ring_buffer__new": (POINTER, (ctypes.c_int, SAMPLE, POINTER, POINTER)),
    "ring_buffer__poll": (ctypes.c_int, (POINTER, ctypes.c_int)),
}


class Refused(Exception):
    """What libbpf or the kernel refused."""


class Library:
    """libbpf, with the errors of all its releases in one form."""

    def __init__(self, path: str) -> None:
        self.library = ctypes.CDLL(path, use_errno=True)
        for name, (result, arguments) in FUNCTIONS.items():
            function = getattr(self.library, name, None)
            if function is not None:
                function.restype, function.argtypes = result, arguments

    def version(self) -> str:
        """`1.1`; of a library that does not tell (before 0.6) only that it is older."""
        tell = getattr(self.library, "libbpf_version_string", None)
        if tell is None:
            return "older than 0.6"
        tell.restype = TEXT
        return str(tell().decode().lstrip("v"))

    def call(self, name: str, *arguments: object) -> Any:
        """A call that may fail: negative numbers (the errno, or -1 and errno) and such pointers are errors."""
        function = getattr(self.library, name, None)
        if function is None:
            raise Refused(f"this libbpf has no {name}()")
        answer = function(*arguments)
        if function.restype is POINTER:
            number = ctypes.get_errno() if not answer else (1 << 64) - answer if answer > 1 << 63 else 0
            if sys.maxsize < 1 << 32 and answer and answer > (1 << 32) - MOST_ERRNO:
                number = (1 << 32) - answer
            failed = not answer or 0 < number <= MOST_ERRNO
        else:
            failed = answer < 0
            number = ctypes.get_errno() if answer == -1 else -answer
        if failed:
            raise Refused(f"{name}: {os.strerror(number)} ({number})")
        return answer

    def first_program(self, opened: int) -> Any:
        """The object's only program: the function that goes through them was renamed in 0.7."""
        for name, arguments in (
            ("bpf_object__next_program", (POINTER(opened), None)),
            ("bpf_program__next", (None, POINTER(opened))),
        ):
            function = getattr(self.library, name, None)
            if function is not None:
                function.restype, function.argtypes = POINTER, (POINTER, POINTER)
                return function(*arguments)
        raise Refused("this libbpf cannot name an object's programs")


def lock_memory() -> None:
    """As BCC's libbpf-tools do: kernels before 5.11 count what maps and programs take, and libbpf before 1.0 leaves it
    to the program. Who may not keeps what there is.
    """
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


def trace(library: Library, image: bytes, name: str) -> None:
    """Load, attach, tell; until interrupted."""
    lock_memory()
    opened = library.call("bpf_object__open_mem", image, len(image), None)
    library.call("bpf_object__load", opened)
    counts = library.call("bpf_object__find_map_fd_by_name", opened, b"counts")
    key, number = ctypes.create_string_buffer(name.encode(), 16), ctypes.c_uint64()
    library.call("bpf_map_update_elem", counts, key, ctypes.byref(number), 0)
    link = library.call("bpf_program__attach", library.first_program(opened))
    ring, arrived = None, [0]

    def sample(_context: object, data: int, size: int) -> int:
        arrived[0] += ctypes.string_at(data, size).rstrip(b"\0") == name.encode()
        return 0

    callback = SAMPLE(sample)
    if b"ring\0" in image:
        place = library.call("bpf_object__find_map_fd_by_name", opened, b"ring")
        ring = library.call("ring_buffer__new", place, callback, None, None)
    print("tracing", flush=True)
    if b"iter/task" in image:
        list_tasks(library, link, name)
    before = (0, 0)
    while True:
        time.sleep(PAUSE)
        if ring is not None:
            library.call("ring_buffer__poll", ring, 0)
        library.call("bpf_map_lookup_elem", counts, key, ctypes.byref(number))
        now = (number.value, arrived[0])
        if now != before:
            before = now
            print(f"{name} seen {now[0]}" if ring is None else f"{name} ring {now[1]}", flush=True)


def load(library: Library) -> None:
    """Load what standard input has, and let it go."""
    lock_memory()
    image = sys.stdin.buffer.read()
    opened = library.call("bpf_object__open_mem", image, len(image), None)
    library.call("bpf_object__load", opened)
    print("loaded", flush=True)


def list_tasks(library: Library, link: int, name: str) -> None:
    """What an iterator gives, in records of sixteen bytes."""
    fd = library.call("bpf_iter_create", library.call("bpf_link__fd", link))
    names = b""
    while True:
        data = os.read(fd, 65536)
        if not data:
            break
        names += data
    if name.encode().ljust(16, b"\0") in (names[at : at + 16] for at in range(0, len(names), 16)):
        print(f"{name} listed", flush=True)


def main() -> int:
    signal.signal(signal.SIGINT, lambda *_: os._exit(0))
    path, what, *rest = sys.argv[1:]
    try:
        library = Library(path)
        if what == "version":
            print("libbpf", library.version())
            return 0
        if what == "load":
            load(library)
            return 0
        trace(library, base64.b64decode(what), rest[0])
    except OSError as error:
        print(f"{path}: {error}", file=sys.stderr)
    except Refused as error:
        sys.stderr.flush()
        print(f"kdiag: {error}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
