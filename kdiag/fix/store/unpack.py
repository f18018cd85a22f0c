"""Writing the members of a headers archive below one directory, each judged before anything is written.

Nothing in the archive is trusted: it may come from a module file that another user gave to the machine. Files and
directories are made relative to open directories, through no link, and never over something that exists; links are
made last, so that nothing can be written through them, and only if they stay inside. Modes and owners in the archive
are not looked at.
"""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Callable, Generator, Iterable, Iterator

from kdiag.parse import tarstream
from kdiag.parse.errors import ParseError

#: 6.12's archive has 7,022 members, the largest of them 357 kB, at a depth of 7. Directories that a name merely
#: implies count as well: each is made.
MEMBER_LIMIT = 50_000
FILE_LIMIT = 16 << 20
DEPTH_LIMIT = 32
#: Open directories at a time; the soft limit on descriptors is often 1024, on some systems 256.
_OPEN_LIMIT = 64

#: Larger pieces cost memory, smaller ones turns of the two threads.
_PIECE = 2 << 20
#: xz -9 takes 65 MiB; the kernel is compressed with less.
_DECODER_MEMORY = 256 << 20
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def write(archive: bytes, size: int, root: int, progress: Callable[[int, int], None] | None = None) -> None:
    """Unpack the xz-compressed tar, of `size` bytes unpacked, into the empty directory open as `root`.

    progress: called with the bytes unpacked so far, and `size`. Raises ParseError for an archive that is damaged or
    holds anything that kernel headers do not, OSError where the system refuses.
    """
    tree = _Tree(root)
    with contextlib.closing(_ahead(_unpacked(archive, size))) as pieces:
        tape = _Tape(_told(pieces, size, progress))
        try:
            for count, member in enumerate(tarstream.members(tape), 1):
                if count > MEMBER_LIMIT:
                    raise ParseError(f"more than {MEMBER_LIMIT} members in the archive")
                tree.add(member, tape.content)
            # The checksum stands at the end.
            tape.drain()
            tree.add_links()
        finally:
            tree.close()


class _Tape(tarstream.Tape):
    """A tape that keeps, instead of skipping, the content of the member it has just passed.

    Padding is included, and nothing copied.
    """

    def __init__(self, pieces: Iterable[bytes]) -> None:
        super().__init__(pieces)
        self.content: list[memoryview] = []

    def skip(self, size: int) -> None:
        if size > FILE_LIMIT:
            raise ParseError(f"a file of {size} bytes in the archive", self.position)
        self.content = kept = []
        while True:
            part = memoryview(self._piece)[self._at : self._at + size]
            kept.append(part)
            self._at += len(part)
            self.position += len(part)
            size -= len(part)
            if not size:
                return
            self._next()


class _Tree:
    """What was made so far below `root`: the kind of each name, and some directories kept open."""

    def __init__(self, root: int) -> None:
        self._root = root
        self._kinds: dict[str, str] = {}
        self._open: dict[str, int] = {"": root}
        self._links: list[tuple[str, str]] = []

    def close(self) -> None:
        """Close the directories that were opened here."""
        while len(self._open) > 1:
            os.close(self._open.popitem()[1])

    def add(self, member: tarstream.Member, content: list[memoryview]) -> None:
        """Make what the member says, if it is fit to be made."""
        name, kind = member.name, member.kind
        if kind == "dir" and name == ".":
            return
        _check_name(name)
        if name in self._kinds and not (kind == "dir" and self._kinds[name] == "parent"):
            raise ParseError(f"{name} is in the archive twice")
        if kind not in ("file", "dir", "link") or member.hard:
            what = "a hard link" if member.hard else "a device, a FIFO or another special file"
            raise ParseError(f"{name} is {what}: headers archives have none")
        if len(self._open) > _OPEN_LIMIT:
            self.close()
        above, _, leaf = name.rpartition("/")
        parent = self._directory(above)
        if kind == "file":
            self._write(name, leaf, parent, member.size, content)
        elif kind == "link":
            self._links.append((name, member.target))
        elif name not in self._kinds:
            self._make(name, leaf, parent)
        self._note(name, kind)

    def _note(self, name: str, kind: str) -> None:
        self._kinds[name] = kind
        if len(self._kinds) > MEMBER_LIMIT:
            raise ParseError(f"more than {MEMBER_LIMIT} files and directories in the archive")

    def _directory(self, name: str) -> int:
        """A descriptor of the directory, made now if the archive has not said that it is one."""
        if name in self._open:
            return self._open[name]
        above, _, leaf = name.rpartition("/")
        parent = self._directory(above)
        kind = self._kinds.get(name)
        if kind is None:
            self._make(name, leaf, parent)
            self._note(name, "parent")
        elif kind in ("file", "link"):
            raise ParseError(f"something in the archive lies below {name}, which is a {kind}")
        found = self._open[name] = os.open(leaf, _DIRECTORY, dir_fd=parent)
        return found

    def _make(self, name: str, leaf: str, parent: int) -> None:
        with _clashes(name):
            os.mkdir(leaf, 0o755, dir_fd=parent)

    def _write(self, name: str, leaf: str, parent: int, size: int, content: list[memoryview]) -> None:
        with _clashes(name):
            fd = os.open(leaf, _NEW_FILE, 0o644, dir_fd=parent)
        try:
            for part in content:
                if not size:
                    break
                rest = part[:size]
                size -= len(rest)
                while rest:
                    rest = rest[os.write(fd, rest) :]
        finally:
            os.close(fd)

    def add_links(self) -> None:
        """Make the links, all of which must stay inside whatever is on their way."""
        # Folded, for file systems that do not distinguish upper and lower case.
        links = {name.lower() for name, _ in self._links}
        for name, target in self._links:
            _check_target(name, target, links)
        for name, target in self._links:
            above, _, leaf = name.rpartition("/")
            if len(self._open) > _OPEN_LIMIT:
                self.close()
            with _clashes(name):
                os.symlink(target, leaf, dir_fd=self._directory(above))


@contextlib.contextmanager
def _clashes(name: str) -> Iterator[None]:
    """Names that are there although we have not made them.

    6.12's archive has eight pairs like xt_DSCP.h and xt_dscp.h.
    """
    try:
        yield
    except FileExistsError:
        text = f"this file system does not distinguish {name} from another name in other case"
        raise OSError(errno.EEXIST, text) from None


def _check_name(name: str) -> None:
    """Names that are not plain relative paths of printable ASCII are none of a kernel's."""
    if not (name.isascii() and name.isprintable()):
        raise ParseError(f"a name in the archive is not plain text: {name[:200]!a}")
    parts = name.split("/")
    if "" in parts or "." in parts or ".." in parts:
        raise ParseError(f"a name in the archive does not stay inside: {name[:200]!a}")
    if len(parts) > DEPTH_LIMIT or max(map(len, parts)) > 255:
        raise ParseError(f"a name in the archive is too long: {name[:200]!a}...")


def _check_target(name: str, target: str, links: set[str]) -> None:
    """A target is followed in words, which is what the kernel will do as long as no other link is on the way."""
    if not target or target.startswith("/") or not (target.isascii() and target.isprintable()):
        raise ParseError(f"the link {name} leads to {target[:200]!a}")
    place = name.split("/")[:-1]
    steps = [step for step in target.split("/") if step not in ("", ".")]
    for index, step in enumerate(steps):
        if step != "..":
            place.append(step)
        elif place:
            place.pop()
        else:
            raise ParseError(f"the link {name} leads out of the archive: {target[:200]!a}")
        if index < len(steps) - 1 and "/".join(place).lower() in links:
            raise ParseError(f"the link {name} leads through another link: {target[:200]!a}")


def _unpacked(archive: bytes, size: int) -> Iterator[bytes]:
    """The tar inside, in large pieces: at most `size` bytes, and less is an error as well (liblzma checks its index).

    kdiag.parse.compression feeds its decoders 64 KiB at a time, which here means a turn of the threads each.
    """
    import lzma

    decoder = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_DECODER_MEMORY)
    data, left = archive, size
    while not decoder.eof:
        try:
            piece = decoder.decompress(data, _PIECE)
        except lzma.LZMAError as error:
            raise ParseError(f"the xz archive is damaged: {error}") from None
        data, left = b"", left - len(piece)
        if left < 0:
            raise ParseError(f"the xz archive holds more than the {size} bytes that its index states")
        if not piece and decoder.needs_input and not decoder.eof:
            raise ParseError("the xz archive ends early")
        yield piece
    if decoder.unused_data:
        raise ParseError("something follows the xz archive")


def _told(pieces: Iterable[bytes], size: int, progress: Callable[[int, int], None] | None) -> Iterator[bytes]:
    done = 0
    for piece in pieces:
        yield piece
        done += len(piece)
        if progress is not None:
            progress(done, size)


def _ahead(pieces: Iterable[bytes], depth: int = 4) -> Generator[bytes, None, None]:
    """The same pieces, made by a thread that is up to `depth` of them ahead.

    liblzma works without the interpreter's lock.
    """
    from queue import SimpleQueue
    from threading import Semaphore, Thread

    line: SimpleQueue[bytes | BaseException | None] = SimpleQueue()
    room = Semaphore(depth)
    over = False

    def work() -> None:
        end: BaseException | None = None
        try:
            for piece in pieces:
                room.acquire()
                if over:
                    return
                line.put(piece)
        except BaseException as error:  # it belongs to the reader
            end = error
        line.put(end)

    thread = Thread(target=work, name="decompress", daemon=True)
    thread.start()
    try:
        while (piece := line.get()) is not None:
            if isinstance(piece, BaseException):
                raise piece
            room.release()
            yield piece
    finally:
        over = True
        room.release()
        thread.join()
