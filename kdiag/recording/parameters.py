"""What of a kernel's command line may go out: the parameters that say how tracing behaves, with values of the shapes
that they have. Anything else may be a password: for iSCSI, for a boot loader, for the init program.

Parameters and shapes: Documentation/admin-guide/kernel-parameters.txt.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from kdiag.recording.redact import Redactor

_MODULE_NAMES = (
    "lockdown|capability|yama|loadpin|safesetid|integrity|selinux|smack|tomoyo|apparmor|bpf|landlock|ipe"
)
_SIZE = r"(?:\d{1,7}[KMGTkmgt]|\d{1,4})"
_CPUS = r"(?:all|nohz|domain|managed_irq|\d{1,5}(?:-\d{1,5})?(?::\d{1,5}/\d{1,5})?)"
_SWITCH = r"-?\d|on|off|yes|no|y|n|true|false"
#: The words among the values of the shape `_SIMPLE`, and the names of security modules; numbers are the others.
_SIMPLE_WORDS = (
    "on off yes no y n true false auto force none legacy strict lazy full integrity confidentiality"
)
SIMPLE_VALUES = (*_SIMPLE_WORDS.split(), *_MODULE_NAMES.split("|"))
_SIMPLE = rf"-?\d{{1,4}}|{_SWITCH}|auto|force|none|legacy|strict|lazy|full"
_TRACERS = (
    "nop|function|function_graph|hwlat|irqsoff|preemptoff|preemptirqsoff|wakeup|wakeup_rt|wakeup_dl|mmiotrace"
)
_FILE_SYSTEMS = (
    "ext[234]|xfs|btrfs|f2fs|zfs|bcachefs|erofs|squashfs|overlay|tmpfs|ramfs|nfs4?|9p|virtiofs|iso9660"
)

#: Shape -> the parameters whose values have it.
_SHAPES = {
    "none|integrity|confidentiality": "lockdown",
    rf"(?:{_MODULE_NAMES})(?:,(?:{_MODULE_NAMES}))*": "lsm",
    rf"{_MODULE_NAMES}|none": "security",
    r"auto(?:,nosmt|;\w{0,20})?|off": "mitigations",
    r"(?:tty(?:S|AMA|USB|MXC|PS|O|LP|SAC|STM|MSM|Ux)?\d{0,3}|hvc\d|xvc\d|lp\d|null|ttynull|sclp0|brl)(?:,\d{1,7}[noe]?[78]?r?)?":
        "console",
    r"efifb|xdbc|vga|ttyS\d(?:,\d{1,7})?|(?:uart8250|uart|pl011|sbi|smh)(?:,(?:io|mmio|mmio16|mmio32|mmio32be))?"
    r"(?:,0x[0-9a-f]{1,16})?(?:,\d{1,7}[noe]?[78]?)?": "earlycon earlyprintk",
    rf"(?:{_FILE_SYSTEMS})(?:,(?:{_FILE_SYSTEMS}))*": "rootfstype",
    r"/init|/linuxrc|/s?bin/(?:init|sh|bash)|(?:/usr)?/lib/systemd/systemd|/sbin/openrc-init": "init rdinit",
    rf"(?:auto|{_SIZE}(?:@{_SIZE})?(?:,(?:high|low|cma))?|{_SIZE}-(?:{_SIZE})?:{_SIZE}(?:,{_SIZE}-(?:{_SIZE})?:{_SIZE})*"
    rf"(?:@{_SIZE})?)": "crashkernel",
    rf"{_CPUS}(?:,{_CPUS})*": "isolcpus nohz_full rcu_nocbs irqaffinity",
    _SIZE: "mem hugepages hugepagesz default_hugepagesz nr_cpus maxcpus possible_cpus log_buf_len trace_buf_size cma",
    rf"{_SIZE}@0x[0-9a-f]{{1,16}}:\d{{1,5}}(?::\d{{1,5}})?": "virtio_mmio.device",
    r"(?:warm|cold|hard|soft|gpio|kbd|bios|acpi|efi|triple|pci|force|[ktabcepfwhs])"
    r"(?:,(?:warm|cold|hard|soft|gpio|kbd|bios|acpi|efi|triple|pci|force|[ktabcepfwhs]))*": "reboot",
    rf"{_TRACERS}": "ftrace",
    "local|global|counter|uptime|perf|x86-tsc|mono|mono_raw|boot|tai": "trace_clock",
    r"(?:on|off|pt|strict|sm_on|sm_off|igfx_off|forcedac|soft|noaperture|fullflush|force_isolation|pgtbl_v[12])"
    r"(?:,(?:on|off|pt|strict|sm_on|sm_off|igfx_off))*": "iommu intel_iommu amd_iommu",
    "reliable|unstable|noirqtime|nowatchdog|recalibrate|skip": "tsc",
    r"tsc|hpet|acpi_pm|kvm-clock|jiffies|refined-jiffies|hyperv_clocksource\w{0,16}|arch_sys_counter|xen":
        "clocksource",
    "always|madvise|never": "transparent_hugepage",
    "off|force|noforce|ht|copy_dsdt|rsdt|strict|noirq": "acpi",
    r"(?:off|conf1|conf2|nobios|nomsi|noaer|nommconf|realloc|lastbus=-?\d{1,3})": "pci",
    "noruntime|runtime|debug|old_map|nochunk|disable_early_pci_dma": "efi",
    "noop|deadline|mq-deadline|cfq|bfq|kyber|none": "elevator",
    r"(?:memory|pids|cpu|cpuset|cpuacct|blkio|io|devices|freezer|net_cls|net_prio|perf_event|hugetlb|rdma|misc|all|named|v1|pressure)"
    r"(?:,(?:memory|pids|cpu|cpuset|cpuacct|blkio|io|devices|freezer|net_cls|net_prio|perf_event|hugetlb|rdma|misc|all|named))*":
        "cgroup_no_v1 cgroup_disable cgroup_enable",
    r"kheaders(?:,kheaders)*": "module_blacklist modprobe.blacklist",
    rf"(?:fake=\d{{1,4}}|noacpi|nohmat|balancing|{_SWITCH})": "numa numa_balancing",
    _SIMPLE: """
        lockdown lsm selinux apparmor enforcing audit audit_backlog_limit panic panic_on_oops panic_on_warn psi swiotlb
        iommu intel_iommu amd_iommu debugfs loglevel efi acpi pci tsc nohz nokaslr bpf_jit_enable perf_event_paranoid
        kernel.perf_event_paranoid kernel.unprivileged_bpf_disabled kernel.kptr_restrict kernel.kexec_load_disabled
        kernel.modules_disabled kernel.yama.ptrace_scope kernel.lockdown sysctl.kernel.perf_event_paranoid
        sysctl.kernel.unprivileged_bpf_disabled sysctl.kernel.kptr_restrict sysctl.kernel.modules_disabled
        module.sig_enforce random.trust_cpu random.trust_bootloader systemd.unified_cgroup_hierarchy
        systemd.legacy_systemd_cgroup_controller numa numa_balancing transparent_hugepage mitigations console
        nmi_watchdog watchdog nowatchdog consoleblank ipv6.disable kpti pti page_poison slub_debug init_on_alloc
        init_on_free slab_nomerge vsyscall hardened_usercopy randomize_kstack_offset
        net.ifnames biosdevname rootdelay rootwait printk.devkmsg elevator intel_pstate intel_idle.max_cstate
        processor.max_cstate idle cgroup.memory swapaccount pcie_aspm vt.handoff split_lock_detect kvm.nested
        kvm-intel.nested kvm-amd.nested delayacct debug_pagealloc schedstats preempt threadirqs kprobe_blacklist
    """,
}  # fmt: skip
#: Those without a value. Any other word may be anything.
_WORDS_NAMES = """
    ro rw quiet splash debug auto noauto single rescue rhgb kaslr emergency nokaslr nomodule nomodules noapic
    nolapic nosmp nosmt nopti nospectre_v1 nospectre_v2 nospec_store_bypass_disable noresume nomodeset noxsave
    noinitrd nosoftlockup nowatchdog nohibernate noexec nohz nohlt nopat nox2apic noapictimer noreplace-smp
    nocache no_timer_check noirqdebug no_console_suspend nopv nopvspin nokprobes noibrs noibpb nosplash
    noplymouth noacpi noautogroup nocheck ftrace_dump_on_oops ignore_loglevel keep_bootcon threadirqs skew_tick
    rootwait slab_nomerge init_on_alloc initcall_debug apparmor selinux kgdbwait sysrq_always_enabled
    retain_initrd systemd.debug-shell fips module.sig_enforce rd.debug rd.shell rd.auto rd.break
    transparent_hugepage
"""
WORDS = frozenset(_WORDS_NAMES.split())
_DEVICE = (
    r"/dev/(?:(?:[shv]d|xvd)[a-z]\d{0,3}|(?:nvme\d\d?n\d|mmcblk\d|nbd\d)(?:p\d{1,3})?|ram\d|pmem\d|md\d{1,3})"
)
#: What other parameters may have without telling anything: not a number of several digits, which may be a PIN.
_PLAIN = re.compile(_SWITCH, re.IGNORECASE)
_NAMED = re.compile(r"((?:PART)?(?:UUID|LABEL)=)(.+)", re.DOTALL)
#: A name, as parameters have them; words of another form are no parameters.
_KEY = re.compile(r"[a-z][a-z0-9_-]{0,31}(?:\.[a-z0-9_-]{1,40}){0,3}|[A-Z][A-Z_]{1,31}")
_IMAGE = re.compile(
    r"((?:\(hd\d{1,2}(?:,[a-z]{0,6}\d{1,3})?\))?(?:/boot)?/?(?:vmlinu[xz]|bzImage|Image|kernel\w?|linux)(?:\.efi|\.gz|\.img)?)(-.+)?"
)
#: Words, where blanks in double quotes belong to one (lib/cmdline.c, next_arg).
_WORD = re.compile(r'(?:"[^"]*"?|[^\s"])+')


@cache
def _shapes() -> dict[str, re.Pattern[str]]:
    by_name: dict[str, list[str]] = {}
    for shape, names in _SHAPES.items():
        for name in names.split():
            by_name.setdefault(name, []).append(shape)
    return {name: re.compile("|".join(f"(?:{s})" for s in shapes)) for name, shapes in by_name.items()}


def simple() -> frozenset[str]:
    """The parameters whose values are numbers or of SIMPLE_VALUES, which can tell nothing else."""
    return frozenset(f"{_SHAPES[_SIMPLE]} lsm security".split())


def command_line(text: str, redactor: Redactor) -> str:
    """/proc/cmdline: known parameters with known values stay, all others and what is meant for init do not."""
    return " ".join(_words(text, redactor)) + text[len(text.rstrip()) :]


def _words(text: str, redactor: Redactor) -> Iterator[str]:
    ours = True
    for word in _WORD.findall(text):
        key, has_value, value = word.partition("=")
        if word == "--" or (ours and not has_value and word in WORDS):
            ours = ours and word != "--"
            yield word
        elif ours and value and not value.startswith("=") and (key in _shapes() or _KEY.fullmatch(key)):
            yield f"{key if key in _shapes() else redactor.text(key)}={_value(key, value, redactor)}"
        else:
            yield learned(word, redactor)


def _value(key: str, value: str, redactor: Redactor) -> str:
    shape = _shapes().get(key)
    if (shape is not None and shape.fullmatch(value)) or _PLAIN.fullmatch(value):
        return value
    if key == "root" and re.fullmatch(_DEVICE, value):
        return value
    if key == "BOOT_IMAGE" and (image := _IMAGE.fullmatch(value)):
        release = (image[2] or "")[1:]
        return (
            value if not release or redactor.is_kept(release) else f"{image[1]}-{learned(release, redactor)}"
        )
    if named := _NAMED.fullmatch(value):
        kept = redactor.text(named[2])
        uuid = (
            kept if kept != named[2] and re.fullmatch("[0-9a-f-]{36}", kept) else learned(named[2], redactor)
        )
        return named[1] + uuid
    return learned(value, redactor)


def learned(value: str, redactor: Redactor) -> str:
    """The placeholder for a value that goes as a whole. Telling parts of it are replaced elsewhere, too."""
    for part in re.split(r"[:@/,;=\s\"']+", value):
        if part != value:
            redactor.remember("token", part)
    return redactor.learn("token", value)
