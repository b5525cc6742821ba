"""What torch.compile does to a step of pocket-mini on this machine: python -m chapters.optimization.studies.speed

Times differ between machines; these are shown with the date, and nothing is claimed of them.
"""

from __future__ import annotations

import os
import time

os.environ["TORCHINDUCTOR_FORCE_DISABLE_CACHES"] = "1"  # so that the first step compiles anew

import torch

import lmtune
from chapters.optimization.studies.record import write

TIMES = 15


def main() -> None:
    began = time.process_time()
    ids = torch.arange(512).reshape(8, 64)
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": ids}
    models = {name: lmtune.load("pocket-mini", device="cpu")[0].train() for name in ("eager", "compiled")}
    models["compiled"].compile()

    def seconds(name: str) -> float:
        start = time.perf_counter()
        lmtune.next_token_loss(models[name], batch)[0].backward()
        return time.perf_counter() - start

    first = {name: seconds(name) for name in models}
    # In turn, so that whatever else the machine does disturbs both alike; the least of all.
    rounds = [{name: seconds(name) for name in models} for _ in range(TIMES)]
    results = {f"{name}, ms": round(1000 * min(r[name] for r in rounds), 1) for name in models}
    results["first compiled step, s"] = round(first["compiled"])
    print(results, flush=True)
    write(
        "speed",
        {"model": "pocket-mini", "rows": 8, "tokens": 64, "times": TIMES, "what": "forward and backward"},
        results,
        began,
    )


if __name__ == "__main__":
    main()
