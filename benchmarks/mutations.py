"""Changed bytes of objects, BTF and scripts: each is answered or refused, in bounded time.

    python -m benchmarks.mutations --seed 1 --count 20000 FILE...

Prints what ended in another error than kdiag's own, and what took most of the CPU's time; the same seed makes the
same files.
"""

from __future__ import annotations

import argparse
import random
import tempfile
import time
import traceback
from pathlib import Path

from kdiag.cli.examination import here
from kdiag.commands.explain import answers
from kdiag.explain.value import NotKnown
from kdiag.parse.btf import BtfError, parse

#: What forged counts and offsets look like.
_FORGED = (b"\0" * 4, b"\xff" * 4, b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\xff\xff\0\0")
_SLOW = 5


def changed(data: bytes, chosen: random.Random) -> bytes:
    """The bytes with some of them changed, forged, doubled or cut off."""
    made = bytearray(data)
    for _ in range(chosen.randint(1, 8)):
        at = chosen.randrange(len(made)) if made else 0
        match chosen.randrange(5):
            case 0 if made:
                made[at] = chosen.randrange(256)
            case 1 if made:
                made[at] ^= 1 << chosen.randrange(8)
            case 2:
                made[at : at + 4] = chosen.choice(_FORGED)
            case 3:
                made[at:at] = made[at : at + chosen.randrange(64)]
            case _ if not chosen.randrange(8):
                del made[at:]
    return bytes(made)


def main() -> int:
    """Exit status 1 where a mutation ended in an error of Python's."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("files", nargs="+", type=Path)
    asked = parser.parse_args()
    samples = [(path, path.read_bytes()) for path in asked.files]
    place, slow, broken = here("", ""), list[tuple[float, int, str]](), 0
    with tempfile.TemporaryDirectory() as directory:
        for number in range(asked.count):
            # Each has a seed of its own, so that one can be made again alone.
            chosen = random.Random(f"{asked.seed}/{number}")
            path, data = chosen.choice(samples)
            made = changed(data, chosen)
            file = Path(directory) / f"changed{path.suffix or '.o'}"
            file.write_bytes(made)
            began = time.process_time()
            try:
                if path.suffix in (".btf", ".BTF"):
                    parse(made)
                else:
                    list(answers([str(file)], place))
            except (NotKnown, BtfError):
                pass
            except Exception:
                broken += 1
                print(f"{path} number {number}:\n{traceback.format_exc()}", flush=True)
            slow = sorted([*slow, (time.process_time() - began, number, str(path))], reverse=True)[:_SLOW]
    print(f"{asked.count} mutations with seed {asked.seed}: {broken} ended in an error of Python's")
    for seconds, number, name in slow:
        print(f"  {seconds:.2f} s of CPU  number {number} of {name}")
    return 1 if broken else 0


if __name__ == "__main__":
    raise SystemExit(main())
