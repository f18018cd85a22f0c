"""Large files made small, such that they answer what the checks ask as before.

A package database of megabytes is asked for a dozen packages, a kernel image for its configuration, an archive of
headers for two of them. Each function returns the small file and a word on what it is, or None to leave it as it is.
Whether it really answers the same is tried out afterwards, by playing the recording back.
"""

from __future__ import annotations

import gzip
import io
import re
import struct
from collections.abc import Callable
from contextlib import closing

from kdiag.parse import cheaders, libbcc
from kdiag.parse.compression import decompress
from kdiag.parse.errors import ParseError
from kdiag.parse.ikconfig import recover
from kdiag.parse.kernel_log import PATH as LOG
from kdiag.parse.kernel_log import notable
from kdiag.parse.kheaders import from_module, quick
from kdiag.parse.packages import Package, rpm
from kdiag.trust import read, scratch

Reduced = tuple[bytes, str] | None
Wanted = Callable[[str], bool]

#: Smaller files are kept as they are.
_WORTH_IT = 16 * 1024
#: A database of a hundred packages has some 40 kB.
_LARGEST_RPM = 64 * 1024 * 1024
#: Packages whose names have one of these parts are asked for.
INTERESTING = re.compile(
    r"linux|kernel|header|devel|bpf|bcc|libc6|glibc|musl|kmod|clang|llvm|trac|perf|dwarves|pahole|base-files"
)


def reduced(path: str, data: bytes, named: frozenset[str] = frozenset(), log: bytes = b"") -> Reduced:
    """The small form of a file, None where there is none. named: packages and functions that are asked for by
    name; log: what lies beside an rpm database and is not yet in it.
    """
    if path == LOG:
        # The rest of a log is about other subjects, whatever its size.
        return notable(data), "the lines about tracing"
    if len(data) < _WORTH_IT:
        return None

    def wanted(name: str) -> bool:
        return name in named or INTERESTING.search(name) is not None

    name = path.rpartition("/")[2]
    try:
        if path.endswith("/dpkg/status"):
            return _dpkg(data, wanted)
        if path.endswith("/apk/db/installed"):
            return _apk(data, wanted)
        if "/rpm/" in path and name in ("rpmdb.sqlite", "Packages.db", "Packages"):
            return _rpm(data, wanted, log)
        if name.startswith("libbcc.so"):
            return libbcc.digest(data), "what its own bpf.h defines"
        if re.search(r"/include/(?:uapi/)?linux/(?:ns/)?\w+\.h$", path):
            return cheaders.digest(
                data.decode("utf-8", "replace")
            ).encode(), "the names that it defines and uses"
        if name == "available_filter_functions":
            lines = (line for line in data.splitlines(keepends=True) if wanted_function(line, named))
            return b"".join(lines) or b"\n", "the functions that were asked for"
        if "kheaders" in name:
            return _kheaders(data, module=".ko" in name)
        if re.match(r"vmlinu[xz]|Image|kernel-|configs\.ko", name):
            return _image(name, data)
    except (ParseError, OSError):
        pass  # what cannot be read is evidence: it is kept
    return None


def wanted_function(line: bytes, named: frozenset[str]) -> bool:
    """Whether this line of available_filter_functions is one of these."""
    return line.split(b" ", 1)[0].strip().decode("ascii", "replace") in named


def _dpkg(data: bytes, wanted: Wanted) -> Reduced:
    fields = re.compile(rb"^(?:Package|Status|Version|Architecture):.*$", re.MULTILINE)
    stanzas = [s for s in data.split(b"\n\n") if s.strip()]
    kept = [
        s
        for s in stanzas
        if (n := re.search(rb"^Package:[ \t]*(\S+)", s, re.MULTILINE))
        and wanted(n[1].decode("utf-8", "replace"))
    ]
    # What headers depend on names their other half.
    depends = re.compile(rb"^(?:Package|Status|Version|Architecture|Depends):.*$", re.MULTILINE)
    text = b"".join(
        b"\n".join((depends if b"headers" in s.partition(b"\n")[0] else fields).findall(s)) + b"\n\n"
        for s in kept
    )
    return (text, f"{len(kept)} of {len(stanzas)} packages") if kept else None


def _apk(data: bytes, wanted: Wanted) -> Reduced:
    stanzas = [s for s in data.split(b"\n\n") if s.strip()]
    kept = []
    for stanza in stanzas:
        lines = stanza.split(b"\n")
        names = [line[2:].decode("utf-8", "replace") for line in lines if line.startswith(b"P:")]
        if names and wanted(names[0]):
            kept.append(b"\n".join(line for line in lines if line[:2] in (b"P:", b"V:", b"A:")))
    return (b"\n\n".join(kept) + b"\n\n", f"{len(kept)} of {len(stanzas)} packages") if kept else None


def _rpm(data: bytes, wanted: Wanted, log: bytes) -> Reduced:
    """A database of any of the three formats as a small one of SQLite."""
    packages = rpm.installed(data, wanted, log)
    return _rpm_sqlite(packages), f"{len(packages)} packages"


def _rpm_sqlite(packages: tuple[Package, ...]) -> bytes:
    import sqlite3

    with scratch.filled({}) as directory:
        path = directory / "rpmdb.sqlite"
        with closing(sqlite3.connect(path)) as connection, connection:
            connection.execute("CREATE TABLE Packages (hnum INTEGER PRIMARY KEY, blob BLOB NOT NULL)")
            connection.execute(
                "CREATE TABLE Name (key TEXT NOT NULL, hnum INTEGER NOT NULL, idx INTEGER NOT NULL)"
            )
            for number, package in enumerate(packages, 1):
                connection.execute("INSERT INTO Packages VALUES (?, ?)", (number, _rpm_header(package)))
                connection.execute("INSERT INTO Name VALUES (?, ?, 0)", (package.name, number))
        return read.user_file(str(path), _LARGEST_RPM)


def _rpm_header(package: Package) -> bytes:
    """Name, version, release, architecture and epoch as rpm stores them (rpm docs/manual/format_header.md)."""
    epoch, has_epoch, rest = package.version.rpartition(":")
    version, _, release = rest.rpartition("-")
    texts = [(1000, package.name), (1001, version), (1002, release)]
    if package.arch is not None:
        texts.append((1022, package.arch))
    body, index = b"", b""
    if has_epoch and epoch.isdigit():
        index, body = struct.pack(">IIII", 1003, 4, 0, 1), struct.pack(">I", int(epoch))
    for tag, text in texts:
        index += struct.pack(">IIII", tag, 6, len(body), 1)
        body += text.encode() + b"\0"
    return struct.pack(">II", len(index) // 16, len(body)) + index + body


def _image(name: str, data: bytes) -> Reduced:
    """A kernel image or module: its configuration between the markers of kernel/configs.c, or that it has none."""
    text = recover(decompress(data, limit=512 << 20) if ".ko" in name else data)
    banner = b"Linux version 0.0 (a kernel image, reduced by kdiag to what was asked of it)\n"
    if text is None:
        return banner, "a word that it holds no configuration"
    return banner + b"IKCFG_ST" + gzip.compress(text, mtime=0) + b"IKCFG_ED", "the configuration in it"


def _kheaders(data: bytes, *, module: bool) -> Reduced:
    """The archive, or the module around it, with the two headers that say what it is for; zeros up to its size."""
    archive = from_module(decompress(data, limit=256 << 20)) if module else data
    info = quick(archive)
    small = _archive(info.archs, info.release, info.version_code)
    if module:
        small = b"a module, reduced by kdiag to the archive in it\n" + small
    return small.ljust(len(data), b"\0"), "the two headers that say what it is for"


def _archive(archs: tuple[str, ...], release: str | None, version_code: int | None) -> bytes:
    import lzma
    import tarfile

    texts = {f"arch/{arch}/include/.kdiag": "" for arch in archs}
    if release is not None:
        texts["include/generated/utsrelease.h"] = f'#define UTS_RELEASE "{release}"\n'
    if version_code is not None:
        texts["include/generated/uapi/linux/version.h"] = f"#define LINUX_VERSION_CODE {version_code}\n"
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for name, text in texts.items():
            member = tarfile.TarInfo(name)
            member.size = len(text)
            tar.addfile(member, io.BytesIO(text.encode()))
    return lzma.compress(out.getvalue())
