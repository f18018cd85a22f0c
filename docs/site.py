"""For mkdocs: pages that lie elsewhere in the repository, and links between all of them.

The front page is the README, so that there is one text about what kdiag is. A link to a file that is no page is shown
as its name.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

REPOSITORY = Path(__file__).parent.parent
#: Place in the repository -> place in the site.
ELSEWHERE = {
    "README.md": "index.md",
    "README.ko.md": "ko.md",
    "CONTRIBUTING.md": "contributing.md",
    "CHANGELOG.md": "changelog.md",
    "tests/lab/README.md": "lab.md",
    "docs/matrix.html": "predicted-and-real.html",  # matrix.md becomes matrix.html
}
#: Code, or a link: what is code is left alone.
_LINK = re.compile(r"```.*?```|`[^`\n]+`|(!?\[[^\]]*\])\(([^)\s#]+)(#[^)\s]*)?\)", re.DOTALL)


def on_config(config: MkDocsConfig) -> None:
    """A page that `nav` does not name yet is listed at its end, so that none is lost."""
    named = set(_pages(config.nav))
    rest = sorted(path.name for path in (REPOSITORY / "docs").glob("*.md") if path.name not in named)
    if rest and config.nav is not None:
        config.nav.append({"More": rest})


def _pages(nav: object) -> Iterator[str]:
    """The pages that a navigation names, at any depth."""
    if isinstance(nav, str):
        yield nav
    for part in nav.values() if isinstance(nav, dict) else nav if isinstance(nav, list) else ():
        yield from _pages(part)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are not below docs/."""
    for source, page in ELSEWHERE.items():
        text = (REPOSITORY / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Links between places in the repository become links between pages."""
    del config
    places = {page: source for source, page in ELSEWHERE.items()}
    here = page.file.src_uri
    source = places.get(here, f"docs/{here}")
    return linked(markdown, source, here, lambda path: files.get_file_from_path(path) is not None)


def linked(markdown: str, source: str, here: str, known: Callable[[str], bool]) -> str:
    """The text of `source`, which is the page `here`, with its links as the site has them."""

    def link(found: re.Match[str]) -> str:
        words, target = found[1], found[2]
        if not words or re.match(r"\w+:", target):
            return found[0]
        place = posixpath.normpath(posixpath.join(posixpath.dirname(source), target))
        path = ELSEWHERE.get(place, place.removeprefix("docs/"))
        if known(path) and path != place:
            return f"{words}({posixpath.relpath(path, posixpath.dirname(here) or '.')}{found[3] or ''})"
        return words.strip("[]") if (REPOSITORY / place).exists() else found[0]

    return _LINK.sub(link, markdown)
