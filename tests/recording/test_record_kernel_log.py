"""What of the kernel's log goes out: the words that decide, without whose program or file it was."""

import pytest

from kdiag.parse.kernel_log import notices
from kdiag.recording.redact import Redactor
from kdiag.recording.secrets import Secrets
from kdiag.recording.sensitive import redacted

AVC = (
    "<5>[    7.0] audit: type=1400 audit(1.2:3): avc:  denied  {{ prog_load }} for  pid=9 comm={comm} {more}"
    "scontext=u:r:container_t:s0 tcontext=u:r:container_t:s0 tclass=bpf permissive=0\n"
)
LOCKED = "<5>[    8.0] Lockdown: {}: use of bpf to read kernel RAM is restricted; see man kernel_lockdown.7\n"


def published(line: str) -> str:
    redactor = Redactor(Secrets(users=("alice",), hosts=("build-7",), homes=(("/home/alice", "alice"),)))
    return redacted("/dev/kmsg", line.encode(), redactor).decode()


@pytest.mark.parametrize(
    ("line", "secret"),
    [
        (AVC.format(comm='"payrolld"', more=""), "payrolld"),
        (AVC.format(comm="706179726F6C6C20", more=""), "706179726F6C6C20"),
        (AVC.format(comm='"bpftrace"', more='path="/srv/acme/x.o" dev="vg-acme" '), "acme"),
        (LOCKED.format("payroll: agent"), "payroll"),
        (LOCKED.format("build-7"), "build-7"),
        ("<3>[ 9.0] Out of memory: Killed process 77 (payrolld) total-vm:9kB\n", "payrolld"),
        ("<6>[    9.000000] payrolld[77]: segfault at 8 ip 01 sp 02 error 4\n", "payrolld"),
        ("6,5,9000,-;payrolld[77]: segfault at 8 ip 01 sp 02 error 4\n", "payrolld"),
        (
            '<5>[ 9.0] audit: type=1400 audit(1.2:4): apparmor="DENIED" operation="capable" '
            'profile="/home/alice/tool" comm="bpftrace" capability=39  capname="bpf"\n',
            "alice",
        ),
    ],
)
def test_names_and_paths_do_not_go_out(line: str, secret: str) -> None:
    once = published(line)
    assert secret not in once
    assert len(once.splitlines()) == 1
    before, after = tuple(notices(line.encode())), tuple(notices(once.encode()))
    assert [n.kind for n in after] == [n.kind for n in before] != []


@pytest.mark.parametrize("tool", ["bpftrace", "bpftool", "clang", "execsnoop-bpfcc"])
def test_the_tools_keep_their_names(tool: str) -> None:
    for line in (AVC.format(comm=f'"{tool}"', more=""), LOCKED.format(tool)):
        assert published(line) == line
