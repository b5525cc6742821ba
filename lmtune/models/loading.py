"""Loading a model, and putting a classifier's head on it."""

from __future__ import annotations

import difflib
import json
import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from lmtune.models.generation import stop_at_end_of_text

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

#: Models that are part of this package.
SHIPPED = ("pocket", "pocket-mini")

_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")


def load(
    name: str | Path, *, pretrained: bool = True, seed: int = 0, device: str | None = None
) -> tuple[PreTrainedModel, PreTrainedTokenizerBase]:
    """Load a language model and its tokenizer, in fp32 and in evaluation mode.

    It is a causal model, or an encoder with a decoder (T5, BART) where the configuration says so.
    ``name`` is ``"pocket"`` or ``"pocket-mini"`` (part of this package), a local
    folder in the Hub's format, or the id of a model on the Hugging Face Hub.
    Generation, here and by plain transformers from a folder that the model is saved to, stops at the token that
    ends a text in the rows that are trained on.  With ``pretrained=False`` the same architecture gets fresh random weights drawn
    from ``seed``: the baseline that pretraining has to beat.  ``device`` is a torch
    device such as ``"cuda"``; by default a GPU where there is one.

    Raises ``ValueError`` when the name can mean nothing, ``OSError`` when the model
    cannot be had: no network, an incomplete folder, weights that are a pickle.
    """
    source = _source(name)
    model, tokenizer = _from_folder_or_hub(source, name, pretrained, seed)
    stop_at_end_of_text(model, tokenizer)
    return model.to(device or default_device()).eval(), tokenizer


def default_device() -> str:
    """``"cuda"`` where a GPU is usable, else ``"cpu"``."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def _source(name: str | Path) -> str:
    """What to give to ``from_pretrained``: a checked folder, or an id of the Hub."""
    if str(name) in SHIPPED:
        return str(_checked_folder(Path(__file__).parent / "pretrained" / str(name)))
    folder = Path(name).expanduser()
    if folder.is_dir():
        return str(_checked_folder(folder))
    near = difflib.get_close_matches(str(name), SHIPPED, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    if isinstance(name, Path) or not _HUB_ID.fullmatch(str(name)):
        raise ValueError(
            f"There is no folder {str(name)!r}, and it cannot be an id of the Hub.{hint} Give one of "
            f"{', '.join(map(repr, SHIPPED))}, an existing folder, or an id such as 'gpt2'."
        )
    return str(name)


def _checked_folder(folder: Path) -> Path:
    if not (folder / "config.json").is_file():
        raise OSError(
            f"The folder {folder} holds no config.json, so it is not a model in the "
            "Hub's format. Write one with model.save_pretrained(folder)."
        )
    try:
        if not isinstance(json.loads((folder / "config.json").read_text("utf8")), dict):
            raise ValueError("it holds no object")
    except ValueError as error:
        raise OSError(
            f"{folder / 'config.json'} is not valid JSON of a configuration ({error}). "
            "Save the model again with model.save_pretrained(folder)."
        ) from None
    if not list(folder.glob("*.safetensors")):
        pickles = [p.name for p in folder.glob("*.bin")] + [p.name for p in folder.glob("*.pt")]
        found = f"only {pickles[0]}, a pickle, which may run code when it is read" if pickles else "none"
        raise OSError(
            f"The folder {folder} needs weights as *.safetensors; it holds {found}. "
            "Save them with model.save_pretrained(folder, safe_serialization=True)."
        )
    return folder


def _from_folder_or_hub(source: str, name: str | Path, pretrained: bool, seed: int):
    from safetensors import SafetensorError
    from transformers import AutoConfig, AutoTokenizer

    # Code that comes with a model is never run; without this, transformers would ask.
    safe = {"trust_remote_code": False}
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, **safe)
        if not set(tokenizer.get_vocab()) - set(tokenizer.all_special_tokens):
            raise ValueError("there are no tokenizer files, or they are empty")
        config = AutoConfig.from_pretrained(source, **safe)
        kind = _kind_that_writes(config, name)
        if not pretrained:
            return _random(kind, config, seed), tokenizer
        with quietly(Path(source).is_dir()):
            # Widened while it is loaded: what a model computes of its weights then (Gemma's scale of the
            # embeddings) would otherwise stay rounded.
            wide = {"dtype": torch.float32, "use_safetensors": True, "output_loading_info": True}
            model, report = kind.from_pretrained(source, **wide, **safe)
    except SafetensorError as error:
        raise OSError(f"The weights in {source} are damaged ({error}). Copy or save them again.") from None
    except _AnotherKind:
        raise
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        raise OSError(_why_not(source, name, error)) from error
    if report["missing_keys"]:
        # transformers would fill them with random numbers and go on.
        raise OSError(
            f"{str(name)!r} lacks {len(report['missing_keys'])} weights, the first "
            f"{sorted(report['missing_keys'])[0]!r}. Save the model again with "
            "save_pretrained (of the model itself, not of a compiled or wrapped one)."
        )
    return model, tokenizer


def _kind_that_writes(config, name: str | Path):
    """The class of transformers for models of this configuration that write text."""
    from transformers import (
        MODEL_FOR_CAUSAL_LM_MAPPING,
        MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING,
        AutoModelForCausalLM,
        AutoModelForSeq2SeqLM,
    )

    decoder = config.is_encoder_decoder
    known = MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING if decoder else MODEL_FOR_CAUSAL_LM_MAPPING
    if type(config) not in known:
        raise _AnotherKind(
            f"{str(name)!r} is of the architecture {config.model_type}, for which transformers has no model that writes "
            "text. Give a causal model (GPT-2, Llama, ...) or an encoder with a decoder (T5, BART); an encoder is loaded "
            "with transformers.AutoModel and classifies with lmtune.classifier(model, n, pooling='mean')."
        )
    return AutoModelForSeq2SeqLM if decoder else AutoModelForCausalLM


class _AnotherKind(OSError):
    """A model that cannot write text; saving it again would not help."""


@contextmanager
def quietly(quiet: bool = True):
    """No progress bar for what takes a moment; a download keeps its own."""
    from transformers.utils import logging

    quiet = quiet and logging.is_progress_bar_enabled()
    if quiet:
        logging.disable_progress_bar()
    try:
        yield
    finally:
        if quiet:
            logging.enable_progress_bar()


def _random(auto_class, config, seed: int):
    """A model with fresh fp32 weights drawn from ``seed``; the global state stays as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        # Weights drawn in the dtype of the saved ones would be rounded to bf16.
        return auto_class.from_config(config, dtype=torch.float32, trust_remote_code=False)


def _why_not(source: str, name: str | Path, error: Exception) -> str:
    if Path(source).is_dir():
        return (
            f"The folder {source} could not be loaded: {_first_line(error)} "
            "Save model and tokenizer again with save_pretrained."
        )
    near = difflib.get_close_matches(str(name), SHIPPED, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return (
        f"{str(name)!r} is not on this machine and could not be fetched from the Hub: there is "
        f"no network, HF_HUB_OFFLINE is set, or no such model with safetensors exists there "
        f"({_first_line(error)}){hint} Without a network use {' or '.join(map(repr, SHIPPED))} "
        "or a local folder."
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".") + "."
