"""Whether the information is the same: by content, where there is any, and never a guess."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from kdiag.commands.compare import compare, rendered
from kdiag.compare.information import Information, Piece, same
from kdiag.compare.json import schema_text
from kdiag.compare.reading.inputs import documents
from kdiag.report.formats import Options

FIXTURES = Path(__file__).parents[2] / "fixtures"
BTF = FIXTURES / "lab-6.12-btf-kheaders"
ABSENT, THERE = Piece(), Piece("d1", 1234)


def of(name: str, release: str = "6.1", **pieces: Piece) -> Information:
    return Information(name, release, {"btf": THERE, "kheaders": ABSENT, "config": Piece("c1", 9)} | pieces)


def test_one_machine_is_not_compared() -> None:
    assert same([of("a")]) == () == same([])


def test_the_same_content_is_the_same_information() -> None:
    assert same([of("x/a"), of("x/b")]) == (
        "The information is the same, by content: BTF, the kernel's configuration; none of them has the archive of "
        "kernel headers. The kernel is 6.1.",
    )


def test_what_differs_is_named_with_sizes_and_the_reason() -> None:
    (said,) = same([of("a"), of("b", "6.2", btf=ABSENT)])
    assert said.startswith(
        "The information differs: BTF (1,234 bytes on a, none on b); the same: the kernel's "
    )
    assert said.endswith("There are 2 kernels: 6.1, 6.2.")
    (said,) = same([of("a"), of("b", btf=Piece("d2", 1))])
    assert said.endswith("The release is the same: it is another build.")


def test_options_are_named_and_the_rest_counted() -> None:
    many = {f"X{number}": "y" for number in range(9)}
    one, other = Piece("1", 1, values={"BTF": "y", **many}), Piece("2", 1, values={"BTF": "m"})
    (said,) = same([of("a", config=one), of("b", config=other)])
    assert "10 options: CONFIG_BTF y or m, CONFIG_X0 y or off, " in said and " and 6 more)" in said


def test_what_is_not_known_is_no_sameness() -> None:
    said = same([of("a"), of("b", btf=Piece(unknown="not recorded"))])
    assert said[0].startswith(
        "The information is the same as far as it is known, by content: the kernel's configuration"
    )
    assert said[1:] == ("BTF of b is not known: not recorded.",)
    nothing = {piece: Piece(unknown="gone") for piece in ("btf", "kheaders", "config")}
    assert same([of("a", **nothing), of("b")])[0].startswith(
        "Whether the information is the same cannot be told"
    )


def test_a_part_is_called_a_part() -> None:
    part = Piece("d", 1, part=True)
    assert (
        "the archive of kernel headers as far as it was recorded"
        in same([of("a", kheaders=part), of("b", kheaders=part)])[0]
    )


def test_names_are_as_short_as_they_can_be() -> None:
    missing = Piece(unknown="gone")
    assert same([of("x/a", btf=missing), of("y/b")])[1] == "BTF of a is not known: gone."
    assert same([of("x/a", btf=missing), of("y/a")])[1] == "BTF of x/a is not known: gone."


def test_a_copy_has_the_same_information(tmp_path: Path) -> None:
    shutil.copytree(BTF, tmp_path / "copy")
    found = compare([str(BTF), str(tmp_path / "copy")]).comparison
    assert found.information[0].startswith(
        "The information is the same, by content: BTF, the kernel's configuration"
    )


@pytest.mark.parametrize("output_format", ["text", "json", "markdown", "html"])
def test_every_format_has_it(output_format: str) -> None:
    found = compare([str(BTF), str(FIXTURES / "lab-6.12-nobtf-kheaders")]).comparison
    assert (
        "The information differs: BTF (2,843,021 bytes on lab-6.12-btf-kheaders, none on"
        in found.information[0]
    )
    out = " ".join(rendered(found, output_format, Options()).replace("\\", "").split())
    assert "The information differs: BTF (2,843,021 bytes on" in out
    Draft202012Validator(json.loads(schema_text())).validate(json.loads(rendered(found, "json", Options())))


def test_options_that_matter_to_tracing_are_named_first() -> None:
    found = compare([str(BTF), str(FIXTURES / "lab-6.12-nobtf-kheaders")]).comparison
    assert "CONFIG_DEBUG_INFO_BTF y or off" in found.information[0]


def test_reports_have_no_content_to_compare(tmp_path: Path) -> None:
    from kdiag.commands.compare import played_back
    from kdiag.report.faces.json import render

    for name in ("a", "b"):
        (tmp_path / f"{name}.json").write_text(render(played_back(next(documents(str(BTF))))))
    assert compare([str(tmp_path / "a.json"), str(tmp_path / "b.json")]).comparison.information == ()
    mixed = compare([str(BTF), str(tmp_path / "a.json")]).comparison.information
    assert mixed[1] == "BTF of a.json is not known: a report does not hold it (`kdiag record` does)."
