"""Secrets do not leave: each kind is found wherever it stands, and has one placeholder; all else stays."""

from __future__ import annotations

import gzip
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdiag.recording import sensitive
from kdiag.recording.redact import Redactor
from kdiag.recording.secrets import Secrets, distinct, of
from kdiag.system import Unavailable

KNOWN = Secrets(
    hosts=("web42.corp.example", "web42"),
    users=("alice", "bob-smith"),
    homes=(("/srv/people/alice", "alice"),),
    ids=("0123456789abcdef0123456789abcdef",),
)
RELEASE = "5.15.167.4-microsoft-standard-WSL2"


def redactor() -> Redactor:
    return Redactor(KNOWN, (RELEASE, "5.15.0.1"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("on web42 now", "on host-1 now"),
        ("WEB42: up", "host-1: up"),
        ("ssh web42.corp.example", "ssh host-1"),
        ("web420 and web42x and my-web42 stay", "web420 and web42x and my-web42 stay"),
        ("/home/carol/.cache/kdiag", "/home/user-1/.cache/kdiag"),
        ("/home/carol /home/carol/x /home/dave", "/home/user-1 /home/user-1/x /home/user-2"),
        ("/mnt/c/Users/Alice/AppData", "/mnt/c/Users/user-1/AppData"),
        ("/srv/people/alice/bin and /srv/people/alicia", "/srv/people/user-1/bin and /srv/people/user-2"),
        ("uid=1000(alice)", "uid=1000(user-1)"),
        ("bob-smith@web42", "user-1@host-1"),
        ("id 0123456789abcdef0123456789abcdef.", "id 00000000000000000000000000000001."),
        ("at 10.1.2.3, 10.1.2.3:22 and 10.1.2.4/24", "at 192.0.2.1, 192.0.2.1:22 and 192.0.2.2/24"),
        ("range 10.1.2.3-10.1.2.9", "range 192.0.2.1-192.0.2.2"),
        ("127.0.0.1 0.0.0.0 255.255.255.0", "127.0.0.1 0.0.0.0 255.255.255.0"),
        (f"Linux version {RELEASE} (x)", f"Linux version {RELEASE} (x)"),
        ("version 1.2.3.4, v1.2.3.4, 1.2.3.4-5, 1.2.3.4+b1", "version 1.2.3.4, v1.2.3.4, 1.2.3.4-5, 1.2.3.4+b1"),
        ("kernel 5.15.0.1 is kept", "kernel 5.15.0.1 is kept"),
        ("999.1.1.1 and 1.2.3 and 1.2.3.4.5", "999.1.1.1 and 1.2.3 and 1.2.3.4.5"),
        ("fe80::1ff:fe23:4567:890a%eth0", "2001:db8::1%eth0"),
        ("[2a01:4f8::1]:80 ::1 ::", "[2001:db8::1]:80 ::1 ::"),
        ("12:34:56 std::map a::b 0000:00:1f.2", "12:34:56 std::map 2001:db8::1 0000:00:1f.2"),
        ("ether 52:54:00:AB:cd:01", "ether 00:00:5e:00:53:01"),
        ("BOOTIF=01-52-54-00-ab-cd-01", "BOOTIF=00:00:5e:00:53:01"),
        ("UUID=3f2a1b4c-1111-2222-3333-444455556666", "UUID=00000000-0000-4000-8000-000000000001"),
        ("SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c", "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"),
        ("overlay2/" + "ab" * 32 + "/diff", "overlay2/" + "1".rjust(64, "0") + "/diff"),
        ("build-id " + "ab" * 20, "build-id " + "ab" * 20),
        ("ip-10-0-0-12.eu-central-1.compute.internal", "host-1"),
        ("instance i-0abc1234def567890", "instance host-1"),
        ("vm-1.c.my-project.internal", "host-1"),
        ("ghp_" + "a1" * 18, "redacted-1"),
        ("password=hunter22 token: 'abcdefgh' secret=none", "password=redacted-1 token: 'redacted-2' secret=none"),
        ("https://alice:pw123@host/x", "https://redacted-1@host/x"),
        ("ffffffff81000000 T _stext", "ffffffffff000001 T _stext"),
        ("0xffffffffc0a1b000 0x0 0000000000000000", "0xffffffffff000001 0x0 0000000000000000"),
    ],
)  # fmt: skip
def test_text(text: str, expected: str) -> None:
    assert redactor().text(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "bpftrace v0.23.2",
        "bpftool v7.5.0\nusing libbpf v1.5",
        "/lib/modules/6.12.107+deb13-amd64/build -> /usr/src/linux-headers-6.12.107+deb13-amd64",
        "Linux version 6.12.107+deb13-amd64 (debian-kernel@lists.debian.org) (gcc 14) #1 SMP Debian 6.12.107-1",
        "tracepoint:syscalls:sys_enter_openat kprobe:vfs_read usdt:/bin/sh:probe",
        "nodev\tsysfs\nnodev\ttracefs\n",
        "ghcr.io/example/image:1.2 at /usr/share/bcc/tools",
        "user root, kernel debian, host localhost",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redactor().text(text) == text


WORDS = st.sampled_from(
    ["web42", "alice", "/home/x y", "10.0.0.1", "fe80::2", "52:54:00:00:00:01", "token=abcdef", " ", "\n", "0", ".",
     "3f2a1b4c-1111-2222-3333-444455556666", "ffffffff81000000", "host-1", "192.0.2.1", "redacted-7", "-", ":", "é"]
)  # fmt: skip


PATH_WORDS = WORDS.filter(lambda word: "=" not in word)


@settings(deadline=None, max_examples=150)
@given(st.lists(WORDS | st.text(string.printable, max_size=8), max_size=12))
def test_once_redacted_nothing_is_left_to_redact(words: list[str]) -> None:
    once = redactor().text("".join(words))
    assert redactor().text(once) == once


@settings(deadline=None, max_examples=150)
@given(st.lists(PATH_WORDS, max_size=8), st.lists(PATH_WORDS, max_size=8))
def test_paths_stay_together(left: list[str], right: list[str]) -> None:
    """What belongs together is found together: a file below a directory is below it afterwards."""
    one = redactor()
    directory = one.text("/" + "".join(left).replace("/", ""))
    path = one.text("/" + "".join(left).replace("/", "") + "/" + "".join(right).replace("/", ""))
    assert path.startswith(directory + "/")


def test_placeholders_are_consistent_and_many() -> None:
    one = redactor()
    assert one.text("10.0.0.1 10.0.0.2") == one.text("10.0.0.1 10.0.0.2") == "192.0.2.1 192.0.2.2"
    many = [one.text(f"172.16.{n // 250}.{n % 250 + 1}") for n in range(1200)]
    assert len(set(many)) == 1200
    assert len({one.text(f"2a00::{n:x}:1") for n in range(1, 400)}) == 399


def test_counts_tell_what_was_replaced() -> None:
    one = redactor()
    one.text("web42 10.0.0.1 alice alice")
    assert dict(one.counts) == {"host": 1, "ipv4": 1, "user": 2}


# -- files that are known ----------------------------------------------------------------------------------------------


def cleaned(path: str, text: str, one: Redactor | None = None) -> str:
    return sensitive.redacted(path, text.encode("utf-8", "surrogateescape"), one or redactor()).decode(
        "utf-8", "surrogateescape"
    )


def test_the_command_line_keeps_what_tracing_depends_on() -> None:
    line = "BOOT_IMAGE=/vmlinuz root=/dev/vda1 ro quiet lockdown=integrity nokaslr console=ttyS0,115200 panic=1\n"
    assert cleaned("/proc/cmdline", line) == line


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("root=UUID=3f2a1b4c-1111-2222-3333-444455556666", "root=UUID=00000000-0000-4000-8000-000000000001"),
        ("root=PARTUUID=9f3a1b2c-02", "root=PARTUUID=redacted-1"),
        ("root=LABEL=alices-disk", "root=LABEL=redacted-1"),
        ("cloud.token=abc123xyz", "cloud.token=redacted-1"),
        ("ip=10.0.0.1::10.0.0.254:255.255.255.0", "redacted-1"),
        ("hunter2", "redacted-1"),
        ("ds=nocloud-net;s=http://10.0.0.9/", "redacted"),
        ("systemd.machine_id=fedcba9876543210fedcba9876543210", "systemd.machine_id=redacted-1"),
        ("unknown=1", "unknown=1"),
        ("virtio_mmio.device=4K@0xd0000000:5", "virtio_mmio.device=4K@0xd0000000:5"),
        ("init=/bin/sh -- --password hunter2", "init=/bin/sh -- redacted-1 redacted-2"),
    ],
)
def test_the_command_line_gives_nothing_else_away(word: str, expected: str) -> None:
    got = cleaned("/proc/cmdline", f"quiet {word}\n")
    assert got.startswith("quiet ")
    assert expected in got or "192.0.2" in got
    for secret in ("hunter2", "alices-disk", "abc123", "10.0.0", "9f3a1b2c", "fedcba"):
        assert secret not in got


def test_what_one_file_tells_is_replaced_in_others() -> None:
    one = redactor()
    cleaned("/proc/cmdline", "agent.key=s3cr3t-value-77\n", one)
    assert one.text("saw s3cr3t-value-77 there") == "saw redacted-1 there"


def test_the_environment_is_reduced_to_what_is_known() -> None:
    text = "HOME=/home/carol\0AWS_SECRET=abc\0container=docker\0PATH=/home/carol/bin:/usr/bin\0broken\0"
    assert (
        cleaned("/proc/1/environ", text)
        == "HOME=/home/user-1\0container=docker\0PATH=/home/user-1/bin:/usr/bin\0"
    )


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("HOME", "/home/carol", "/home/user-1"),
        ("BPFTRACE_KERNEL_SOURCE", "/usr/src/linux", "/usr/src/linux"),
        ("KUBERNETES_SERVICE_HOST", "10.96.0.1", "192.0.2.1"),
        ("KUBERNETES_SERVICE_HOST", "api.local", "redacted-1"),
        ("MY_TOKEN", "abc", "redacted-1"),
        ("MY_TOKEN", "", ""),
    ],
)
def test_variables(name: str, value: str, expected: str) -> None:
    assert sensitive.variable(name, value, redactor()) == expected


def test_mounts_do_not_tell_who_serves_them() -> None:
    text = (
        "22 21 0:21 / /proc rw,nosuid shared:5 - proc proc rw\n"
        "30 21 0:30 / /mnt/nas rw - nfs4 nas.corp:/export/alice rw,vers=4.2,addr=10.0.0.9,clientaddr=10.0.0.8\n"
        "31 21 0:31 / /mnt/win rw - cifs //filer/share rw,username=alice,domain=CORP\n"
        "32 21 254:1 / / rw - ext4 /dev/vda1 rw,errors=remount-ro\n"
    )
    got = cleaned("/proc/self/mountinfo", text)
    assert got.splitlines()[0] == text.splitlines()[0]
    assert got.splitlines()[3] == text.splitlines()[3]
    for secret in ("nas.corp", "alice", "10.0.0", "filer", "CORP"):
        assert secret not in got
    from kdiag.parse.mountinfo import parse

    assert [m.fstype for m in parse(got.encode())] == ["proc", "nfs4", "cifs", "ext4"]
    assert "nas.corp" not in cleaned("/proc/mounts", "nas.corp:/export /mnt nfs rw,addr=10.0.0.9 0 0\n")


def test_who_built_the_kernel_at_home() -> None:
    one = redactor()
    text = "Linux version 6.9.1 (carol@thinkpad77) (gcc 14) #1 SMP\n"
    assert cleaned("/proc/version", text, one) == "Linux version 6.9.1 (user-1@host-1) (gcc 14) #1 SMP\n"
    assert one.text("on thinkpad77") == "on host-1"
    for public in ("(buildd@lcy02-amd64-001)", "(nixbld@localhost)", "(linux-lts@archlinux)"):
        text = f"Linux version 6.9.1 {public} (gcc 14) #1\n"
        assert cleaned("/proc/version", text) == text


def test_a_processors_serial_number() -> None:
    text = "Hardware\t: BCM2835\nSerial\t\t: 10000000abcdef99\nModel\t\t: Raspberry Pi 4\n"
    got = cleaned("/proc/cpuinfo", text)
    assert "abcdef99" not in got
    assert "BCM2835" in got


def test_a_packed_configuration_with_a_command_line_in_it() -> None:
    text = 'CONFIG_BPF=y\nCONFIG_CMDLINE="console=ttyS0 wifi.psk=hunter2hunter2"\nCONFIG_KEYS=y\n'
    text += 'CONFIG_SYSTEM_TRUSTED_KEYS="/home/carol/k.pem"\n'
    data = sensitive.redacted("/proc/config.gz", gzip.compress(text.encode()), redactor())
    got = gzip.decompress(data).decode()
    assert "hunter2" not in got
    assert "carol" not in got
    assert 'CONFIG_BPF=y\nCONFIG_CMDLINE="console=ttyS0 wifi.psk=redacted-1"\nCONFIG_KEYS=y\n' in got


def test_files_that_are_nothing_but_a_secret() -> None:
    assert cleaned("/etc/hostname", "vm\n") == "host-1\n"
    assert cleaned("/etc/machine-id", "ab" * 16 + "\n") == "1".rjust(32, "0") + "\n"
    assert cleaned("/sys/class/dmi/id/product_serial", "XY-12345\n").endswith("1\n")


def test_binary_files_keep_their_length() -> None:
    data = b"\x01\x00web42.corp.example\x00alice\x00rest"
    got = sensitive.redacted("/var/lib/some.db", data, redactor())
    assert len(got) == len(data)
    assert b"web42" not in got
    assert b"alice" not in got


@pytest.mark.parametrize("magic", [b"\x9f\xeb\x01", b"\x7fELF", b"\xfd7zXZ\x00"])
def test_btf_and_programs_are_left_alone(magic: bytes) -> None:
    data = magic + b"alice web42\0"
    assert sensitive.redacted("/sys/kernel/btf/vmlinux", data, redactor()) == data


@settings(deadline=None, max_examples=100)
@given(st.binary(max_size=300), st.sampled_from(["/proc/cmdline", "/proc/self/mountinfo", "/proc/1/environ", "/x",
    "/proc/version", "/proc/config.gz", "/proc/cpuinfo", "/proc/1/cmdline", "/etc/hostname"]))  # fmt: skip
def test_any_bytes_in_any_file(data: bytes, path: str) -> None:
    once = sensitive.redacted(path, data, redactor())
    assert sensitive.redacted(path, once, redactor()) == once


# -- what is known beforehand ------------------------------------------------------------------------------------------


class Files:
    """A machine that has these files."""

    def __init__(self, files: dict[str, str]) -> None:
        self.files = files

    def read(self, path: str, limit: int = 0) -> bytes | None:
        if path == "/proc/sys/kernel/random/boot_id":
            raise Unavailable("refused")
        return self.files[path].encode() if path in self.files else None


def test_secrets_are_gathered() -> None:
    machine = Files(
        {
            "/etc/hostname": "db7.corp.example\n",
            "/etc/passwd": "root:x:0:0::/root:/bin/sh\ncarol:x:1001:1001::/srv/carol:/bin/sh\n"
            "ubuntu:x:1000:1000::/home/ubuntu:/b\ndaemon:x:1:1::/usr/sbin:/x\nbroken\n",
            "/etc/machine-id": "ab" * 16 + "\n",
        }
    )
    found = of(machine, {"HOME": "/data/dave", "USER": "dave", "SUDO_USER": "erin"}, "node-9")  # type: ignore[arg-type]
    assert found.hosts == ("db7.corp.example", "node-9", "db7")
    assert set(found.users) == {"carol", "dave", "erin"}
    assert dict(found.homes) == {"/srv/carol": "carol", "/data/dave": "dave"}
    assert found.ids == ("ab" * 16,)


@pytest.mark.parametrize(
    "name", ["vm", "debian", "localhost", "root", "ubuntu", "node", "1000", "tracing", ""]
)
def test_names_that_would_tear_holes_into_everything(name: str) -> None:
    assert not distinct(name)


# -- names joined to what --------------------------------------------------------------------------------------------

MANY = Secrets(
    hosts=("zephyr7",),
    users=("janedoe", "ali", "perf", "김철수", "王伟", "jane-doe", "søren"),
    homes=(("/export/janedoe", "janedoe"),),
    domains=("corp.quux.example", "quux.example"),
    parents=("/export", "/home/QUUX"),
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("conf-janedoe, janedoe_x, janedoe.bak, JaneDoe's", "conf-user-1, user-1_x, user-1.bak, user-1's"),
        ("janedoes, myjanedoe and janedoe7 are other words", "janedoes, myjanedoe and janedoe7 are other words"),
        ("김철수의 김철수가 (김철수)", "user-1의 user-1가 (user-1)"),
        ("王伟的服务器", "user-1的服务器"),
        ("zephyr7의 zephyr7", "host-1의 host-1"),
        ("Ali'nin, ali", "user-1'nin, user-1"),
        ("alı and ALİ are Ali to the matcher", "user-1 and user-1 are user-1 to the matcher"),
        ("sørens maskine", "user-1s maskine"),
        ("vg jane--doe-root, home-jane\\x2ddoe.mount", "vg user-1-root, home-user-1.mount"),
        ("linux-perf is a package, perf a user", "linux-perf is a package, user-1 a user"),
        ("kali-linux, ali-baba", "kali-linux, ali-baba"),
        ("git.quux.example QUUX.example. a.b.corp.quux.example:80", "host-1 host-2. host-3:80"),
        ("notquux.example and quux.example-x", "notquux.example and quux.example-x"),
        ("/export/janedoe/x /export/other/y /home/QUUX/bob/z",
         "/export/user-1/x /export/user-2/y /home/user-4/user-3/z"),
        ("bob@quux.example root@lists.debian.org user@1000.service",
         "user-1@host-1 root@lists.debian.org user@1000.service"),
        ("nfs-10.1.2.3 10.1.2.3-foo 1.2.3.4-foo 10.1.2.3.4", "nfs-192.0.2.1 192.0.2.1-foo 1.2.3.4-foo 10.1.2.3.4"),
        ("scheme://a:b@c:d@host/x", "scheme://redacted-1@host/x"),
    ],
)  # fmt: skip
def test_names_in_context(text: str, expected: str) -> None:
    got = Redactor(MANY).text(text)
    assert got == expected
    assert Redactor(MANY).text(got) == got


def test_what_is_kept_is_whole_though_a_name_is_in_it() -> None:
    one = Redactor(Secrets(users=("janedoe",), hosts=("zephyr7",)), ("6.9.1-janedoe-zephyr7", "x86_64"))
    text = "/lib/modules/6.9.1-janedoe-zephyr7/build of janedoe on zephyr7, x86_64"
    assert one.text(text) == "/lib/modules/6.9.1-janedoe-zephyr7/build of user-1 on host-1, x86_64"
    assert one.text("/home/6.9.1-janedoe-zephyr7/x").startswith("/home/user-")


@pytest.mark.parametrize(
    "word",
    [
        "security=selinux", "security=apparmor", "lsm=landlock,lockdown,yama,integrity,apparmor,bpf",
        "lockdown=confidentiality",
        "crashkernel=512M", "crashkernel=auto", "crashkernel=1G-4G:192M,4G-64G:256M", "crashkernel=256M,high",
        "mitigations=auto,nosmt", "console=ttyS0,115200n8", "console=tty0", "console=hvc0", "reboot=k", "panic=-1",
        "isolcpus=nohz,domain,2-7", "nohz_full=1,3-5", "BOOT_IMAGE=/boot/vmlinuz-6.9.1-x",
        "BOOT_IMAGE=(hd0,gpt2)/vmlinuz",
        "root=/dev/nvme0n1p2", "root=/dev/vda", "init=/sbin/init", "transparent_hugepage=madvise", "nokaslr",
        "nr_cpus=8",
        "modprobe.blacklist=kheaders", "module.sig_enforce=1", "rootfstype=ext4", "iommu=pt", "clocksource=kvm-clock",
        "apparmor=1", "selinux=0", "enforcing=0", "systemd.unified_cgroup_hierarchy=1",
        "earlycon=uart8250,mmio32,0xfe215040",
        "virtio_mmio.device=4K@0xd0000000:5", "quiet", "splash", "vendor.feature=on",
    ],
)  # fmt: skip
def test_parameters_that_tell_of_tracing_stay(word: str) -> None:
    one = Redactor(KNOWN, ("6.9.1-x",))
    assert cleaned("/proc/cmdline", f"{word}\n", one) == f"{word}\n"


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(["security", "lsm", "console", "crashkernel", "mitigations", "init", "foo.bar", "ip", "root",
    "BOOT_IMAGE", "modprobe.blacklist", "ftrace", "reboot", "isolcpus", "iommu", "lockdown", "mem", "audit", "debug"]),
    st.text("abcxyz0189,.:/=-_@", min_size=0, max_size=6),
    st.sampled_from(["hunter2pw", "4711002", "Tr0ub4dor", "correct-horse"]),
    st.text("abcxyz0189,.:/=-_@", min_size=0, max_size=6))  # fmt: skip
def test_no_value_goes_out_by_the_company_it_keeps(key: str, before: str, secret: str, after: str) -> None:
    got = cleaned("/proc/cmdline", f"quiet {key}={before}{secret}{after} ro\n")
    assert secret not in got
    assert got.startswith("quiet ") and got.endswith(" ro\n")


@pytest.mark.parametrize(
    ("mount", "expected"),
    [
        ("22 21 0:21 / /proc rw - proc proc rw", "22 21 0:21 / /proc rw - proc proc rw"),
        ("1 2 0:1 / / rw - ext4 /dev/nvme0n1p2 rw", "1 2 0:1 / / rw - ext4 /dev/nvme0n1p2 rw"),
        ("1 2 0:1 / / rw - ext4 /dev/mapper/web--01--vg-root rw", "1 2 0:1 / / rw - ext4 /dev/mapper/redacted-1 rw"),
        ("1 2 0:1 /srv/x / rw - btrfs LABEL=a rw,subvol=/@bob",
         "1 2 0:1 redacted-3 / rw - btrfs redacted-1 rw,subvol=redacted-2"),
        ("1 2 0:1 / /x rw - tracefs kdiag-0123456789abcdef rw", "1 2 0:1 / /x rw - tracefs kdiag-0123456789abcdef rw"),
    ],
)  # fmt: skip
def test_what_is_mounted(mount: str, expected: str) -> None:
    assert cleaned("/proc/self/mountinfo", f"{mount}\n") == f"{expected}\n"
    assert cleaned("/proc/self/mountinfo", f"{expected}\n") == f"{expected}\n"


def test_more_secrets_are_gathered() -> None:
    machine = Files(
        {
            "/etc/resolv.conf": "# x\nsearch corp.quux.example quuxlan local\noptions ndots:5\n",
            "/etc/hosts": "127.0.1.1 zephyr7.corp.quux.example zephyr7 # mine\n10.0.0.5 db5\n"
            "1.1.1.1 dns\n0.0.0.0 ads\nx\n10.0.0.6 github.com\n",
            "/etc/krb5.conf": "[libdefaults]\n  default_realm = QUUX.EXAMPLE\n",
            "/etc/passwd": "bob:x:70001:70001:Bob Builder,1,,:/export/bob:/b\n王伟:x:1001:1001::/home/w:/b\n"
            "nobody:x:65534:65534:nobody:/:/b\nsvc:x:998:998::/srv/quuxpay:/b\ndyn:x:61999:1::/:/b\n",
        }
    )
    variables = {
        "USER": "QUUX\\ann",
        "LOGNAME": "eve@ad.quux.example",
        "XDG_CACHE_HOME": "/data/ldap/eve/.cache",
    }
    found = of(machine, variables, "zephyr7")  # type: ignore[arg-type]
    assert set(found.users) == {
        "QUUX\\ann",
        "ann",
        "eve@ad.quux.example",
        "eve",
        "bob",
        "Bob Builder",
        "王伟",
        "svc",
    }
    assert set(found.hosts) == {"zephyr7", "zephyr7.corp.quux.example", "db5", "quuxlan", "QUUX"}
    assert set(found.domains) == {"corp.quux.example", "quux.example", "ad.quux.example"}
    assert dict(found.homes) == {"/export/bob": "bob", "/srv/quuxpay": "svc", "/data/ldap/eve": "eve"}
    assert found.parents == ("/export",)


WORLD = {"debian.org", "compute.internal", "co.uk", "local", "svc.cluster.local", "default.svc.cluster.local"}


@pytest.mark.parametrize(
    "name", ["build1.debian.org", "ip-10-0-0-1.compute.internal", "x.co.uk", "a.local", "x.default.svc.cluster.local"]
)  # fmt: skip
def test_domains_of_all_the_world_are_no_secret(name: str) -> None:
    found = of(Files({}), {}, name)  # type: ignore[arg-type]
    assert not WORLD & {*found.domains}
