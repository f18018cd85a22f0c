"""Systems that are images: their files are not changed by a package manager while they run. How to tell them by
os-release, and how a program comes onto each.

Sources: the os-release files of the systems; rpm-ostree(1), transactional-update(8), steamos-readonly(1); the
documentation of Flatcar (toolbox), Bottlerocket (admin container), Container-Optimized OS (toolbox), Talos, NixOS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from kdiag.parse.osrelease import OsRelease


class ImageSystem(NamedTuple):
    """One such system. kind: a stable word. how: what is so about it. way: how a program comes onto it, with
    `{package}`. commands: those that do it, where there are; run_on: where they are typed. layers: whether packages
    of headers can come that way, too. apt: whether the packages are Debian's.
    """

    kind: str
    name: str
    how: str
    way: str
    commands: tuple[str, ...] = ()
    needs: tuple[str, ...] = ("root", "network")
    run_on: str = "here"
    layers: bool = False
    apt: bool = False


RPM_OSTREE = ImageSystem(
    "ostree",
    "an ostree system",
    "packages are layered onto its image, and are there after a reboot",
    "Layer {package} onto the image with rpm-ostree, and reboot",
    ("sudo rpm-ostree install {package}", "sudo systemctl reboot"),
    needs=("root", "network", "reboot"),
    layers=True,
)
OSTREE = ImageSystem(
    "ostree",
    "an ostree system",
    "nothing is installed onto its image",
    "Run {package} from a container that may trace the host",
    needs=(),
)
_TRANSACTIONAL = ImageSystem(
    "microos",
    "a transactional system",
    "packages go into a new snapshot, and are there after a reboot",
    "Install {package} into a new snapshot, and reboot",
    ("sudo transactional-update pkg install {package}", "sudo reboot"),
    needs=("root", "network", "reboot"),
    layers=True,
)
_BY_ID = {
    "talos": ImageSystem(
        "talos",
        "Talos Linux",
        "it has neither a shell nor a package manager",
        "Run {package} from a privileged pod on the node",
        needs=(),
    ),
    "bottlerocket": ImageSystem(
        "bottlerocket",
        "Bottlerocket",
        "it has no package manager; its admin container has one",
        "Install {package} in the node's admin container (enter-admin-container)",
        ("sudo yum install {package}",),
        run_on="the node's admin container",
    ),
    "flatcar": ImageSystem(
        "flatcar",
        "Flatcar Container Linux",
        "it has no package manager; its toolbox is a container that has one",
        "Run {package} from a privileged container on the node",
        needs=(),
    ),
    "cos": ImageSystem(
        "cos",
        "Container-Optimized OS",
        "it has no package manager; its toolbox is a Debian container that has one",
        "Install {package} in the node's toolbox (toolbox)",
        ("apt-get update", "apt-get install {package}"),
        run_on="the node's toolbox",
        apt=True,
    ),
    "nixos": ImageSystem(
        "nixos",
        "NixOS",
        "what is installed is what its configuration says",
        "Add {package} to environment.systemPackages (BCC: programs.bcc.enable = true) and rebuild the system",
        ("sudo nixos-rebuild switch",),
    ),
    "steamos": ImageSystem(
        "steamos",
        "SteamOS",
        "its root is read-only, and the next update of the system replaces it",
        "Make the root writable and install {package}, until the next update of the system takes it away",
        ("sudo steamos-readonly disable", "sudo pacman -Sy {package}"),
    ),
    "ubuntu-core": ImageSystem(
        "ubuntu-core",
        "Ubuntu Core",
        "it takes snaps alone",
        "Install {package} as a snap, which is confined",
        ("sudo snap install {package}",),
    ),
    "haos": ImageSystem(
        "haos",
        "Home Assistant OS",
        "it takes add-ons alone",
        "Run {package} from a container with full access to the hardware",
        needs=(),
    ),
}
_TRANSACTIONAL_IDS = (
    "opensuse-microos",
    "opensuse-aeon",
    "opensuse-kalpa",
    "opensuse-leap-micro",
    "sle-micro",
    "sl-micro",
)


def image_system(system: OsRelease | None) -> ImageSystem | None:
    """The image-based system that os-release names, None for any other."""
    if system is None or not system.id:
        return None
    if system.id in _TRANSACTIONAL_IDS or (system.variant_id or "") in ("microos", "sle-micro"):
        return _TRANSACTIONAL
    return _BY_ID.get(system.id)


def by_kind(kind: str, *, rpm_ostree: bool) -> ImageSystem:
    """The system of a kind. rpm_ostree: whether that program is there; not every ostree system has it."""
    if kind == "ostree":
        return RPM_OSTREE if rpm_ostree else OSTREE
    return _TRANSACTIONAL if kind == _TRANSACTIONAL.kind else _BY_ID[kind]
