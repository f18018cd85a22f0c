"""kdiag in the guest: the working tree as a payload of each run, its dependencies as a cached layer.

The layer is made with pip for the guest's python. The code is packed anew each time (milliseconds), with metadata
written from pyproject.toml, so that entry points work as in an installed package.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import cast

from . import cpio, layers, roots, tools
from .cpio import Node
from .errors import LabError
from .roots import Root

PROJECT = Path(__file__).resolve().parents[2]
SOURCE = "opt/kdiag/source"
DEPENDENCIES = "opt/kdiag/lib"
OWN_PYTHON = "opt/kdiag-python"
#: what PYTHON_SUITE has; checked when the layer is made
PYTHON_VERSION = "3.13"
#: kdiag wants at least this python
OLDEST = (3, 10)
_PLATFORMS = {
    "amd64": ("manylinux_2_17_x86_64", "manylinux2014_x86_64", "manylinux_2_28_x86_64"),
    "arm64": ("manylinux_2_17_aarch64", "manylinux2014_aarch64", "manylinux_2_28_aarch64"),
}
_LOADERS = {"amd64": ("lib64/ld-linux-x86-64.so.2", "x86_64"), "arm64": ("lib/ld-linux-aarch64.so.1", "aarch64")}
PYTHON_SUITE = roots.Suite("python", "trixie", ("python3", "python3-minimal"))


def read_project(place: Path = PROJECT) -> dict[str, object]:
    """The ``[project]`` table of pyproject.toml, and the packages' directories under "package-dir"."""
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import pip._vendor.tomli as tomllib
    path = place / "pyproject.toml"
    if not path.exists():
        raise LabError(f"no {path.name} in the repository", "run `python -m tests.lab` from the repository's root")
    whole = tomllib.loads(path.read_text())
    setuptools = whole.get("tool", {}).get("setuptools", {})
    return {**whole["project"], "package-dir": setuptools.get("package-dir", {}), "packages": setuptools["packages"]}


def metadata(project: dict[str, object]) -> dict[str, Node]:
    """The ``.dist-info`` of the working tree: name, version, requirements, entry points."""
    requirements = cast("list[str]", project.get("dependencies", []))
    lines = ["Metadata-Version: 2.1", f"Name: {project['name']}", f"Version: {project['version']}"]
    lines += [f"Requires-Dist: {requirement}" for requirement in requirements]
    groups = {"console_scripts": cast("dict[str, str]", project.get("scripts", {}))}
    groups.update(cast("dict[str, dict[str, str]]", project.get("entry-points", {})))
    points = "".join(
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in sorted(members.items())) + "\n"
        for group, members in sorted(groups.items())
    )
    top = f"{SOURCE}/{project['name']}-{project['version']}.dist-info"
    return {
        f"{top}/METADATA": Node("\n".join([*lines, "", ""]).encode()),
        f"{top}/entry_points.txt": Node(points.encode()),
        f"{top}/INSTALLER": Node(b"kdiag-lab\n"),
    }


def working_tree(root: Root) -> dict[str, Node]:
    """Payload nodes: the packages, their metadata, and what makes a root's python find them."""
    project = read_project()
    nodes = metadata(project)
    renamed = cast("dict[str, str]", project["package-dir"])
    for package in cast("list[str]", project["packages"]):
        place = PROJECT / renamed.get(package, package)
        if "." not in package and place.is_dir():
            nodes.update(cpio.from_tree(place, f"{SOURCE}/{package}"))
    prefix, version = ("", root.python) if own_python_will_do(root) else (f"{OWN_PYTHON}/", PYTHON_VERSION)
    nodes[f"{prefix}usr/local/lib/python{version}/dist-packages/kdiag.pth"] = Node(
        f"/{SOURCE}\n/{DEPENDENCIES}\n".encode()
    )
    nodes["usr/local/bin/kdiag"] = cpio.executable(
        f"#!/{prefix}usr/bin/python3\nimport sys\nfrom kdiag.cli import main\nsys.exit(main())\n".encode()
    )
    return nodes


def own_python_will_do(root: Root) -> bool:
    """Can the root's own python run kdiag?"""
    return bool(root.python) and tuple(int(part) for part in root.python.split(".")) >= OLDEST


def layers_for(root: Root) -> list[Path]:
    """Images that kdiag needs on a root: its dependencies, and a newer python for an old root."""
    if own_python_will_do(root):
        return [dependencies(root.python, root.arch)]
    return [python_layer(root.arch), dependencies(PYTHON_VERSION, root.arch)]




def dependencies(python: str, arch: str) -> Path:
    """The layer with kdiag's run-time dependencies for a python ("3.11"), as wheels for manylinux."""
    wanted = cast("list[str]", read_project().get("dependencies", []))

    def fill(tree: Path) -> None:
        # pip reads markers for the python it runs on, not for the one named; the lab's direct ones only save a wheel
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(tree / DEPENDENCIES)]
        command += ["--no-compile", "--only-binary=:all:", "--implementation=cp", f"--python-version={python}"]
        command += [f"--platform={platform}" for platform in _PLATFORMS[arch]]
        tools.run([*command, *wanted])

    recipe = {"requirements": sorted(wanted), "python": python, "arch": arch}
    return layers.made(f"kdiag-lib-py{python}-{arch}", recipe, fill)


def python_layer(arch: str) -> Path:
    """A newer Debian's python with all its libraries under /opt/kdiag-python, for roots with an old libc.

    It is started through its own dynamic linker; ``usr/bin/python3`` is a script that does so and tells python that
    this is its name (``--argv0``, glibc 2.33), so that ``sys.executable`` can be run again and ``sys.prefix`` is right.
    """
    loader, triplet = _LOADERS[arch]
    top = f"/{OWN_PYTHON}"
    script = (
        f"#!/bin/sh\nexec {top}/{loader} --argv0 {top}/usr/bin/python3 "
        f'--library-path {top}/usr/lib/{triplet}-linux-gnu {top}/usr/bin/python3.real "$@"\n'
    )

    def fill(tree: Path) -> None:
        place = tree / OWN_PYTHON
        place.mkdir(parents=True)
        tar = tree / "python.tar"
        roots.unpack(PYTHON_SUITE, arch, tar)
        tools.run(["tar", "-C", str(place), "--exclude=./dev/*", "--exclude=./usr/share/*", "-xf", str(tar)])
        tar.unlink()
        binaries = place / "usr/bin"
        if not (binaries / f"python{PYTHON_VERSION}").exists():
            raise LabError(f"{PYTHON_SUITE.suite} no longer has python {PYTHON_VERSION}")
        (binaries / "python3").rename(binaries / "python3.real")
        (binaries / "python3").write_text(script)
        (binaries / "python3").chmod(0o755)

    recipe = {**roots.recipe(PYTHON_SUITE, arch), "script": script}
    return layers.made(f"kdiag-python-{arch}", recipe, fill)
