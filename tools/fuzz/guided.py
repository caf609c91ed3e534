"""The back end with coverage: atheris (libFuzzer) in a process of its own, for one target.

    python tools/fuzz/guided.py TARGET FOLDER SECONDS

libFuzzer ends its process by itself, so that the child writes its counts to a file as it goes. A crash is left in
FOLDER by libFuzzer.
"""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Final

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from fuzz.findings import Finding
from fuzz.mutation import INPUT_BYTES_MAX
from fuzz.plain import SLOW_S, Result

__all__ = ["guide", "is_here"]

_RSS_MIB_MAX: Final = 1_024
_HERE: Final = Path(__file__).resolve()
_GRACE_S: Final = 120
_COUNTED_EACH: Final = 64


def is_here() -> bool:
    """Tell whether atheris is installed."""
    return importlib.util.find_spec("atheris") is not None


def guide(name: str, inputs: list[bytes], seconds: float, folder: Path) -> Result:
    """Look at one target in a child process.

    Args:
        name: of the target.
        inputs: to begin with.
        seconds: wall-clock time.
        folder: where the grown corpus and crashes go.
    """
    corpus, crashes = folder / "grown" / name, folder / "crashes" / name
    corpus.mkdir(parents=True, exist_ok=True)
    crashes.mkdir(parents=True, exist_ok=True)
    seeds = folder / "seeds" / name
    seeds.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(inputs):
        (seeds / f"{number:04}.bin").write_bytes(data)
    before = set(crashes.iterdir())
    command = [sys.executable, str(_HERE), name, str(folder), str(seconds)]
    done = subprocess.run(  # noqa: S603 - this very interpreter, with the name of a target
        command, capture_output=True, text=True, check=False, timeout=seconds + _GRACE_S
    )
    result = Result(name, "guided")
    counts = _counts_file(folder, name)
    if counts.exists():
        result.runs, result.accepted, result.cpu_s = json.loads(counts.read_text(encoding="utf-8"))
    for path in sorted(set(crashes.iterdir()) - before):
        words = [line.strip() for line in done.stderr.splitlines() if "Error" in line or "ERROR" in line]
        result.findings.append(Finding(name, (words or ["crash"])[0][:200], path.name, path.read_bytes()))
    if done.returncode and not result.findings:
        result.findings.append(Finding(name, f"the process ended with {done.returncode}", done.stderr[-300:], b""))
    return result


def _child(name: str, folder: Path, seconds: float) -> None:
    """Fuzz one target until the time is over; never returns."""
    import atheris  # noqa: PLC0415 - an extra: the parent says so where it is missing

    with atheris.instrument_imports(include=["p2pcommerce"]):
        from fuzz.catalogue import targets  # noqa: PLC0415 - what is imported here is instrumented
    target = targets()[name]
    counts = [0, 0]
    file = _counts_file(folder, name)
    began = time.process_time()

    def take(data: bytes) -> None:
        counts[0] += 1
        if not counts[0] % _COUNTED_EACH:
            file.write_text(json.dumps([*counts, round(time.process_time() - began, 3)]), encoding="utf-8")
        counts[1] += target.take(data)

    options = [
        sys.argv[0],
        f"-max_total_time={max(1, int(seconds))}",
        f"-max_len={INPUT_BYTES_MAX}",
        f"-rss_limit_mb={_RSS_MIB_MAX}",
        f"-timeout={int(SLOW_S * 5)}",
        f"-artifact_prefix={folder / 'crashes' / name}/",
        "-verbosity=0",
        str(folder / "grown" / name),
        str(folder / "seeds" / name),
    ]
    atheris.Setup(options, take)
    atheris.Fuzz()


def _counts_file(folder: Path, name: str) -> Path:
    return folder / "seeds" / f"{name}.json"


if __name__ == "__main__":
    _child(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]))
