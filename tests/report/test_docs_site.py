"""The documentation as a site: it builds without a warning and without the network, and asks nothing of one."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from tests.support.paths import REPOSITORY


def hook() -> ModuleType:
    spec = importlib.util.spec_from_file_location("kdiag_docs_site", REPOSITORY / "docs" / "site.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
def test_it_builds_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    pages = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.glob("*.html")}
    assert {"index.html", "ko.html", "security.html", "lab.html", "checks.html"} <= set(pages)
    for name, text in pages.items():
        fetched = re.findall(r'<(?:script|link|img|iframe)[^>]*(?:src|href)="(?:https?:)?//[^"]*"', text)
        assert not fetched, name
    assert (tmp_path / "images" / "check.svg").is_file() and "images/check.svg" in pages["index.html"]


def test_links_lead_from_page_to_page() -> None:
    known = {"security.md", "index.md", "lab.md", "images/check.svg"}.__contains__
    linked = hook().linked
    text = (
        "[a](docs/security.md#x) [l](tests/lab/README.md) ![p](docs/images/check.svg) [out](https://x.test/)"
    )
    assert linked(text, "README.md", "index.md", known) == (
        "[a](security.md#x) [l](lab.md) ![p](images/check.svg) [out](https://x.test/)"
    )
    assert linked("[r](../README.md), [s](security.md)", "docs/hosts.md", "hosts.md", known) == (
        "[r](index.md), [s](security.md)"
    )


def test_what_is_no_page_is_named_and_what_is_nowhere_is_told() -> None:
    """A link to a file of the source has no place in the site; one to nothing is left for mkdocs to warn about."""
    linked = hook().linked
    text = "[action.yml](../action.yml) [x](nowhere.md) `[c](../action.yml)` [`d`](#here)"
    assert linked(text, "docs/ci.md", "ci.md", lambda path: False) == (
        "action.yml [x](nowhere.md) `[c](../action.yml)` [`d`](#here)"
    )


def test_a_page_without_a_place_is_listed_at_the_end() -> None:
    config = SimpleNamespace(nav=[{"Begin": [{"A": "first-session.md"}, "install.md"]}, "index.md"])
    hook().on_config(config)
    (more,) = config.nav[2].values()
    assert "security.md" in more and not {"first-session.md", "install.md", "index.md"} & set(more)
