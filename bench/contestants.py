"""The contestants: one training run, written once for each library.

All of them train the same model on the same batches with the same optimizer, and return
the loss of each step.  Each is written as its library's documentation would have it.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from tqdm.auto import tqdm

#: Shared by all.  The rate is high and the run short, so that a difference soon shows.
LR, WARMUP, DECAY, CLIP, SEED = 1e-2, 2, 0.1, 1.0, 0
#: The label of a position that the loss does not count.
IGNORED = -100


@dataclass(frozen=True)
class Work:
    """What every contestant is given."""

    steps: int  #: updates of the weights
    batch: int  #: rows in each
    rows: list[dict]  #: in the order in which they are trained on
    examples: list[dict]  #: the same for lmtune, which draws that order itself
    adamw: dict  #: fused, foreach, betas and eps, as lmtune has them


# What all contestants but lmtune share.


def optimizer_and_schedule(model: torch.nn.Module, work: Work):
    """AdamW with decay on matrices alone; warm-up, then a straight line to zero."""
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.dim() >= 2], "weight_decay": DECAY},
        {"params": [p for p in parameters if p.dim() < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=LR, **work.adamw)

    def factor(step):
        if step < WARMUP:
            return (step + 1) / WARMUP
        return 1.0 - (step - WARMUP) / max(1, work.steps - WARMUP)

    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, factor)


def collate(rows: list[dict]) -> dict[str, torch.Tensor]:
    """Ids, mask and labels of shape (batch, longest), padded on the right.

    The labels are shifted here: position t holds the token that follows it.
    """
    longest = max(len(row["input_ids"]) for row in rows)
    ids, mask, labels = [], [], []
    for row in rows:
        missing = longest - len(row["input_ids"])
        ids.append(row["input_ids"] + [0] * missing)
        mask.append([1] * len(row["input_ids"]) + [0] * missing)
        labels.append(row["labels"][1:] + [IGNORED] * (missing + 1))
    return {"input_ids": torch.tensor(ids), "attention_mask": torch.tensor(mask), "labels": torch.tensor(labels)}


def cross_entropy(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean over all labels that count; an update has one micro-batch, so over its labels."""
    return F.cross_entropy(logits.view(-1, logits.shape[-1]), labels.view(-1), ignore_index=IGNORED)


def loss_of(model: torch.nn.Module, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    outputs = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
    return cross_entropy(outputs.logits, batch["labels"])


def loader(work: Work) -> torch.utils.data.DataLoader:
    return torch.utils.data.DataLoader(work.rows, batch_size=work.batch, collate_fn=collate)


# The contestants.


def train_bare(model: torch.nn.Module, work: Work) -> list[float]:
    """The loop without a library or a progress bar."""
    optimizer, schedule = optimizer_and_schedule(model, work)
    parameters = list(model.parameters())
    losses = []
    model.train()
    for at in range(0, len(work.rows), work.batch):
        loss = loss_of(model, collate(work.rows[at : at + work.batch]))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(parameters, CLIP)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad(set_to_none=True)
        losses.append(loss.item())
    return losses


def train_lmtune(model: torch.nn.Module, work: Work) -> list[float]:
    import lmtune

    return lmtune.fit(
        model,
        work.examples,
        steps=work.steps,
        batch_size=work.batch,
        lr=LR,
        weight_decay=DECAY,
        schedule="linear",
        warmup=WARMUP,
        clip=CLIP,
        seed=SEED,
        progress=True,
    ).losses


def train_fabric(model: torch.nn.Module, work: Work) -> list[float]:
    from lightning.fabric import Fabric

    fabric = Fabric(accelerator="cpu", devices=1)
    optimizer, schedule = optimizer_and_schedule(model, work)
    model, optimizer = fabric.setup(model, optimizer)
    losses = []
    model.train()
    for batch in tqdm(fabric.setup_dataloaders(loader(work))):
        loss = loss_of(model, batch)
        fabric.backward(loss)
        fabric.clip_gradients(model, optimizer, max_norm=CLIP)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


def train_accelerate(model: torch.nn.Module, work: Work) -> list[float]:
    from accelerate import Accelerator

    accelerator = Accelerator(cpu=True)
    optimizer, schedule = optimizer_and_schedule(model, work)
    model, optimizer, batches, schedule = accelerator.prepare(model, optimizer, loader(work), schedule)
    parameters = list(model.parameters())
    losses = []
    model.train()
    for batch in tqdm(batches):
        loss = loss_of(model, batch)
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(parameters, CLIP)
        optimizer.step()
        schedule.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


def train_hf(model: torch.nn.Module, work: Work) -> list[float]:
    from transformers import Trainer, TrainingArguments

    losses = []

    def compute_loss(outputs, labels, num_items_in_batch=None):
        loss = cross_entropy(outputs.logits, labels)
        losses.append(loss.item())  # cheaper than logging_steps=1, which also writes a line
        return loss

    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder,
            max_steps=work.steps,
            per_device_train_batch_size=work.batch,
            max_grad_norm=CLIP,
            train_sampling_strategy="sequential",
            remove_unused_columns=False,
            use_cpu=True,
            logging_strategy="no",
            save_strategy="no",
            report_to="none",
            disable_tqdm=False,
            dataloader_pin_memory=False,
        )
        Trainer(
            model,
            arguments,
            data_collator=collate,
            train_dataset=work.rows,
            compute_loss_func=compute_loss,
            optimizers=optimizer_and_schedule(model, work),
        ).train()
    return losses


def train_lightning(model: torch.nn.Module, work: Work) -> list[float]:
    from lightning.pytorch import LightningModule, Trainer
    from lightning.pytorch.callbacks import TQDMProgressBar

    class Module(LightningModule):
        def __init__(self):
            super().__init__()
            self.model, self.losses = model, []

        def training_step(self, batch, index):
            loss = loss_of(self.model, batch)
            self.losses.append(loss.item())  # cheaper than self.log
            return loss

        def configure_optimizers(self):
            optimizer, schedule = optimizer_and_schedule(self.model, work)
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    module = Module()
    # Its default bar where rich is installed draws nothing on a stream that is no terminal.
    trainer = Trainer(
        accelerator="cpu",
        devices=1,
        max_steps=work.steps,
        gradient_clip_val=CLIP,
        callbacks=[TQDMProgressBar()],
        logger=False,
        enable_checkpointing=False,
        enable_model_summary=False,
    )
    trainer.fit(module, loader(work))
    return module.losses


CONTESTANTS = {
    "bare": train_bare,
    "bare_again": train_bare,
    "lmtune": train_lmtune,
    "fabric": train_fabric,
    "accelerate": train_accelerate,
    "hf": train_hf,
    "lightning": train_lightning,
}
