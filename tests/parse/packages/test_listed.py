"""What package managers say of names that are in their lists, or are not."""

from __future__ import annotations

from kdiag.parse.packages import listed

POLICY = """linux-headers-6.1.0-50-amd64:
  Installed: (none)
  Candidate: 6.1.176-1
  Version table:
     6.1.176-1 500
        500 http://deb.debian.org/debian bookworm/main amd64 Packages
linux-headers-6.1.0-9-amd64:
  Installed: 6.1.27-1
  Candidate: 6.1.27-1
  Version table:
 *** 6.1.27-1 100
        100 /var/lib/dpkg/status
bcc:
  Installed: (none)
  Candidate: (none)
  Version table:
"""


def test_apt_has_what_a_source_has_and_not_what_is_only_installed() -> None:
    names = ("linux-headers-6.1.0-50-amd64", "linux-headers-6.1.0-9-amd64", "bcc", "never-heard-of")
    assert listed.apt(POLICY, names) == {"linux-headers-6.1.0-50-amd64"}


def test_apt_has_what_is_pinned_below_zero() -> None:
    said = POLICY.replace("500 http", "-1 http")
    assert listed.apt(said, ("linux-headers-6.1.0-50-amd64",)) == {"linux-headers-6.1.0-50-amd64"}


def test_dnf_prints_names_and_names_with_versions() -> None:
    said = "kernel-devel\nkernel-devel-6.10.12-200.fc40.x86_64\n\n"
    assert listed.lines(said, ("kernel-devel-6.10.12-200.fc40.x86_64", "bpftrace")) == {
        "kernel-devel-6.10.12-200.fc40.x86_64"
    }


def test_pacman_prints_fields() -> None:
    said = "Repository      : core\nName            : linux-headers\nVersion         : 6.17.5.arch1-1\n"
    assert listed.fields(said, ("linux-headers", "bcc")) == {"linux-headers"}
