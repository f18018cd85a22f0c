"""kdiag in containers of real engines, in booted guests: which cells there are, what is to be booted for them.

The engines are those of the guest's own Debian, in a layer; the guest's user space is the image. AppArmor enforces, as
Debian's kernels do by default, with the profile that each engine brings.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from . import assemble, fixing

_GUEST = Path(__file__).parent / "guest"
FIRST = "hello,tracepoint-args,tracepoint-net,tracepoint-sched"
TRACEFS = ("-v", "/sys/kernel/tracing:/sys/kernel/tracing:ro")


@dataclass(frozen=True, slots=True)
class Cell:
    """One container. because: the findings that must fail, in any order; () where everything required works.

    setup: a shell script for the guest, before; line: kdiag's own line is tried; less: without each of its parts, too.
    """

    name: str
    engine: str
    flags: Sequence[str] = ()
    because: Sequence[str] = ()
    setup: str = ""
    line: bool = False
    less: bool = False
    programs: str = FIRST


def _filter(errno: int, *calls: str) -> str:
    """A seccomp profile that allows all but these calls, at /run/tight.json."""
    rule = {"names": calls, "action": "SCMP_ACT_ERRNO", "errnoRet": errno}
    return f"echo '{json.dumps({'defaultAction': 'SCMP_ACT_ALLOW', 'syscalls': [rule]})}' >/run/tight.json"


def _profile(name: str, *rules: str) -> str:
    """An AppArmor profile that allows files and the capabilities that a shell needs, and these rules."""
    usual = ("file,", "network,", "signal,", "ptrace,", "umount,", "unix,")
    needed = "capability chown, capability dac_override, capability setuid, capability setgid, capability sys_chroot,"
    lines = "\\n".join((*usual, needed, *rules))
    head = f"profile {name} flags=(attach_disconnected,mediate_deleted)"
    return f"printf '{head} {{\\n{lines}\\n}}\\n' >/run/{name}; apparmor_parser -r /run/{name}"


_PARANOID = "sysctl -qw kernel.perf_event_paranoid={}"
_CAPS, _TRACEFS, _SYSCTL = "privileges.capabilities", "tracing.tracefs", "sysctl.kernel.perf_event_paranoid"
_FILTER, _MODULE, _USERNS = "privileges.seccomp", "privileges.lsm", "privileges.userns"


def _add(engine: str, *names: str) -> tuple[str, ...]:
    return (
        ("--cap-add", ",".join(names))
        if engine == "podman"
        else tuple(w for n in names for w in ("--cap-add", n))
    )


def default(engine: str, *, older: bool = False) -> tuple[Cell, ...]:
    """The engine's own filter and profile, with more and more given. older: the engines of Debian 12.

    Podman's filter asks for SYS_ADMIN and PERFMON; that of 4.3 for SYS_ADMIN alone, so that its line has a part too
    many: which podman it is cannot be seen from inside. Docker 20.10.24 there does not know CAP_BPF.
    """
    podman = engine == "podman"
    admin = (_FILTER, _TRACEFS) if podman and not older else (_TRACEFS,)
    half = (_FILTER, _SYSCTL) if podman else (_SYSCTL,)
    less = not (podman and older)
    known = (
        Cell("half", engine, (*_add(engine, "BPF", "PERFMON"), *TRACEFS), half, line=True),
        Cell("lenient", engine, (), (_CAPS, _TRACEFS), _PARANOID.format(2), line=True, less=less),
    )
    return (
        Cell("nothing", engine, (), (_CAPS, _TRACEFS, _SYSCTL), line=True, less=less),
        Cell("admin", engine, _add(engine, "SYS_ADMIN"), admin, line=True),
        Cell("privileged", engine, ("--privileged",), (_TRACEFS,)),
        *(known if podman or not older else ()),
        Cell("strict", engine, (), (_CAPS, _TRACEFS, _SYSCTL), _PARANOID.format(3)),
    )


def tightened(engine: str) -> tuple[Cell, ...]:
    """All that would be enough, and a filter or a profile that takes it back."""
    given = (*_add(engine, "SYS_ADMIN", "PERFMON"), *TRACEFS)
    seccomp, profile = ("--security-opt", "seccomp=/run/tight.json"), ("--security-opt", "apparmor=tight")
    return (
        Cell(
            "eperm", engine, (*given, *seccomp), (_FILTER,), _filter(1, "bpf", "perf_event_open"), line=True
        ),
        Cell("enosys", engine, (*given, *seccomp), (_FILTER,), _filter(38, "bpf")),
        Cell("eacces", engine, (*given, *seccomp), (_FILTER,), _filter(13, "perf_event_open")),
        Cell("profile", engine, (*given, *profile), (_MODULE,), _profile("tight"), line=True),
        Cell(
            "closed",
            engine,
            (*given, "--security-opt", "apparmor=closed"),
            (_MODULE,),
            _profile("closed", "capability,", "deny /sys/kernel/tracing/** r,"),
            line=True,
        ),
    )


OTHERS = (
    Cell(
        "hidden",
        "podman",
        ("--privileged", "-v", "/srv/empty:/sys/kernel/btf:ro", *TRACEFS),
        ("btf.vmlinux",),
    ),
    Cell(
        "host-namespaces",
        "podman",
        ("--privileged", "--pid=host", "--ipc=host", "--uts=host", "--cgroupns=host"),
        (_TRACEFS,),
    ),
    Cell(
        "confined", "host", ("aa-exec", "-p", "tight", "--"), (_MODULE,), _profile("tight"), programs="hello"
    ),
    Cell("rootless", "rootless", (), (_USERNS,), line=True, programs=""),
    Cell("rootless-privileged", "rootless", ("--privileged", *TRACEFS), (_USERNS,), programs=""),
)


#: The guest's root is mounted in the container, as a pod and a toolbox have their host's.
SEEING = (
    Cell("pod", "podman", ("--privileged", "-v", "/:/host:ro", *TRACEFS), programs="hello"),
    Cell(
        "toolbox",
        "docker",
        ("--cap-add", "SYS_ADMIN", "-v", "/:/run/host:ro", *TRACEFS),
        programs="hello",
    ),
)


#: What a guest does before: the policy is loaded, devices that udev would label get their labels, and it enforces.
_ENFORCING = """mount -t selinuxfs selinuxfs /sys/fs/selinux; load_policy -i
chcon -t null_device_t /dev/null /dev/full; chcon -t zero_device_t /dev/zero
chcon -t urandom_device_t /dev/urandom /dev/random; echo 1 >/sys/fs/selinux/enforce"""

SELINUX = (
    Cell(
        "selinux",
        "host",
        ("runcon", "system_u:system_r:sysadm_t:s0"),
        (_MODULE,),
        _ENFORCING,
        programs="hello",
    ),
    Cell(
        "selinux-unconfined",
        "host",
        ("runcon", "system_u:system_r:unconfined_t:s0"),
        (_MODULE, "perf.events"),
        programs="hello,tracepoint-args",
    ),
)


def ask(
    kernel: str,
    root: str,
    cells: Sequence[Cell],
    limit: float = 1500,
    *,
    layer: str = "engines",
    append: Sequence[str] = (),
) -> Mapping[str, Any]:
    """Boots, runs the cells one after the other; each one's answer by its name (`guest/containers.py`)."""
    request = assemble.Request(kernel, root, layers=[layer], append=append, memory=3500)
    files = {
        "opt/containers.py": (_GUEST / "containers.py").read_bytes(),
        "opt/observe.py": (_GUEST / "observe.py").read_bytes(),
        "opt/cells.json": json.dumps([asdict(cell) for cell in cells]).encode(),
    }
    script = "exec python3 /opt/containers.py /opt/cells.json"
    return cast("dict[str, Any]", json.loads(fixing.output(request, script, limit, files)))
