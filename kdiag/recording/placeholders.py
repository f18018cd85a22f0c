"""What stands for a secret in a recording: values without an owner.

Addresses reserved for documentation (RFC 5737, RFC 3849, RFC 7042), `host-1`, `user-1`. They are left alone when a
redacted recording is redacted again.
"""

from __future__ import annotations

import re
from collections.abc import Callable

#: Names in the plural, for people.
KINDS = {
    "host": "host names",
    "user": "user names",
    "ipv4": "addresses",
    "ipv6": "addresses",
    "mac": "addresses",
    "uuid": "UUIDs",
    "id": "machine ids",
    "token": "tokens and values",
    "pointer": "kernel addresses",
}


def _documentation_address(number: int) -> str:
    """Of the three networks for documentation, then of the one for benchmarks (RFC 2544)."""
    if number <= 762:
        return f"{('192.0.2', '198.51.100', '203.0.113')[(number - 1) // 254]}.{(number - 1) % 254 + 1}"
    return f"198.18.{number >> 8 & 255}.{number & 255}"


PLACEHOLDERS: dict[str, Callable[[int], str]] = {
    "host": lambda n: f"host-{n}",
    "user": lambda n: f"user-{n}",
    "token": lambda n: f"redacted-{n}",
    "ipv4": _documentation_address,
    "ipv6": lambda n: f"2001:db8::{n:x}",
    "mac": lambda n: f"00:00:5e:00:53:{n & 255:02x}",
    "uuid": lambda n: f"00000000-0000-4000-8000-{n:012x}",
    "id": lambda n: f"{n:032x}",
    "pointer": lambda n: f"ffffffffff{n & 0xFFFFFF:06x}",
}
_OURS = {
    "host": re.compile(r"host-\d+"),
    "user": re.compile(r"user-\d+"),
    "token": re.compile(r"redacted-\d+"),
    "ipv4": re.compile(r"(?:192\.0\.2|198\.51\.100|203\.0\.113|198\.18\.\d+)\.\d+"),
    "ipv6": re.compile(r"2001:db8:.*", re.IGNORECASE),
    "mac": re.compile(r"00:00:5e:00:53:[0-9a-f]{2}"),
    "uuid": re.compile(r"00000000-0000-4000-8000-[0-9a-f]{12}"),
    "id": re.compile(r"0{24}[0-9a-f]{8}"),
    "pointer": re.compile(r"ffffffffff[0-9a-f]{6}"),
}


def is_placeholder(kind: str, value: str) -> bool:
    """Whether a value is one of ours."""
    return _OURS[kind].fullmatch(value) is not None
