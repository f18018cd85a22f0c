"""How a container is started so that tracing works in it: the smallest setting, in the words of each engine.

What was tried: docker.io 26.1.5 and podman 5.4.2 on Debian's kernels 6.1 and 6.12 with AppArmor enforcing. Read: moby
profiles/seccomp/default_linux.go, containers-common pkg/seccomp/seccomp.json, Debian's patch to perf_event_open(2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from kdiag.knowledge.kernel_changes import UPROBES_ASK_FOR_ADMIN
from kdiag.model import Remedy
from kdiag.system import Unavailable
from kdiag.words import listed

if TYPE_CHECKING:
    from collections.abc import Collection

    from kdiag.machine import Machine
    from kdiag.machine.surroundings.place import Place

#: The remedy that other rooms may put in other words, once it is known what is required.
RUN, RUN_OLDER = "container.run", "container.run-older"
ENGINES = ("docker", "podman", "kubernetes")

#: What a first session needs, of `kdiag.knowledge.container_settings`.
TRACING = frozenset({"programs", "perf", "tracefs"})

_TRACEFS, _DEBUGFS = "/sys/kernel/tracing", "/sys/kernel/debug"


class Start(NamedTuple):
    """What a container is given at its start: capabilities without CAP_, directories of the host to read; and what it
    is started without: a filter, a profile, a label, a user namespace, a user of its own.
    """

    capabilities: tuple[str, ...]
    directories: tuple[str, ...]
    seccomp: bool = False
    apparmor: bool = False
    selinux: bool = False
    user_namespace: bool = False
    user: bool = False


def start(machine: Machine, engine: str, settings: Collection[str] = TRACING) -> Start:
    """The smallest start that gives what `settings` name on this kernel, with this engine; for a container like the one
    that this process is in, if it is in one.
    """
    directories = [
        *([_TRACEFS] if "tracefs" in settings else []),
        *([_DEBUGFS] if "debugfs" in settings else []),
        *(["/lib/modules", "/usr/src"] if "headers" in settings else []),
    ]
    capabilities = _capabilities(machine, engine, settings)
    module = machine.confinement.module
    refusing = machine.confinement.refusing if holds(machine, capabilities) else ""
    return Start(
        capabilities,
        tuple(directories),
        seccomp=refusing == "filter",
        apparmor=refusing == "module" and module is not None and module.by == "AppArmor",
        selinux=module is not None and module.by == "SELinux",
        user_namespace=inside(machine) and not _in_machine(machine),
        user=inside(machine) and not machine.privileges.is_root,
    )


def _capabilities(machine: Machine, engine: str, settings: Collection[str]) -> tuple[str, ...]:
    privileges = machine.privileges
    divided = privileges.knows("CAP_BPF")  # 5.8
    perf = "perf" in settings
    # The filter of containers-common refuses perf_event_open(2) without CAP_SYS_ADMIN (EPERM), and hides it without
    # CAP_PERFMON (ENOSYS). Docker's and containerd's let it through with either.
    strict = perf and engine_filter(machine, engine) == "containers-common"
    features = "features" in settings  # bpftool asks for all of them (kdiag.knowledge.tools.bpftool_rights)
    whole = strict or features or "listing" in settings or ("uprobes" in settings and _uprobes_ask(machine))
    admin = not divided or whole or (perf and paranoid(machine) >= 3)
    needed = ["SYS_ADMIN"] if admin else ["BPF"]
    if divided and (strict or (not admin and (perf or "programs" in settings))):
        needed.append("PERFMON")
    if machine.kernel.version_numbers < (5, 11):
        needed.append("SYS_RESOURCE")  # BPF memory counts against RLIMIT_MEMLOCK, and bpftrace raises it
    if "symbols" in settings:
        needed.append("SYSLOG")
    if divided and features:
        needed += [name for name in ("BPF", "PERFMON", "NET_ADMIN") if name not in needed]
    return tuple(needed)


def _uprobes_ask(machine: Machine) -> bool:
    """Whether this kernel requires CAP_SYS_ADMIN for a uprobe: its own answer, else its release's."""
    try:
        if not machine.privileges.has("CAP_SYS_ADMIN") and machine.bpf.profile.ok:
            return machine.bpf.uprobe.refused
    except Unavailable:
        pass
    return UPROBES_ASK_FOR_ADMIN.is_in(machine.kernel.stable_numbers)


def engine_filter(machine: Machine, engine: str) -> str:
    """Whose default filter it is: CRI-O brings that of containers-common to Kubernetes."""
    if engine == "kubernetes" and machine.environment.storage == "containers":
        return "containers-common"
    return "containers-common" if engine == "podman" else "moby"


def paranoid(machine: Machine) -> int:
    """kernel.perf_event_paranoid: from 3 on Debian's and Ubuntu's patch asks for CAP_SYS_ADMIN itself."""
    try:
        return machine.privileges.sysctl("kernel.perf_event_paranoid") or 0
    except Unavailable:
        return 0


def inside(machine: Machine) -> bool:
    """Whether this is a container, as far as that can be seen."""
    try:
        return machine.environment.container is not None
    except Unavailable:
        return False


def _in_machine(machine: Machine) -> bool:
    try:
        return machine.privileges.initial_user_namespace
    except Unavailable:
        return True


def holds(machine: Machine, capabilities: Collection[str]) -> bool:
    """Whether this process holds them already, so that they count: then they are not what is missing."""
    try:
        return machine.privileges.initial_user_namespace and all(
            machine.privileges.has(f"CAP_{name}") for name in capabilities
        )
    except Unavailable:
        return False


# -- in the engine's words ---------------------------------------------------------------------------------------------


def command(engine: str, chosen: Start, *, rootless: bool = False) -> str:
    """`docker run ... IMAGE`, `podman run ... IMAGE`."""
    words = ["sudo", engine, "run"] if rootless else [engine, "run"]
    if chosen.user_namespace and not rootless:
        words.append("--userns=host")
    words += ["--user", "root"] if chosen.user else []
    if engine == "podman":
        words += ["--cap-add", ",".join(chosen.capabilities)]
    else:
        words += [word for name in chosen.capabilities for word in ("--cap-add", name)]
    for wanted, option in (
        (chosen.seccomp, "seccomp=unconfined"),
        (chosen.apparmor, "apparmor=unconfined"),
        (chosen.selinux, "label=disable"),
    ):
        words += ["--security-opt", option] if wanted else []
    words += [word for path in chosen.directories for word in ("-v", f"{path}:{path}:ro")]
    return " ".join([*words, "IMAGE"])


def pod(chosen: Start) -> str:
    """A Pod that starts so, as YAML."""
    lines = [
        "apiVersion: v1",
        "kind: Pod",
        "metadata:",
        "  name: tracing",
        "spec:",
        *(["  hostUsers: true"] if chosen.user_namespace else []),
        "  containers:",
        "    - name: tracing",
        "      image: IMAGE",
        "      securityContext:",
        "        runAsUser: 0",
        "        capabilities:",
        f"          add: [{', '.join(chosen.capabilities)}]",
    ]
    if chosen.seccomp:
        lines += ["        seccompProfile:", "          type: Unconfined"]
    if chosen.apparmor:
        lines += ["        appArmorProfile:", "          type: Unconfined"]
    if chosen.selinux:
        lines += ["        seLinuxOptions:", "          type: spc_t"]
    if chosen.directories:
        names = {path: path.strip("/").replace("/", "-") for path in chosen.directories}
        lines.append("      volumeMounts:")
        for path, name in names.items():
            lines += [f"        - name: {name}", f"          mountPath: {path}", "          readOnly: true"]
        lines.append("  volumes:")
        for path, name in names.items():
            lines += [f"    - name: {name}", "      hostPath:", f"        path: {path}"]
    return "\n".join(lines)


def printed(machine: Machine, engine: str, settings: Collection[str]) -> str:
    """The whole line, or the YAML of a Pod, for this machine."""
    chosen = start(machine, engine, settings)
    if engine == "kubernetes":
        return pod(chosen)
    if machine.environment.container is not None:
        rootless = machine.privileges.rootless
    else:
        rootless = engine == "podman" and not machine.privileges.is_root
    return command(engine, chosen, rootless=rootless)


# -- as a remedy -------------------------------------------------------------------------------------------------------


def engine_of(place: Place) -> str | None:
    """The engine to name for a container, None where none is known to have made it."""
    return {"docker": "docker", "kind": "docker", "podman": "podman", "kubernetes": "kubernetes"}.get(
        place.kind
    )


def run(machine: Machine, settings: Collection[str] = frozenset()) -> tuple[Remedy, ...]:
    """Starting this container anew with all that tracing needs in one line; () outside of a container.

    Whichever of its parts is missing, the line is the whole one: who follows it is not sent back for the next part.
    """
    place = machine.environment.container
    if place is None:
        return ()
    engine = engine_of(place)
    chosen = start(machine, engine or "docker", settings or usual(machine))
    if engine is None:
        known = not place.name.startswith("a container")
        what = place.name if known else "the container"
        return (Remedy(RUN, f"Start {what} with {_words(chosen)}", "manual", (), "the host"),)
    if engine == "kubernetes":
        title = f"Give the pod's container {_words(chosen)}; the command prints it as YAML"
        return (Remedy(RUN, title, "manual", ("kdiag check --print-run kubernetes",), "here"),)
    rootless = chosen.user_namespace and machine.privileges.rootless
    words = _words(chosen._replace(user_namespace=chosen.user_namespace and not rootless))
    title = f"Start the container {'as root, ' if rootless else ''}with {words}"
    whole = Remedy(RUN, title, "manual", (command(engine, chosen, rootless=rootless),), "the host")
    return (whole, *_older(engine, chosen))


def run_with(machine: Machine, setting: str) -> tuple[Remedy, ...]:
    """As `run`, for something that is required of none of the others: the line is this finding's own."""
    lines = (one for one in run(machine, usual(machine) | {setting}) if one.id == RUN)
    return tuple(one._replace(id=f"container.{setting}") for one in lines)


def _older(engine: str, chosen: Start) -> tuple[Remedy, ...]:
    """For an engine that does not know the capabilities of 5.8 by name: Debian 12's docker.io 20.10.24 ends with
    `unknown capability: "CAP_BPF"`. Which engine it is cannot be seen from inside.
    """
    if engine != "docker" or "BPF" not in chosen.capabilities:
        return ()
    others = tuple(name for name in chosen.capabilities if name not in ("BPF", "PERFMON"))
    admin = chosen._replace(capabilities=("SYS_ADMIN", *others))
    title = "Where Docker does not know CAP_BPF (20.10 of Debian 12), with CAP_SYS_ADMIN"
    return (Remedy(RUN_OLDER, title, "manual", (command(engine, admin),), "the host"),)


def usual(machine: Machine) -> frozenset[str]:
    """What a first session needs with these tools: bpftrace before 0.17, for one, knows tracefs below debugfs only."""
    return TRACING | {"debugfs"} if machine.tracing.old_users else TRACING


def _words(chosen: Start) -> str:
    """`CAP_SYS_ADMIN, /sys/kernel/tracing`, and what is switched off, in words."""
    parts = [
        *(f"CAP_{name}" for name in chosen.capabilities),
        *chosen.directories,
        *(["no seccomp filter"] if chosen.seccomp else []),
        *(["no AppArmor profile"] if chosen.apparmor else []),
        *(["no SELinux label"] if chosen.selinux else []),
        *(["the machine's own user namespace"] if chosen.user_namespace else []),
        *(["root as its user"] if chosen.user else []),
    ]
    return listed(parts)
