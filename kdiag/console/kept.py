"""The beginning and the end of a stream, in bounded memory."""

from __future__ import annotations

#: Bytes that are kept: the first complaint is often the cause, the last one why a command ended.
HEAD, TAIL = 1 << 18, 1 << 20


class Kept:
    """What was added first and last. dropped: bytes between the two."""

    def __init__(self, head: int = HEAD, tail: int = TAIL) -> None:
        self._sizes = head, tail
        self._head, self._tail = bytearray(), bytearray()
        self._gone = 0

    def add(self, data: bytes) -> None:
        """The next bytes of the stream."""
        head, tail = self._sizes
        begin = max(0, head - len(self._head))
        self._head += data[:begin]
        self._tail += data[begin:]
        if len(self._tail) > 2 * tail:
            self._gone += len(self._tail) - tail
            del self._tail[:-tail]

    @property
    def dropped(self) -> int:
        """Bytes that are not in the text."""
        return self._gone + max(0, len(self._tail) - self._sizes[1])

    def text(self) -> bytes:
        """Both parts, on lines of their own where something between them is left out."""
        if not self.dropped:
            return bytes(self._head + self._tail)
        return bytes(self._head) + b"\n" + bytes(self._tail[-self._sizes[1] :])
