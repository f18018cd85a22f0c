"""Containers and virtual machines: by which sign each is recognised, in which order, and what is none."""

from __future__ import annotations

import known_machines as known
import pytest
import worlds as w
from fixtures_builder import World

from kdiag.machine import Machine
from kdiag.machine.environment import Environment, Place


def environment(world: World) -> Environment:
    return Machine(world.recording()).environment


def kind(place: Place | None) -> str | None:
    return None if place is None else place.kind


def test_bare_metal() -> None:
    mine = environment(w.linux())
    assert (mine.container, mine.vm, mine.immutable) == (None, None, None)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("sys_vendor", "QEMU", "qemu"),
        ("product_name", "KVM", "kvm"),
        ("product_name", "OpenStack Nova", "kvm"),
        ("sys_vendor", "Amazon EC2", "amazon"),
        ("product_name", "Amazon EC2 m5.metal", None),
        ("sys_vendor", "VMware, Inc.", "vmware"),
        ("sys_vendor", "innotek GmbH", "virtualbox"),
        ("product_name", "VirtualBox", "virtualbox"),
        ("bios_vendor", "Xen", "xen"),
        ("sys_vendor", "Parallels Software International", "parallels"),
        ("bios_vendor", "BHYVE", "bhyve"),
        ("product_version", "Hyper-V UEFI", "hyper-v"),
        ("sys_vendor", "Apple Virtualization", "apple"),
        ("product_name", "Google Compute Engine", "google"),
        ("sys_vendor", "Dell Inc.", None),
    ],
)
def test_dmi(field: str, value: str, expected: str | None) -> None:
    world = w.linux().remove("/sys/class/dmi").file(f"/sys/class/dmi/id/{field}", f"{value}\n")
    assert kind(environment(world).vm) == expected


@pytest.mark.parametrize(
    ("name", "vm", "container"),
    [
        ("orbstack-container", "orbstack", "docker"),
        ("orbstack-amd64-machine", "orbstack", "orbstack-machine"),
        ("docker-desktop", "linuxkit", "docker"),
        ("wsl2-5.15", "wsl2", None),
        ("wsl2-6.18", "wsl2", None),
        ("wsl1", "wsl1", None),
        ("lima", "lima", None),
        ("kind-node", None, "kind"),
        ("talos", None, "kubernetes"),
        ("kubernetes-pod", None, "kubernetes"),
        ("debian-12", None, None),
    ],
)
def test_known_machines(name: str, vm: str | None, container: str | None) -> None:
    mine = environment(known.by_name()[name])
    assert kind(mine.vm) == vm
    assert kind(mine.container) == container


@pytest.mark.parametrize(
    "release",
    ["4.19.67-microsoft-standard", "5.15.167.4-microsoft-standard-WSL2", "6.6.87.2-microsoft-standard-WSL2+"],
)
def test_wsl_in_any_case(release: str) -> None:
    """Early kernels of WSL 2 have neither `WSL` nor a capital M."""
    world = w.linux(release, known.UBUNTU_2204, config_at=None)
    assert kind(environment(world).vm) == "wsl2"


def test_what_announces_itself_comes_first() -> None:
    """systemd's order: the manager's own word, then marker files."""
    world = w.container(w.linux()).file("/run/systemd/container", "podman\n")
    assert kind(environment(world).container) == "podman"
    world = w.container(w.linux()).file("/proc/1/environ", b"A=1\0container=systemd-nspawn\0")
    assert kind(environment(world).container) == "systemd-nspawn"


def test_oci_means_look_at_the_files() -> None:
    world = w.container(w.linux(), kind="podman").file("/proc/1/environ", b"container=oci\0")
    assert kind(environment(world).container) == "podman"


def test_a_marker_that_an_image_left_behind() -> None:
    """A microVM that boots a Docker image has /.dockerenv and namespaces that are all its own."""
    mine = environment(w.linux().file("/.dockerenv"))
    assert mine.container is None
    assert mine.leftover_markers == ("/.dockerenv",)


def test_without_proc_a_marker_counts() -> None:
    """Where no namespace can be seen, none is known to be the machine's own."""
    world = w.linux().file("/.dockerenv")
    for name in ("pid", "ipc", "uts", "cgroup", "user"):
        world.remove(f"/proc/self/ns/{name}")
    assert kind(environment(world).container) == "docker"


@pytest.mark.parametrize(
    ("system", "expected"),
    [
        ("talos", "talos"),
        ("bottlerocket", "bottlerocket"),
        ("flatcar", "flatcar"),
        ("cos", "cos"),
        ("nixos", "nixos"),
        ("debian", None),
    ],
)
def test_immutable(system: str, expected: str | None) -> None:
    world = w.linux().file("/etc/os-release", w.os_release(system, "1", system))
    assert kind(environment(world).immutable) == expected
