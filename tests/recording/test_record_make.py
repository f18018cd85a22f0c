"""Recordings of described machines: the same findings, no secrets, small files, and an honest word where it differs."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from kdiag.capabilities.definitions import DEFAULT_REQUIRED
from kdiag.check import Check
from kdiag.checking.registry import Registered, Registry
from kdiag.machine import Machine
from kdiag.model import Evidence, Finding, Report, Status, ok
from kdiag.recording import make as making
from kdiag.recording import pack
from kdiag.recording.listing import listing
from kdiag.recording.make import Made, make
from kdiag.recording.secrets import Secrets
from kdiag.report.document import load
from kdiag.system.recording import Recording
from kdiag.system.recording_files import Memory
from tests.support import kernel_parts as parts
from tests.support import known_machines, machines
from tests.support.description import Description
from tests.support.reports import builtin, report_on

SECRETS = Secrets(("secrethost7",), ("agentsmith",), (), ("feedface00112233feedface00112233",))


def recorded(
    described: Description, directory: Path, secrets: Secrets | None = SECRETS, *more: Registered
) -> Made:
    registry = builtin()
    chosen = (*registry.checks, *more)
    return make(Recording(described.write(directory)), registry, chosen, DEFAULT_REQUIRED, secrets)


def played(made: Made) -> Report:
    return report_on(Recording(Memory(made.members(directory=False), "memory")))


@pytest.mark.slow
@pytest.mark.parametrize("name", known_machines.BY_NAME)
def test_a_recording_says_what_the_machine_says(name: str, tmp_path: Path) -> None:
    described = known_machines.BY_NAME[name]()
    made = recorded(described, tmp_path / "w")
    direct = report_on(Recording(tmp_path / "w"))
    assert made.differs == ()
    assert [(f.id, f.status, f.causes, f.summary) for f in made.report.findings] == [
        (f.id, f.status, f.causes, f.summary) for f in direct.findings
    ]
    assert made.report.capabilities == direct.capabilities
    again = played(made)
    assert again.findings == made.report.findings
    assert again.verdict == made.report.verdict == direct.verdict


@pytest.mark.parametrize("name", ["fedora-43", "debian-12-headers", "orbstack-container"])
def test_without_redaction_every_word_is_the_same(name: str, tmp_path: Path) -> None:
    made = recorded(known_machines.BY_NAME[name](), tmp_path / "w", None)
    direct = report_on(Recording(tmp_path / "w"))
    assert made.report.findings == played(made).findings == direct.findings
    assert made.index["redacted"] is None
    assert "Nothing was replaced" in listing(made)


def full_of_secrets() -> Description:
    """Secrets wherever the checks look."""
    described = machines.bpftrace(machines.debian_headers(machines.linux()), "0.23.2")
    described.env("HOME", "/home/agentsmith").env("BPFTRACE_KERNEL_SOURCE", "/home/agentsmith/linux")
    described.program("bpftrace", "/home/agentsmith/bin/bpftrace")
    described.command(
        "/home/agentsmith/bin/bpftrace --version", "bpftrace v0.23.2\nbuilt on secrethost7 at 10.77.3.4\n"
    )
    described.file(
        "/proc/cmdline",
        "root=UUID=deadbeef-1111-2222-3333-444455556666 ro cloud.token=t0psecret99 hunter2 lockdown=none\n",
    )
    described.file(
        "/proc/version", f"Linux version {described.release} (agentsmith@secrethost7) (gcc 14) #1 SMP\n"
    )
    described.file("/proc/1/environ", b"container=\0PASSWORD=swordfish99\0HOME=/home/agentsmith\0")
    described.file("/proc/kallsyms", "ffffffffb4c00000 T _stext\nffffffffb4c00010 T vfs_open\n" * 8)
    described.file("/proc/self/mountinfo", "21 1 0:9 / / rw - nfs filer.secrethost7:/export rw,addr=10.77.3.9\n"
               "22 21 0:21 / /proc rw - proc proc rw\n23 21 0:22 / /sys rw - sysfs sysfs rw\n")  # fmt: skip
    described.file("/etc/machine-id", "feedface00112233feedface00112233\n")
    described.dir("/home/agentsmith/linux").dir("/home/agentsmith/.cache/kdiag/headers/x")
    return described


def look_everywhere(machine: Machine) -> Iterator[Finding]:
    """A stranger's check that reads what ours need not."""
    for path in ("/proc/cmdline", "/proc/1/environ", "/proc/self/mountinfo", "/etc/machine-id"):
        data = machine.system.read(path)
        yield ok(
            (data or b"").decode(),
            id=f"example.look-{path.rpartition('/')[2]}",
            evidence=(Evidence(path, str(data)),),
        )


CURIOUS = Registered(Check("example.look", "Everything", look_everywhere), "example", "1", "example")

PLANTED = ("secrethost7", "agentsmith", "deadbeef", "t0psecret99", "hunter2", "swordfish99", "10.77.3", "b4c000",
           "feedface", "filer")  # fmt: skip


def everything(made: Made) -> Iterator[tuple[str, bytes]]:
    for name, data in made.members(directory=False).items():
        yield "a name", name.encode()
        yield name, data
    yield "the list", listing(made).encode()


@pytest.mark.slow
def test_no_secret_is_in_any_byte(tmp_path: Path) -> None:
    made = recorded(full_of_secrets(), tmp_path / "w", SECRETS, CURIOUS)
    for name, data in everything(made):
        for secret in PLANTED:
            assert secret.encode() not in data.lower(), (secret, name)
    direct = report_on(Recording(tmp_path / "w"))
    assert [(f.id, f.status, f.causes) for f in made.report.findings if not f.id.startswith("example")] == [
        (f.id, f.status, f.causes) for f in direct.findings
    ]
    assert made.report.finding("example.look-machine-id") is not None
    assert [(c.id, c.status) for c in made.report.capabilities] == [
        (c.id, c.status) for c in direct.capabilities
    ]
    assert all(made.report.finding(f.id) == f for f in played(made).findings)
    counts = made.index["redacted"]
    assert isinstance(counts, dict)
    assert {"user", "host", "token", "pointer"} <= counts.keys()
    with_all = recorded(full_of_secrets(), tmp_path / "v", None, CURIOUS)
    kept = b"".join(data for _, data in everything(with_all)).lower()
    assert all(secret.encode() in kept for secret in PLANTED)


def test_the_same_secret_has_the_same_placeholder_everywhere(tmp_path: Path) -> None:
    made = recorded(full_of_secrets(), tmp_path / "w")
    which, commands, variables = made.index["which"], made.index["commands"], made.index["env"]
    assert isinstance(which, dict)
    assert isinstance(commands, list)
    assert isinstance(variables, dict)
    assert which["bpftrace"] == "/home/user-1/bin/bpftrace"
    assert any(
        isinstance(c, dict) and c["argv"] == ["/home/user-1/bin/bpftrace", "--version"] for c in commands
    )
    assert variables["HOME"] == "/home/user-1"
    assert b"user-1@host-1" in made.files["root/proc/version"]


# -- large files -------------------------------------------------------------------------------------------------------


def large_database(described: Description) -> Description:
    filler = "".join(
        f"Package: filler{n}\nStatus: install ok installed\nVersion: {n}\nDescription: none\n\n"
        for n in range(2000)
    )
    path = "/var/lib/dpkg/status"
    return described.file(path, described.nodes[path].data.rstrip(b"\n") + b"\n\n" + filler.encode())


def test_a_package_database_is_reduced_to_what_is_asked_of_it(tmp_path: Path) -> None:
    described = large_database(known_machines.debian_12("arch"))
    made = recorded(described, tmp_path / "w", None)
    small = made.files["root/var/lib/dpkg/status"]
    assert len(small) < 5000 < len(described.nodes["/var/lib/dpkg/status"].data)
    assert b"filler" not in small
    assert "reduced to" in made.notes["root/var/lib/dpkg/status"]
    assert made.index["reduced"] == {
        "/dev/kmsg": "the lines about tracing",
        "/var/lib/dpkg/status": made.notes["root/var/lib/dpkg/status"].removeprefix("reduced to "),
    }
    assert made.report.findings == report_on(Recording(tmp_path / "w")).findings


def test_an_rpm_database_is_reduced_to_a_small_one_of_another_format(tmp_path: Path) -> None:
    described = known_machines.fedora_43(
        *((f"filler{n}", "1.0", "1") for n in range(800)), ("kernel-devel", "6.14", "2")
    )
    path = next(p for p in described.nodes if "/rpm/" in p)
    made = recorded(described, tmp_path / "w", None)
    assert len(described.nodes[path].data) > 16 * 1024
    assert len(made.files[f"root{path}"]) < len(described.nodes[path].data)
    assert b"filler" not in made.files[f"root{path}"]
    assert made.report.findings == report_on(Recording(tmp_path / "w")).findings


@pytest.mark.parametrize("state", ["module", "builtin"])
def test_the_headers_archive_is_reduced_and_keeps_its_size(state: str, tmp_path: Path) -> None:
    import lzma
    import random

    described = machines.kheaders(
        machines.linux(options={"IKHEADERS": "m" if state == "module" else "y"}), state
    )
    path = next(p for p in described.nodes if "kheaders.tar.xz" in p or "kheaders.ko" in p)
    # What comes after the archive is not read.
    described.file(path, described.nodes[path].data + random.Random(1).randbytes(40_000))
    made = recorded(described, tmp_path / "w", None)
    kept = made.files[f"root{path}"]
    assert len(kept) == len(described.nodes[path].data)
    assert len(lzma.compress(kept)) < 4000
    direct = report_on(Recording(tmp_path / "w"))
    assert made.report.findings == direct.findings
    served = direct.finding("kheaders.available")
    assert served is not None
    assert served.status is Status.OK


def test_a_kernel_image_is_reduced_to_its_configuration(tmp_path: Path) -> None:
    import gzip
    import random

    described = machines.linux(config_at=None)
    text = parts.config("6.12.107", {"DEBUG_INFO_BTF": "y"})
    image = b"\x7fELF" + bytes(60) + b"Linux version 6.12.107 (x)" + random.Random(1).randbytes(300_000)
    described.file(
        f"/boot/vmlinux-{described.release}", image + b"IKCFG_ST" + gzip.compress(text.encode()) + b"IKCFG_ED"
    )
    made = recorded(described, tmp_path / "w")
    assert made.differs == ()
    name = f"root/boot/vmlinux-{described.release}"
    assert len(made.files[name]) < 20_000
    found = next(f for f in made.report.findings if f.id == "config.source")
    assert found == next(f for f in report_on(Recording(tmp_path / "w")).findings if f.id == "config.source")


def test_a_strangers_check_that_wants_all_of_a_file_gets_all_of_it(tmp_path: Path) -> None:
    def run(machine: Machine) -> Iterator[Finding]:
        """Counts."""
        yield ok(f"{(machine.system.read('/var/lib/dpkg/status') or b'').count(b'Package:')} packages")

    stranger = Registered(Check("example.count", "Packages", run), "example", "1", "example")
    made = recorded(large_database(machines.linux()), tmp_path / "w", SECRETS, stranger)
    assert made.differs == ()
    assert b"filler1999" in made.files["root/var/lib/dpkg/status"]
    assert next(f for f in made.report.findings if f.id == "example.count").summary.startswith("20")


def test_a_check_that_does_not_say_the_same_twice_is_told(tmp_path: Path) -> None:
    count = iter(range(100))

    def run(machine: Machine) -> Iterator[Finding]:
        """Counts its own calls."""
        yield ok(f"call {next(count)}")

    stranger = Registered(Check("example.clock", "The clock", run), "example", "1", "example")
    made = recorded(machines.linux(), tmp_path / "w", SECRETS, stranger)
    assert made.differs == ("example.clock",)


def test_what_is_too_large_is_left_out_and_unknown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "KEEP_LIMIT", 100)
    made = recorded(machines.linux(), tmp_path / "w")
    assert all(len(data) <= 100 for data in made.files.values())
    again = played(made)
    found = next(f for f in again.findings if f.id == "btf.vmlinux")
    assert "left out of the recording" in json.dumps(dataclasses.asdict(found))
    assert "btf.vmlinux" in made.differs


def test_a_name_that_no_file_may_have(tmp_path: Path) -> None:
    def run(machine: Machine) -> Iterator[Finding]:
        """Reads by an odd path."""
        yield ok(str(machine.system.read("/proc/../proc/version") is not None))

    described = machines.linux()
    described.file("/proc/../proc/version", "x")
    stranger = Registered(Check("example.odd", "Odd", run), "example", "1", "example")
    registry = builtin()

    class Odd(Recording):
        def read(self, path: str, limit: int = 1 << 26) -> bytes | None:
            return b"x" if ".." in path else super().read(path, limit)

    made = make(
        Odd(machines.linux().write(tmp_path / "w")),
        registry,
        (*registry.checks, stranger),
        DEFAULT_REQUIRED,
        None,
    )
    assert all(pack.safe(name) for name in made.files)
    assert made.differs == ("example.odd",)


# -- files and lists ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["m.tar.zst", "m.tar.xz", "m"])
def test_written_and_read_back(name: str, tmp_path: Path) -> None:
    made = recorded(known_machines.complete(), tmp_path / "w")
    path = str(tmp_path / name)
    pack.write(path, made.members(directory="." not in name), made.created)
    assert report_on(pack.opened(path)).findings == made.report.findings
    kept = load(pack.store(path).read("report.json"))
    assert kept.findings == made.report.findings
    assert kept.created == made.report.created


def test_a_directory_holds_large_files_packed(tmp_path: Path) -> None:
    described = machines.linux()
    config = f"/boot/config-{described.release}"
    described.file(config, described.nodes[config].data + b"# filler\n" * 20_000)
    made = recorded(described, tmp_path / "w")
    members = made.members(directory=True)
    assert f"root{config}" not in members
    assert f"root{config}.xz" in members
    assert json.loads(members["recording.json"])["packed"] == {config: len(described.nodes[config].data)}
    pack.write(str(tmp_path / "m"), members, made.created)
    assert report_on(Recording(tmp_path / "m")).findings == made.report.findings


def test_the_list_tells_everything_that_would_go_in(tmp_path: Path) -> None:
    made = recorded(full_of_secrets(), tmp_path / "w")
    text = listing(made)
    for name in made.members(directory=False):
        assert name.removeprefix("root") in text
    assert "/proc/version" in text
    assert "replaced: " in text
    assert "HOME: /home/user-1" in text
    assert "KDIAG_KCONFIG: not set" in text
    assert "/home/user-1/bin/bpftrace --version" in text
    assert listing(made, unicode=False).isascii()
    assert max(map(len, text.splitlines())) < 200


def test_a_registry_with_problems(tmp_path: Path) -> None:
    """What cannot be loaded is a finding of the recording, too."""
    from kdiag.checking.registry import Problem

    registry = Registry(
        builtin().checks, (Problem("broken", "example", "cannot be imported: SyntaxError: x"),)
    )
    made = make(
        Recording(machines.linux().write(tmp_path / "w")),
        registry,
        registry.checks,
        DEFAULT_REQUIRED,
        SECRETS,
    )
    assert made.report.finding("plugin.broken") is not None
    assert made.differs == ()


def test_whose_mirror_apt_asks_is_not_told(tmp_path: Path) -> None:
    """The suites are what decides; addresses, passwords in them and the names of the files are private."""
    described = machines.linux("6.12.95+deb12-amd64", machines.DEBIAN["12"])
    described.file("/etc/apt/sources.list", "deb https://bob:hunter2@apt.acme.example/debian bookworm main\n")
    text = "Types: deb\nURIs: http://apt.acme.example/d\nSuites: bookworm-backports\nSigned-By: /acme.gpg\n"
    described.file("/etc/apt/sources.list.d/acme-tools.sources", text)
    made = recorded(described, tmp_path / "w")
    assert made.differs == ()
    members = made.members(directory=False)
    everything = b"".join([*members.values(), *(name.encode() for name in members)])
    for secret in (b"acme", b"hunter2", b"bob:"):
        assert secret not in everything
    again = played(made).finding("headers.package")
    assert again is not None
    assert [r.id for r in again.remedies] == ["headers.package"]


def test_the_log_of_an_rpm_database_goes_into_the_small_one(tmp_path: Path) -> None:
    """Otherwise the log, which belongs to the whole file, would be played back over another."""
    import sqlite3
    from contextlib import closing

    path = tmp_path / "rpmdb.sqlite"
    path.write_bytes(parts.rpm_database(*((f"filler-{n}", "1", "1") for n in range(500))))
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        blob = parts.rpm_header("kernel-devel", "6.17.1", "300.fc43")
        connection.execute("INSERT INTO Packages VALUES (9999, ?)", (blob,))
        connection.execute("INSERT INTO Name VALUES ('kernel-devel', 9999, 0)")
        connection.commit()
        main, log = path.read_bytes(), (tmp_path / "rpmdb.sqlite-wal").read_bytes()
    place = "/usr/lib/sysimage/rpm/rpmdb.sqlite"
    described = known_machines.fedora_43().file(place, main).file(f"{place}-wal", log)
    made = recorded(described, tmp_path / "w")
    assert made.differs == ()
    assert made.files[f"root{place}-wal"] == b""
    found = played(made).finding("headers.package")
    assert found is not None
    assert found.status is Status.OK
