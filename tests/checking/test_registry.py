"""The registry in this process: the built-in checks, their ids, and that a check is only a value."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kdiag.check import Check, check
from kdiag.checking.registry import discover
from kdiag.machine import Machine
from tests.support.paths import REPOSITORY
from tests.support.reports import builtin


def test_every_module_of_checks_is_found() -> None:
    """A file in checks/ that holds a check is loaded without being named anywhere."""
    written = set()
    for path in (REPOSITORY / "checks").rglob("*.py"):
        written.update(re.findall(r'^@check\(\s*"([^"]+)"', path.read_text(), re.MULTILINE))
    assert written == {found.check.id for found in builtin().checks}
    assert len(written) > 40


def test_they_are_built_in_and_sound() -> None:
    registry = builtin()
    assert registry.problems == ()
    for found in registry.checks:
        assert found.builtin, found
        assert (found.distribution, found.module.split(".")[0]) == ("kdiag", "kdiag_checks")
        assert found.version


def test_ids_of_checks_and_findings_are_unique() -> None:
    ids = [i for found in builtin().checks for i in found.check.finding_ids]
    assert len(set(ids)) == len(ids)
    assert [found.check.id for found in builtin().checks] == sorted(
        found.check.id for found in builtin().checks
    )


@pytest.mark.parametrize("found", builtin().checks, ids=lambda found: found.check.id)
def test_every_check_explains_itself(found: object) -> None:
    assert isinstance(getattr(found, "check", None), Check)
    one: Check = found.check  # type: ignore[attr-defined]
    assert one.title
    assert len(one.doc.split()) >= 8, "what it checks, why it matters, how to see it oneself"


def test_discovery_is_repeatable() -> None:
    assert discover(plugins=False) == discover(plugins=False)


def test_a_check_is_a_value() -> None:
    """The decorator registers nothing anywhere: what it returns is all there is."""
    before = discover(plugins=False)

    @check("test.value", "A value")
    def mine(machine: Machine):  # type: ignore[no-untyped-def]
        """Doc."""
        del machine
        yield from ()

    assert isinstance(mine, Check)
    assert mine.finding_ids == ("test.value",)
    assert discover(plugins=False) == before


@pytest.mark.parametrize(
    "name", ["", "nodot", "Upper.case", ".x", "x.", "a b.c", "a.b c", "a.b\n", "../x.y", "a/b.c", "é.x"]
)
def test_an_id_looks_like_one(name: str) -> None:
    with pytest.raises(ValueError, match="id looks like"):
        check(name, "title")


def test_the_package_refuses_another_name(tmp_path: Path) -> None:
    """`checks` must not be imported as what it is called in the source tree."""
    import importlib.util

    spec = importlib.util.spec_from_file_location("checks", REPOSITORY / "checks" / "__init__.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    with pytest.raises(ImportError, match="kdiag_checks"):
        spec.loader.exec_module(module)
