"""Fine-tuning speed on a GPU: tokens per second, MFU and peak memory of lmtune and its peers.

    python bench/gpu.py --json bench/results/DATE-GPU.json [--rounds N] [--steps N] [--peak TFLOPS]

GPT-2 124M's shape with random weights, context 1024, bf16 (fp16 with a scaler where the GPU has no
bf16): a bare loop in the manner of nanoGPT, ``lmtune.fit`` and the Hugging Face ``Trainer``, interleaved
in one run, each with and without ``compile``.  Then three checks of lmtune: fp16 trains through its
scaler, no update waits for the GPU, and a run held to 14.5 GiB (a T4's) stays within.  It needs an NVIDIA
GPU, transformers and accelerate; ``--rehearse`` runs all but the GPU's own parts on the CPU, in a minute,
with a tiny model, and writes nothing.
"""

from __future__ import annotations

import argparse
import copy
import datetime
import gc
import json
import os
import statistics
import sys
import tempfile
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # lmtune, for one that is not installed

import torch  # noqa: E402
import torch.nn.functional as F  # noqa: E402
from torch.optim.optimizer import register_optimizer_step_post_hook  # noqa: E402

#: Dense peak of tensor cores in TFLOPS (bf16; fp16 for T4), from NVIDIA's data sheets of the cards.
PEAKS = {"H200": 989, "H100 PCIe": 756, "H100": 989, "A100": 312, "L40S": 362, "L4": 121, "A10": 125, "T4": 65}
LR, DECAY, CLIP, T4_GIB = 6e-4, 0.1, 1.0, 14.5


@dataclass(frozen=True)
class Shape:
    """A GPT-2 and its batch."""

    layers: int = 12
    width: int = 768
    heads: int = 12
    context: int = 1024
    batch: int = 8
    vocabulary: int = 50_257

    def model(self):
        from transformers import GPT2Config, GPT2LMHeadModel

        torch.manual_seed(0)
        return GPT2LMHeadModel(
            GPT2Config(
                vocab_size=self.vocabulary,
                n_positions=self.context,
                n_embd=self.width,
                n_layer=self.layers,
                n_head=self.heads,
                resid_pdrop=0.0,
                embd_pdrop=0.0,
                attn_pdrop=0.0,
                bos_token_id=0,
                eos_token_id=0,
                use_cache=False,
            )
        ).train()

    def rows(self, steps: int) -> list[dict]:
        drawn = torch.Generator().manual_seed(0)
        ids = torch.randint(2, self.vocabulary, (steps * self.batch, self.context), generator=drawn).tolist()
        return [{"input_ids": row, "labels": list(row), "characters": len(row)} for row in ids]

    def flops_per_token(self, parameters: int) -> float:
        """Training FLOPs: 6 N + 12 L d T (Chowdhery et al. 2022, arXiv:2204.02311, appendix B)."""
        return 6 * parameters + 12 * self.layers * self.width * self.context


TINY = Shape(layers=1, width=16, heads=2, context=16, batch=2, vocabulary=64)


def train_bare(model, rows, shape: Shape, precision: str, compiled: bool) -> None:
    """nanoGPT's order of events, without its files: batches by slicing, fused AdamW, one loss a step."""
    device = next(model.parameters()).device
    tokens = torch.tensor([row["input_ids"] for row in rows])
    tokens = tokens.pin_memory() if device.type == "cuda" else tokens
    groups = [
        {"params": [p for p in model.parameters() if p.dim() >= 2], "weight_decay": DECAY},
        {"params": [p for p in model.parameters() if p.dim() < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=LR, betas=(0.9, 0.95), fused=True)
    scaler = torch.amp.GradScaler(device.type, enabled=precision == "fp16")
    half = {"bf16": torch.bfloat16, "fp16": torch.float16}[precision]
    forward = torch.compile(model) if compiled else model
    for batch in tokens.split(shape.batch):
        batch = batch.to(device, non_blocking=True)
        with torch.autocast(device.type, half):
            logits = forward(input_ids=batch).logits
            loss = F.cross_entropy(logits[:, :-1].flatten(0, 1), batch[:, 1:].flatten())
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), CLIP)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad(set_to_none=True)


def train_lmtune(model, rows, shape: Shape, precision: str, compiled: bool) -> None:
    import lmtune

    lmtune.fit(
        model,
        rows,
        batch_size=shape.batch,
        epochs=1,
        lr=LR,
        weight_decay=DECAY,
        clip=CLIP,
        schedule="constant",
        precision=precision,
        compile=compiled,
        progress=False,
    )


def train_trainer(model, rows, shape: Shape, precision: str, compiled: bool) -> None:
    from transformers import Trainer, TrainingArguments

    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder,
            num_train_epochs=1,
            per_device_train_batch_size=shape.batch,
            learning_rate=LR,
            weight_decay=DECAY,
            max_grad_norm=CLIP,
            lr_scheduler_type="constant",
            torch_compile=compiled,
            optim="adamw_torch_fused",
            **{precision: True},
            use_cpu=not torch.cuda.is_available(),
            logging_strategy="no",
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
        )

        def collate(some):
            return {name: torch.tensor([row[name] for row in some]) for name in ("input_ids", "labels")}

        Trainer(model, arguments, data_collator=collate, train_dataset=rows).train()


CONTESTANTS = {"bare": train_bare, "lmtune": train_lmtune, "trainer": train_trainer}


def measured(train, shape: Shape, steps: int, precision: str, compiled: bool, device: str) -> dict:
    """Tokens per second between two updates, the first few left out, and the peak of memory in GiB."""
    model, rows = shape.model().to(device), shape.rows(steps)
    first, seen = max(1, steps // 4), []

    def count(*_):
        if len(seen) + 1 in (first, steps):
            _wait()
        seen.append(time.perf_counter())

    _wait()
    gc.collect()
    if device == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    hook = register_optimizer_step_post_hook(count)
    try:
        train(model, rows, shape, precision, compiled)
    finally:
        hook.remove()
    if len(seen) != steps:
        sys.exit(f"{train.__name__} made {len(seen)} updates of {steps}, so nothing can be compared.")
    rate = shape.batch * shape.context * (steps - first) / (seen[-1] - seen[first - 1])
    peak = torch.cuda.max_memory_allocated() / 2**30 if device == "cuda" else 0.0
    return {"tokens per second": rate, "peak GiB": peak}


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def fp16_trains(shape: Shape, device: str) -> dict:
    """lmtune through the scaler: the loss on one batch that repeats falls, and few updates overflow."""
    import lmtune

    rows = shape.rows(1) * 40
    history = lmtune.fit(
        shape.model().to(device), rows, batch_size=shape.batch, lr=LR, precision="fp16", progress=False
    )
    return {
        "first loss": history.losses[0],
        "last loss": history.losses[-1],
        "skipped": sum(step.skipped for step in history.steps),
    }


def waits_per_update(shape: Shape, device: str, steps: int = 40) -> float:
    """How often an update of lmtune waits for the GPU, as torch.cuda.set_sync_debug_mode counts it."""
    import lmtune

    model, rows = shape.model().to(device), shape.rows(steps)
    if device == "cuda":
        torch.cuda.set_sync_debug_mode("warn")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        lmtune.fit(model, rows, batch_size=shape.batch, lr=LR, progress=False)
    if device == "cuda":
        torch.cuda.set_sync_debug_mode("default")
    return sum("synchronizing" in str(w.message) for w in caught) / steps


def fits_a_t4(shape: Shape, device: str) -> float:
    """Peak GiB of a run that may use 14.5 GiB; it ends with an out-of-memory error if it needs more."""
    if device == "cuda":
        whole = torch.cuda.get_device_properties(0).total_memory / 2**30
        torch.cuda.empty_cache()
        torch.cuda.set_per_process_memory_fraction(min(1.0, T4_GIB / whole))
    try:
        return measured(train_lmtune, shape, 8, "fp16" if device == "cuda" else "bf16", False, device)["peak GiB"]
    finally:
        if device == "cuda":
            torch.cuda.set_per_process_memory_fraction(1.0)


def compare(shape: Shape, rounds: int, steps: int, precision: str, device: str, compiles=(False, True)) -> dict:
    """Every contestant in every round, beginning one further on each time."""
    found: dict = {}
    names = [(name, compiled) for compiled in compiles for name in CONTESTANTS]
    for done in range(rounds):
        turn = done % len(names)
        for name, compiled in names[turn:] + names[:turn]:
            result = measured(CONTESTANTS[name], shape, steps, precision, compiled, device)
            found.setdefault(f"{name}{', compiled' if compiled else ''}", []).append(result)
        print(f"round {done + 1} of {rounds}", file=sys.stderr, flush=True)
    return found


def summary(found: dict, shape: Shape, peak_tflops: float | None) -> dict:
    parameters = sum(p.numel() for p in shape.model().parameters())
    table = {}
    for name, results in found.items():
        rate = statistics.median(r["tokens per second"] for r in results)
        mfu = rate * shape.flops_per_token(parameters) / (peak_tflops * 1e12) if peak_tflops else None
        table[name] = {
            "tokens per second": round(rate),
            "MFU": mfu and round(mfu, 3),
            "peak GiB": round(max(r["peak GiB"] for r in results), 2),
        }
        print(f"{name:20} {table[name]}")
    return table


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write the results")
    parser.add_argument("--rounds", type=int, default=3, metavar="N", help="(3)")
    parser.add_argument("--steps", type=int, default=60, metavar="N", help="updates of a contestant in a round (60)")
    parser.add_argument("--peak", type=float, metavar="TFLOPS", help="the card's dense peak, where it is not known")
    parser.add_argument("--rehearse", action="store_true", help="a tiny model on the CPU, to see that all runs")
    asked = parser.parse_args(arguments)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    if asked.rehearse:
        summary(compare(TINY, 1, 8, "bf16", "cpu", compiles=(False,)), TINY, None)
        print(waits_per_update(TINY, "cpu"), fits_a_t4(TINY, "cpu"))
        return 0
    if not torch.cuda.is_available():
        print(
            "bench/gpu.py needs an NVIDIA GPU that this torch can use, and there is none (see: lmtune doctor). "
            "Nothing was measured. --rehearse tries the script on the CPU.",
            file=sys.stderr,
        )
        return 2
    card = torch.cuda.get_device_name(0)
    peak = asked.peak or next((tflops for name, tflops in PEAKS.items() if name in card), None)
    precision = "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"
    shape = Shape()
    found = compare(shape, asked.rounds, asked.steps, precision, "cuda")
    result = {
        "date": datetime.date.today().isoformat(),
        "GPU": card,
        "precision": precision,
        "peak TFLOPS": peak,
        "torch": torch.__version__,
        "CUDA": torch.version.cuda,
        "shape": copy.copy(shape.__dict__),
        "table": summary(found, shape, peak),
        "rounds": found,
        "fp16": fp16_trains(shape, "cuda"),
        "waits per update": waits_per_update(shape, "cuda"),
        "peak GiB within 14.5": fits_a_t4(shape, "cuda"),
    }
    print(json.dumps({k: result[k] for k in ("fp16", "waits per update", "peak GiB within 14.5")}, indent=1))
    if asked.json:
        asked.json.parent.mkdir(parents=True, exist_ok=True)
        asked.json.write_text(json.dumps(result, indent=1) + "\n", "utf8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
