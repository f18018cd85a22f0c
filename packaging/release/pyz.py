"""kdiag in one file that any Python 3.10 or newer runs: `python3 packaging/release/pyz.py -o kdiag.pyz`."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import zipfile
from collections.abc import Mapping
from pathlib import Path

import bundle

#: Understood by every Python there is, so that an old one can say which it requires.
_MAIN = """\
import sys

if sys.version_info < (3, 10):
    sys.stderr.write({old!r}.format(sys.version.split()[0], sys.executable) + "\\n")
    sys.exit(3)

import os

# As `python3 kdiag.pyz` names it, from the current directory, where kdiag trusts nothing.
sys.path[0] = os.path.abspath(sys.path[0])
from kdiag.__main__ import main

main()
"""
_SHEBANG = b"#!/usr/bin/env python3\n"


def epoch() -> int:
    """The one time that everything in a release has (reproducible-builds.org/specs/source-date-epoch)."""
    return int(os.environ.get("SOURCE_DATE_EPOCH") or 0)


def write(path: Path, files: Mapping[str, bytes], shebang: bytes = b"", *, packed: bool = True) -> None:
    """A zip archive of these files; the same bytes for the same files, whenever and wherever it is made."""
    # DOS times begin in 1980.
    when = max(time.gmtime(epoch())[:6], (1980, 1, 1, 0, 0, 0))
    with open(path, "wb") as out:
        out.write(shebang)
        with zipfile.ZipFile(out, "w") as archive:
            for name in sorted(files):
                entry = zipfile.ZipInfo(name, when)
                entry.create_system, entry.external_attr = 3, 0o100644 << 16
                entry.compress_type = zipfile.ZIP_DEFLATED if packed else zipfile.ZIP_STORED
                archive.writestr(entry, files[name], compresslevel=9 if packed else None)


def main_module(root: Path) -> bytes:
    """The archive's __main__.py, with the words of kdiag's own."""
    sys.path.insert(0, str(root))
    from kdiag.__main__ import OLD

    return _MAIN.format(old=OLD).encode()


def build(path: Path, libraries: Mapping[str, bytes], root: Path = bundle.ROOT) -> None:
    """Write the archive and make it executable."""
    files = {**libraries, **bundle.own(root), "__main__.py": main_module(root)}
    write(path, files, _SHEBANG)
    path.chmod(0o755)


def libraries(wheels: Path | None, installed: bool) -> bundle.Files:
    """What kdiag imports, from where the options say."""
    if installed:
        return bundle.from_installed()
    if wheels is not None:
        return bundle.from_wheels(wheels)
    with tempfile.TemporaryDirectory() as place:
        bundle.download(Path(place))
        return bundle.from_wheels(Path(place))


def main() -> None:
    """Build it as the options say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=Path("kdiag.pyz"))
    source = parser.add_mutually_exclusive_group()
    source.add_argument(
        "--wheels", type=Path, help="where the wheels of bundle.txt are (default: pip gets them)"
    )
    source.add_argument("--installed", action="store_true", help="take the libraries that are installed here")
    options = parser.parse_args()
    try:
        build(options.output, libraries(options.wheels, options.installed))
    except (bundle.CannotBuild, OSError) as error:
        sys.exit(f"pyz.py: {error}")


if __name__ == "__main__":
    main()
