"""`kdiag why` as it is typed: where the text comes from, what is printed, and the exit status."""

from __future__ import annotations

import gzip
import json
import lzma
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from tests.support.paths import REPOSITORY
from tests.support.terminal import shown
from tests.support.waiting import HANG

FIXTURES = REPOSITORY / "fixtures"
WARNING = "WARNING: Could not find kernel headers in /lib/modules/6.12/source or /lib/modules/6.12/build."
DENIED = "ERROR: failed to create map: '@': Operation not permitted"


def why(*arguments: str, text: bytes = b"") -> tuple[int, str, str]:
    """Status, standard output, standard error."""
    command = [sys.executable, "-m", "kdiag", "why", *arguments]
    done = subprocess.run(command, input=text, capture_output=True, check=False, cwd=REPOSITORY, timeout=HANG)
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def on(fixture: str) -> tuple[str, str]:
    """The machine of a recording."""
    return "--from", str(FIXTURES / fixture)


@pytest.mark.slow
def test_the_headers_warning_is_harmless_where_btf_has_the_types() -> None:
    status, out, _ = why(*on("orbstack-container"), WARNING)
    assert status == 0
    told = "Perhaps of another machine: the text names Linux 6.12, and Linux 6.15.11-orbstack"
    assert " ".join(out.split()).startswith(told)
    assert "\nHarmless here: bpftrace reads the kernel's BTF" in out
    assert "fix " not in out


@pytest.mark.slow
def test_the_same_warning_without_btf_is_not() -> None:
    status, out, _ = why(*on("lab-6.12-nobtf-kheaders"), WARNING)
    assert status == 0
    assert out.startswith("Cause: bpftrace finds no kernel headers (headers.tree)")


@pytest.mark.slow
def test_a_text_comes_from_standard_input_an_argument_or_a_file(tmp_path: Path) -> None:
    file = tmp_path / "log"
    file.write_text(f"hello\n{DENIED}\n")
    machine = on("user-namespace")
    piped = why(*machine, text=f"hello\n{DENIED}\n".encode())
    assert piped == why(*machine, str(file)) == why(*machine, "-", text=f"hello\n{DENIED}\n".encode())
    assert piped[0] == 0
    assert "Cause: this root is root of a user namespace only (privileges.userns)" in piped[1]
    assert "line 2: ERROR: failed to create map" in piped[1]
    words = why(*machine, *DENIED.split())
    assert words[0] == 0
    assert "privileges.userns" in words[1]


@pytest.mark.slow
def test_where_the_machine_shows_none_of_its_causes_that_is_said() -> None:
    status, out, _ = why(
        *on("orbstack-container"), "Kernel lockdown is enabled and set to 'confidentiality'."
    )
    assert status == 1
    assert out.startswith("None of its usual causes is here")
    assert "kernel.lockdown: lockdown is not at confidentiality" in out


@pytest.mark.slow
def test_an_unknown_message_is_said_to_be_unknown_with_the_nearest() -> None:
    status, out, _ = why(*on("orbstack-container"), "error: failed to make the map: Invalid argument")
    assert status == 3
    assert out.startswith("Unknown message")
    assert "nearest  bpftrace.map-invalid" in out
    assert why(*on("orbstack-container"), text=b"Attaching 1 probe...\n")[0] == 3


@pytest.mark.slow
def test_what_cannot_be_read_is_a_usage_error(tmp_path: Path) -> None:
    status, out, err = why(str(tmp_path / "absent"))
    assert (status, out) == (2, "")
    assert err.endswith("No such file or directory\n")
    assert why(str(tmp_path))[0] == 2


@pytest.mark.slow
def test_the_document_by_its_schema_and_the_page_for_an_issue() -> None:
    schema = subprocess.run(
        [sys.executable, "-m", "kdiag", "schema", "why"], capture_output=True, check=True, timeout=HANG
    )
    status, out, _ = why(*on("user-namespace"), "--format", "json", DENIED)
    document = json.loads(out)
    Draft202012Validator(json.loads(schema.stdout)).validate(document)
    assert (status, document["verdict"]) == (0, "explained")
    assert document["answers"][0]["cause"]["id"] == "privileges.userns"
    status, out, _ = why(*on("user-namespace"), "--format", "markdown", DENIED)
    assert status == 0
    assert out.startswith("### ❌ Cause: this root is root of a user namespace only")
    assert why("--format", "html", DENIED)[0] == 2


@pytest.mark.slow
def test_what_cannot_end_is_not_waited_for(tmp_path: Path) -> None:
    """A FIFO and a device are refused by name; a terminal is no text; what a pipe holds is read."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    for name in (str(fifo), "/dev/zero", "/dev/tty"):
        status, out, err = why(*on("minimal"), name)
        assert (status, out) == (2, "")
        assert err.count("\n") == 1
    text = shown([sys.executable, "-m", "kdiag", "why"], dict(os.environ), cwd=REPOSITORY, reads=True)
    assert (
        b"kdiag: give a message, a file, or pipe a tool's output in:\r\n  bpftrace ... 2>&1 | kdiag why\r\n"
        in text
    )
    assert why(*on("minimal"), "/dev/stdin", text=DENIED.encode())[0] != 2
    status, out, _ = why(*on("minimal"), text=b"")
    assert status == 3
    assert out.startswith("Nothing came in")
    assert "$ bpftrace ... 2>&1 | kdiag why" in out


@pytest.mark.slow
def test_what_is_no_text_is_left_out_and_what_is_packed_is_refused(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(
        b"\0" * 4096 + DENIED.encode() + b"\n\x7fELF\x02\x01\0\0\0 error \0\0\x01\n" + b"\0" * 512
    )
    status, out, _ = why(*on("user-namespace"), str(log))
    assert status == 0
    assert "line 1: ERROR: failed to create map" in out
    assert "1 line is no text, and left out" in out
    assert "Unknown" not in out
    packed = tmp_path / "log.gz"
    packed.write_bytes(gzip.compress(DENIED.encode()))
    status, out, err = why(*on("user-namespace"), str(packed))
    assert (status, out) == (2, "")
    assert f"{packed} is compressed: zcat {packed} | kdiag why" in err
    packed.write_bytes(lzma.compress(DENIED.encode(), lzma.FORMAT_ALONE))
    assert f"{packed} is compressed: lzcat {packed} | kdiag why" in why(*on("minimal"), str(packed))[2]
    packed.write_bytes(b"BZ " + DENIED.encode())  # the first two letters of bzip2's magic are no archive
    assert why(*on("user-namespace"), str(packed))[0] == 0
    status, _, err = why(*on("minimal"), "absent.log")
    assert status == 2
    assert err.endswith("cannot open absent.log: No such file or directory\n")


@pytest.mark.slow
def test_an_interrupt_ends_the_tool_before_the_pipe_and_not_the_reading() -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "kdiag", "why", *on("user-namespace")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=REPOSITORY,
    )
    assert process.stdin is not None
    process.stdin.write(b"plain\n" * 50_000)  # more than a pipe holds: it reads
    process.stdin.flush()
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(DENIED.encode(), timeout=HANG)
    assert process.returncode == 0
    assert b"privileges.userns" in out
