"""`kdiag check --kernel` as it is typed."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdiag.__main__ import main


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--kernel", "9.9.9-none"], "9.9.9-none is not installed"),
        (["--kernel", "../../etc"], "is not a kernel release"),
        (["--losses"], "name it with --kernel"),
        (["--kernel", "9.9.9", "--smoke"], "does not run"),
        (["--kernel", "9.9.9", "--losses", "--format", "json"], "leave --format"),
        (["--kernel", "9.9.9", "--profile", "x"], "--require"),
    ],
)
def test_errors_say_what_to_do(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["kdiag", "check", *arguments])
    with pytest.raises(SystemExit) as end:
        raise SystemExit(main())
    assert end.value.code == 2
    assert said in " ".join(capsys.readouterr().err.split())


def test_another_root_is_judged_by_its_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "boot").mkdir()
    text = "# Linux/x86 6.1.99 Kernel Configuration\n# CONFIG_BPF_SYSCALL is not set\nCONFIG_X86_64=y\n"
    (tmp_path / "boot" / "config-6.1.99-a").write_text(text + "".join(f"CONFIG_O{n}=y\n" for n in range(400)))
    monkeypatch.setattr(
        "sys.argv",
        [
            "kdiag",
            "check",
            "--root",
            str(tmp_path),
            "--kernel",
            "6.1.99-a",
            "--no-plugins",
            "--require",
            "core-kprobe",
        ],
    )
    with pytest.raises(SystemExit) as end:
        raise SystemExit(main())
    assert end.value.code == 1
    assert "CONFIG_BPF_SYSCALL is off" in capsys.readouterr().out
