"""Pretrain ``pocket`` or ``pocket-mini`` from nothing, on this machine's documentation.

    python -m studies.pretraining.pretrain pocket-mini
    python -m studies.pretraining.pretrain pocket

Killed, it goes on from its last checkpoint when it is started again.  At the end
it measures the model and writes the folder ``lmtune/models/pretrained/NAME``: weights
(bf16 safetensors), configuration, tokenizer, training log and model card.

The hidden matrices are trained with Muon (Jordan et al. 2024, as in
``torch.optim.Muon``), everything else with AdamW.
"""

from __future__ import annotations

import argparse
import csv
import os
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from tqdm.auto import tqdm
from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

from studies.pretraining.model_card import pretraining_documents, ship

VOCABULARY = 4096
CONTEXT = 256
#: Updates between rows of the log, and between checkpoints (a multiple of the former).
LOG_EVERY, CHECKPOINT_EVERY = 20, 100
END, PAD = "<|endoftext|>", "<|pad|>"


@dataclass(frozen=True)
class Recipe:
    """One pretraining run.  ``batch`` and ``micro`` count sequences of 256 tokens."""

    layers: int
    width: int
    steps: int
    batch: int = 32
    micro: int = 8  # small enough that the logits stay in the processor's cache
    lr: float = 8e-3
    warmup: int = 100
    weight_decay: float = 0.1
    clip: float = 1.0
    seed: int = 0


RECIPES = {"pocket": Recipe(layers=4, width=256, steps=2800), "pocket-mini": Recipe(layers=2, width=128, steps=3000)}


def train_tokenizer(texts: list[str], folder: Path) -> PreTrainedTokenizerFast:
    """Byte-level BPE; ids 0 and 1 are the end of text and the padding."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    bpe.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=VOCABULARY,
            special_tokens=[END, PAD],
            show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        ),
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token=END,
        eos_token=END,
        unk_token=END,
        pad_token=PAD,
        padding_side="right",
        model_max_length=CONTEXT,
        clean_up_tokenization_spaces=False,
    )
    tokenizer.save_pretrained(folder)
    return tokenizer


def token_stream(work: Path) -> list[np.ndarray]:
    """The train documents as token ids, each led by the end-of-text token; cached in ``work``."""
    cache = work / "tokens.npz"
    if cache.exists():
        with np.load(cache) as data:
            return np.split(data["ids"], data["starts"][1:])
    texts = [d.text for d in pretraining_documents()[0]]
    tokenizer = train_tokenizer(texts, work / "tokenizer")
    end = tokenizer.eos_token_id
    rows = [np.array([end, *ids], dtype=np.uint16) for ids in tokenizer(texts, verbose=False)["input_ids"]]
    starts = np.cumsum([0, *(len(r) for r in rows[:-1])])
    with open(cache.with_suffix(".part"), "wb") as f:
        np.savez(f, ids=np.concatenate(rows), starts=starts)
    os.replace(cache.with_suffix(".part"), cache)  # a kill leaves no half file behind
    return rows


def blocks(rows: list[np.ndarray], epoch: int, seed: int) -> torch.Tensor:
    """The documents in the order of this epoch, cut into rows of CONTEXT + 1 token ids."""
    order = np.random.default_rng([seed, epoch]).permutation(len(rows))
    stream = np.concatenate([rows[i] for i in order]).astype(np.int64)
    n = (len(stream) - 1) // CONTEXT
    at = np.arange(n)[:, None] * CONTEXT + np.arange(CONTEXT + 1)
    return torch.from_numpy(stream[at])


def new_model(recipe: Recipe) -> GPT2LMHeadModel:
    torch.manual_seed(recipe.seed)
    return GPT2LMHeadModel(
        GPT2Config(
            vocab_size=VOCABULARY,
            n_positions=CONTEXT,
            n_embd=recipe.width,
            n_layer=recipe.layers,
            n_head=recipe.width // 64,
            activation_function="gelu_pytorch_tanh",
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            bos_token_id=0,
            eos_token_id=0,
            pad_token_id=1,
        )
    )


def optimizers(model: GPT2LMHeadModel, recipe: Recipe) -> list[torch.optim.Optimizer]:
    hidden = [p for p in model.transformer.h.parameters() if p.dim() == 2]
    inside = {id(p) for p in hidden}
    rest = [p for p in model.parameters() if id(p) not in inside]
    decay = [p for p in rest if p.dim() >= 2]
    plain = [p for p in rest if p.dim() < 2]
    muon = torch.optim.Muon(
        hidden, lr=recipe.lr, weight_decay=recipe.weight_decay, momentum=0.95, adjust_lr_fn="match_rms_adamw"
    )
    adamw = torch.optim.AdamW(
        [{"params": decay, "weight_decay": recipe.weight_decay}, {"params": plain, "weight_decay": 0.0}],
        lr=recipe.lr,
        betas=(0.9, 0.95),
        fused=True,
    )
    return [muon, adamw]


def rate(step: int, recipe: Recipe) -> float:
    """Linear warm-up, then linear to zero."""
    rising = (step + 1) / recipe.warmup
    falling = (recipe.steps - step) / (recipe.steps - recipe.warmup)
    return recipe.lr * min(rising, falling)


def pretrain(name: str, recipe: Recipe, work: Path, compiled: bool) -> GPT2LMHeadModel:
    """Train to the end of the recipe, from the last checkpoint in ``work`` if there is one."""
    rows = token_stream(work)
    model = new_model(recipe)
    opts = optimizers(model, recipe)
    folder = work / name
    folder.mkdir(parents=True, exist_ok=True)
    step, log = restore(folder / "checkpoint.pt", recipe, model, opts)

    def loss_sum(ids: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            logits = model(ids[:, :-1], use_cache=False).logits
            return F.cross_entropy(logits.reshape(-1, VOCABULARY), ids[:, 1:].reshape(-1), reduction="sum")

    loss_fn = torch.compile(loss_sum) if compiled else loss_sum
    epoch, per_epoch, data = -1, 0, None
    bar = tqdm(total=recipe.steps, initial=step, desc=name, unit="step")
    began, total = time.time(), 0.0
    while step < recipe.steps:
        if data is None or step // per_epoch != epoch:
            if data is None:
                per_epoch = len(blocks(rows, 0, recipe.seed)) // recipe.batch
            epoch = step // per_epoch
            data = blocks(rows, epoch, recipe.seed)
        at = (step % per_epoch) * recipe.batch
        batch = data[at : at + recipe.batch]
        for group in (g for o in opts for g in o.param_groups):
            group["lr"] = rate(step, recipe)
        for micro in batch.split(recipe.micro):
            loss = loss_fn(micro) / (recipe.batch * CONTEXT)
            loss.backward()
            total += loss.item()
        torch.nn.utils.clip_grad_norm_(model.parameters(), recipe.clip)
        for opt in opts:
            opt.step()
            opt.zero_grad()
        step += 1
        bar.update()
        if step % LOG_EVERY == 0:
            log.append(
                {
                    "step": step,
                    "tokens": step * recipe.batch * CONTEXT,
                    "lr": round(rate(step - 1, recipe), 6),
                    "loss": round(total / LOG_EVERY, 4),
                    "seconds": round(time.time() - began, 1),
                }
            )
            bar.set_postfix(loss=log[-1]["loss"])
            began, total = time.time(), 0.0
        if step % CHECKPOINT_EVERY == 0 or step == recipe.steps:
            store(folder / "checkpoint.pt", step, log, recipe, model, opts)
    bar.close()
    with open(folder / "log.csv", "w", newline="") as f:
        writer = csv.DictWriter(f, log[0])
        writer.writeheader()
        writer.writerows(log)
    return model


def store(path: Path, step: int, log: list, recipe: Recipe, model, opts) -> None:
    temporary = path.with_suffix(".part")
    torch.save(
        {
            "step": step,
            "log": log,
            "recipe": asdict(recipe),
            "model": model.state_dict(),
            "optimizers": [o.state_dict() for o in opts],
        },
        temporary,
    )
    os.replace(temporary, path)


def restore(path: Path, recipe: Recipe, model, opts) -> tuple[int, list]:
    """Load a checkpoint, and return the updates made and the log; (0, []) without one."""
    if not path.exists():
        return 0, []
    saved = torch.load(path, weights_only=True)
    if saved["recipe"] != asdict(recipe):
        raise SystemExit(
            f"{path} belongs to another recipe ({saved['recipe']}); delete its folder "
            "to begin anew, or give another --work."
        )
    model.load_state_dict(saved["model"])
    for opt, state in zip(opts, saved["optimizers"]):
        opt.load_state_dict(state)
    return saved["step"], saved["log"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=RECIPES)
    parser.add_argument("--work", type=Path, default=Path("build/pretrain"), help="where checkpoints are kept")
    parser.add_argument(
        "--no-compile", action="store_true", help="do not use torch.compile (which needs a C++ compiler)"
    )
    args = parser.parse_args()
    args.work.mkdir(parents=True, exist_ok=True)
    recipe = RECIPES[args.name]
    model = pretrain(args.name, recipe, args.work, not args.no_compile)
    tokenizer = PreTrainedTokenizerFast.from_pretrained(args.work / "tokenizer")
    print(f"{args.name} is in {ship(args.name, model, tokenizer, args.work, recipe)}")


if __name__ == "__main__":
    main()
