"""Losses return ``(sum, count)``, never a mean.

Only the sum can be added up over micro-batches, processes and terms; whoever
has seen the whole update divides once by the whole count.  A loss of your own
is a function ``loss(model, batch) -> (sum, count)``.
"""
from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from lmtune.data import IGNORED, Batch


def next_token_loss(model: nn.Module, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Cross-entropy of each label given the tokens before it, in nats.

    Returns the sum over labels (fp32 or wider, with gradient) and their number.
    The model's own ``labels=`` path is never called, so the result does not depend
    on how a library version counts.
    """
    inputs = {k: v for k, v in batch.items() if k != "labels"}
    output = model(**inputs)
    if not hasattr(output, "logits") or batch["labels"].dim() != 2:
        raise TypeError("next_token_loss needs a language model and next-token labels; for a classifier "
                        "give loss=lmtune.classification_loss.")
    return token_cross_entropy(output.logits, batch["labels"])


def token_cross_entropy(
    logits: torch.Tensor, labels: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Sum and count of next-token cross-entropies; logits (B, T, V), labels (B, T).

    Position t predicts label t + 1: this is the one place where labels are shifted.
    """
    targets = shifted(labels)
    logits = _at_least_fp32(logits)
    # Ignored targets give exactly zero here, also when every one of them is ignored
    # (a mean would be 0 / 0).
    total = F.cross_entropy(logits.reshape(-1, logits.shape[-1]), targets.reshape(-1),
                            ignore_index=IGNORED, reduction="sum")
    return total, (targets != IGNORED).sum()


def shifted(labels: torch.Tensor) -> torch.Tensor:
    """Labels (B, T) moved one place to the left; the last position predicts nothing."""
    return F.pad(labels[:, 1:], (0, 1), value=IGNORED)


def classification_loss(model: nn.Module, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Cross-entropy of the class, in nats: the sum over rows and the number of rows."""
    logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
    labels = batch["labels"]
    total = F.cross_entropy(_at_least_fp32(logits), labels, ignore_index=IGNORED, reduction="sum")
    return total, (labels != IGNORED).sum()


def sum_and_count(loss, model: nn.Module, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Call a loss and refuse what is not ``(sum, count)``."""
    result = loss(model, batch)
    if not (isinstance(result, tuple) and len(result) == 2):
        raise TypeError(f"The loss returned a {type(result).__name__}; a loss returns (sum, count): the "
                        "sum of the losses over all labels, and how many labels that were.")
    return result


def count_targets(batch: Batch) -> int:
    """How many labels of a batch any loss counts, known before the model runs.

    Labels of shape (B, T) are next-token labels, of which the first column is never
    predicted; labels of shape (B,) are classes.
    """
    labels = batch["labels"]
    targets = labels[:, 1:] if labels.dim() == 2 else labels
    return int((targets != IGNORED).sum())


def _at_least_fp32(logits: torch.Tensor) -> torch.Tensor:
    """A sum of thousands of losses needs more digits than fp16 or bf16 have."""
    return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
