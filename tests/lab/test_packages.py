"""Debian packages and apt's words: versions, the mirror, dpkg's status, kdiag's own metadata."""

from __future__ import annotations

import lzma
import re
from pathlib import Path

import pytest

from . import debs, layers, mirror, payload, python, roots
from .errors import LabError


def test_versions_are_compared_as_numbers() -> None:
    names = [
        "linux-image-6.12.94+deb13-amd64",
        "linux-image-6.12.107+deb13-amd64",
        "linux-image-6.12.9+deb13-amd64",
    ]
    assert debs.newest(names) == "linux-image-6.12.107+deb13-amd64"
    assert debs.newest([]) is None


def _target(uri: str, label: str = "Debian", kind: str = "Packages") -> str:
    return "\t".join([uri, "Debian", label, "main", "bookworm", kind])


def test_the_mirror_is_the_main_archive_that_apt_names() -> None:
    text = "\n".join(
        [
            _target("http://mirror.example/debian-security/", "Debian-Security"),
            _target("http://mirror.example/debian/", kind="Translations"),
            _target("http://mirror.example/debian/"),
            "",
        ]
    )
    assert mirror.choose(mirror.parse_targets(text)) == "http://mirror.example/debian/"


def test_a_mirror_that_was_never_updated_is_known_by_its_address() -> None:
    text = "http://mirror.example/debian/\t\t\tmain\t\tPackages\n"
    assert mirror.choose(mirror.parse_targets(text)) == "http://mirror.example/debian/"


def test_no_mirror_is_none() -> None:
    assert (
        mirror.choose(
            mirror.parse_targets(_target("http://mirror.example/debian-security/", "Debian-Security"))
        )
        is None
    )


def test_proxies_and_retries_are_taken_over_and_nothing_else() -> None:
    proxy = 'Acquire::http::Proxy "http://proxy.example:1/";'
    dump = f'APT "";\nAcquire "";\nAcquire::http "";\n{proxy}\nAcquire::Languages "none";\n'
    assert mirror.transport_options(dump) == [proxy]


@pytest.mark.parametrize("flavour", ["amd64", "cloud-amd64", "rt-amd64", "4kc-malta"])
@pytest.mark.parametrize("common", ["common", "common-rt"])
def test_each_half_of_the_headers_is_known_by_its_name(flavour: str, common: str) -> None:
    """A real-time kernel has a common half of its own."""
    names = [f"linux-headers-6.12.9-{flavour}", f"linux-headers-6.12.9-{common}", "linux-kbuild-6.12.9"]
    halves = {
        which: [name for name in names if re.fullmatch(pattern, name)]
        for which, pattern in layers.HEADERS.items()
    }
    assert halves == {"headers": names, "headers-arch": names[:1], "headers-common": names[1:2]}


def test_packages_of_a_status_file() -> None:
    first = "Package: a\nStatus: install ok installed\nVersion: 1:2-3\n\n"
    status = f"{first}Package: b\nVersion: 4\nDescription: x\n Version: 9\n\n"
    assert roots.packages(status) == {"a": "1:2-3", "b": "4"}


@pytest.mark.parametrize(("version", "enough"), [("3.9", False), ("3.10", True), ("3.14", True), ("", False)])
def test_pythons_that_run_kdiag(version: str, enough: bool) -> None:
    assert python.new_enough(version) is enough


def test_metadata_of_the_working_tree() -> None:
    project = payload.read_project()
    nodes = payload.metadata(project)
    texts = {Path(name).name: node.data.decode() for name, node in nodes.items()}
    assert "\nName: kdiag\n" in texts["METADATA"]
    assert "[kdiag.checks]\nbuiltin = kdiag_checks\n" in texts["entry_points.txt"]
    assert "[console_scripts]\nkdiag = kdiag." in texts["entry_points.txt"]


def test_the_launcher_calls_what_the_project_names() -> None:
    text = payload.launcher("pkg.start:run", "/usr/bin/python3")
    assert text == "#!/usr/bin/python3\nimport sys\nfrom pkg.start import run\nsys.exit(run())\n"


def test_layers_are_merged_usr(tmp_path: Path) -> None:
    (tmp_path / "lib/modules/R").mkdir(parents=True)
    (tmp_path / "usr/lib").mkdir(parents=True)
    (tmp_path / "lib/modules/R/build").symlink_to("/usr/src/x")
    layers.merge_usr(tmp_path)
    assert not (tmp_path / "lib").exists()
    assert (tmp_path / "usr/lib/modules/R/build").readlink() == Path("/usr/src/x")


def test_a_fingerprint_follows_content_names_and_permissions(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("a")
    seen = [layers.fingerprint(tmp_path)]
    file.write_text("b")
    seen.append(layers.fingerprint(tmp_path))
    file.chmod(0o755)
    seen.append(layers.fingerprint(tmp_path))
    (tmp_path / "link").symlink_to("file")
    seen.append(layers.fingerprint(tmp_path))
    assert len(set(seen)) == 4
    assert layers.fingerprint(tmp_path) == seen[-1]


def test_the_archive_in_a_kheaders_module() -> None:
    module = b"\x7fELF" + bytes(100) + lzma.compress(b"tar", check=lzma.CHECK_CRC32) + bytes(100)
    assert layers.headers_archive(module) == b"tar"
    with pytest.raises(LabError):
        layers.headers_archive(b"\x7fELF")
