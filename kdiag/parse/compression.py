"""Bounded decompression of whatever a kernel, a module or a config is packed in, chosen by its magic
number.

Output is produced in chunks and counted, so a bomb costs no more memory than the caller allowed. Bytes
after the end of the compressed stream are ignored: kernel images append the uncompressed size there
(scripts/Makefile.lib, `size_append`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from kdiag.parse.errors import ParseError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Protocol

    class _Decoder(Protocol):
        """The face of lzma.LZMADecompressor, which bz2's and Python 3.14's zstd decompressors share."""

        @property
        def eof(self) -> bool: ...
        @property
        def needs_input(self) -> bool: ...
        @property
        def unused_data(self) -> bytes: ...
        def decompress(self, data: bytes, max_length: int = -1) -> bytes: ...


# Longest first where one is the beginning of another. The kernel's own table is lib/decompress.c.
_MAGICS: tuple[tuple[bytes, str], ...] = (
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x1f\x8b\x08", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x02\x21\x4c\x18", "lz4"),  # the legacy frame, `lz4 -l`: the only one that kernel images use
    (b"\x04\x22\x4d\x18", "lz4-frame"),
    (b"\x89LZO\x00\r\n\x1a\n", "lzo"),
    (b"BZh", "bzip2"),
    (b"\x5d\x00\x00", "lzma"),
)

_INPUT_STEP = 64 << 10
_MAX_STREAMS = 1024  # concatenated streams; more is not a kernel but an attack on our time
_MEMORY_LIMIT = 256 << 20  # scripts/xz_wrap.sh uses dictionaries of up to 128 MiB
_LZ4_BLOCK = 8 << 20  # uncompressed size of a legacy block, the last one may be shorter


class Unsupported(ParseError):
    """A format that is recognised and cannot be read here; `package` names what would help, None if nothing
    would.
    """

    def __init__(self, message: str, package: str | None = None) -> None:
        super().__init__(message)
        self.package = package


def identify(data: bytes) -> str | None:
    """Name of the compression by magic number: gzip, xz, lzma, bzip2, zstd, lz4, lz4-frame or lzo; None if
    none.
    """
    return next((name for magic, name in _MAGICS if data.startswith(magic)), None)


def decompress(data: bytes, *, limit: int) -> bytes:
    """The whole uncompressed content; data without a known magic number comes back as it is.

    ParseError when it is damaged, ends early, or is larger than `limit` bytes; Unsupported (a ParseError)
    when the format is known but cannot be read here.
    """
    if identify(data) is None:
        if len(data) > limit:
            raise ParseError(f"larger than the limit of {limit} bytes")
        return data
    return b"".join(stream(data, limit=limit))


def stream(data: bytes, *, limit: int, chunk: int = 1 << 20) -> Iterator[bytes]:
    """The uncompressed content in pieces of about `chunk` bytes (zstd through the `zstandard` package and
    lz4 in larger ones, at most 32 MiB); errors as in `decompress`, raised when reading gets there.
    """
    kind = identify(data)
    if kind is None:
        raise ParseError("not compressed in any known format", 0)
    pieces = _lz4_legacy(data) if kind == "lz4" else _decode(data, kind, chunk)
    total = 0
    for piece in pieces:
        total += len(piece)
        if total > limit:
            raise ParseError(f"{kind} data decompresses to more than the limit of {limit} bytes")
        yield piece


class Decoder:
    """Decompresses one stream step by step."""

    def __init__(self, kind: str) -> None:
        """Raises Unsupported."""
        make, errors = _decoder_for(kind)
        self._kind, self._inner = kind, make()
        self._damaged: tuple[type[Exception], ...] = (*errors, EOFError, MemoryError)

    @property
    def eof(self) -> bool:
        """Whether the stream has ended."""
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        """Whether nothing is left to decompress of what was given."""
        return self._inner.needs_input

    @property
    def unused_data(self) -> bytes:
        """What stood behind the end of the stream."""
        return self._inner.unused_data

    def decompress(self, data: bytes, most: int, at: int | None = None) -> bytes:
        """Up to `most` bytes, perhaps none. at: the place of the data. Raises ParseError for damaged data."""
        try:
            return self._inner.decompress(data, most)
        except self._damaged as error:
            raise ParseError(f"{self._kind} data is damaged: {error}", at) from None


def _decode(data: bytes, kind: str, chunk: int) -> Iterator[bytes]:
    """Feed a decoder step by step, through concatenated streams of the same kind."""
    view, position, streams = memoryview(data), 0, 1
    decoder, stalled = Decoder(kind), False
    while True:
        piece = b""
        if decoder.needs_input or stalled:
            piece = bytes(view[position : position + _INPUT_STEP])
            position += len(piece)
        output = decoder.decompress(piece, chunk, position - len(piece))
        if output:
            yield output
        if decoder.eof:
            position = _next_stream(data, position - len(decoder.unused_data), kind)
            streams += 1
            if position < 0:
                return
            if streams > _MAX_STREAMS:
                raise ParseError(f"more than {_MAX_STREAMS} concatenated {kind} streams", position)
            decoder, stalled = Decoder(kind), False
            continue
        stalled = not output and not piece
        if stalled and position >= len(data):
            raise ParseError(f"{kind} data ends early", len(data))


class Length:
    """Finds where a compressed stream ends that others may follow. What is decompressed is not kept."""

    def __init__(self, kind: str, limit: int) -> None:
        """limit: of the uncompressed bytes. Raises Unsupported."""
        self._kind, self._limit = kind, limit
        self._decoder = Decoder(kind)
        self._fed = self._made = 0

    def feed(self, data: bytes) -> int | None:
        """The stream's length once its end was in `data`, else None. ParseError where it is damaged or too large."""
        self._fed += len(data)
        while True:
            made = len(self._decoder.decompress(data, 1 << 20, self._fed - len(data)))
            self._made += made
            if self._decoder.eof:
                return self._fed - len(self._decoder.unused_data)
            if self._made > self._limit:
                raise ParseError(f"{self._kind} data decompresses to more than {self._limit} bytes")
            if self._decoder.needs_input or not made:
                return None
            data = b""


def _next_stream(data: bytes, end: int, kind: str) -> int:
    """Where the next stream of the same kind starts, -1 if what follows is nothing or something else."""
    if kind == "xz":  # streams may be padded with zeros
        while data[end : end + 4] == b"\0\0\0\0":
            end += 4
    return end if identify(data[end : end + 16]) == kind else -1


def _decoder_for(kind: str) -> tuple[Callable[[], _Decoder], tuple[type[Exception], ...]]:
    """What makes a decoder of that kind, and the exceptions it raises for damaged data."""
    if kind == "gzip":
        import zlib

        return _Gzip, (zlib.error,)
    if kind in ("xz", "lzma"):
        import lzma

        form = lzma.FORMAT_XZ if kind == "xz" else lzma.FORMAT_ALONE
        return lambda: lzma.LZMADecompressor(form, memlimit=_MEMORY_LIMIT), (lzma.LZMAError,)
    if kind == "bzip2":
        import bz2

        return bz2.BZ2Decompressor, (OSError, ValueError)
    if kind == "zstd":
        return _zstd()
    raise Unsupported(f"{kind}-compressed, which is not supported")


def _zstd() -> tuple[Callable[[], _Decoder], tuple[type[Exception], ...]]:
    """Python 3.14's own module where it is, else the package; both are optional to us."""
    try:
        from compression import zstd
    except ImportError:
        pass
    else:
        return zstd.ZstdDecompressor, (zstd.ZstdError,)
    try:
        import zstandard
    except ImportError:
        raise Unsupported(
            "zstd-compressed, and this Python has neither compression.zstd nor the package 'zstandard'",
            package="zstandard",
        ) from None
    return _Zstandard, (zstandard.ZstdError,)


class _Gzip:
    """zlib's decompressor with the face of lzma's; zlib itself checks gzip's CRC and length."""

    def __init__(self) -> None:
        import zlib

        self._inner = zlib.decompressobj(wbits=31)  # 31: a gzip header and nothing else

    @property
    def eof(self) -> bool:
        return self._inner.eof

    @property
    def needs_input(self) -> bool:
        return not self._inner.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        return self._inner.decompress(self._inner.unconsumed_tail + data, max(max_length, 0))


class _Zstandard:
    """The `zstandard` package with the face of lzma's decompressor.

    Its own objects cannot limit their output, and its stream reader does not tell a truncated frame from a
    whole one. A block needs four bytes to make 128 KiB, so feeding 1 KiB at a time makes at most 32 MiB a
    step.
    """

    _STEP = 1 << 10

    def __init__(self) -> None:
        import zstandard

        self._inner = zstandard.ZstdDecompressor().decompressobj()
        self._pending = b""

    @property
    def eof(self) -> bool:
        return bool(self._inner.eof)

    @property
    def needs_input(self) -> bool:
        return not self._pending

    @property
    def unused_data(self) -> bytes:
        return self._inner.unused_data + self._pending

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        waiting = memoryview(self._pending + data)
        output: list[bytes] = []
        made = position = 0
        while position < len(waiting) and not self._inner.eof and (max_length < 0 or made < max_length):
            output.append(self._inner.decompress(bytes(waiting[position : position + self._STEP])))
            made += len(output[-1])
            position += self._STEP
        self._pending = bytes(waiting[position:])
        return b"".join(output)


def _lz4_legacy(data: bytes) -> Iterator[bytes]:
    """Blocks of an `lz4 -l` stream, each preceded by its length (lz4's doc/lz4_Frame_format.md, "Legacy
    frame").
    """
    position = 4
    while position + 4 < len(data):  # four bytes at the very end are the size that kernel images append
        length = int.from_bytes(data[position : position + 4], "little")
        position += 4
        if length == 0x184C2102:  # the magic number again: a concatenated stream
            continue
        if length > len(data) - position:
            raise ParseError("lz4 data ends early or is damaged", position - 4)
        block = _lz4_block(data[position : position + length], position)
        yield block
        position += length
        if len(block) < _LZ4_BLOCK and data[position : position + 4] != b"\x02\x21\x4c\x18":
            break  # only the last block is not full; the format has no other end


def _lz4_block(block: bytes, offset: int) -> bytes:
    """One block (lz4's doc/lz4_Block_format.md); `offset` is where it starts, for messages."""
    output = bytearray()
    at, size = 0, len(block)
    try:
        while at < size:
            token = block[at]
            at, count = _lz4_length(block, at + 1, token >> 4)
            if count > size - at or len(output) + count > _LZ4_BLOCK:
                raise ParseError("lz4 data is damaged: literals out of bounds", offset + at)
            output += block[at : at + count]
            at += count
            if at == size:  # the last sequence has no match
                break
            distance = block[at] | block[at + 1] << 8
            at, count = _lz4_length(block, at + 2, token & 15)
            count += 4
            start = len(output) - distance
            if not distance or start < 0 or len(output) + count > _LZ4_BLOCK:
                raise ParseError("lz4 data is damaged: match out of bounds", offset + at)
            if distance >= count:
                output += output[start : start + count]
            else:  # overlapping: a repeated pattern
                output += (output[start:] * (count // distance + 1))[:count]
    except IndexError:
        raise ParseError("lz4 data is damaged: a block ends inside a sequence", offset + size) from None
    return bytes(output)


def _lz4_length(block: bytes, at: int, count: int) -> tuple[int, int]:
    """The position after a length whose first four bits are `count`, and the length."""
    if count == 15:
        while block[at] == 255:
            count += 255
            at += 1
        count += block[at]
        at += 1
    return at, count
