"""mountinfo: this process's own against stat(2), stacked and hidden mounts, escapes, damage."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdiag.parse.errors import ParseError
from kdiag.parse.mountinfo import Mount, Mounts, parse

OWN = Path("/proc/self/mountinfo")

HOST = b"""22 28 0:21 / /proc rw,nosuid,nodev,noexec,relatime shared:5 - proc proc rw
23 28 0:22 / /sys rw,nosuid,nodev,noexec,relatime shared:6 - sysfs sysfs rw
28 1 254:1 / / rw,relatime shared:1 - ext4 /dev/vda1 rw,errors=remount-ro
33 23 0:7 / /sys/kernel/debug rw,nosuid,nodev,noexec,relatime shared:15 - debugfs debugfs rw
34 23 0:12 / /sys/kernel/tracing rw,nosuid,nodev,noexec,relatime shared:16 - tracefs tracefs rw
90 33 0:12 / /sys/kernel/debug/tracing rw,nosuid,nodev,noexec,relatime shared:47 - tracefs tracefs rw
95 28 254:1 /srv/a\\040b /mnt/a\\040b\\011c ro,relatime shared:1 master:3 - ext4 /dev/vda1 rw
"""

CONTAINER = b"""701 524 0:61 / / rw,relatime master:280 - overlay overlay rw,lowerdir=/a:/b
702 701 0:64 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
703 701 0:65 / /dev rw,nosuid - tmpfs tmpfs rw,size=65536k,mode=755
705 701 0:66 / /sys ro,nosuid,nodev,noexec,relatime - sysfs sysfs ro
710 702 0:70 / /proc/acpi ro,relatime - tmpfs tmpfs ro
"""


def test_fields() -> None:
    mount = parse(HOST).entries[6]
    assert mount == Mount(
        id=95,
        parent=28,
        device=(254, 1),
        root="/srv/a b",
        mount_point="/mnt/a b\tc",
        options=("ro", "relatime"),
        optional=("shared:1", "master:3"),
        fstype="ext4",
        source="/dev/vda1",
        super_options=("rw",),
    )
    assert mount.read_only
    assert not parse(HOST).entries[2].read_only


def test_look_ups() -> None:
    mounts = parse(HOST)
    assert [found.mount_point for found in mounts.of_type("tracefs")] == [
        "/sys/kernel/tracing",
        "/sys/kernel/debug/tracing",
    ]
    assert len(mounts.of_type("tracefs", "debugfs")) == 3
    covering = {
        path: mounts.covering(path) for path in ("/", "/sys/kernel/btf", "/sys/kernel/debug/tracing/events")
    }
    assert [found.id if found else None for found in covering.values()] == [28, 23, 90]
    for path, number in (("/sys/kernel/tracing", 34), ("/sys/kernel/tracing/", 34), ("/", 28)):
        found = mounts.at(path)
        assert found is not None
        assert found.id == number
    assert mounts.at("/sys/kernel/security") is None
    assert mounts.at("/sys/kernel/trac") is None
    assert mounts.at("/mnt/a b\tc") is not None


def test_container_has_no_tracefs() -> None:
    mounts = parse(CONTAINER)
    assert mounts.of_type("tracefs") == ()
    sys = mounts.covering("/sys/kernel/tracing")
    assert sys is not None
    assert (sys.fstype, sys.read_only) == ("sysfs", True)


def test_the_last_of_stacked_mounts_is_visible() -> None:
    over = b"120 34 0:80 / /sys/kernel/tracing rw - tmpfs over rw\n"
    top = b"121 120 0:81 / /sys/kernel/tracing rw - tmpfs top rw\n"
    found = parse(HOST + over + top).at("/sys/kernel/tracing")
    assert found is not None
    assert found.source == "top"


def test_a_mount_over_the_parent_hides_what_is_below() -> None:
    hidden = HOST + b"130 28 0:90 / /mnt rw - tmpfs tmpfs rw\n131 23 0:91 / /sys/kernel rw - tmpfs veil rw\n"
    mounts = parse(hidden)
    assert mounts.at("/mnt/a b\tc") is None
    assert mounts.at("/sys/kernel/tracing") is None
    veil = mounts.covering("/sys/kernel/tracing/events")
    assert veil is not None
    assert veil.source == "veil"


def test_stacked_root() -> None:
    found = parse(b"1 1 0:1 / / rw - rootfs rootfs rw\n20 1 8:1 / / rw - ext4 /dev/sda1 rw\n").at("/")
    assert found is not None
    assert found.fstype == "ext4"


def test_chroot_without_a_mounted_root() -> None:
    mounts = parse(b"22 28 0:21 / /proc rw - proc proc rw\n")
    assert mounts.covering("/etc") is None
    assert mounts.at("/") is None
    found = mounts.covering("/proc/self")
    assert found is not None
    assert found.id == 22


def test_parents_in_a_circle_end() -> None:
    mounts = parse(b"1 2 0:1 / / rw - a a rw\n2 1 0:1 / / rw - b b rw\n3 9 0:1 / / rw - c c rw\n")
    found = mounts.covering("/x")
    assert found is not None
    assert found.id == 3


def test_empty_source_and_missing_options() -> None:
    (mount,) = parse(b"22 28 0:21 / /x rw - tmpfs  rw\n")
    assert (mount.source, mount.super_options) == ("", ("rw",))
    (mount,) = parse(b"22 28 0:21 / /x rw - fuse.sshfs host:/a\\134b\n")
    assert (mount.fstype, mount.source, mount.super_options) == ("fuse.sshfs", "host:/a\\b", ())


def test_bytes_that_are_not_utf8_survive() -> None:
    (mount,) = parse(b"22 28 0:21 / /x\xff rw - tmpfs tmpfs rw\n")
    assert os.fsencode(mount.mount_point) == b"/x\xff"


def test_empty_file() -> None:
    assert len(parse(b"")) == 0
    assert parse(b"").covering("/") is None


@pytest.mark.parametrize(
    "line",
    [
        b"22 28 0:21 / /proc rw proc proc rw",
        b"x 28 0:21 / /proc rw - proc proc rw",
        b"22 28 21 / /proc rw - proc proc rw",
        b"22 28 0:21 / proc rw - proc proc rw",
        b"22 28 0:21 / /proc rw -",
        b"22 28 0:21 / /proc rw - proc",
        b"22 28 0:21 / /proc",
        b"",
        b"tmpfs /tmp tmpfs rw 0 0",
    ],
)
def test_malformed_lines_are_named(line: bytes) -> None:
    good = b"23 28 0:22 / /sys rw - sysfs sysfs rw\n"
    with pytest.raises(ParseError) as error:
        parse(good + good + line + b"\n" + good)
    assert error.value.offset == 3


@pytest.mark.skipif(not OWN.exists(), reason="no /proc")
def test_this_process_agrees_with_stat() -> None:
    mounts = parse(OWN.read_bytes())
    compared = 0
    for mount in mounts:
        visible = mounts.at(mount.mount_point)
        try:
            device = os.stat(mount.mount_point).st_dev
        except OSError:
            continue
        covering = mounts.covering(mount.mount_point)
        assert covering is not None
        # btrfs and overlay give out device numbers of their own
        if covering.fstype not in ("btrfs", "overlay"):
            assert os.makedev(*covering.device) == device, mount
            compared += 1
        if visible is None:
            assert covering.mount_point != mount.mount_point
    assert compared


names = st.text(
    st.characters(blacklist_characters="/\0", blacklist_categories=["Cs"]), min_size=1, max_size=8
)
paths = st.lists(names, max_size=4).map(lambda parts: "/" + "/".join(parts))


def escaped(text: str) -> str:
    for character in "\\ \t\n":
        text = text.replace(character, f"\\{ord(character):03o}")
    return text


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(paths, paths, names.map(lambda name: name.replace("\\", "")), names), max_size=6))
def test_what_the_kernel_escapes_comes_back(rows: list[tuple[str, str, str, str]]) -> None:
    text = ""
    for number, (root, point, fstype, source) in enumerate(rows, 2):
        fields = [escaped(part) for part in (root, point)]
        end = [escaped(part) or "x" for part in (fstype, source)]
        text += f"{number} 1 0:{number} {' '.join(fields)} rw shared:1 - {' '.join(end)} rw\n"
    mounts = parse(text.encode())
    assert [(mount.root, mount.mount_point, mount.source) for mount in mounts] == [
        (root, point, source) for root, point, _, source in rows
    ]


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=60), st.integers(0, len(HOST)), st.integers(0, len(HOST)), paths)
def test_any_bytes_give_mounts_or_a_parse_error(junk: bytes, start: int, end: int, path: str) -> None:
    for data in (junk, HOST[:start] + junk + HOST[end:]):
        with suppress(ParseError):
            mounts = parse(data)
            assert isinstance(mounts, Mounts)
            mounts.covering(path)
            mounts.at(path)
