"""A classifier: the body of a model with a head on one vector for the text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from lmtune.arguments import one_of, whole
from lmtune.data.reach import text_config

if TYPE_CHECKING:
    from transformers import PreTrainedModel


class Classifier(nn.Module):
    """A model's body with a linear head on one vector for the text.

    A causal model has read the whole text only at its last token, so ``pooling="last"`` takes the
    last real position.  An encoder sees the whole text at every position: ``pooling="mean"`` takes
    the mean over the real ones.  ``base`` is the body (without ``lm_head``).
    """

    def __init__(self, base: nn.Module, n_classes: int, pooling: str = "last"):
        super().__init__()
        self.base = base
        self.config = base.config
        self.pooling = pooling
        self.head = nn.Linear(_width(base), n_classes)
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Logits of shape (batch, classes) from ids and mask of shape (batch, time).

        Padding has mask 0, wherever it stands.
        """
        return self.head(self.features(input_ids, attention_mask))

    def features(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """What the head sees: shape (batch, width)."""
        states = self.base(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        return self.pooled(states, attention_mask)

    def pooled(self, states: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """One vector for each text, (batch, width), from states (batch, time, width)."""
        if self.pooling == "mean":
            mask = attention_mask[..., None].to(states.dtype)
            return (states * mask).sum(1) / mask.sum(1)
        positions = torch.arange(states.shape[1], device=states.device)
        last = (attention_mask * positions).argmax(dim=1)
        return states[torch.arange(len(last), device=last.device), last]


def _width(base: nn.Module) -> int:
    """How long the vectors are that a body gives; where its configuration does not say, as long as those it reads."""
    said = getattr(text_config(base.config), "hidden_size", None)
    return said if said else base.get_input_embeddings().embedding_dim


def classifier(model: PreTrainedModel, n_classes: int, seed: int = 0, pooling: str = "last") -> Classifier:
    """Take the body of a model and put a fresh head of ``n_classes`` on it.

    The body is shared with ``model``, not copied.  The head is drawn from ``seed``.  ``pooling`` is
    ``"last"`` for a language model and ``"mean"`` for an encoder: see :class:`Classifier`.
    """
    n_classes = whole("n_classes", n_classes, 2, unit="classes")
    one_of("pooling", pooling, ("last", "mean"))
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        made = Classifier(model.base_model, n_classes, pooling)
    made.head.to(next(model.parameters()))  # its device and dtype
    return made
