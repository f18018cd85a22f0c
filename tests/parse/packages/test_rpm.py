"""rpm databases of all three formats, with rpm itself as the judge where it can read them."""

from __future__ import annotations

import struct
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import pytest
import rpm_databases as made
from hypothesis import given, settings
from hypothesis import strategies as st

from kdiag.parse.errors import ParseError
from kdiag.parse.packages import rpm, rpm_header, rpm_sqlite

pytestmark = pytest.mark.skipif(not made.have("rpm", "rpmbuild"), reason="rpm or rpmbuild is not installed")
needs_libdb = pytest.mark.skipif(not made.have_libdb(), reason="Perl has no DB_File")

QUERY = (
    "%{NAME}|%{VERSION}-%{RELEASE}|%{ARCH}|[%{PROVIDENAME} %{PROVIDEFLAGS:depflags} %{PROVIDEVERSION};]\\n"
)


@dataclass(frozen=True)
class Made:
    """What the tests have in common: the directory of the SQLite database, and the headers in it."""

    directory: Path
    blobs: list[tuple[int, bytes]]

    @property
    def sqlite(self) -> bytes:
        return (self.directory / "rpmdb.sqlite").read_bytes()


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Made:
    directory = tmp_path_factory.mktemp("rpm")
    packages = made.build_packages(tmp_path_factory.mktemp("build"))
    made.make_sqlite(directory, packages)
    blobs = made.headers(directory / "rpmdb.sqlite")
    assert len(blobs) == made.SUBPACKAGES + 3
    return Made(directory, blobs)


def everything(name: str) -> bool:
    return True


def devel(name: str) -> bool:
    return name == "kernel-devel"


def answer(data: bytes) -> set[tuple[str, str, str | None]]:
    return {
        (found.name, found.version.split(":")[-1], found.arch) for found in rpm.installed(data, everything)
    }


def truth(directory: Path, backend: str) -> set[tuple[str, str, str | None]]:
    lines = made.rpm(directory, "-qa", "--qf", QUERY, backend=backend).splitlines()
    return {(name, version, arch) for name, version, arch, _ in (line.split("|") for line in lines)}


def test_sqlite_says_what_rpm_says(databases: Made) -> None:
    assert answer(databases.sqlite) == truth(databases.directory, "sqlite")


def test_kernel_devel_with_its_provides_and_an_epoch(databases: Made) -> None:
    (found,) = rpm.installed(databases.sqlite, devel)
    assert (found.name, found.version, found.arch) == ("kernel-devel", "6.14.0-63.fc42", "x86_64")
    assert f"kernel-devel-uname-r = {made.RELEASE}" in found.provides
    assert "kernel-devel-x86_64" in found.provides
    (bpftrace,) = rpm.installed(databases.sqlite, lambda name: name == "bpftrace")
    assert bpftrace.version == "2:0.23.2-1"


def test_a_file_gives_the_same_as_its_bytes_and_is_left_alone(databases: Made) -> None:
    before = sorted(path.name for path in databases.directory.iterdir())
    path = databases.directory / "rpmdb.sqlite"
    assert rpm.installed_in(path, everything) == rpm.installed(databases.sqlite, everything)
    assert sorted(found.name for found in databases.directory.iterdir()) == before


def test_python_without_deserialize(databases: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpm_sqlite, "sys", SimpleNamespace(version_info=(3, 10, 0)))
    (found,) = rpm.installed(databases.sqlite, devel)
    assert found.version == "6.14.0-63.fc42"


def test_write_ahead_log_is_read_where_it_is_given(databases: Made, tmp_path: Path) -> None:
    import sqlite3

    path = tmp_path / "rpmdb.sqlite"
    path.write_bytes(databases.sqlite)
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_autocheckpoint = 0")
    connection.execute("DELETE FROM Name WHERE key = 'kernel-devel'")
    connection.commit()
    main, wal = path.read_bytes(), (tmp_path / "rpmdb.sqlite-wal").read_bytes()
    connection.close()
    assert len(rpm.installed(main, devel)) == 1
    assert rpm.installed(main, devel, wal) == ()


@needs_libdb
@pytest.mark.parametrize("order", ["<", ">"])
def test_berkeley_db_says_what_sqlite_says(databases: Made, tmp_path: Path, order: str) -> None:
    data = made.make_bdb(tmp_path, databases.blobs, order).read_bytes()
    assert data[12:16] == struct.pack(order + "I", 0x00061561)
    assert len(rpm.installed(data, everything)) == len(databases.blobs)
    assert set(rpm.installed(data, everything)) == set(rpm.installed(databases.sqlite, everything))


@needs_libdb
def test_berkeley_db_says_what_rpm_says(databases: Made, tmp_path: Path) -> None:
    data = made.make_bdb(tmp_path, databases.blobs, "<").read_bytes()
    try:
        expected = truth(tmp_path, "bdb_ro")
    except Exception as error:
        pytest.skip(f"this rpm cannot read Berkeley DB: {error}")
    if not expected:
        pytest.skip("this rpm does not read Berkeley DB")
    assert answer(data) == expected


@pytest.mark.parametrize("pages", [1, 3])
def test_ndb_says_what_sqlite_says(databases: Made, pages: int) -> None:
    data = made.make_ndb(databases.blobs, pages)
    assert set(rpm.installed(data, everything)) == set(rpm.installed(databases.sqlite, everything))


def test_ndb_with_a_damaged_package(databases: Made) -> None:
    data = bytearray(made.make_ndb(databases.blobs))
    at = data.index(b"fills pages")
    data[at] ^= 1
    with pytest.raises(ParseError, match="checksum of package kernel-devel"):
        rpm.installed(bytes(data), everything)
    assert rpm.installed(bytes(data), lambda name: name == "bpftrace")


def test_what_is_no_database() -> None:
    for data in (
        b"",
        b"#!/bin/sh",
        b"\0" * 8192,
        b"SQLite format 3\0" + b"\0" * 4000,
        b"RpmP",
        b"RpmP" + b"\1" * 60,
    ):
        with pytest.raises(ParseError):
            rpm.installed(data, everything)


def test_a_sqlite_database_of_something_else(tmp_path: Path) -> None:
    import sqlite3

    path = tmp_path / "other"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE t (a)")
    connection.commit()
    connection.close()
    with pytest.raises(ParseError, match="Name"):
        rpm.installed(path.read_bytes(), everything)


def test_a_view_that_never_ends_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sqlite3

    monkeypatch.setattr(rpm_sqlite, "_MOST_STEPS", 1_000_000)
    path = tmp_path / "other"
    connection = sqlite3.connect(path)
    endless = (
        "WITH RECURSIVE n(key, hnum) AS (SELECT 'a', 1 UNION ALL SELECT key, hnum + 1 FROM n WHERE hnum > 0)"
    )
    connection.execute(f"CREATE VIEW Name AS {endless} SELECT key, hnum FROM n WHERE hnum < 0")
    connection.commit()
    connection.close()
    with pytest.raises(ParseError, match="interrupted"):
        rpm.installed(path.read_bytes(), everything)


def test_a_name_needs_only_the_start_of_a_header(databases: Made) -> None:
    blob = max((blob for _, blob in databases.blobs), key=len)
    assert len(blob) > 3 * 4096
    assert rpm_header.name_in(blob[:4]) is None
    assert rpm_header.name_in(blob[:20]) is None
    assert rpm_header.name_in(blob[:4096]) == "kernel-devel"


@settings(deadline=None, max_examples=150)
@given(cut=st.integers(0, 60_000), at=st.integers(0, 60_000), value=st.integers(0, 255))
def test_damaged_headers_raise_nothing_else(databases: Made, cut: int, at: int, value: int) -> None:
    blob = bytearray(max((blob for _, blob in databases.blobs), key=len))
    blob[at % len(blob)] = value
    for damaged in (bytes(blob), bytes(blob[: cut % len(blob)]), bytes(blob[cut % 5 :])):
        with suppress(ParseError):
            rpm_header.package(damaged)
            rpm_header.name_in(damaged)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.integers(0, 2**32), st.integers(0, 255)), max_size=20), st.integers(0, 2**32))
def test_damaged_databases_raise_nothing_else(databases: Made, hits: list[tuple[int, int]], cut: int) -> None:
    for whole in (databases.sqlite, made.make_ndb(databases.blobs)):
        data = bytearray(whole)
        for at, value in hits:
            # half of the hits go where the structures are
            data[at % (len(data) if at & 1 else 4096)] = value
        for damaged in (bytes(data), bytes(data[: cut % len(data)])):
            with suppress(ParseError):
                rpm.installed(damaged, everything)


@needs_libdb
def test_damaged_berkeley_db_raises_nothing_else(databases: Made, tmp_path: Path) -> None:
    whole = made.make_bdb(tmp_path, databases.blobs, "<").read_bytes()

    @settings(deadline=None, max_examples=200)
    @given(
        st.lists(st.tuples(st.integers(0, 2**32), st.integers(0, 255)), max_size=30), st.integers(0, 2**32)
    )
    def fuzz(hits: list[tuple[int, int]], cut: int) -> None:
        data = bytearray(whole)
        for at, value in hits:
            page = at // 64 % (len(data) // 4096) * 4096
            data[page + at % 64 if at & 1 else at % len(data)] = value
        for damaged in (bytes(data), bytes(data[: cut % len(data)])):
            with suppress(ParseError):
                rpm.installed(damaged, everything)

    fuzz()
