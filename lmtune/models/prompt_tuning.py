"""Prompt tuning (Lester, Al-Rfou and Constant 2021, arXiv:2104.08691): vectors before the text."""

from __future__ import annotations

import torch
from torch import nn

from lmtune.arguments import whole
from lmtune.models.classifier import Classifier
from lmtune.models.layers import freeze_body


class SoftPrompt(nn.Module):
    """A classifier with a frozen body that reads ``length`` trained vectors before each text.

    The vectors, of shape (length, width), begin as the embeddings of tokens drawn with ``seed``.
    They and the head are what is trained; the body's positions move up by ``length``.
    """

    def __init__(self, classifier: Classifier, length: int = 8, seed: int = 0):
        super().__init__()
        length = whole("length", length)
        freeze_body(classifier)
        table = classifier.base.get_input_embeddings().weight
        drawn = torch.randint(len(table), (length,), generator=torch.Generator().manual_seed(seed))
        self.prompt = nn.Parameter(table.detach()[drawn].clone())
        self.classifier = classifier
        self.config = classifier.config

    @property
    def positions_taken(self) -> int:
        """How many of the body's positions the trained vectors take away from the text."""
        return len(self.prompt)

    @property
    def head(self) -> nn.Linear:
        """The classifier's head."""
        return self.classifier.head

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Logits of shape (batch, classes) from ids and mask of shape (batch, time)."""
        base, rows = self.classifier.base, len(input_ids)
        words = base.get_input_embeddings()(input_ids)
        read = torch.cat([self.prompt.expand(rows, -1, -1), words], dim=1)
        mask = torch.cat([attention_mask.new_ones(rows, len(self.prompt)), attention_mask], dim=1)
        states = base(inputs_embeds=read, attention_mask=mask).last_hidden_state
        # A mean is taken over the text alone.
        return self.head(self.classifier.pooled(states[:, len(self.prompt) :], attention_mask))
