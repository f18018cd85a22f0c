"""Real rpm databases for the tests.

Packages come from rpmbuild, the SQLite database from rpm, the Berkeley DB from libdb (through Perl). The ndb
database is written after the format's description, because rpm is often built without ndb.
"""

from __future__ import annotations

import shutil
import sqlite3
import struct
import subprocess
import zlib
from pathlib import Path

RELEASE = "6.14.0-63.fc42.x86_64"
SUBPACKAGES = 40

_SPEC = """
Name: kernel
Version: 6.14.0
Release: 63.fc42
Summary: a kernel
License: MIT
AutoReqProv: no
%description
A kernel.
%package devel
Summary: headers
Provides: kernel-devel-uname-r = {release}
Provides: kernel-devel-x86_64
%description devel
{long}
%files devel
%package -n bpftrace
Summary: tracing
Epoch: 2
Version: 0.23.2
Release: 1
%description -n bpftrace
Tracing.
%files -n bpftrace
{rest}
%files
"""

_PERL = r"""
use strict; use DB_File; use Fcntl;
my ($out, $in, $order) = @ARGV;
my $info = DB_File::HASHINFO->new; $info->{bsize} = 4096; $info->{lorder} = $order;
my %db; tie(%db, 'DB_File', $out, O_RDWR|O_CREAT, 0644, $info) or die "tie: $!";
open(my $file, '<:raw', $in) or die; local $/; my $data = <$file>;
while (length $data) {
    my ($k, $v) = unpack('NN', $data); $data = substr($data, 8);
    $db{substr($data, 0, $k)} = substr($data, $k, $v); $data = substr($data, $k + $v);
}
delete $db{$_} for map { pack($order == 1234 ? 'V' : 'N', $_) } (900, 901);
untie %db;
"""


def have(*programs: str) -> bool:
    """Whether all of these programs are there."""
    return all(shutil.which(program) for program in programs)


def have_libdb() -> bool:
    """Whether Perl can write Berkeley DB files."""
    if not have("perl"):
        return False
    return subprocess.run(["perl", "-MDB_File", "-e", "1"], check=False, capture_output=True).returncode == 0


def build_packages(directory: Path) -> list[Path]:
    """Packages of a made-up kernel; one has a header that is longer than several pages."""
    rest = "".join(
        f"%package -n sub{i}\nSummary: s\n%description -n sub{i}\n{'x' * (i * 97)}\n%files -n sub{i}\n"
        for i in range(SUBPACKAGES)
    )
    long = "\n".join(f"line {i} of a description that fills pages" for i in range(400))
    spec = directory / "kernel.spec"
    spec.write_text(_SPEC.format(release=RELEASE, long=long, rest=rest))
    top = ["--define", f"_topdir {directory}", "--define", "debug_package %{nil}", "--target", "x86_64"]
    subprocess.run(["rpmbuild", "-bb", "--quiet", *top, str(spec)], check=True, capture_output=True)
    return sorted((directory / "RPMS" / "x86_64").glob("*.rpm"))


def rpm(database: Path, *arguments: str, backend: str = "sqlite") -> str:
    """rpm on a database of its own, never the machine's."""
    done = subprocess.run(
        ["rpm", "--define", f"_db_backend {backend}", "--dbpath", str(database), *arguments],
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout


def make_sqlite(directory: Path, packages: list[Path]) -> Path:
    """rpmdb.sqlite with the packages in it."""
    flags = ["-i", "--justdb", "--nodeps", "--noscripts", "--ignorearch", "--nosignature"]
    rpm(directory, *flags, *map(str, packages))
    return directory / "rpmdb.sqlite"


def headers(database: Path) -> list[tuple[int, bytes]]:
    """(number, header) of every package of a SQLite database."""
    connection = sqlite3.connect(database)
    rows: list[tuple[int, bytes]] = connection.execute("SELECT hnum, blob FROM Packages").fetchall()
    connection.close()
    return rows


def make_bdb(directory: Path, blobs: list[tuple[int, bytes]], order: str) -> Path:
    """Packages as libdb writes it, in little (`<`) or big (`>`) endian order, with two deleted entries."""
    directory.mkdir(exist_ok=True)
    frames = b""
    for number, blob in [(0, struct.pack(order + "I", 999)), *blobs, (900, b"gone" * 3000), (901, b"gone")]:
        frames += struct.pack(">II", 4, len(blob)) + struct.pack(order + "I", number) + blob
    (directory / "frames").write_bytes(frames)
    target = directory / "Packages"
    byte_order = "1234" if order == "<" else "4321"
    subprocess.run(["perl", "-e", _PERL, str(target), str(directory / "frames"), byte_order], check=True)
    return target


def make_ndb(blobs: list[tuple[int, bytes]], pages: int = 1) -> bytes:
    """Packages.db; checked by hand against the one of a SLE 15 image."""
    slots = struct.pack("<4sIIIIIII", b"RpmP", 0, 1, pages, len(blobs) + 1, 0, 0, 0)
    content = b""
    for number, blob in blobs:
        head = struct.pack("<4sIII", b"BlbS", number, 1, len(blob))
        body = head + blob + b"\0" * (-(len(blob) + 28) % 16)
        tail = struct.pack("<II4s", zlib.adler32(body), len(blob), b"BlbE")
        slots += struct.pack(
            "<4sIII", b"Slot", number, pages * 256 + len(content) // 16, len(body + tail) // 16
        )
        content += body + tail
    while len(slots) < pages * 4096:
        slots += struct.pack("<4sIII", b"Slot", 0, 0, 0)
    return slots + content
