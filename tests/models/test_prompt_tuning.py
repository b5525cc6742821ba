"""Prompt tuning: what is read, what is trained, and padding that changes nothing."""

import pytest
import torch

import lmtune
from lmtune.data.batches import collate
from lmtune.models.prompt_tuning import SoftPrompt
from tests.tiny import ragged_examples, tiny_gpt2


def rows():
    return [{**row, "labels": i % 3} for i, row in enumerate(ragged_examples([5, 9, 7, 4]))]


def prompted(pooling="mean", length=4):
    return SoftPrompt(lmtune.classifier(tiny_gpt2(), 3, pooling=pooling), length).double().eval()


@pytest.mark.parametrize("pooling", ["mean", "last"])
def test_a_prompt_of_real_tokens_is_those_tokens_before_the_text(pooling):
    model, batch = prompted(pooling), collate(rows()[:1])
    ids = torch.tensor([[7, 8, 9, 10]])
    model.prompt.data = model.classifier.base.get_input_embeddings().weight[ids[0]].detach().clone()
    states = model.classifier.base(input_ids=torch.cat([ids, batch["input_ids"]], 1)).last_hidden_state[:, 4:]
    pooled = states.mean(1) if pooling == "mean" else states[:, -1]
    assert torch.allclose(model(batch["input_ids"], batch["attention_mask"]), model.head(pooled), atol=1e-12)


@pytest.mark.parametrize("pooling", ["mean", "last"])
def test_padding_changes_nothing(pooling):
    model = prompted(pooling)
    together = collate(rows())
    alone = [collate([row]) for row in rows()]
    assert torch.allclose(
        model(together["input_ids"], together["attention_mask"]),
        torch.cat([model(b["input_ids"], b["attention_mask"]) for b in alone]),
        atol=1e-12,
    )


def test_the_prompt_and_the_head_alone_are_trained():
    model = prompted()
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    lmtune.fit(model, rows(), steps=2, lr=0.1, loss=lmtune.classification_loss, progress=False)
    moved = {n for n, p in model.named_parameters() if not torch.equal(p, before[n])}
    assert moved == {"prompt", "classifier.head.weight", "classifier.head.bias"}
    with pytest.raises(ValueError, match="length is 0"):
        prompted(length=0)
