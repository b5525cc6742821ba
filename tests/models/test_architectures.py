"""The architectures of tests/architectures.py: what lmtune does with each is right, or refused in a sentence.

``python -m tests.models.test_architectures [NAME ...]`` prints what becomes of each.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import pytest
import torch

import lmtune
from tests.architectures import ARCHITECTURES, VOCABULARY, Architecture
from tests.tiny import ragged_examples

#: Most are longer than the windows of attention that slides.
EXAMPLES = ragged_examples([3, 20, 7, 12, 5, 17, 9, 2, 14, 6], vocab=VOCABULARY)
CONTEXT = 24
PROMPT = "the sum"


def tokenizer():
    """Of one token for a character, with the ids 0 and 1 for the end of text and for padding."""
    from tokenizers import Tokenizer, decoders, models
    from transformers import PreTrainedTokenizerFast

    written = [chr(code) for code in range(ord("A"), ord("z") + 1)] + list(" .,!")
    vocabulary = {token: i for i, token in enumerate(["<end>", "<pad>", *written][:VOCABULARY])}
    plain = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    plain.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=plain, bos_token="<end>", eos_token="<end>", pad_token="<pad>")


def loss_of(model, examples, batch_size: int = 4) -> float:
    return lmtune.evaluate(model, examples, batch_size=batch_size).loss


def evaluated(model) -> str:
    """The same loss at every batch size: that of each row alone."""
    alone = loss_of(model, EXAMPLES, 1)
    for batch_size in (3, 10):
        assert loss_of(model, EXAMPLES, batch_size) == pytest.approx(alone, rel=1e-5)
    return f"loss {alone:.3f}"


def packed(model, architecture: Architecture) -> str:
    """The loss of packed rows is that of the documents, or training on them is refused."""
    rows = lmtune.pack(EXAMPLES, CONTEXT)
    try:
        lmtune.fit(model, rows, steps=1, lr=1e-4, progress=False)
    except ValueError as refusal:
        assert not architecture.packs and "packed" in str(refusal)
        return f"packed: refused, {refusal}"
    assert architecture.packs
    assert loss_of(model, rows) == pytest.approx(loss_of(model, EXAMPLES), rel=1e-4)
    return "packed"


def trained(model) -> str:
    """Two updates on all examples bring their loss down."""
    before = loss_of(model, EXAMPLES)
    history = lmtune.fit(model, EXAMPLES, steps=2, batch_size=len(EXAMPLES), lr=1e-3, progress=False)
    after = loss_of(model, EXAMPLES)
    assert len(history.losses) == 2 and after < before
    return f"trained {before:.3f} -> {after:.3f}"


def saved(model, text, folder: Path) -> str:
    """Plain transformers reads what was saved, and gives the same logits."""
    from transformers import AutoModelForCausalLM

    model.save_pretrained(folder)
    text.save_pretrained(folder)
    assert list(folder.glob("*.safetensors"))
    ids = torch.tensor([EXAMPLES[1]["input_ids"]])
    with torch.no_grad():
        theirs = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()(ids, use_cache=False).logits
        assert torch.allclose(model(ids, use_cache=False).logits, theirs, atol=1e-6)
        again, _ = lmtune.load(folder, device="cpu")
        assert torch.allclose(again(ids, use_cache=False).logits, theirs, atol=1e-6)
    return "saved"


def written(model, text) -> str:
    """The likeliest token each time, as found without keys and values kept from the steps before."""
    ids = [0, *text(PROMPT)["input_ids"]]
    for _ in range(8):
        with torch.no_grad():
            new = int(model(torch.tensor([ids]), use_cache=False).logits[0, -1].argmax())
        if new == 0:
            break
        ids.append(new)
    assert lmtune.generate(model, text, PROMPT, max_new_tokens=8) == text.decode(ids[1:])
    return "generated"


def refused(model) -> str:
    with pytest.raises(ValueError, match="later token") as refusal:
        lmtune.fit(model, EXAMPLES, steps=1, progress=False)
    return f"refused: {refusal.value}"


def steps(architecture: Architecture, folder: Path):
    """What is done with an architecture, in order: calls that say what came of it, or raise."""
    model, text = architecture.build(), tokenizer()
    if model is None:
        pytest.skip("this version of transformers does not have it")
    if not architecture.causal:
        return [lambda: refused(model)]
    return [
        lambda: evaluated(model),
        lambda: packed(model, architecture),
        lambda: trained(model),
        lambda: saved(model, text, folder),
        lambda: written(model, text),
    ]


@pytest.mark.parametrize("architecture", ARCHITECTURES, ids=str)
def test_an_architecture_works_or_is_refused(architecture, tmp_path):
    for step in steps(architecture, tmp_path):
        step()


def test_the_table_is_long_and_names_each_once():
    assert sum(a.causal for a in ARCHITECTURES) >= 40
    assert len({str(a) for a in ARCHITECTURES}) == len(ARCHITECTURES)


def table(names: list[str]) -> None:
    """Print what becomes of each architecture, step by step."""
    torch.set_num_threads(1)
    for architecture in ARCHITECTURES:
        if names and str(architecture) not in names:
            continue
        with tempfile.TemporaryDirectory() as folder:
            try:
                todo, cells = steps(architecture, Path(folder)), []
            except Exception as error:
                todo, cells = [], [f"NOT BUILT ({type(error).__name__}: {str(error)[:200]})"]
            for step in todo:
                try:
                    cells.append(step())
                except (Exception, pytest.fail.Exception) as error:
                    said = (str(error).strip().splitlines() or [""])[0]
                    cells.append(f"FAILS ({type(error).__name__}: {said[:200]})")
        print(f"{str(architecture):28} {'; '.join(cells)}", flush=True)


if __name__ == "__main__":
    table(sys.argv[1:])
