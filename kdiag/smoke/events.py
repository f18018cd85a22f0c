"""The process that causes events: run on its own as `python -I -S -c <this file> COMM NAME`, never imported by kdiag.

It takes the name COMM, prints `ready PID PORT LABEL` (its listening TCP port on the loopback, the name of the file
that `open` opens), and then does whatever each line of its input names, answering `ok ...` or `error ...`. At the
end of its input it ends. Runs on any Python 3.7 or later, with nothing but the standard library.
"""

from __future__ import annotations

import _thread
import contextlib
import gc
import mmap
import os
import socket
import struct
import sys
import time

_MOMENT = 0.06  # seconds: several samples of a 99 Hz profile
#: bpf(2), by `uname -m` (<asm/unistd.h>)
_BPF = {
    **dict.fromkeys(("x86_64",), 321),
    **dict.fromkeys(("aarch64", "riscv64", "loongarch64"), 280),
    **dict.fromkeys(("armv6l", "armv7l", "armv8l"), 386),
    **dict.fromkeys(("i386", "i486", "i586", "i686"), 357),
    **dict.fromkeys(("ppc", "ppc64", "ppc64le"), 361),
    "s390x": 351,
}
_FAULTING = 1 << 24  # bytes: at least 256 page faults, with pages of 64 KiB too


def take_name(comm: str) -> None:
    """Be called `comm` (at most 15 bytes), by which scripts find this process even in a PID namespace."""
    try:
        with open("/proc/self/comm", "w") as out:
            out.write(comm)
    except OSError:
        import ctypes

        ctypes.CDLL(None).prctl(15, comm.encode(), 0, 0, 0)  # PR_SET_NAME


def listen() -> tuple[socket.socket | None, str]:
    """A listening socket on the loopback, whose port no other process has; the reason where connections fail."""
    problem = ""
    for family, address in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
        try:
            server = socket.socket(family, socket.SOCK_STREAM)
            server.settimeout(1.0)
            server.bind((address, 0))
            server.listen(4)
            connect(server)
            return server, ""
        except OSError as error:
            problem = problem or f"no TCP connection over the loopback: {error}"
    return None, problem


def connect(server: socket.socket) -> None:
    """One connection to ourselves."""
    with socket.socket(server.family, socket.SOCK_STREAM) as client:
        client.settimeout(1.0)
        client.connect(server.getsockname())
        server.accept()[0].close()


def own_file(name: str) -> tuple[int, str]:
    """A descriptor of a file that only we have, and its path, or its name where it has no path."""
    for flags in (0x0008, 0x0001):  # MFD_NOEXEC_SEAL (vm.memfd_noexec=2 insists on it), else MFD_CLOEXEC
        with contextlib.suppress(AttributeError, OSError):
            return os.memfd_create(name, flags), f"memfd:{name}"
    import tempfile

    return tempfile.mkstemp(prefix=f"{name}-")


class Actions:
    """A method per action; the text that it returns is the answer."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.server, self.no_server = listen()
        self.port: int = self.server.getsockname()[1] if self.server else 0
        self.root = os.open("/", os.O_RDONLY)
        self.file, place = own_file(name)
        self.temporary = place.startswith("/")
        self.path = place if self.temporary else f"/proc/self/fd/{self.file}"
        self.label = os.path.basename(place)
        self.block = bytearray(1 << 20)
        self.held = -1

    def openat(self) -> None:
        # With a directory descriptor it is openat(2) with every libc: musl's plain open() is another call.
        with contextlib.suppress(FileNotFoundError):
            os.close(os.open(self.name, os.O_RDONLY, dir_fd=self.root))

    def open(self) -> None:
        os.close(os.open(self.path, os.O_RDONLY))

    def tcp(self) -> None:
        if self.server is None:
            raise OSError(self.no_server)
        connect(self.server)

    def fork(self) -> str:
        pid = os.fork()
        if not pid:
            os._exit(0)
        os.waitpid(pid, 0)
        return str(pid)

    def execute(self) -> None:
        pid = os.fork()
        if not pid:
            try:
                os.execv(f"/nonexistent/{self.name}", [self.name])  # noqa: S606  it is not there: execve fails
            finally:
                os._exit(0)
        os.waitpid(pid, 0)

    def snoop(self) -> None:
        """What opensnoop.bt and execsnoop.bt show."""
        self.openat()
        self.execute()

    def hold(self) -> None:
        """Load a program that is called as we are, and keep it. Names take no hyphens (kernel/bpf/syscall.c)."""
        import ctypes

        number = _BPF.get(os.uname().machine)
        if number is None:
            raise OSError(f"the number of bpf(2) on {os.uname().machine} is not known")
        # r0 = 0; exit
        code = ctypes.create_string_buffer(struct.pack("=BBhiBBhi", 0xB7, 0, 0, 0, 0x95, 0, 0, 0))
        licence = ctypes.create_string_buffer(b"GPL")
        name = self.name.rpartition("-")[0].replace("-", "_").encode()
        # union bpf_attr for BPF_PROG_LOAD: a socket filter, two instructions
        attr = struct.pack(
            "=IIQQIIQII16s", 1, 2, ctypes.addressof(code), ctypes.addressof(licence), 0, 0, 0, 0, 0, name
        )
        fd = ctypes.CDLL(None, use_errno=True).syscall(
            number, 5, ctypes.create_string_buffer(attr), len(attr)
        )
        if fd < 0:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error))
        self.held = fd

    def getppid(self) -> None:
        os.getppid()

    def usdt(self) -> None:
        """What passes the probes that `kdiag.smoke.programs.usdt` knows: a new thread, a garbage collection."""
        done = _thread.allocate_lock()
        done.acquire()
        _thread.start_new_thread(done.release, ())
        done.acquire()
        gc.collect()

    def compute(self) -> None:
        end = time.monotonic() + _MOMENT
        while time.monotonic() < end:
            pass

    def read(self) -> None:
        with open("/dev/zero", "rb", buffering=0) as zero:
            zero.read(1)

    def stay_in_kernel(self) -> None:
        # Big blocks: nearly all the time is spent below vfs_read.
        end = time.monotonic() + _MOMENT
        with open("/dev/zero", "rb", buffering=0) as zero:
            while time.monotonic() < end:
                zero.readinto(self.block)

    def disk(self) -> None:
        """Read from a disk, past all caches."""
        disks = [name for name in os.listdir("/sys/block") if os.path.exists(f"/sys/block/{name}/device")]
        problem = OSError("there is no disk here to read from")
        with mmap.mmap(-1, mmap.PAGESIZE) as memory:
            for name in disks:
                try:
                    fd = os.open(f"/dev/{name}", os.O_RDONLY | os.O_DIRECT)
                except OSError as error:
                    problem = error
                    continue
                try:
                    os.preadv(fd, [memory], 0)
                    return
                except OSError as error:
                    problem = error
                finally:
                    os.close(fd)
        raise problem

    def fault(self) -> None:
        with mmap.mmap(-1, _FAULTING, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS) as memory:
            if hasattr(memory, "madvise"):
                with contextlib.suppress(OSError):  # a kernel without huge pages
                    memory.madvise(mmap.MADV_NOHUGEPAGE)
            for place in range(0, _FAULTING, mmap.PAGESIZE):
                memory[place] = 1


def main() -> None:
    comm, name = sys.argv[1:3]
    take_name(comm)
    actions = Actions(name)
    try:
        print("ready", os.getpid(), actions.port, actions.label, flush=True)
        for line in iter(sys.stdin.readline, ""):
            try:
                answer = getattr(actions, line.strip())() or ""
            except OSError as error:
                print("error", str(error).replace("\n", " "), flush=True)
            else:
                print("ok", answer, flush=True)
    finally:
        if actions.temporary:
            os.unlink(actions.path)


if __name__ == "__main__":
    main()
