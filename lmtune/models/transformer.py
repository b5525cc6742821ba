"""A small causal Transformer in which one can choose where the normalization stands.

Written to be read and to be broken: the chapter on optimization moves the norm.
"""

from __future__ import annotations

from types import SimpleNamespace

import torch
import torch.nn.functional as F
from torch import nn

from lmtune.arguments import is_finite, one_of, refuse

#: Before each sublayer (pre-norm), after each sum (post-norm), on the embeddings alone, nowhere.
PLACES = ("before", "after", "inputs", "nowhere")


class Block(nn.Module):
    """Attention and a two-layer network, each with a residual connection."""

    def __init__(self, width: int, heads: int, place: str):
        super().__init__()
        self.heads, self.place = heads, place
        self.qkv, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.up, self.down = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(2 * (place in ("before", "after"))))

    def attend(self, x: torch.Tensor) -> torch.Tensor:
        """Causal self-attention, (B, T, width) to (B, T, width)."""
        q, k, v = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in self.qkv(x).chunk(3, dim=-1))
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out(mixed.transpose(1, 2).flatten(2))

    def feed_forward(self, x: torch.Tensor) -> torch.Tensor:
        """The same small network at each position."""
        return self.down(F.gelu(self.up(x)))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for i, sublayer in enumerate((self.attend, self.feed_forward)):
            if self.place == "before":
                x = x + sublayer(self.norms[i](x))
            elif self.place == "after":
                x = self.norms[i](x + sublayer(x))
            else:
                x = x + sublayer(x)
        return x


class Transformer(nn.Module):
    """A language model with random weights drawn from ``seed``.

    ``place`` is one of :data:`PLACES`.  The head shares its weights with the embedding of tokens.
    The layers' matrices start normal with the standard deviation ``std`` (``None``: ``width ** -0.5``),
    embeddings with 0.02.
    """

    def __init__(
        self,
        place: str = "before",
        *,
        layers: int = 6,
        width: int = 64,
        heads: int = 4,
        vocabulary: int = 4096,
        context: int = 64,
        seed: int = 0,
        std: float | None = None,
    ):
        super().__init__()
        one_of("place", place, PLACES)
        refuse(width % heads != 0, "width", width, f"a multiple of heads = {heads}")
        refuse(
            std is not None and not (is_finite(std) and std > 0),
            "std",
            std,
            "a positive number, or None for width ** -0.5",
        )
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(seed)
            self.tokens, self.positions = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
            self.blocks = nn.ModuleList(Block(width, heads, place) for _ in range(layers))
            # Post-norm ends in a norm already; without any norm there is none here either.
            self.first = nn.LayerNorm(width) if place == "inputs" else nn.Identity()
            self.last = nn.LayerNorm(width) if place == "before" else nn.Identity()
            self._draw(width**-0.5 if std is None else std)
        self.config = SimpleNamespace(
            vocab_size=vocabulary, max_position_embeddings=context, hidden_size=width, num_hidden_layers=layers
        )

    def _draw(self, std: float) -> None:
        for module in self.modules():
            if isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)
            elif isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, std=std)
                nn.init.zeros_(module.bias)

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None):
        """Logits (B, T, V) as ``.logits``; padding stands on the right, where no token looks."""
        x = self.first(self.tokens(input_ids) + self.positions.weight[: input_ids.shape[1]])
        for block in self.blocks:
            x = block(x)
        return SimpleNamespace(logits=self.last(x) @ self.tokens.weight.T)
