"""What is tried on the model itself before a run: that it looks back only, and keeps packed documents apart.

A configuration can say one thing and the code do another, so nothing is read off it here: the model is run on
a few tokens, and what it gives is compared.
"""

from __future__ import annotations

from itertools import accumulate

import torch
from torch import nn

from lmtune.data.batches import collate
from lmtune.data.kinds import Example
from lmtune.data.reach import reach_of
from lmtune.models.modes import evaluating
from lmtune.training.losses import Loss, language_logits, next_token_loss, without_additions

#: Tokens of the row on which it is tried whether a model looks ahead.
_TOKENS = 16


@torch.no_grad()
def refuse_model_that_looks_ahead(model: nn.Module, example: Example, loss: Loss) -> None:
    """Refuse a model that reads later tokens to predict a token, because it would only learn to copy them.

    The ids of an example, as many as 16 of them, are read beside the same with another second half.  A loss of
    one's own may want just that (masked tokens) and is let be.
    """
    if without_additions(loss) is not next_token_loss:
        return
    ids, reach = example["input_ids"], reach_of(model)
    length = min(_TOKENS, reach.positions or _TOKENS)
    if length < 2:
        return
    first = (ids * _TOKENS)[:length]
    half = length // 2
    other = [*first[:half], *((i + 1) % (reach.vocabulary or max(first) + 1) for i in first[half:])]
    device = next(model.parameters()).device
    with evaluating(model), torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        once, again = _logits(model, _row(first), _row(other))[:, :half]
    if not _alike(once, again, model, 1e-5):  # of like shape, so hardly rounded otherwise
        apart = (once - again).abs().amax(-1)
        raise ValueError(
            f"{type(model).__name__} reads later tokens: what it predicts at token {int(apart.argmax())} changes by "
            f"{float(apart.max()):.3g} when tokens from number {half} on do. So it is no causal model and would learn "
            "to copy the next token. For an encoder, classify with lmtune.classifier(model, n, pooling='mean'); a "
            "decoder of this kind needs is_decoder=True in its configuration."
        )


@torch.no_grad()
def refuse_model_that_mixes(model: nn.Module, rows: tuple[Example, ...]) -> None:
    """Refuse packed rows for a model in which documents of one row would see each other, or see less than alone.

    Some kinds of attention (sliding windows) and all recurrent models take no mask of this form,
    some without a word; so packed rows are compared with their documents alone.
    """
    if not rows:
        return
    with evaluating(model):
        for packed in rows:
            documents = _taken_apart(packed)
            alone = torch.cat([_logits(model, document)[0] for document in documents])
            try:
                together = _logits(model, packed)[0]
            except torch.OutOfMemoryError:
                raise
            except Exception as error:  # whatever a model says that does not take this mask
                raise ValueError(
                    f"{type(model).__name__} does not take the mask that keeps packed documents apart "
                    f"({type(error).__name__}: {_first_line(error)}). Train on the examples as they are, without "
                    "lmtune.pack (--pack)."
                ) from None
            if not _alike(together, alone, model, 1e-4):
                raise ValueError(_mixes(model, packed, documents))


def _mixes(model: nn.Module, packed: Example, documents: list[Example]) -> str:
    device = next(model.parameters()).device
    together = float(next_token_loss(model, collate([packed], device))[0])
    alone = sum(float(next_token_loss(model, collate([d], device))[0]) for d in documents)
    longest = max(packed["documents"])
    return (
        f"{type(model).__name__} does not keep packed documents apart: their loss is {together:.4f} in one row and "
        f"{alone:.4f} alone (the longest has {longest} tokens; a sliding window must reach over all of them). Train on "
        "the examples as they are, without lmtune.pack (--pack)."
    )


def _taken_apart(packed: Example) -> list[Example]:
    ends = list(accumulate(packed["documents"]))
    return [
        {"input_ids": packed["input_ids"][a:b], "labels": packed["labels"][a:b], "characters": 0}
        for a, b in zip([0, *ends], ends)
    ]


def _row(ids: list[int]) -> Example:
    return {"input_ids": ids, "labels": list(ids), "characters": 0}


def _logits(model: nn.Module, *rows: Example) -> torch.Tensor:
    """Of some rows, in fp32 or wider, of shape (rows, tokens, vocabulary)."""
    logits = language_logits(model, collate(rows, next(model.parameters()).device))
    return logits if logits.dtype == torch.float64 else logits.float()


def _alike(a: torch.Tensor, b: torch.Tensor, model: nn.Module, share: float) -> bool:
    """Whether logits differ by no more than a share of the largest; half precision has fewer digits."""
    half = any(p.dtype in (torch.float16, torch.bfloat16) for p in model.parameters())
    tolerance = (3e-2 if half else share) * max(1e-6, float(torch.nan_to_num(b).abs().max()))
    return torch.allclose(a, b, rtol=0.0, atol=tolerance, equal_nan=True)


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or ["no reason given"])[0].rstrip(".")
