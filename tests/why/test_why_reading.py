"""Bytes from anywhere become a log: bounded work and memory, nothing of them obeyed, what is cut is known."""

from __future__ import annotations

import io
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdiag.knowledge.tools.catalogue import catalogue
from kdiag.knowledge.tools.message import Message
from kdiag.knowledge.tools.messages import COMPLAINT, recognised
from kdiag.why import joining
from kdiag.why.joining import join
from kdiag.why.judging import explained
from kdiag.why.reading import LONGEST, Reading
from kdiag.why.sieve import sieve
from kdiag.why.value import Log
from tests.support import machines
from tests.support.reports import report_on
from tests.support.steps import calls, linear

KINDS = {
    "plain": "Nov 27 09:14:33 host dhclient[{0}]: bound to 192.0.2.{0} -- renewal in {0} seconds",
    "instructions": "{0}: (79) r1 = *(u64 *)(r6 +{0})       ; R1_w=scalar(id={0}) R6=ctx() R10=fp0",
    "known": "ERROR: failed to create map: '@a{0}': Operation not permitted",
    "complaints": "error {0}: the frobnicator {0} of {0} could not be found",
}


def log(data: bytes, most: int = 1 << 28) -> Log:
    """What is read in the bytes."""
    return join(Reading(io.BytesIO(data), most))


def names(number: int) -> str:
    """The number in letters, which make another shape of a line."""
    return "".join(chr(ord("a") + int(digit)) for digit in str(number))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("spell", [str, names])
def test_twice_the_lines_are_twice_the_work(kind: str, spell: Callable[[int], str]) -> None:
    log(b"error")  # what is made once

    def work(size: int) -> int:
        text = "\n".join(KINDS[kind].format(spell(number)) for number in range(size)).encode()
        return calls(lambda: log(text))

    linear(work, 2_000)


def test_a_line_that_says_nothing_costs_a_look_at_its_words() -> None:
    log(b"error")
    one = joining._sieve()._replace(all=False)  # whether every pattern has a literal is asked elsewhere
    text = "\n".join(KINDS["instructions"].format(number) for number in range(1_000)).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(joining, "_sieve", lambda: one)
        assert calls(lambda: log(text)) < 20 * 1_000


@pytest.mark.parametrize("message", catalogue(), ids=lambda message: message.id)
def test_the_sieve_keeps_what_is_known(message: Message) -> None:
    """Also where letters stand before and behind it, and in capitals."""
    one = joining._sieve()._replace(all=False)
    for line in (message.example, f"x{message.example}y", f"\t{message.example}: more"):
        if recognised(line) is not None:
            assert one.keeps(line), line


@pytest.mark.parametrize(
    "words",
    [
        *(
            "error",
            "Warning",
            "FATAL",
            "failed",
            "failure",
            "denied",
            "not permitted",
            "assertion",
            "panic",
            "abort",
        ),
        *("terminate called", "aborted", "unable", "could not", "cannot", "can't", "unknown", "invalid"),
        *("unsupported", "not supported", "no such", "not found", "refused", "too many"),
    ],
)
def test_the_sieve_keeps_what_complains(words: str) -> None:
    line = f"12: {words}; more"
    assert COMPLAINT.search(line)
    assert sieve([]).keeps(line)


@settings(deadline=None, max_examples=60)
@given(st.text(st.characters(codec="ascii"), max_size=80))
def test_the_sieve_drops_nothing_that_complains(line: str) -> None:
    assert sieve([]).keeps(line) or not COMPLAINT.search(line)


def test_memory_does_not_grow_with_a_line_or_with_lines() -> None:
    class Endless(io.RawIOBase):
        """So many bytes of a text that repeats."""

        def __init__(self, words: bytes, size: int) -> None:
            self.words, self.left = words, size

        def read1(self, size: int) -> bytes:
            size = min(size, self.left)
            self.left -= size
            return (self.words * (size // len(self.words) + 1))[:size]

    join([""])
    for words, size in (
        (b"x", 100 << 20),
        (b"\0", 100 << 20),
        (b"\x1b]0;" * 1000, 100 << 20),
        (b"plain\n", 4 << 20),
    ):
        tracemalloc.start()
        found = join(Reading(Endless(words, size)))  # type: ignore[arg-type]
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 12 << 20, (words[:5], peak)
        assert found.lines == 1 if b"\n" not in words else found.lines > 100_000


def test_what_is_cut_is_known() -> None:
    long = b"error: " + b"x" * LONGEST
    found = log(b"a\n" + long + b"\n" + long)
    assert (found.lines, found.shortened, found.cut) == (3, 2, False)
    assert len(found.strange[0].text) == LONGEST
    assert not log(b"x" * LONGEST).shortened
    found = log(b"first\nerror: second\nthird\n", most=20)
    assert (found.cut, found.lines) == (True, 2)
    assert not log(b"12345\n", most=6).cut
    found = log("\n".join(f"error: {names(number)}" for number in range(1, 80)).encode())
    assert (len(found.strange), found.untold) == (50, 29)


@settings(deadline=None, max_examples=80)
@given(st.binary(max_size=300), st.integers(1, 40))
def test_any_bytes_in_any_pieces(data: bytes, size: int) -> None:
    class Pieces(io.BytesIO):
        def read1(self, most: int | None = -1) -> bytes:
            return super().read1(min(size, most if most is not None and most > 0 else size))

    whole = log(data)
    if not data.startswith((b"\xff", b"\xef")):  # the marks of an encoding
        assert join(Reading(Pieces(data))) == whole
        assert whole.lines == data.count(b"\n") + (not data.endswith(b"\n") and bool(data))


def test_escapes_zeros_and_wide_characters_hide_nothing() -> None:
    words = "ERROR: failed to create map: '@': Operation not permitted"
    found = log(f"\x1b[1;31mERR\x1b[0mOR{words[5:]}\r\n\x1b]0;title\x07{words}".encode())
    assert [(one.message.id, one.times, one.text) for one in found.told] == [
        ("bpftrace.map-denied", 2, words)
    ]
    assert [one.text for one in log(b"\xff\xfe" + f"{words}\r\n".encode("utf-16-le")).told] == [words]
    assert log(b"\x7fELF\0\0\1\2" * 100).told == ()


ACCEPTED = "libbpf: prog 'a': -- BEGIN PROG LOAD LOG --\n0: R1=ctx() R10=fp0\n0: (95) exit\n"
END = "processed 9 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0\n"
OLD = f"0: R1=ctx() R10=fp0\n4: (79) r0 = *(u64 *)(r0 +8)\nR0 invalid mem access 'inv'\nverification time 9 usec\n{END}"
#: As kernel/bpf/diagnostics.c of Linux 7.3 lays it out.
EXPLAINED = f"""0: R1=ctx() R10=fp0
; return bpf_get_prandom_u32() < s->x; @ case.c:13
10: (61) r2 = *(u32 *)(r6 +0)
R6 invalid mem access 'mem_or_null'

Verification failed: Register Type Safety: Invalid dereference

Reason:
  R6 may be NULL here (mem_or_null). The program could dereference NULL on this path, so the verifier cannot
  prove this access is safe.

At:
  helper_a @ case.c:13:36
  Source context:
  >>> 13 |         return bpf_get_prandom_u32() < s->x;
         |         ^-- error: invalid dereference of R6 (mem_or_null)

Causal path:
  no retained diagnostic events on this path

Suggestion:
  Check the pointer for NULL on this path.

{END}"""


@pytest.mark.parametrize("before", ["", "\t"])
def test_a_verifier_log_is_read_to_the_line_that_refuses(before: str) -> None:
    found = log("".join(before + line for line in OLD.splitlines(keepends=True)).encode()).refusal
    assert found is not None
    assert (found.line, found.text.removeprefix(before)) == (3, "R0 invalid mem access 'inv'")


@pytest.mark.parametrize("before", ["", "\t"])
def test_the_explanation_of_a_newer_kernel_is_read(before: str) -> None:
    text = "".join(before + line for line in EXPLAINED.splitlines(keepends=True))
    found = log(f"{text}ERROR: Error loading program: a\n".encode())
    assert found.refusal is not None
    assert found.refusal._asdict() == {
        "line": 4,
        "text": "R6 invalid mem access 'mem_or_null'",
        "problem": "Register Type Safety: Invalid dereference",
        "reason": "R6 may be NULL here (mem_or_null). The program could dereference NULL on this path, so the verifier "
        "cannot prove this access is safe.",
        "at": "helper_a @ case.c:13:36",
        "suggestion": "Check the pointer for NULL on this path.",
    }
    assert found.refused == 1
    assert not found.strange, "the explanation repeats the refusal, and is no message of its own"
    assert [one.message.id for one in found.told] == ["verifier.memory", "bpftrace.program-refused"]


def test_a_program_that_is_accepted_is_not_refused() -> None:
    assert log(f"Attaching 1 probe...\n{ACCEPTED}{END}".encode()).refusal is None
    assert log(f"something\n0: (95) exit\n{END}{END}".encode()).refusal is None
    assert log(f"{ACCEPTED}{END}{OLD}{OLD}".encode()).refused == 2


def test_states_of_a_loop_are_not_the_refusal() -> None:
    states = "cur state: R0=0 R10=fp0\nold state: R0=0 R10=fp0\n"
    text = f"5: (05) goto pc-1\ninfinite loop detected at insn 5\n{states}{END}"
    found = log(text.encode()).refusal
    assert found is not None
    assert found.text == "infinite loop detected at insn 5"


def test_an_unknown_refusal_comes_first() -> None:
    found = log(
        f"error: before\n0: (95) exit\nthe moon is not in the right house\n{END}error: after\n".encode()
    )
    assert [one.text for one in found.strange] == [
        "the moon is not in the right house",
        "error: before",
        "error: after",
    ]


def test_one_who_is_not_root_is_told_to_run_the_tool_as_root() -> None:
    """What a check says of itself would not help."""
    report = report_on(machines.user(machines.bpftrace(machines.linux(), "0.17.0")).recording())
    log = join(["ERROR: bpftrace currently only supports running as the root user."])
    answer = explained(log, report).answers[0]
    assert answer.cause is not None and answer.cause.id == "privileges.root"
    assert answer.remedy is not None
    assert answer.remedy.title == "Run the command that printed this as root: with sudo before it"
    assert answer.remedy.commands == ()
