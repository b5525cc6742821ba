"""Losses return ``(sum, count)``, never a mean.

Only the sum can be added up over micro-batches, processes and terms; whoever
has seen the whole update divides once by the whole count.  A loss of your own
is a function ``loss(model, batch) -> (sum, count)``, and whatever is added to a
loss keeps that form, so that accumulation stays exact with it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

from lmtune.arguments import BELOW_ONE, NOT_NEGATIVE, POSITIVE, SHARE, finite
from lmtune.data.kinds import IGNORED, NEXT_TOKEN, SEQUENCE_TO_SEQUENCE, Batch, Kind

#: ``loss(model, batch) -> (sum, count)``.
Loss = Callable[[nn.Module, Batch], "tuple[torch.Tensor, torch.Tensor]"]


def next_token_loss(model: nn.Module, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Cross-entropy of each label given the tokens before it, in nats.

    Returns the sum over labels (fp32 or wider, with gradient) and their number.
    The model's own ``labels=`` path is never called, so the result does not depend
    on how a library version counts.
    """
    return token_cross_entropy(language_logits(model, batch), batch["labels"])


def sequence_loss(model: nn.Module, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Cross-entropy of what a decoder writes, given what the encoder has read, in nats: sum and count.

    The decoder reads the labels moved one place to the right, as the model itself defines it; so its
    output at a position belongs to the label there, and nothing is shifted here.
    """
    labels = batch["labels"]
    if not hasattr(model, "prepare_decoder_input_ids_from_labels"):
        raise TypeError(
            f"{type(model).__name__} is no encoder with a decoder of transformers, which such examples "
            "need; make the examples with lmtune.windows or lmtune.pairs."
        )
    written = model.prepare_decoder_input_ids_from_labels(labels=labels)  # type: ignore[operator]  # transformers' own
    output = model(
        input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], decoder_input_ids=written, use_cache=False
    )
    return _cross_entropy(output.logits, labels)


def smoothed(epsilon: float) -> Loss:
    """Next-token loss with label smoothing (Szegedy et al. 2016, arXiv:1512.00567).

    The target is the label with probability ``1 - epsilon`` and, with ``epsilon``, any token alike.
    """
    finite("epsilon", epsilon, *BELOW_ONE)

    def loss(model: nn.Module, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        return token_cross_entropy(language_logits(model, batch), batch["labels"], epsilon)

    loss.bare = next_token_loss  # type: ignore[attr-defined]  # for without_additions
    return loss


def penalized(loss: Loss, *, l1: float = 0.0, l2: float = 0.0) -> Loss:
    """``loss`` plus ``l1 * sum(|w|) + l2 / 2 * sum(w ** 2)`` per label, over trainable matrices.

    The penalty is multiplied by the count of each micro-batch, so that the division by the
    count of the whole update leaves it there exactly once.  Vectors (biases, norms) are spared.
    """
    for name, value in (("l1", l1), ("l2", l2)):
        finite(name, value, *NOT_NEGATIVE)

    def with_penalty(model: nn.Module, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        total, count = sum_and_count(loss, model, batch)
        matrices = [p for p in model.parameters() if p.requires_grad and p.dim() >= 2]
        penalty = sum(l1 * p.abs().sum() + l2 / 2 * p.pow(2).sum() for p in matrices)
        return total + count * penalty, count

    with_penalty.bare = without_additions(loss)  # type: ignore[attr-defined]  # for without_additions
    return with_penalty


def anchored(loss: Loss, model: nn.Module, strength: float) -> Loss:
    """``loss`` plus ``strength / 2 * sum((w - start) ** 2)`` per label: a penalty towards the start.

    L2-SP (Li, Grandvalet and Davoine 2018, arXiv:1802.01483).  The start is what the trainable
    parameters of ``model`` are now; a parameter without one (a head put on later) goes free.
    """
    finite("strength", strength, *NOT_NEGATIVE)
    start = {n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad}

    def with_anchor(model: nn.Module, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        total, count = sum_and_count(loss, model, batch)
        moved = [p - start[n] for n, p in model.named_parameters() if n in start and p.requires_grad]
        if not moved:
            raise ValueError(
                "No trainable parameter of this model has a start to be held to; give anchored "
                "the model itself, before it is wrapped."
            )
        # Weight times sum first: an int count times a float alone would be rounded to fp32.
        return total + count * (strength / 2 * sum(d.pow(2).sum() for d in moved)), count

    with_anchor.bare = without_additions(loss)  # type: ignore[attr-defined]  # for without_additions
    return with_anchor


def distilled(teacher: nn.Module, weight: float = 0.5, temperature: float = 2.0) -> Loss:
    """Next-token loss mixed with imitation of a teacher (Hinton et al. 2015, arXiv:1503.02531).

    ``(1 - weight) * cross-entropy + weight * temperature ** 2 * KL(teacher, student)``, the
    latter between the distributions at ``temperature``, summed over the labels that count.  The
    teacher is put into evaluation mode.
    """
    finite("weight", weight, *SHARE)
    finite("temperature", temperature, *POSITIVE)
    teacher.eval()

    def loss(model: nn.Module, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        logits = language_logits(model, batch)
        with torch.no_grad():
            target = (_at_least_fp32(language_logits(teacher, batch)) / temperature).log_softmax(-1)
        total, count = token_cross_entropy(logits, batch["labels"])
        if logits.shape != target.shape:
            raise ValueError(
                f"The teacher's logits have the shape {tuple(target.shape)} and the model's "
                f"{tuple(logits.shape)}; both must share one tokenizer and vocabulary."
            )
        student = (_at_least_fp32(logits) / temperature).log_softmax(-1)
        divergence = F.kl_div(student, target, reduction="none", log_target=True).sum(-1)
        imitation = (divergence * (shifted(batch["labels"]) != IGNORED)).sum()
        return (1 - weight) * total + weight * temperature**2 * imitation, count

    loss.bare = next_token_loss  # type: ignore[attr-defined]  # for without_additions
    return loss


#: What a run minimizes unless it is told otherwise, by the kind of its examples.
_MEANT = {NEXT_TOKEN: next_token_loss, SEQUENCE_TO_SEQUENCE: sequence_loss}


def meant_loss(kind: Kind) -> Loss:
    """The loss that examples of a kind are made for."""
    return _MEANT.get(kind, classification_loss)


def counts_as_meant(loss: Loss, kind: Kind) -> bool:
    """Whether a loss is known to count the labels of each example of a kind, no more and no less."""
    return without_additions(loss) is meant_loss(kind)


def without_additions(loss: Loss) -> Loss:
    """What ``smoothed``, ``penalized``, ``anchored`` or ``distilled`` was built on; others as they are."""
    return getattr(loss, "bare", loss)


def token_cross_entropy(
    logits: torch.Tensor, labels: torch.Tensor, smoothing: float = 0.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Sum and count of next-token cross-entropies; logits (B, T, V), labels (B, T).

    Position t predicts label t + 1; the shift is :func:`shifted` and stands nowhere else.
    """
    return _cross_entropy(logits, shifted(labels), smoothing)


def _cross_entropy(
    logits: torch.Tensor, targets: torch.Tensor, smoothing: float = 0.0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Sum and count of the cross-entropies of targets (B, T), each at its own position."""
    logits = _at_least_fp32(logits)
    # Ignored targets give exactly zero here, also when every one of them is ignored
    # (a mean would be 0 / 0).
    total = F.cross_entropy(
        logits.reshape(-1, logits.shape[-1]),
        targets.reshape(-1),
        ignore_index=IGNORED,
        reduction="sum",
        label_smoothing=smoothing,
    )
    return total, (targets != IGNORED).sum()


def shifted(labels: torch.Tensor) -> torch.Tensor:
    """Labels (B, T) moved one place to the left; the last position predicts nothing."""
    return F.pad(labels[:, 1:], (0, 1), value=IGNORED)


def classification_loss(model: nn.Module, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Cross-entropy of the class, in nats: the sum over rows and the number of rows."""
    logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"])
    labels = batch["labels"]
    if not isinstance(logits, torch.Tensor) or labels.dim() != 1:
        raise TypeError(
            "The classification loss needs a classifier and examples with a class; make them with "
            "lmtune.classifier and lmtune.labelled."
        )
    total = F.cross_entropy(_at_least_fp32(logits), labels, ignore_index=IGNORED, reduction="sum")
    return total, (labels != IGNORED).sum()


def sum_and_count(loss: Loss, model: nn.Module, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
    """Call a loss and refuse what is not ``(sum, count)``."""
    result = loss(model, batch)
    if not (isinstance(result, tuple) and len(result) == 2):
        raise TypeError(
            f"The loss returned a {type(result).__name__}; a loss returns (sum, count): the "
            "sum of the losses over all labels, and how many labels that were."
        )
    total, count = result[0], torch.as_tensor(result[1])
    if not isinstance(total, torch.Tensor) or total.dim() or count.dim():
        raise TypeError(
            "The loss returned (sum, count) of which one is no single number; both are tensors of "
            "shape (): call .sum() on losses and mask."
        )
    if torch.is_grad_enabled() and not total.requires_grad:
        raise ValueError(
            "The loss returned a sum without a gradient; it must be computed from the model's output "
            "without .detach(), .item() or torch.no_grad()."
        )
    return total, count


def language_logits(model: nn.Module, batch: Batch) -> torch.Tensor:
    """Logits (B, T, V) of a language model; a classifier is refused."""
    inputs: dict[str, Any] = {k: v for k, v in batch.items() if k not in ("labels", "documents")}
    if "documents" in batch:  # packed rows: see lmtune.data.batches.collate
        inputs["attention_mask"] = _apart(batch["documents"], next(model.parameters()).dtype)
    if hasattr(model, "generation_config"):
        inputs["use_cache"] = False  # keys and values kept for a next token that never comes
    output = model(**inputs)
    if not hasattr(output, "logits") or batch["labels"].dim() != 2:
        raise TypeError(
            "A next-token loss needs a language model and next-token labels; for a classifier "
            "give loss=lmtune.classification_loss."
        )
    logits: torch.Tensor = output.logits
    return logits


def _apart(documents: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """What is added to attention's scores, shape (B, 1, T, T): nothing where a position looks back
    within its document, and the least number elsewhere.  Every kind of attention takes this form."""
    same = documents[:, None, :, None] == documents[:, None, None, :]
    allowed = same & torch.ones(same.shape[-2:], dtype=torch.bool, device=same.device).tril()
    return torch.zeros((), dtype=dtype, device=same.device).masked_fill(~allowed, torch.finfo(dtype).min)


def _at_least_fp32(logits: torch.Tensor) -> torch.Tensor:
    """A sum of thousands of losses needs more digits than fp16 or bf16 have."""
    return logits.float() if logits.dtype in (torch.float16, torch.bfloat16) else logits
