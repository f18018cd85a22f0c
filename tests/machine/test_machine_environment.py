"""Containers and virtual machines: by which sign each is recognised, in which order, and what is none."""

from __future__ import annotations

import pytest

from kdiag.machine import Machine
from kdiag.machine.environment import Environment
from kdiag.machine.kernel import releases
from kdiag.machine.surroundings.place import Place
from kdiag.model import Status
from tests.support import known_machines as known
from tests.support import machines
from tests.support.description import Description
from tests.support.reports import report_on


def environment(described: Description) -> Environment:
    return Machine(described.recording()).environment


def kind(place: Place | None) -> str | None:
    return None if place is None else place.kind


def test_bare_metal() -> None:
    mine = environment(machines.linux())
    assert (mine.container, mine.vm, mine.immutable) == (None, None, None)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("sys_vendor", "QEMU", "qemu"),
        ("product_name", "KVM", "kvm"),
        ("product_name", "OpenStack Nova", "kvm"),
        ("sys_vendor", "Amazon EC2", "amazon"),
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
    described = machines.linux().remove("/sys/class/dmi").file(f"/sys/class/dmi/id/{field}", f"{value}\n")
    assert kind(environment(described).vm) == expected


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
    mine = environment(known.BY_NAME[name]())
    assert kind(mine.vm) == vm
    assert kind(mine.container) == container


@pytest.mark.parametrize(
    "release",
    ["4.19.67-microsoft-standard", "5.15.167.4-microsoft-standard-WSL2", "6.6.87.2-microsoft-standard-WSL2+"],
)
def test_wsl_in_any_case(release: str) -> None:
    """Early kernels of WSL 2 have neither `WSL` nor a capital M."""
    described = machines.linux(release, known.UBUNTU_2204, config_at=None)
    assert kind(environment(described).vm) == "wsl2"


def test_what_announces_itself_comes_first() -> None:
    """systemd's order: the manager's own word, then marker files."""
    described = machines.container(machines.linux()).file("/run/systemd/container", "podman\n")
    assert kind(environment(described).container) == "podman"
    described = machines.container(machines.linux()).file(
        "/proc/1/environ", b"A=1\0container=systemd-nspawn\0"
    )
    assert kind(environment(described).container) == "systemd-nspawn"


def test_oci_means_look_at_the_files() -> None:
    described = machines.container(machines.linux(), kind="podman").file(
        "/proc/1/environ", b"container=oci\0"
    )
    assert kind(environment(described).container) == "podman"


def test_a_marker_that_an_image_left_behind() -> None:
    """A microVM that boots a Docker image has /.dockerenv and namespaces that are all its own."""
    mine = environment(machines.linux().file("/.dockerenv"))
    assert mine.container is None
    assert mine.leftover_markers == ("/.dockerenv",)
    # `unshare -Ur` on it: a user namespace is not what an engine makes alone.
    inside = environment(machines.userns(machines.linux()).file("/.dockerenv"))
    assert inside.container is None and inside.leftover_markers == ("/.dockerenv",)


def test_without_proc_a_marker_counts() -> None:
    """Where no namespace can be seen, none is known to be the machine's own."""
    described = machines.linux().file("/.dockerenv")
    for name in ("pid", "ipc", "uts", "cgroup", "user"):
        described.remove(f"/proc/self/ns/{name}")
    assert kind(environment(described).container) == "docker"


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
    described = machines.linux().file("/etc/os-release", machines.os_release(system, "1", system))
    assert kind(environment(described).immutable) == expected


@pytest.mark.parametrize(
    ("product", "expected"),
    [
        ("m5.metal", None),
        ("m7i.metal-24xl", None),
        ("u-6tb1.metal", None),
        ("m5.large", "amazon"),
        ("m5.metallic", "amazon"),
        ("", "amazon"),
    ],
)
def test_amazons_machines_without_a_hypervisor(product: str, expected: str | None) -> None:
    described = machines.linux().file("/sys/class/dmi/id/sys_vendor", "Amazon EC2\n")
    described.file("/sys/class/dmi/id/product_name", f"{product}\n")
    assert kind(environment(described).vm) == expected


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, "xen"),
        ({"/sys/hypervisor/properties/features": "00000000,0001c8f5\n"}, "xen"),
        ({"/sys/hypervisor/properties/features": "000023f5\n"}, "xen"),
        ({"/sys/hypervisor/properties/features": "00002ef5\n"}, None),
        ({"/proc/xen/capabilities": "control_d\n"}, None),
        ({"/proc/xen/capabilities": "\n"}, "xen"),
    ],
)
def test_the_first_domain_of_xen_owns_the_machine(files: dict[str, str], expected: str | None) -> None:
    described = machines.linux().file("/sys/hypervisor/type", "xen\n").files({**files})
    assert kind(environment(described).vm) == expected


@pytest.mark.parametrize(
    ("names", "newest_last"),
    [
        (("extramodules-arch", "6.12.48-1-lts", "6.9.7-arch1-1"), ["6.9.7-arch1-1", "6.12.48-1-lts"]),
        (("6.1.0-9-amd64", "6.1.0-50-amd64", "updates", "kernel"), ["6.1.0-9-amd64", "6.1.0-50-amd64"]),
        (("5.10-rc3", "5.10.0", "lost+found"), ["5.10-rc3", "5.10.0"]),
    ],
)
def test_releases_below_lib_modules(names: tuple[str, ...], newest_last: list[str]) -> None:
    assert releases(names) == newest_last


def test_an_upgrade_names_the_newest_installed_kernel() -> None:
    described = machines.linux().remove("/lib/modules")
    for name in ("6.12.200-1-lts", "6.9.7-arch1-1", "extramodules-arch"):
        described.file(f"/lib/modules/{name}/modules.dep", "")
    found = report_on(described.recording()).finding("kernel.rebooted")
    assert found is not None and "6.12.200-1-lts is installed" in found.summary


def test_no_upgrade_where_no_other_kernel_is_installed() -> None:
    described = machines.linux().remove("/lib/modules").file("/lib/modules/extramodules-arch/version", "")
    found = report_on(described.recording()).finding("kernel.rebooted")
    assert found is not None and found.status is Status.SKIP


@pytest.mark.parametrize(
    ("machine", "elf", "expected"),
    [
        ("mips64", 1, "little"),
        ("mips64", 2, "big"),
        ("mips", 1, "little"),
        ("x86_64", 1, "little"),
        ("s390x", 2, "big"),
        ("s390x", 1, "big"),  # an interpreter that runs emulated says nothing about the kernel
        ("ppc64le", 1, "little"),
        ("armv7l", 1, "little"),
        ("armv7b", 2, "big"),
    ],
)
def test_the_byte_order_of_the_kernel(machine: str, elf: int, expected: str) -> None:
    mark = "little" if elf == 1 else "big"
    numbers = (2).to_bytes(2, mark) + (8).to_bytes(2, mark)  # type: ignore[arg-type]
    head = b"\x7fELF\2" + bytes([elf]) + b"\1" + bytes(9) + numbers + bytes(44)
    described = machines.linux().file("/usr/bin/python3", head)
    described.machine = machine
    assert Machine(described.recording()).kernel.byteorder == expected


def test_a_byte_order_that_nothing_tells() -> None:
    described = machines.linux().remove("/usr/bin/python3")
    described.machine = "mips64"
    assert Machine(described.recording()).kernel.byteorder is None


@pytest.mark.parametrize(
    ("profile", "status"),
    [
        ("usr.bin.foo (complain)", Status.OK),
        ("chrome (unconfined)", Status.OK),
        ("unconfined", Status.OK),
        ("docker-default (enforce)", Status.WARN),
        ("a//&b (mixed)", Status.WARN),
        ("tool (kill)", Status.WARN),
    ],
)
def test_a_profile_that_denies_nothing(profile: str, status: Status) -> None:
    described = machines.linux().file("/proc/self/attr/current", f"{profile}\n")
    found = report_on(described.recording()).finding("privileges.lsm")
    assert found is not None and found.status is status, found


def test_a_module_that_must_not_be_loaded_names_the_sysctl() -> None:
    """The cause is a finding that exists, or it is dropped."""
    described = machines.kheaders(machines.sysctls(machines.linux(), modules_disabled=1), "module")
    found = report_on(described.recording()).finding("kheaders.module")
    assert found is not None and "sysctl.kernel.modules_disabled" in found.causes


def test_a_user_namespace_with_the_map_of_the_machine() -> None:
    """`unshare --map-users=all` by root, systemd's PrivateUsers=identity: the inode tells."""
    described = machines.linux().link("/proc/self/ns/user", "user:[4026532201]")
    machines.answers(described, in_machine=False)
    report = report_on(described.recording())
    found = report.finding("privileges.userns")
    assert found is not None and found.status is Status.FAIL
    refused = report.finding("bpf.map")
    assert refused is not None and refused.causes == ("privileges.userns",)


def test_a_container_with_all_namespaces_of_its_host() -> None:
    """podman run --privileged --pid=host --ipc=host --uts=host --cgroupns=host: only its mounts are its own."""
    described = machines.linux().file("/run/.containerenv")
    overlay = (
        "21 1 0:50 / / rw - overlay overlay rw,lowerdir=/var/lib/containers/storage/overlay/l/A,upperdir=/x\n"
    )
    described.file("/proc/self/mountinfo", overlay)
    mine = environment(described)
    assert kind(mine.container) == "podman"
    assert mine.leftover_markers == ()
    assert mine.storage == "containers"


def test_an_empty_mount_point_is_no_pod() -> None:
    described = machines.container(machines.linux())
    described.dir("/var/run/secrets/kubernetes.io/serviceaccount")
    assert kind(environment(described).container) == "docker"
    described.file("/var/run/secrets/kubernetes.io/serviceaccount/token", "x")
    assert kind(environment(described).container) == "kubernetes"
