"""lab.toml: what it has, and what is said of a mistake in it."""

from __future__ import annotations

import pytest

from . import assemble, build, debian_kernels, roots
from .catalogue import FILE, catalogue, read
from .errors import LabError


def test_the_lab_has_what_the_file_says() -> None:
    found = catalogue()
    assert {*debian_kernels.SOURCES, *build.VARIANTS} == {*found.sources, *found.variants}
    assert list(roots.SUITES) == list(found.roots)
    for state in found.headers.values():
        assert set(state.layers) <= set(assemble.LAYERS)
    for who in found.who.values():
        assert {name for name in who.layers if not name.startswith("packages:")} <= set(assemble.LAYERS)


def test_every_debian_kernel_is_of_one_suite_and_one_flavour() -> None:
    lines = [(one.suite, one.version, one.flavour, one.arch) for one in catalogue().sources.values()]
    assert len(set(lines)) == len(lines)
    assert all(one.flavour.endswith(("amd64", "arm64", "armmp")) for one in catalogue().sources.values())


def test_a_kernel_a_root_and_a_condition_are_a_section_each() -> None:
    more = read(
        FILE.read_text()
        + """
[kernels."debian-6.1-686"]
suite = "bookworm"
version = "6.1"
flavour = "686-pae"
arch = "i386"
[roots.forky]
suite = "forky"
packages = ["bpftool"]
[who.poor]
means = "root with few files"
enter = 'ulimit -n 12; exec "$@"'
conditions = true
"""
    )
    assert more.sources["debian-6.1-686"].arch == "i386"
    assert more.roots["forky"].packages == ("bpftool",)
    assert more.who["poor"].conditions and not more.who["poor"].memory


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[kernels", "lab.toml: "),
        ("[other]\na = 1", r"no section is called \[other\]"),
        ('[roots.x]\nsuite = "x"\ncolour = "red"', r'\[roots."x"\]: no key is called colour'),
        ("[roots.x]\nsuite = 7", r'\[roots."x"\]: suite = 7: expected a text'),
        ("[roots.x]", r'\[roots."x"\]: a key is missing'),
        ('[who.x]\nmeans = ""\nenter = "true"', r'\[who."x"\]: enter has to end in the command'),
        ('[who.x]\nmeans = ""\nenter = \'"$@"\'\nmemory = true', "memory = True: expected a number"),
        ('[headers.x]\nmeans = ""\nkernels = "mine"', r'\[headers."x"\]: kernels = \'mine\''),
        ('[headers.x]\nmeans = ""\nof = { amd64 = ["none"] }', r'\[headers."x"\]: no kernel is called none'),
        ('[kernels.x]\nfragments = ["nosuch"]\nfamily = "x"', "no fragments/nosuch.config"),
        ('[kernels."a/b"]\nsuite = "x"', "a name has no slash, blank or plus"),
        ('[who.x]\nmeans = ""\nenter = \'"$@"\'\nroots = ["none"]', r'\[who."x"\]: no root is called none'),
        ('[who.x]\nmeans = ""\nenter = \'"$@"\'\nkernels = "mine"', "kernels = 'mine'"),
        ('[extras.x]\nmeans = ""\npackages = { none = ["a"] }', r'\[extras."x"\]: no root is called none'),
        ('[extras."a+b"]\nmeans = ""\npackages = {}', "a name has no slash, blank or plus"),
        ("[kernels]\nx = 1", r'\[kernels."x"\]: expected keys'),
    ],
)
def test_a_mistake_is_named_with_its_place(text: str, said: str) -> None:
    with pytest.raises(LabError, match=said):
        read(text)
