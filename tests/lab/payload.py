"""kdiag in the guest: the working tree as a payload of each run, its dependencies as a cached layer.

The layer is made with pip for the guest's python. The code is packed anew each time (milliseconds), with metadata
written from pyproject.toml, so that entry points work as in an installed package.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import cast

from kdiag import __version__

from . import cache, cpio, layers, python, roots, tools
from .cpio import Node
from .errors import LabError
from .roots import Root

PROJECT = Path(__file__).resolve().parents[2]
SOURCE = "opt/kdiag/source"
DEPENDENCIES = "opt/kdiag/lib"
OWN_PYTHON = "opt/kdiag-python"
#: what PYTHON_SUITE has; checked when the layer is made
PYTHON_VERSION = "3.13"
_PLATFORMS = {
    "amd64": ("manylinux_2_17_x86_64", "manylinux2014_x86_64", "manylinux_2_28_x86_64"),
    "arm64": ("manylinux_2_17_aarch64", "manylinux2014_aarch64", "manylinux_2_28_aarch64"),
}
# there are no such wheels for 32 bits: what is pure in these is used, and kdiag does without what is compiled
_PLATFORMS["armhf"] = _PLATFORMS["i386"] = _PLATFORMS["amd64"]
PYTHON_SUITE = "trixie"


def read_project(place: Path = PROJECT) -> dict[str, object]:
    """The ``[project]`` table of pyproject.toml, and the packages' directories under "package-dir"."""
    path = place / "pyproject.toml"
    if not path.exists():
        raise LabError(
            f"no {path.name} in the repository", "run `python -m tests.lab` from the repository's root"
        )
    whole = tools.toml(path.read_text())
    setuptools = whole.get("tool", {}).get("setuptools", {})
    return {
        "version": __version__,  # pyproject.toml has it from there
        **whole["project"],
        "package-dir": setuptools.get("package-dir", {}),
        "packages": setuptools["packages"],
    }


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
    suite, version = _python_of(root)
    prefix = "" if own_python_will_do(root) else f"{OWN_PYTHON}/"
    nodes = cpio.from_tree(compiled(suite, version, project), SOURCE)
    nodes.update(metadata(project))
    nodes[f"{prefix}usr/local/lib/python{version}/dist-packages/kdiag.pth"] = Node(
        f"/{SOURCE}\n/{DEPENDENCIES}\n".encode()
    )
    scripts = cast("dict[str, str]", project["scripts"])
    for name, entry in scripts.items():
        nodes[f"usr/local/bin/{name}"] = cpio.executable(
            launcher(entry, f"/{prefix}usr/bin/python3").encode()
        )
    return nodes


def launcher(entry: str, interpreter: str) -> str:
    """The script that an installer makes for an entry point ``module:function``."""
    module, _, function = entry.partition(":")
    return f"#!{interpreter}\nimport sys\nfrom {module} import {function}\nsys.exit({function}())\n"


def compiled(suite: str, version: str, project: dict[str, object]) -> Path:
    """The packages of the working tree with bytecode for a python, as one tree; made again when a file changes."""
    renamed = cast("dict[str, str]", project["package-dir"])
    places = {
        package: PROJECT / renamed.get(package, package)
        for package in cast("list[str]", project["packages"])
        if "." not in package and (PROJECT / renamed.get(package, package)).is_dir()
    }

    def make(top: Path) -> None:
        tree = top / SOURCE
        for package, place in places.items():
            shutil.copytree(place, tree / package, ignore=shutil.ignore_patterns("__pycache__"))
        python.compile_tree(python.get(suite, python.host_arch()), top, [SOURCE])

    content = {package: layers.fingerprint(place) for package, place in places.items()}
    recipe = {"content": content, "python": version, "suite": suite}
    return cache.obtain("sources", f"kdiag-py{version}", recipe, make) / SOURCE


def _python_of(root: Root) -> tuple[str, str]:
    """(suite, version) of the python that runs kdiag on a root."""
    if own_python_will_do(root):
        return roots.SUITES[root.name].suite, root.python
    return PYTHON_SUITE, PYTHON_VERSION


def own_python_will_do(root: Root) -> bool:
    """Can the root's own python run kdiag?"""
    return python.new_enough(root.python)


def layers_for(root: Root) -> list[Path]:
    """Images that kdiag needs on a root: its dependencies, and a newer python for an old root."""
    suite, version = _python_of(root)
    brought = [] if own_python_will_do(root) else [python_layer(root.arch)]
    return [*brought, dependencies(version, suite, root.arch)]


def dependencies(version: str, suite: str, arch: str) -> Path:
    """The layer with kdiag's run-time dependencies for a suite's python ("3.11"), as wheels for manylinux."""
    wanted = cast("list[str]", read_project().get("dependencies", []))

    def fill(tree: Path) -> None:
        # pip reads markers for the python it runs on, not for the one named: at worst a wheel too many
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--target", str(tree / DEPENDENCIES)]
        command += [
            "--no-compile",
            "--only-binary=:all:",
            "--implementation=cp",
            f"--python-version={version}",
        ]
        command += [f"--platform={platform}" for platform in _PLATFORMS[arch]]
        tools.run([*command, *wanted])
        python.compile_tree(python.get(suite, python.host_arch()), tree, [DEPENDENCIES])

    recipe = {"requirements": sorted(wanted), "python": version, "arch": arch, "revision": 2}
    return layers.made(f"kdiag-lib-py{version}-{arch}", recipe, fill)


def python_layer(arch: str) -> Path:
    """A newer Debian's python with all its libraries under /opt/kdiag-python, for roots with an old libc.

    It is started through its own dynamic linker; ``usr/bin/python3`` is a script that does so and tells python that
    this is its name (``--argv0``, glibc 2.33), so that ``sys.executable`` can be run again and ``sys.prefix`` is right.
    """
    loader, triplet = python.LOADERS[arch]
    top = f"/{OWN_PYTHON}"
    script = (
        f"#!/bin/sh\nexec {top}/{loader} --argv0 {top}/usr/bin/python3 "
        f'--library-path {top}/usr/lib/{triplet} {top}/usr/bin/python3.real "$@"\n'
    )

    def fill(tree: Path) -> None:
        brought = python.get(PYTHON_SUITE, arch)
        if brought.version != PYTHON_VERSION:
            raise LabError(
                f"{PYTHON_SUITE} no longer has python {PYTHON_VERSION}", "change it in tests/lab/payload.py"
            )
        place = tree / OWN_PYTHON
        shutil.copytree(brought.tree, place, symlinks=True)
        own = place / "usr/bin/python3"
        own.rename(own.with_name("python3.real"))
        own.write_text(script)
        own.chmod(0o755)
        compiler = python.get(PYTHON_SUITE, python.host_arch())
        python.compile_tree(compiler, tree, [f"{OWN_PYTHON}/usr/lib/python{PYTHON_VERSION}"])

    recipe = {"suite": PYTHON_SUITE, "arch": arch, "script": script, "revision": 2}
    return layers.made(f"kdiag-python-{arch}", recipe, fill)
