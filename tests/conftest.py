"""Settings that hold for every test: no network, no progress bars, small models."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TQDM_DISABLE", "1")
os.environ["LMTUNE_PROGRESS"] = "off"  # what tests check is nobody's progress

import pytest
import torch

from tests.tiny import tiny_gpt2, tiny_llama

torch.set_num_threads(1)  # these models are too small to share among processors


@pytest.fixture(params=["gpt2", "llama"])
def tiny_model(request):
    return {"gpt2": tiny_gpt2, "llama": tiny_llama}[request.param]()


@pytest.fixture(scope="session")
def tiny_tokenizer():
    """A byte-level tokenizer of a few hundred tokens, whose padding is its end of text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    bpe.train_from_iterator(
        ["the sum of two numbers", "a list of the names"] * 20,
        trainers.BpeTrainer(
            vocab_size=300,
            special_tokens=["<|endoftext|>"],
            show_progress=False,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        ),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        bos_token="<|endoftext|>",
        eos_token="<|endoftext|>",
        pad_token="<|endoftext|>",
        model_max_length=32,
    )
