"""Turns what is unreleased into a release: `python3 packaging/release/cut.py 0.2.0`, then commit, tag, release.py.

The version goes into kdiag/__init__.py, the one place that pyproject.toml and the programs read; the Unreleased part of
CHANGELOG.md gets the version and the date, and an empty one above it.
"""

from __future__ import annotations

import argparse
import datetime
import re
import sys
from pathlib import Path

import bundle

_HEAD = "## [Unreleased]\n"
_VERSION = re.compile(r'^__version__ = "([^"]+)"$', re.MULTILINE)


def changelog(text: str, version: str, day: str) -> str:
    """The change log with its unreleased part under this version. CannotBuild where there is nothing to release."""
    before, head, after = text.partition(_HEAD)
    if not head:
        raise bundle.CannotBuild(f"CHANGELOG.md has no line {_HEAD.strip()}")
    if f"## [{version}]" in text:
        raise bundle.CannotBuild(f"CHANGELOG.md has a part for {version} already")
    if not after.partition("\n## ")[0].strip():
        raise bundle.CannotBuild("CHANGELOG.md names nothing that is unreleased")
    return f"{before}{head}\n## [{version}] - {day}\n{after}"


def part(text: str, version: str) -> str:
    """What the change log says of one release: the text of its page."""
    after = text.partition(f"## [{version}]")[2]
    return after.partition("\n")[2].partition("\n## [")[0].strip() + "\n" if after else ""


def newer(version: str, than: str) -> bool:
    """Whether a release comes after another, both as `1.2.3`."""

    def numbers(one: str) -> tuple[int, ...]:
        if not re.fullmatch(r"\d+\.\d+\.\d+", one):
            raise bundle.CannotBuild(f"{one} is not of the form 1.2.3")
        return tuple(map(int, one.split(".")))

    return numbers(version) > numbers(than)


def cut(root: Path, version: str, day: str) -> None:
    """Write both files, or neither."""
    module, log = root / "kdiag/__init__.py", root / "CHANGELOG.md"
    code = module.read_text()
    found = _VERSION.search(code)
    if found is None:
        raise bundle.CannotBuild("kdiag/__init__.py does not name a version")
    released = f"## [{found[1]}]" in log.read_text()
    if not newer(version, found[1]) and (released or version != found[1]):
        raise bundle.CannotBuild(f"{version} is not newer than {found[1]}")
    text = changelog(log.read_text(), version, day)
    module.write_text(_VERSION.sub(f'__version__ = "{version}"', code))
    log.write_text(text)


def main() -> None:
    """Cut a release, or print what the change log says of one."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("version", help="of the release, as 1.2.3")
    parser.add_argument(
        "--notes", action="store_true", help="print what CHANGELOG.md says of it, change nothing"
    )
    options = parser.parse_args()
    try:
        if options.notes:
            sys.stdout.write(part((bundle.ROOT / "CHANGELOG.md").read_text(), options.version))
            return
        today = datetime.datetime.now(datetime.timezone.utc).date().isoformat()
        cut(bundle.ROOT, options.version, today)
    except (bundle.CannotBuild, OSError) as error:
        sys.exit(f"cut.py: {error}")
    commit = f'git commit -am "kdiag {options.version}" && git tag -s v{options.version}'
    print(f"Next: {commit} && python3 packaging/release/release.py --all --twice -o dist")


if __name__ == "__main__":
    main()
