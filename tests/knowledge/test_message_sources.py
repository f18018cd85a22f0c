"""The program that reads messages out of sources, on small trees with the idioms of each tool."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.message_sources import coverage
from tests.support.message_sources.__main__ import main
from tests.support.message_sources.formats import braces, go, printf
from tests.support.message_sources.standing import sources
from tests.support.message_sources.tables import load, written
from tests.support.message_sources.template import Template
from tests.support.message_sources.tools import TOOLS

BPFTRACE = r"""
// LOG(ERROR) << "in a comment";
void BPFtrace::run()
{
  LOG(ERROR) << "cannot open " << path << ": " << strerror(errno);
  LOG(WARNING, loc, out_) << "two "
                             "literals" << std::endl << "a second line";
  LOG(V1) << "not a complaint";
  call.addError() << "expects " << (n == 1 ? "one" : "two") << " things";
  throw FatalUserException("no such " + kind + " here");
  return make_error<SystemError>("failed to stat '" + std::string(path) + "'", errno);
  ERR("old " << name << " macro", loc);
  std::cerr << "very old words" << std::endl;
  perror("the old call");
}
"""
LIBBPF = r"""
static int load(struct bpf_object *obj)
{
	pr_warn("map '%s': failed with %" PRIu64 ": %s\n", map->name, x, errstr(err));
	pr_warn("%u of 100%% in 0x%llx\n", a, b);
	pr_debug("nothing to say\n");
	pr_warn(cond ? "this is so\n" : "that is so\n");
}
"""
BCC = r"""
StatusTuple BPF::init() {
  fprintf(stderr, "bpf: Failed to load %s: %s\n", a, b);
  fprintf(stdout, "no complaint\n");
  return StatusTuple(-1, "Can't find table %s", name);
}
"""
PYTHON = r"""
def attach(name):
    raise Exception("Failed to attach %s to %d" % (name, 3))
    raise ValueError(f"no {name} here")
    print("hello")
    print("bad thing {}".format(name), file=sys.stderr)
    exit("gave up")
"""
GO = """
package link

// fmt.Errorf("in a comment")
func (l *Link) attach() error {
	return fmt.Errorf("attach %s to %q: %w", name, target, err)
}

var errGone = errors.New("the link " +
	"is gone")
"""
RUST = r"""
pub enum ProgramError {
    #[error("the program `{name}` is {0:?}")]
    NotLoaded { name: String },
    #[error(transparent)]
    Other(#[from] Thing),
}
fn f<'a>(x: &'a str) -> Result<()> {
    bail!("cannot find {x}");
    Err(e).with_context(|| format!("failed to open {}", path))
}
"""
KERNEL = r"""
static int check(struct bpf_verifier_env *env)
{
	verbose(env, "R%d invalid mem access '%s'\n", regno, reg);
	bpf_log(log, "at %pB\n", p);
	btf_verifier_log_type(env, t, "Invalid name");
}
"""
KMOD = r"""
static int insert(void)
{
	ERR("could not insert '%s': %s\n", name, strerror(-err));
	ERR(ctx, "no module %s\n", name);
}
"""


def texts(tool: str, files: Mapping[str, str], place: Path) -> dict[str, str]:
    """What is found in a directory with these files: the places by the texts."""
    for path, content in files.items():
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (place / path).write_text(content)
    return {one.text: one.place for one in sources(tool, [place]).texts}


@pytest.mark.parametrize(
    ("tool", "files", "found"),
    [
        (
            "bpftrace",
            {"src/bpftrace.cpp": BPFTRACE, "tests/no.cpp": BPFTRACE, "src/stdlib/no.h": BPFTRACE},
            {
                "cannot open %s: %s",
                "two literals",
                "a second line",
                "expects %s things",
                "no such %s here",
                "failed to stat '%s'",
                "old %s macro",
                "very old words",
                "the old call: %s",
            },
        ),
        (
            "libbpf",
            {"src/libbpf.c": LIBBPF},
            {"map '%s': failed with %d: %s", "%d of 100%% in 0x%d", "this is so", "that is so"},
        ),
        (
            "bcc",
            {"src/cc/api/BPF.cc": BCC, "src/python/bcc/__init__.py": PYTHON},
            {
                "bpf: Failed to load %s: %s",
                "Can't find table %s",
                "Failed to attach %s to %d",
                "no %s here",
                "bad thing %s",
                "gave up",
            },
        ),
        ("bcc", {"tools/old.py": 'print "x"\nraise Exception("old words")\n'}, {"old words"}),
        (
            "ebpf",
            {"link/link.go": GO, "link/link_test.go": GO, "cmd/bpf2go/a.go": GO},
            {"attach %s to %s: %s", "the link is gone"},
        ),
        (
            "aya",
            {"aya/src/programs.rs": RUST},
            {"the program `%s` is %s", "cannot find %s", "failed to open %s"},
        ),
        (
            "kernel",
            {"kernel/bpf/verifier.c": KERNEL, "Makefile": "VERSION = 6\nPATCHLEVEL = 1\n"},
            {"R%d invalid mem access '%s'", "at %s", "Invalid name"},
        ),
        (
            "kmod",
            {"tools/insert.c": KMOD, "tools/depmod.c": KMOD},
            {"could not insert '%s': %s", "no module %s"},
        ),
    ],
)
def test_the_idioms_of_a_tool(tool: str, files: dict[str, str], found: set[str], tmp_path: Path) -> None:
    assert set(texts(tool, files, tmp_path)) == found


def test_a_text_has_its_file_and_function(tmp_path: Path) -> None:
    assert texts("libbpf", {"src/libbpf.c": LIBBPF}, tmp_path)["%d of 100%% in 0x%d"] == "src/libbpf.c load()"
    assert Template("x", "src/a.h", "").place == "src/a.h"


@pytest.mark.parametrize(
    ("form", "text", "found"),
    [
        (printf, "%-5.*s|%08lx|%zu|%2$s|%%|%pB", "%s|%d|%d|%s|%%|%s"),
        (go, "%q %+v %w %#x %[1]d", "%s %s %s %d %d"),
        (braces, "{} {name:?} {{x}} 100%", "%s %s {x} 100%%"),
    ],
)
def test_conversions(form: object, text: str, found: str) -> None:
    assert callable(form)
    assert form(text) == found


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone of kmod with three releases, of which the last two say something else."""
    place = tmp_path / "clone"

    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
        subprocess.run(["git", "-C", place, *identity, *arguments], check=True, capture_output=True)

    (place / "tools").mkdir(parents=True)
    git("init", "-q")
    for tag, words in (
        ("v9", "an ancient message"),
        ("v20", "the old message"),
        ("v21", "the new message"),
        ("v22-rc1", "never released"),
        ("v22", "the new message"),
    ):
        (place / "tools" / "a.c").write_text(f'int f(void)\n{{\n\tERR("{words}");\n\tERR("%s is bad");\n}}\n')
        git("add", ".")
        git("commit", "-q", "--allow-empty", "-m", tag)
        git("tag", tag)
    return place


def test_a_clone_is_read_release_by_release(clone: Path) -> None:
    read = sources("kmod", [clone])
    assert read.releases == ((20,), (21,), (22,))
    assert [(one.text, one.first, one.last, one.place) for one in read.texts] == [
        ("%s is bad", (20,), None, "tools/a.c f()"),
        ("the new message", (21,), None, "tools/a.c f()"),
        ("the old message", (20,), (20,), "tools/a.c f()"),
    ]


def test_what_the_catalogue_lacks_is_listed_and_what_it_has_brought_up_to_date(
    clone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(coverage, "_rules", lambda _tool: [])
    place = tmp_path / "texts"
    place.mkdir()
    for tool in TOOLS:
        (place / f"{tool}.json").write_text(written({**load(tool, place), "before": "modprobe"}))
    assert main(["kmod", str(clone)], place) == 1
    *lacking, summary = capsys.readouterr().out.splitlines()
    assert [json.loads(line)[0] for line in lacking] == ["the new message", "the old message"]
    assert summary == "kmod: 3 releases, 3 messages: 1 left out, 0 of 2 in the catalogue (0.0 %)"
    table = load("kmod", place)
    table["templates"]["row"] = [json.loads(line) for line in lacking]
    table["templates"]["row"][0][1] = "3"
    (place / "kmod.json").write_text(written(table))
    assert main(["kmod", str(clone), "--write", "--left-out"], place) == 0
    assert "left out: too short" in capsys.readouterr().out
    assert load("kmod", place)["templates"]["row"] == [json.loads(line) for line in lacking]
    assert load("kmod", place)["left_out"] == {coverage.SHORT: 1}
    assert json.loads((place / "index.json").read_text())["by_word"]


def test_a_rule_that_fits_nothing_is_an_error(
    clone: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    here = tmp_path / "rules"
    here.mkdir()
    (here / "left_out.json").write_text(
        json.dumps(
            {"kmod": [{"reason": "why", "text": "message$"}, {"reason": "idle", "where": "src/nowhere"}]}
        )
    )
    monkeypatch.setattr(coverage, "HERE", here)
    assert main(["kmod", str(clone)], tmp_path) == 1
    out, err = capsys.readouterr()
    assert "2 left out" in out or "3 left out" in out
    assert "a rule of kmod fits no message: src/nowhere" in err


@pytest.mark.parametrize("arguments", [[], ["kmod"], ["nothing", "."], ["kmod", "/nowhere"], ["kmod", "."]])
def test_what_cannot_be_read_is_a_usage_error(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(arguments, tmp_path)
    assert ended.value.code == 2
