"""Labels of machines out of a file: site, role, owner, or whatever a fleet is told apart by."""

from __future__ import annotations

import csv
import io
import json

from kdiag.compare.reading.inputs import BadInput
from kdiag.trust.read import user_file

_LIMIT = 64 * 1024 * 1024
Labels = dict[str, dict[str, str]]


def read(path: str) -> Labels:
    """The labels by the name of a machine: a CSV file with a header, the name first (`machine,site,role`), or a JSON
    object of objects. Raises BadInput.
    """
    try:
        text = user_file(path, _LIMIT).decode("utf-8-sig")
    except OSError as error:
        raise BadInput(f"{path}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: not UTF-8 at byte {error.start}") from None
    except ValueError:
        raise BadInput(f"{path!a}: not a path") from None
    return _of_json(path, text) if text.lstrip().startswith("{") else _of_csv(path, text)


def _of_json(path: str, text: str) -> Labels:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BadInput(f"{path}: not JSON: {error}") from None
    for name, own in value.items():
        if not isinstance(own, dict) or not all(isinstance(v, str) for v in own.values()):
            raise BadInput(f'{path}: {name!r}: expected an object of strings, such as {{"site": "fra"}}')
    return dict(value)


def _of_csv(path: str, text: str) -> Labels:
    rows = csv.reader(io.StringIO(text))
    head = next(rows, [])
    if len(head) < 2:
        raise BadInput(f"{path}: expected a header such as machine,site,role in the first line")
    found: Labels = {}
    try:
        for row in rows:
            if not row:
                continue
            if len(row) != len(head):
                raise BadInput(
                    f"{path}: line {rows.line_num} has {len(row)} fields, the header has {len(head)}"
                )
            found[row[0]] = dict(zip(head[1:], row[1:], strict=True))
    except csv.Error as error:
        raise BadInput(f"{path}: line {rows.line_num}: {error}") from None
    return found
