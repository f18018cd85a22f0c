"""`--label KEY=VALUE` of `kdiag check`."""

from __future__ import annotations

import re
from collections.abc import Sequence

from kdiag.cli.common import fail
from kdiag.model import MachineInfo

#: As `kdiag compare --group-by KEY,...` can name it.
_KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}", re.ASCII)
#: What a report says of its machine; `host` among the labels is its name.
_TAKEN = frozenset(MachineInfo._fields) - {"host"}
_LONGEST = 1000


def labels_of(given: Sequence[str]) -> dict[str, str]:
    """The labels out of `--label KEY=VALUE`."""
    labels: dict[str, str] = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not (equals and value and _KEY.fullmatch(key)):
            fail(
                f"--label {text}: expected KEY=VALUE, such as site=fra; a key has letters, digits, _, - and ."
            )
        if len(value) > _LONGEST:
            fail(f"--label {key}=...: the value has {len(value)} characters, at most {_LONGEST} are taken")
        if key in _TAKEN:
            fail(f"--label {text}: a report says {key} of its machine; use another name")
        if key in labels:
            fail(f"--label {text}: {key} is given twice")
        labels[key] = value
    return labels
