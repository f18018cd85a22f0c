"""Messages of the kernel: the verifier's refusals (kernel/bpf/verifier.c, log.c, btf.c) and its log (kernel/module/).

What the verifier refuses lies in the program that was loaded, or in the kernel's age: no finding of a machine is its
cause, save where a helper is taken away (lockdown).
"""

from __future__ import annotations

from kdiag.knowledge.tools.message import Message

KERNEL = (
    Message(
        "verifier.unknown-helper",
        r"(invalid|unknown) func (?P<helper>[\w#]+)|program of this type cannot use helper (?P<refused>[\w#]+)",
        "cause",
        (),
        "The program calls a helper that this kernel does not have, or not for this type of program.",
        example="unknown func bpf_ringbuf_reserve#131",
    ),
    Message(
        "verifier.kfunc",
        r"calling kernel function (?P<function>\S+) is not allowed|kernel function btf_id \d+ is not a kernel func",
        "cause",
        (),
        "The program calls a kernel function (kfunc) that this kernel does not offer to this type of program.",
        example="calling kernel function bpf_iter_num_new is not allowed",
    ),
    Message(
        "verifier.memory",
        r"R\d+ invalid mem access '(?P<register>[^']+)'",
        "cause",
        (),
        "The program follows a pointer that the verifier does not trust (`scalar`, `inv`), or that may be NULL "
        "(`..._or_null`). Read it with bpf_probe_read_kernel(), or test it first.",
        example="R1 invalid mem access 'scalar'",
    ),
    Message(
        "verifier.type",
        r"R\d+ type=(?P<found>\S+) expected=(?P<expected>\S+)",
        "cause",
        (),
        "A helper was given another kind of pointer than it takes.",
        example="R1 type=scalar expected=fp, pkt, pkt_meta, map_key, map_value",
    ),
    Message(
        "verifier.bounds",
        r"invalid access to (map value|packet|memory|mem)\b|R\d+ (min value is|unbounded|max value is outside)|invalid (variable-offset|indirect|unbounded)",
        "cause",
        (),
        "The program reads or writes at an offset that the verifier cannot bound: compare it with the size first.",
        example="invalid access to map value, value_size=8 off=8 size=4",
    ),
    Message(
        "verifier.stack",
        r"invalid (read|write) (from|to) stack|combined stack size of \d+ calls is|[Ss]tack limit (of \d+ bytes )?(is )?exceeded",
        "cause",
        (),
        "The program reads stack that it never wrote, or uses more than 512 bytes of it.",
        example="invalid read from stack off -8+0 size 8",
    ),
    Message(
        "verifier.too-large",
        r"BPF program is too large|The sequence of \d+ jumps is too complex",
        "cause",
        (),
        "The program is too long, or its branches too many, for the verifier's limit (4,096 instructions before Linux "
        "5.2, then 1,000,000 that are looked at).",
        example="BPF program is too large. Processed 1000001 insn",
    ),
    Message(
        "verifier.loop",
        r"back-edge from insn \d+ to \d+|infinite loop detected",
        "cause",
        (),
        "The program has a loop that the verifier does not accept: none before Linux 5.3, only bounded ones since.",
        example="back-edge from insn 271 to 265",
    ),
    Message(
        "verifier.license",
        r"cannot call GPL-restricted function from non-GPL compatible program",
        "cause",
        (),
        "The program's license does not say GPL, and it calls a helper that requires it.",
        example="cannot call GPL-restricted function from non-GPL compatible program",
    ),
    Message(
        "verifier.no-jit",
        r"callbacks are not allowed in non-JITed programs|JIT doesn't support|calls to other bpf functions are allowed for CAP_BPF",
        "cause",
        ("sysctl.net.core.bpf_jit_enable", "bpf.fentry", "config.BPF_JIT"),
        "The program requires the BPF JIT compiler of this architecture, which is off or cannot do this yet.",
        example="callbacks are not allowed in non-JITed programs",
    ),
    Message(
        "verifier.attach-target",
        r"attach_btf_id \d+ is not a function|func '(?P<function>[^']+)' (doesn't have \d+-th argument|is not allowed)",
        "cause",
        (),
        "The function that fentry names is not in the kernel's BTF as a function, or has another signature here.",
        example="func 'vfs_open' doesn't have 3-th argument",
    ),
    Message(
        "verifier.btf-kind",
        r"\[\d+\] Invalid kind:(?P<kind>\d+)",
        "cause",
        (),
        "The kernel is older than a kind in the BTF of the program itself, which the tool should have left out: a newer "
        "or an older release of the tool is the cure, not another BTF of the kernel.",
        example="[3] Invalid kind:13",
        misleads="The kernel's own BTF is not meant.",
    ),
    Message(
        "kernel.module-refused",
        r"could not insert '(?P<module>[^']+)': Invalid argument",
        "consequence",
        ("kernel.log", "btf.modules"),
        "The kernel refused the module; the kernel's log says why (`failed to validate module ... BTF`, a wrong version).",
        example="modprobe: ERROR: could not insert 'veth': Invalid argument",
    ),
    Message(
        "kernel.module-btf-reason",
        r"BPF:( \[\d+\])? Invalid name\b",
        "consequence",
        ("kernel.log", "btf.modules"),
        "Why the BTF of a module was refused: it belongs to another build of the kernel.",
        example="BPF: Invalid name",
    ),
    Message(
        "kernel.lockdown-log",
        r"Lockdown: (?P<program>[^:]+): (?P<what>.{1,80}) is restricted; see man kernel_lockdown",
        "cause",
        (),
        "The kernel refused this because of lockdown, and says so in its log.",
        example="Lockdown: bpftrace: use of tracefs is restricted; see man kernel_lockdown.7",
    ),
)
