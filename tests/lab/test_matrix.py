"""The matrix without guests: which cells there are, what their answers say, how they are judged, kept and shown."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path

import pytest

from kdiag.smoke.programs import PROGRAMS

from .catalogue import catalogue
from .errors import LabError
from .matrix import cover, inside, judge, page, rules, run, store, table
from .matrix.axes import (
    CONDITIONS,
    HEADERS,
    KERNELS,
    ROOTS,
    STANDARD_WHO,
    Cell,
    anything,
    can_ask,
    chosen,
    everything,
    possible,
)
from .matrix.judge import Kind
from .matrix.store import Result
from .matrix.view import view

CELL = Cell("debian-6.12", "debian13", "none", "root")


def capability(name: str, status: str, because: str = "") -> dict[str, object]:
    return {"id": name, "status": status, "because": because}


def program(name: str, outcome: str, needs: Sequence[str] = (), message: str = "") -> dict[str, object]:
    return {"id": name, "outcome": outcome, "needs": list(needs) or [name], "message": message}


def result(
    capabilities: Sequence[dict[str, object]], programs: Sequence[dict[str, object]], cell: Cell = CELL
) -> Result:
    versions = {
        "kernel": "6.12.1",
        "bpftrace": "0.23.2-1",
        "qemu": "7.2",
        "kdiag": "0.1",
        "predicted": "a",
        "proved": "b",
    }
    return Result(
        cell,
        "2026-01-02",
        versions,
        2.0,
        1.0,
        {"capabilities": list(capabilities)},
        {"programs": list(programs)},
    )


# -- which cells ------------------------------------------------------------------------------------------


def values(cell: Cell) -> tuple[str, str, str, str]:
    return cell.kernel, cell.root, cell.headers, cell.who


def test_the_standard_matrix_covers_what_it_says() -> None:
    """Every pair of values that can be, and every triple of kernel, bpftrace and headers: counted, not believed."""
    cells = cover.standard()
    full = list(everything())
    assert all(can_ask(cell.kernel, cell.root, cell.who) for cell in full)
    for axes in (*combinations(range(4), 2), (0, 1, 2)):
        wanted = {tuple(values(cell)[axis] for axis in axes) for cell in full}
        covered = {tuple(values(cell)[axis] for axis in axes) for cell in cells}
        assert covered == wanted
    assert len(set(cells)) == len(cells)
    # no smaller array covers the triples: there are that many
    assert len(cells) == len({values(cell)[:3] for cell in full})


def test_the_standard_matrix_is_the_same_each_time() -> None:
    assert cover.standard() == cover.standard()


def test_most_cells_are_asked_by_root() -> None:
    """Whoever may not trace hides what the headers do."""
    cells = cover.standard()
    assert sum(cell.who == "root" for cell in cells) > len(cells) / 2


def test_what_cannot_be_is_left_out() -> None:
    assert not possible("nobtf-ikheaders-m", "package")
    assert not possible("debian-6.12", "extracted")
    assert not possible("btf-ikheaders-y", "module")
    assert all(possible(cell.kernel, cell.headers) for cell in cover.standard())


def test_the_slice_is_what_ci_needs() -> None:
    assert set(cover.SLICE) <= set(anything())
    kernels = {cell.kernel for cell in cover.SLICE}
    assert "nobtf-ikheaders-m" in kernels
    assert {"debian-5.10", "debian-7.3"} <= kernels
    assert {cell.root.partition("+")[0] for cell in cover.SLICE} == set(ROOTS)
    assert [cell for cell in cover.SLICE if "+tools" in cell.root], "BCC, CO-RE and bpftool are tried too"


def test_cells_are_chosen_by_glob() -> None:
    found = chosen(everything(), ["debian-6.12/*/none/root", "nomodules/sid/none/user"])
    assert len(found) == len(ROOTS) + 1
    with pytest.raises(LabError, match="nothing/at/all"):
        chosen(everything(), ["nothing/at/all"])


# -- in the guest -----------------------------------------------------------------------------------------


def test_cells_share_a_guest_where_that_is_sound() -> None:
    cells = [replace(CELL, who=who) for who in STANDARD_WHO]
    guests = inside.guests(cells)
    together = [[cell.who for cell in guest.cells] for guest in guests]
    assert together[0] == ["user", "user-namespace", "no-capabilities", "root"], (
        "root leaves things behind: last"
    )
    assert ["integrity"] in together and ["confidentiality"] in together
    assert all(len({catalogue().who[who].layers for who in people}) == 1 for people in together)
    assert [
        "docker-default",
        "podman-default",
        "docker-tightened",
        "podman-tightened",
        "docker",
        "podman",
    ] in together
    assert len(inside.guests([CELL, replace(CELL, headers="package")])) == 2


def test_what_cannot_be_taken_back_has_a_guest_of_its_own() -> None:
    together = inside.guests([replace(CELL, who=who) for who in (*CONDITIONS, "root")])
    for guest in together:
        who = guest.who
        assert len(guest.cells) == 1 or not (who.alone or who.memory or who.append)
    assert sum(len(guest.cells) for guest in together) == len(CONDITIONS) + 1
    shared = max(together, key=lambda guest: len(guest.cells))
    for cell in shared.cells:
        who = catalogue().who[cell.who]
        assert who.after or not who.before or "perf_event_paranoid" in who.before, "root comes after it"


def test_the_conditions_meet_every_kernel_and_every_bpftrace() -> None:
    cells = cover.conditions()
    assert set(cells) <= set(anything())
    met = {(cell.kernel, cell.who) for cell in cells}
    assert {(kernel, who) for kernel in KERNELS for who in CONDITIONS} <= met
    assert {(root, who) for root in ROOTS for who in CONDITIONS} <= {(cell.root, cell.who) for cell in cells}


def answer(*blocks: str) -> bytes:
    return "".join(blocks).encode()


def block(
    index: int, check: str = '{"capabilities": []}', smoke: str = '{"programs": []}', end: str = "@@done\n"
) -> str:
    return (
        f"@@cell {index}\n@@part check\n{check}\n\n@@status 1\n@@err\n\n"
        f"@@part smoke\n{smoke}\n\n@@status 0\n@@err\nhello: works\n\n{end}"
    )


def test_answers_are_read() -> None:
    cells = [CELL, replace(CELL, who="user")]
    found = inside.read(answer("noise\n", block(0), block(1)), cells)
    assert list(found) == cells
    part = found[CELL].check
    assert part is not None
    assert (part.report, part.status) == ({"capabilities": []}, 1)
    assert not found[CELL].problem


def test_a_guest_that_died_gave_the_answers_before_that() -> None:
    cells = [CELL, replace(CELL, who="user")]
    found = inside.read(answer(block(0), block(1, end="")), cells)
    assert list(found) == [CELL]


def test_what_is_no_json_is_a_problem_not_an_answer() -> None:
    found = inside.read(answer(block(0, smoke="Segmentation fault")), [CELL])
    assert found[CELL].smoke is None
    assert "Segmentation" in found[CELL].problem or "hello: works" in found[CELL].problem
    assert found[CELL].check is not None


def test_what_did_not_end_is_said_so() -> None:
    text = block(0, smoke="").replace("@@status 0", "@@status 124")
    found = inside.read(answer(text), [CELL])[CELL]
    assert found.smoke is None and found.check is not None
    assert found.problem.startswith("smoke did not end in time and gave no JSON")


def test_smoke_ends_before_the_guest_does() -> None:
    """What it did not come to is skipped and says so; a guest that is ended answers nothing."""
    together = inside.guests([replace(CELL, who=who) for who in ("user", "root")])
    _, job = inside.job(together[0])
    assert f"\npatience={inside._PATIENCE}\n" in job.script
    assert "kdiag smoke --format json --time-limit $patience" in job.script
    assert job.limit > 2 * (inside.CHECK_LIMIT + inside._PATIENCE + inside._GRACE)
    tools = inside.Guest((replace(CELL, root="debian13+tools"),))
    assert inside.patience("debian13+tools") > inside._PATIENCE
    assert f"\npatience={inside.patience('debian13+tools')}\n" in inside.job(tools)[1].script


def test_a_root_has_more_by_a_layer_and_smoke_proves_the_tools_of_it() -> None:
    (guest,) = inside.guests([replace(CELL, root="debian13+tools")])
    request, job = inside.job(guest)
    assert request.root == "debian13"
    assert request.layers == ("packages:bpfcc-tools,python3-bpfcc,libbpf-tools",)
    assert "cell 0 root smoke bcc,libbpf,bpftool" in job.script
    assert "cell 0 root smoke \n" in inside.job(inside.Guest((CELL,)))[1].script


def test_the_guests_script_is_one(tmp_path: Path) -> None:
    """The shell that reads it in the guest is a POSIX one; here it only has to be able to parse it."""
    script = tmp_path / "script"
    lines = [f"{who.before}\n(\n{who.enter}\n)\n{who.after}" for who in catalogue().who.values()]
    script.write_text("\n".join([inside._PROLOGUE, *lines]))
    subprocess.run(["sh", "-n", str(script)], check=True)
    subprocess.run(["sh", "-n", str(inside._GUEST / "as")], check=True)


# -- judging ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "outcome", "kind"),
    [
        ("works", "works", Kind.AGREES),
        ("caveat", "warns", Kind.AGREES),
        ("works", "warns", Kind.AGREES),
        ("fails", "fails", Kind.AGREES),
        ("works", "fails", Kind.WRONG_WORKS),
        ("caveat", "fails", Kind.WRONG_WORKS),
        ("fails", "works", Kind.WRONG_FAILS),
        ("unknown", "works", Kind.UNKNOWN),
        ("works", "skipped", Kind.NOT_TRIED),
    ],
)
def test_judgements(status: str, outcome: str, kind: Kind) -> None:
    (found,) = judge.judge(result([capability("hello", status)], [program("hello", outcome)]))
    assert found.kind is kind


def test_a_program_needs_all_its_capabilities() -> None:
    one = result(
        [capability("include", "works"), capability("kprobe", "fails", "no kprobes")],
        [program("kprobe-include", "works", ["include", "kprobe"])],
    )
    (found,) = judge.judge(one)
    assert found.kind is Kind.WRONG_FAILS
    assert found.because == "no kprobes"


def test_an_unknown_is_excused_by_a_rule_only_for_the_reason_it_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rule = rules.Rule("no PMU", "why", ("hardware",), "not tried", lambda cell: cell.kernel == "debian-6.12")
    monkeypatch.setattr(rules, "RULES", (rule,))

    def kind(name: str, because: str, cell: Cell = CELL) -> Kind:
        return judge.judge(result([capability(name, "unknown", because)], [program(name, "works")], cell))[
            0
        ].kind

    assert kind("hardware", "was not tried") is Kind.ALLOWED
    assert kind("hardware", "something else") is Kind.UNKNOWN
    assert kind("hello", "was not tried") is Kind.UNKNOWN
    assert kind("hardware", "was not tried", replace(CELL, kernel="debian-7.3")) is Kind.UNKNOWN


def test_rules_name_programs_that_there_are() -> None:
    assert {name for rule in rules.RULES for name in rule.programs} <= {one.id for one in PROGRAMS}
    assert all(rule.why.endswith(".") for rule in rules.RULES)


def test_the_number_counts_mistakes_and_no_excuses() -> None:
    states = [("works", "works"), ("works", "fails"), ("unknown", "works"), ("fails", "skipped")]
    found = [
        one
        for status, outcome in states
        for one in judge.judge(result([capability("hello", status)], [program("hello", outcome)]))
    ]
    number = judge.agreement(found)
    assert (number.right, number.counted) == (1, 3)
    assert number.text == "33.33 %"
    assert judge.Agreement(19999, 20000, {}).text == "99.99 %", "a mistake is never rounded away"
    assert judge.Agreement(0, 0, {}).text == "nothing to compare"


# -- results ----------------------------------------------------------------------------------------------


def test_results_come_back_as_they_were(tmp_path: Path) -> None:
    one = result([capability("hello", "works")], [program("hello", "works")])
    assert store.load(tmp_path / "new", CELL) is None
    store.save(tmp_path / "new", one)
    assert store.load(tmp_path / "new", CELL) == one
    assert [path.name for path in (tmp_path / "new").iterdir()] == [f"{CELL.file}.json"]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": "other"}'])
def test_a_damaged_result_is_named(text: str, tmp_path: Path) -> None:
    (tmp_path / f"{CELL.file}.json").write_text(text)
    with pytest.raises(LabError, match=CELL.file):
        store.load(tmp_path, CELL)


def test_a_run_goes_on_where_it_was(tmp_path: Path) -> None:
    done = result([capability("hello", "works")], [program("hello", "works")])
    half = replace(done, cell=replace(CELL, who="user"), smoke=None, problem="no JSON")
    store.save(tmp_path, done)
    store.save(tmp_path, half)
    plan = run.Plan([CELL, half.cell, replace(CELL, who="docker")], tmp_path)
    assert run.select(plan, "a", "b") == ([half.cell, replace(CELL, who="docker")], [])
    assert run.select(replace(plan, again=True), "a", "b")[0] == list(plan.cells)
    assert run.select(replace(plan, predict=True), "a", "b")[1] == [CELL]
    stale = replace(plan, stale=True, cells=[CELL])
    assert run.select(stale, "a", "b") == ([], [])
    assert run.select(stale, "other", "b") == ([], [CELL])
    assert run.select(stale, "other", "other") == ([CELL], [])


def test_a_new_prediction_stands_beside_the_old_outcome() -> None:
    old = result([capability("hello", "fails")], [program("hello", "works")])
    new = replace(
        result([capability("hello", "works")], []),
        smoke=None,
        versions={**old.versions, "predicted": "c", "proved": "d"},
    )
    both = store.with_prediction(old, new)
    assert judge.judge(both)[0].kind is Kind.AGREES
    assert (both.versions["predicted"], both.versions["proved"]) == ("c", "b")


# -- shown ------------------------------------------------------------------------------------------------


def some() -> list[Result]:
    return [
        result([capability("hello", "works")], [program("hello", "works")]),
        result(
            [capability("hello", "works", "a <b> | c")],
            [program("hello", "fails", message="ERROR: <script>")],
            replace(CELL, headers="half", who="docker"),
        ),
    ]


def test_the_table_in_markdown() -> None:
    cells = [*cover.standard(), *(one.cell for one in some()[1:])]
    text = table.markdown("standard", cells, some())
    assert "by `standard`" in text
    assert "**Agreement: 50.00 %** (1 of 2 predictions)" in text
    assert "docker: 0/1 **✗1**" in text
    assert "| said to work, failed | 1 |" in text
    assert "ERROR: &lt;script>" in text
    assert f"{len(cells) - 2} cells of this matrix have no result yet" in text
    for line in text.splitlines():
        if line.startswith("| 0."):
            assert line.count("|") == len(HEADERS) + 2
    assert all(f"### {kernel}" in text for kernel in KERNELS)


def test_a_report_has_each_sets_numbers_by_tool() -> None:
    good, bad = some()
    core = {**program("core-kprobe", "works"), "tool": "libbpf"}
    good = result(
        [capability("hello", "works"), capability("core-kprobe", "fails")], [program("hello", "works"), core]
    )
    parts = [view("one", [CELL, bad.cell], [good]), view("two", [bad.cell], [bad])]
    text = table.report(parts)
    assert "| `one` | 1 | 1 | bpftrace | 100.00 % | 1 | 1 | 0 | 0 | 0 |" in text
    assert "|  | |  | libbpf | 0.00 % | 0 | 1 | 0 | 1 | 0 |" in text
    assert "| `two` | 1 | 0 | bpftrace | 0.00 % | 0 | 1 | 1 | 0 | 0 |" in text
    assert text.count("\n# ") == 0 and text.startswith("# ")
    assert "bpftrace 1/1, libbpf 1/1" in text
    assert "### Disagreements" in text and text.count("\n## The axes") == 1


def test_the_command_is_one_that_can_be_typed() -> None:
    assert table.command("standard") == "python -m tests.lab matrix run"
    assert table.command("arm64", ["*/root"]) == "python -m tests.lab matrix run --which arm64 '*/root'"


def test_the_page_escapes_and_loads_nothing() -> None:
    text = page.html("standard", cover.standard(), some())
    assert "<script>" not in text
    assert "&lt;script&gt;" in text
    assert "http://" not in text.replace("http://www.w3.org", "") and "https://" not in text
    assert "50.00 %" in text


def test_every_setting_can_be_named() -> None:
    """Settings that need no kernel to be fetched; the others are tried by the matrix itself."""
    for headers in ("none", "package", "half", "module"):
        state = inside.setting("debian-6.12", headers)
        assert not state.variables
        assert bool(state.layers) == (headers != "none")


def test_results_are_json_on_disk(tmp_path: Path) -> None:
    store.save(tmp_path, some()[0])
    data = json.loads((tmp_path / f"{CELL.file}.json").read_text())
    assert data["schema"] == "kdiag.lab.cell/1"
    assert data["versions"]["bpftrace"] == "0.23.2-1"
