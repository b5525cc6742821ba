"""What a training loop costs beyond its model: seconds per step of lmtune and its peers.

    python bench/loop_overhead.py --json FILE [--rounds N] [--steps N] [--without NAME ...]

Every contestant trains the same random GPT-2 on the same batches with the same optimizer,
on one thread, with its progress bar on, and keeps the loss of each step.  Before anything
is timed, all of them must have reached the same losses and weights.  bench/README.md says
how to read the result.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import importlib.metadata
import importlib.util
import json
import logging
import os
import platform
import statistics
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

#: What each contestant needs of what may be missing.
NEEDS = {"fabric": "lightning", "accelerate": "accelerate", "hf": "accelerate", "lightning": "lightning"}
MODELS = ("small", "medium")


def main(arguments: list[str] | None = None) -> None:
    chosen = parse(arguments)
    refuse_missing([name for name in NEEDS if name not in chosen.without])
    prepare_environment()
    import timing  # late, so that --help and refusals are quick

    contestants = [name for name in timing.CONTESTANTS if name not in chosen.without]
    steps = {name: steps_of(name, chosen.steps) for name in chosen.models}
    before, adamw = load(), timing.lmtunes_adamw()
    for name in steps:
        timing.refuse_other_work(name, contestants, adamw)
    print(f"{', '.join(contestants)}: all reach the same losses and weights.", flush=True)
    seconds = timing.measure(steps, contestants, chosen.rounds, adamw)
    results = {
        contestant: {name: {"median": statistics.median(of[name]), "min": min(of[name])} for name in steps}
        for contestant, of in seconds.items()
    }
    print(table(seconds, results))
    if chosen.json:
        results["about"] = {
            **about(),
            "rounds": chosen.rounds,
            "steps": steps,
            "adamw": adamw,
            "load_before": before,
            "load_after": load(),
            "each_round": seconds,
        }
        chosen.json.write_text(json.dumps(results, indent=1) + "\n", "utf8")


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the results")
    parser.add_argument("--rounds", type=int, default=13, metavar="N", help="each has each contestant once (13)")
    parser.add_argument(
        "--steps",
        type=int,
        default=120,
        metavar="N",
        help="steps a round on the small model (120); a tenth of that on the medium one",
    )
    parser.add_argument(
        "--without",
        nargs="+",
        action="extend",
        choices=NEEDS,
        default=[],
        metavar="NAME",
        help=f"leave out some of: {', '.join(NEEDS)}",
    )
    parser.add_argument(
        "--models",
        nargs="+",
        choices=MODELS,
        default=MODELS,
        metavar="NAME",
        help=f"some of: {', '.join(MODELS)} (all)",
    )
    chosen = parser.parse_args(arguments)
    if chosen.rounds < 1 or chosen.steps < 3:
        parser.error(
            f"--rounds is {chosen.rounds} and --steps is {chosen.steps}; allowed: at least 1 round and 3 steps."
        )
    if chosen.json and not chosen.json.resolve().parent.is_dir():
        parser.error(f"there is no folder {chosen.json.parent} for {chosen.json.name}; make it first.")
    return chosen


def refuse_missing(contestants: list[str]) -> None:
    without = [name for name in contestants if importlib.util.find_spec(NEEDS[name]) is None]
    if without:
        missing = " and ".join(sorted({NEEDS[name] for name in without}))
        sys.exit(
            f"Not installed: {missing}, needed for {' and '.join(without)}. Run pip install -r "
            f"bench/requirements.txt, or leave them out with --without {' '.join(without)}."
        )


def prepare_environment() -> None:
    """One thread, no network, every progress bar on, and the lmtune that stands beside this script."""
    os.environ.update(HF_HUB_OFFLINE="1", OMP_NUM_THREADS="1")
    os.environ.pop("TQDM_DISABLE", None)
    sys.path.insert(0, str(ROOT))
    import torch
    import transformers

    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    for name in ("lightning.pytorch", "lightning.fabric"):
        logging.getLogger(name).setLevel(logging.ERROR)


def steps_of(model: str, steps: int) -> int:
    """A step of the medium model takes over a hundred times as long, and shows the same in fewer."""
    return steps if model == "small" else max(3, steps // 10)


def table(seconds: dict, results: dict) -> str:
    """Ratios to ``bare``: of minima, of medians, and the median of the ratios within each round."""
    lines = []
    for model, bare in results["bare"].items():
        lines += [
            "",
            f"{model}: seconds per step, as ratios to bare ({bare['min'] * 1e3:.2f} ms at the "
            f"least, {bare['median'] * 1e3:.2f} ms in the median)",
            f"{'':12}{'minima':>9}{'medians':>9}{'by round':>9}",
        ]
        for contestant, of in results.items():
            by_round = statistics.median(a / b for a, b in zip(seconds[contestant][model], seconds["bare"][model]))
            lines.append(
                f"{contestant:12}{of[model]['min'] / bare['min']:9.3f}"
                f"{of[model]['median'] / bare['median']:9.3f}{by_round:9.3f}"
            )
    return "\n".join(lines)


def about() -> dict:
    packages = ("torch", "transformers", "accelerate", "lightning", "tqdm")
    versions = {name: importlib.metadata.version(name) for name in packages if importlib.util.find_spec(name)}
    return {
        "versions": {"python": platform.python_version(), **versions},
        "processor": processor(),
        "date": datetime.date.today().isoformat(),
    }


def processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text("utf8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def load() -> list[float] | None:
    """How many processes wanted a core in the last 1, 5 and 15 minutes; None where nobody counts."""
    return [round(x, 2) for x in os.getloadavg()] if hasattr(os, "getloadavg") else None


if __name__ == "__main__":
    main()
