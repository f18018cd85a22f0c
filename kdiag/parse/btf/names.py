"""Which names are identifiers, as btf_name_valid_identifier() and btf_name_valid_section() of kernel/bpf/btf.c
see it: letters, those of Latin-1 too (lib/ctype.c), digits but not first, underscores and dots.
"""

from __future__ import annotations

import re
from itertools import repeat
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection

#: KSYM_NAME_LEN since kernel 6.1; 128 before.
LONGEST = 512
_LETTER = rb"A-Za-z_.\xc0-\xd6\xd8-\xf6\xf8-\xff"
_IDENTIFIER = re.compile(rb"[%b][0-9%b]{0,%d}\0" % (_LETTER, _LETTER, LONGEST - 1))
_PRINTABLE = re.compile(rb"[\x20-\x7e\xa0-\xff]{1,%d}\0" % LONGEST)


class Strings(NamedTuple):
    """A string section in `data`: its first string has the offset `start`; lower ones are in the base's."""

    data: bytes
    begin: int
    start: int
    base: Strings | None

    def bad_identifiers(self, offsets: Collection[int]) -> set[int]:
        """Those of these offsets where no identifier is."""
        shift, match, data = self.begin - self.start, _IDENTIFIER.match, self.data
        lower = {one for one in offsets if one < self.start} if self.start else set()
        places = (one + shift for one in offsets if one >= self.start)
        bad = set()
        if not all(map(match, repeat(data), places)):
            bad = {one for one in offsets if one >= self.start and match(data, one + shift) is None}
        return bad | self.base.bad_identifiers(lower) if self.base and lower else bad

    def is_printable(self, offset: int) -> bool:
        """Whether there is a name of printable characters, as a section's must be."""
        owner = self.owner(offset)
        return _PRINTABLE.match(owner.data, owner.begin + offset - owner.start) is not None

    def is_empty(self, offset: int) -> bool:
        """Whether there is the end of a string."""
        owner = self.owner(offset)
        return owner.data[owner.begin + offset - owner.start] == 0

    def owner(self, offset: int) -> Strings:
        """The section that has this offset."""
        owner = self
        while owner.base and offset < owner.start:
            owner = owner.base
        return owner
