"""What torch.compile does to a step of pocket-mini on this machine: python -m studies.optimization_speed

Times differ between machines; these are shown with the date, and nothing is claimed of them.
"""
from __future__ import annotations

import time

import torch

import lmtune
from studies.optimization_record import write

TIMES = 7


def least(code) -> float:
    """Milliseconds, the least of several measurements."""
    spent = []
    for _ in range(TIMES):
        began = time.perf_counter()
        code()
        spent.append(1000 * (time.perf_counter() - began))
    return round(min(spent), 1)


def main() -> None:
    began = time.process_time()
    ids = torch.arange(512).reshape(8, 64)
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": ids}
    model = lmtune.load("pocket-mini", device="cpu")[0].train()

    def step():
        lmtune.next_token_loss(model, batch)[0].backward()

    results = {"eager, ms": least(step)}
    model.compile()
    first = time.perf_counter()
    step()
    results["first compiled step, s"] = round(time.perf_counter() - first)
    results["compiled, ms"] = least(step)
    print(results, flush=True)
    write("speed", {"model": "pocket-mini", "rows": 8, "tokens": 64, "times": TIMES, "what": "forward and backward"},
          results, began)


if __name__ == "__main__":
    main()
