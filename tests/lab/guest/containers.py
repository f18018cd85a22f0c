"""Inside a guest: kdiag in containers of the real engines. Says what was seen as one JSON document; what is right is
judged outside.

containers.py CELLS.json    [{name, engine, flags, setup, line, less, programs}, ...]
containers.py start ENGINE  what it needs; once
containers.py enter ENGINE FLAGS... -- COMMAND...    become a container that runs this command

engine: docker, podman, rootless (podman of an ordinary user), host (no container: flags are put before the command).
line: whether the line that kdiag prints there is tried, too; less: whether it is tried without each of its parts.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

OUT = Path("/srv/out")
CONTAINERD = "/run/containerd/containerd.sock"
#: The guest's own user space is the image: what is not bound is empty. The kernel's modules are the host's alone.
BOUND = (
    "/usr",
    "/opt",
    "/etc/alternatives",
    "/etc/ld.so.cache",
    "/etc/os-release",
    "/var/lib/dpkg",
    "/srv/job",
)
HIDDEN = "/usr/lib/modules"
SKELETON = (
    "proc",
    "sys",
    "dev",
    "run",
    "tmp",
    "root",
    "etc",
    "var/lib",
    "opt",
    "usr",
    "srv/job",
    "out",
    "mnt",
)
JOB = """#!/bin/sh
cd /root 2>/dev/null || cd /
case $PARTS in *facts*) python3 /srv/job/observe.py >/out/facts.json 2>/out/facts.err ;; esac
case $PARTS in *check*)
	kdiag check --format json -o /out/check.json --format text -o /out/check.txt --no-color 2>/out/check.err ;;
esac
[ -z "$PROGRAMS" ] || kdiag smoke --format json --only "$PROGRAMS" >/out/smoke.json 2>/out/smoke.err
"""

#: what a container is started for: without a part of the line only what works there matters
ALL, LINE, FEWER = "facts check", "check", ""

#: what a line has to make work, where the cell itself tries nothing
LEAST = "hello,tracepoint-args"


def main() -> int:
    if sys.argv[1] == "start":
        begin(sys.argv[2])
        return 0
    if sys.argv[1] == "enter":
        end = sys.argv.index("--")
        words = command(sys.argv[2], sys.argv[3:end], Path("/srv/empty"), sys.argv[end + 1 :])
        os.execvp(words[0], words)
    return cells_of(sys.argv[1])


def cells_of(path: str) -> int:
    """Each cell's answer, to standard output."""
    cells = json.loads(Path(path).read_text())
    prepare({cell["engine"] for cell in cells})
    answers = {}
    for cell in cells:
        if cell.get("setup"):
            subprocess.run(["sh", "-c", cell["setup"]], check=True, stdout=sys.stderr)
        answers[cell["name"]] = answer = trial(cell["name"], cell["engine"], cell["flags"], cell["programs"])
        words = shlex.split(line(answer)) if cell.get("line") else []
        if words:
            engine, flags = words[words.index("run") - 1], words[words.index("run") + 1 : -1]
            programs = cell["programs"] or LEAST
            answer["line"] = trial(f"{cell['name']}-line", engine, flags, programs, LINE)
            for number, fewer in enumerate(without_each(flags) if cell.get("less") else ()):
                answer.setdefault("less", []).append(
                    trial(f"{cell['name']}-less{number}", engine, fewer, LEAST, FEWER)
                )
    json.dump(answers, sys.stdout)
    return 0


def line(answer: dict[str, Any]) -> str:
    """The command that kdiag names for starting the container anew."""
    findings = answer["check"]["findings"] if answer["check"] else ()  # an engine may refuse to start it
    remedies = (r for f in findings for r in f.get("remedies", ()))
    return next((r["commands"][0] for r in remedies if r["id"] == "container.run" and r.get("commands")), "")


def without_each(flags: list[str]) -> list[list[str]]:
    """The flags without one capability, option or mount at a time."""
    parts: list[list[str]] = []
    for name, value in zip(flags[::2], flags[1::2], strict=True):
        parts += [[name, one] for one in (value.split(",") if name == "--cap-add" else [value])]
    return [[word for part in (*parts[:i], *parts[i + 1 :]) for word in part] for i in range(len(parts))]


# -- one container ---------------------------------------------------------------------------------------------------


def trial(name: str, engine: str, flags: list[str], programs: str, parts: str = ALL) -> dict[str, Any]:
    """What kdiag sees, says and proves in one container."""
    place = OUT / name
    place.mkdir(parents=True, exist_ok=True)
    place.chmod(0o777)
    begun = time.monotonic()
    env = {**os.environ, "PROGRAMS": programs, "PARTS": parts}
    done = subprocess.run(
        command(engine, flags, place),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        env=env,
        cwd="/",
    )
    spent = time.monotonic() - begun
    sys.stderr.write(
        f"{spent:6.1f} s  {done.returncode:3}  {name}: {engine} {shlex.join(flags)}\n{done.stderr[-600:]}"
    )
    answer: dict[str, Any] = {
        "engine": engine,
        "flags": flags,
        "status": done.returncode,
        "err": done.stderr[-2000:],
    }
    for what in ("check", "smoke", "facts"):
        path = place / f"{what}.json"
        answer[what] = json.loads(path.read_text() or "null") if path.exists() else None
    text = place / "check.txt"
    answer["text"] = text.read_text() if text.exists() else ""
    return answer


def command(engine: str, flags: list[str], place: Path, job: list[str] | None = None) -> list[str]:
    """What starts a container that runs a job, by itself the one that examines; `place` is /out there."""
    if engine == "host":
        shell = f"mkdir -p /out; mount --bind {place} /out; exec {shlex.join(flags)} sh /srv/job/job.sh"
        return ["unshare", "-m", "sh", "-c", shell]
    binds = [word for path in BOUND for word in ("-v", f"{path}:{path}:ro")]
    binds += ["-v", f"/srv/empty:{HIDDEN}:ro", "-v", f"{place}:/out"]
    names = ("PROGRAMS", "PARTS", *(name for name in os.environ if name.startswith(("BPFTRACE_", "BCC_"))))
    passed = [word for name in names for word in ("-e", name)]
    usual = ["run", "--rm", "--network=none", *passed, *binds, *flags]
    job = job or ["sh", "/srv/job/job.sh"]
    if engine == "docker":
        return ["docker", *usual, "image:1", *job]
    podman = ["podman", "--cgroup-manager=cgroupfs", *usual, "--rootfs", "/srv/image:O", *job]
    if engine == "podman":
        return podman
    home = ["env", "HOME=/home/user", "USER=user", "LOGNAME=user", "XDG_RUNTIME_DIR=/run/user/1000"]
    podman.insert(podman.index("run") + 1, "--cgroups=disabled")
    return ["setpriv", "--reuid", "1000", "--regid", "1000", "--init-groups", *home, *podman]


# -- the engines -----------------------------------------------------------------------------------------------------


def begin(engine: str) -> None:
    """Prepare one engine after another, each once; both have the same image."""
    if not Path("/srv/image").exists():
        prepare(set())
    mark = Path(f"/srv/{engine}")
    if not mark.exists():
        mark.touch()
        if engine == "docker":
            docker(Path("/srv/image"))


def prepare(engines: set[str]) -> None:
    """What a booted Debian with the engines would have: storage that overlay can use, an image, users' ranges."""
    for path in ("/var/lib/docker", "/var/lib/containers", "/var/tmp", "/srv"):
        os.makedirs(path, exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "tmpfs", path], check=True)
    os.chmod("/var/tmp", 0o1777)
    image = Path("/srv/image")
    for name in SKELETON:
        (image / name).mkdir(parents=True)
    for name in ("bin", "sbin", "lib", "lib64"):
        os.symlink(f"usr/{name}", image / name)
    for name in ("passwd", "group", "nsswitch.conf", "localtime"):
        if os.path.exists(f"/etc/{name}"):
            shutil.copy(f"/etc/{name}", image / "etc" / name)
    for path in BOUND:
        if os.path.isfile(path):
            (image / path.lstrip("/")).parent.mkdir(parents=True, exist_ok=True)
            (image / path.lstrip("/")).touch()
    os.makedirs("/srv/empty")
    os.makedirs("/srv/job")
    Path("/srv/job/job.sh").write_text(JOB)
    if os.path.exists("/opt/observe.py"):
        shutil.copy("/opt/observe.py", "/srv/job/observe.py")
    subprocess.run(["ldconfig"], check=False)
    if "docker" in engines:
        docker(image)
    if "rootless" in engines:
        rootless(image)


def docker(image: Path) -> None:
    log = open("/run/dockerd.log", "wb")  # noqa: SIM115  they write it as long as the guest runs
    # started by dockerd it has 15 seconds, which emulation exceeds
    subprocess.Popen(["containerd", "--address", CONTAINERD], stdout=log, stderr=log)
    options = ["--bridge=none", "--iptables=false", "--ip6tables=false", f"--containerd={CONTAINERD}"]
    if not waited(lambda: os.path.exists(CONTAINERD)):
        sys.exit("containerd does not start: " + Path(log.name).read_text(errors="replace")[-1500:])
    subprocess.Popen(["dockerd", *options], stdout=log, stderr=log)
    asked = ["docker", "info"]
    if not waited(lambda: subprocess.run(asked, capture_output=True, check=False).returncode == 0):
        sys.exit("docker does not answer: " + Path(log.name).read_text(errors="replace")[-1500:])
    packed = subprocess.run(["tar", "-C", str(image), "-c", "."], stdout=subprocess.PIPE, check=True).stdout
    subprocess.run(["docker", "import", "-", "image:1"], input=packed, stdout=sys.stderr, check=True)


def waited(done: Callable[[], bool]) -> bool:
    """Whether it came about within some minutes."""
    for _ in range(120):
        if done():
            return True
        time.sleep(1)
    return False


def rootless(image: Path) -> None:
    """What `user` needs for podman without root."""
    for path in ("/etc/subuid", "/etc/subgid"):
        Path(path).write_text("user:100000:65536\n")
    for program in ("/usr/bin/newuidmap", "/usr/bin/newgidmap"):
        os.chmod(program, 0o4755)
    os.makedirs("/run/user/1000")
    os.makedirs("/home/user/.local", exist_ok=True)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "uid=1000,gid=1000", "tmpfs", "/home/user/.local"], check=True
    )
    for path in ("/run/user/1000", str(image), *(str(p) for p in image.rglob("*"))):
        os.chown(path, 1000, 1000, follow_symlinks=False)
    if os.path.exists("/dev/fuse"):
        os.chmod("/dev/fuse", 0o666)


if __name__ == "__main__":
    sys.exit(main())
