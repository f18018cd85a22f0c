"""The layer with Debian's SELinux policy (selinux-policy-default) and what loads it.

The lab's roots have no labels: every file is unlabeled_t. What lets domains run there is added to the policy; what they
may ask of bpf(2), perf_event_open(2) and tracefs is Debian's.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from . import layers, mirror, roots, tools

_PACKAGES = ("selinux-policy-default", "policycoreutils", "selinux-utils")
_SKIP = (
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "var/lib",
    "var/cache",
    "dev",
    "proc",
    "sys",
    "tmp",
    "root",
)
_KEPT = ("etc/passwd", "etc/group", "etc/shadow", "etc/hostname", "etc/hosts", "etc/fstab")
_FILE = "entrypoint execute execute_no_trans map read open getattr ioctl lock write append create unlink"
_DIRECTORY = "search read open getattr write add_name remove_name ioctl"
_RULES = "\n".join(
    [
        "(typeattribute lab_domains)",
        "(typeattributeset lab_domains (sysadm_t unconfined_t))",
        "(roletype system_r sysadm_t)",
        "(roletype system_r unconfined_t)",
        *(
            f"(allow lab_domains {label} ({kind} ({allowed})))"
            for label in ("unlabeled_t", "tmpfs_t")
            for kind, allowed in (
                ("file", _FILE),
                ("dir", _DIRECTORY),
                ("lnk_file", "read getattr"),
                ("fifo_file", "read write getattr append ioctl"),
            )
        ),
        "(allow lab_domains kernel_t (fd (use)))",
        "(allow lab_domains kernel_t (fifo_file (read write getattr append ioctl)))",
        "(allow lab_domains kernel_t (process (sigchld)))",
        "(allow kernel_t lab_domains (process (transition siginh rlimitinh noatsecure signal sigkill)))",
        "",
    ]
)


def get(root: str, arch: str = "amd64") -> Path:
    """The layer for a root's Debian; made if need be. The packages' scripts build the policy, so it takes a minute."""
    suite = roots.SUITES[root].suite

    def fill(tree: Path) -> None:
        tools.require(["mmdebstrap", "tar"], why="building a SELinux policy")
        with tempfile.TemporaryDirectory(prefix="kdiag-lab-selinux-") as scratch:
            tar, rules = Path(scratch) / "selinux.tar", Path(scratch) / "lab.cil"
            rules.write_text(_RULES)
            command = ["mmdebstrap", "--variant=minbase", f"--architectures={arch}"]
            command += [f"--include={','.join(_PACKAGES)}", *(f"--aptopt={o}" for o in mirror.options())]
            command += [f"--customize-hook=copy-in {rules} /etc/selinux"]
            command += ['--customize-hook=chroot "$1" semodule -n -s default -i /etc/selinux/lab.cil']
            tools.run([*command, suite, str(tar), mirror.source(suite)])
            skip = [f"--exclude=./{path}/*" for path in _SKIP] + [f"--exclude=./{path}" for path in _KEPT]
            tools.run(["tar", "-C", str(tree), *skip, "-xf", str(tar)])
        (tree / "etc/selinux/config").write_text("SELINUX=permissive\nSELINUXTYPE=default\n")

    recipe = {"suite": suite, "packages": _PACKAGES, "rules": _RULES, "revision": 1}
    return layers.made(f"selinux-{root}-{arch}", recipe, fill)
