"""LoRA: the formula, peft's numbers, and a merged model that needs neither."""

import copy
import subprocess
import sys

import pytest
import torch
from torch import nn

import lmtune
from lmtune.models.lora import LoRALinear, add_lora, merge_lora
from tests.tiny import ragged_examples, tiny_gpt2, tiny_llama

IDS = torch.randint(2, 50, (3, 9), generator=torch.Generator().manual_seed(0))
TARGETS = {"gpt2": ["c_attn"], "llama": ["q_proj", "v_proj"]}


def filled(model, seed=1):
    """Give every B random numbers, so that the updates are not zero."""
    made = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, LoRALinear):
            module.b.data.copy_(torch.randn(module.b.shape, generator=made))
    return model


def test_the_layer_is_the_formula_and_begins_as_its_base():
    base = nn.Linear(5, 3).double()
    layer, x = LoRALinear(copy.deepcopy(base), rank=2, alpha=6), torch.randn(4, 5).double()
    assert torch.equal(layer(x), base(x))
    layer.b.data.normal_()
    by_hand = x @ (base.weight + 6 / 2 * layer.b @ layer.a).T + base.bias
    assert torch.allclose(layer(x), by_hand, atol=1e-12)
    assert layer.a.shape == (2, 5) and layer.b.shape == (3, 2)
    assert [n for n, p in layer.named_parameters() if p.requires_grad] == ["a", "b"]


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_logits_and_gradients_are_those_of_peft(kind):
    from peft import LoraConfig, get_peft_model

    ours, theirs = ({"gpt2": tiny_gpt2, "llama": tiny_llama}[kind]() for _ in range(2))
    add_lora(ours, rank=3, alpha=12)
    theirs = get_peft_model(
        theirs,
        LoraConfig(
            r=3, lora_alpha=12, target_modules=TARGETS[kind], fan_in_fan_out=kind == "gpt2", task_type="CAUSAL_LM"
        ),
    ).double()
    filled(ours)
    mine = [m for m in ours.modules() if isinstance(m, LoRALinear)]
    other = [m for m in theirs.modules() if hasattr(m, "lora_A") and len(m.lora_A)]
    assert len(mine) == len(other) == 2 * len(TARGETS[kind])
    for a, b in zip(mine, other):
        b.lora_A["default"].weight.data.copy_(a.a)
        b.lora_B["default"].weight.data.copy_(a.b)
    logits = [m(input_ids=IDS).logits for m in (ours, theirs)]
    assert torch.allclose(*logits, atol=1e-12)
    for each in logits:
        each.pow(2).sum().backward()
    for a, b in zip(mine, other):
        assert torch.allclose(a.a.grad, b.lora_A["default"].weight.grad, rtol=1e-9)
        assert torch.allclose(a.b.grad, b.lora_B["default"].weight.grad, rtol=1e-9)
    trained = [sum(p.numel() for p in m.parameters() if p.requires_grad) for m in (ours, theirs)]
    assert trained[0] == trained[1]


def test_merging_changes_no_logit_and_leaves_the_old_class(tiny_model):
    names = [n for n, _ in tiny_model.named_parameters()]
    add_lora(tiny_model, rank=2)
    filled(tiny_model)
    before = tiny_model(input_ids=IDS).logits
    assert merge_lora(tiny_model) in (2, 4)
    assert torch.allclose(before, tiny_model(input_ids=IDS).logits, atol=1e-12)
    assert [n for n, _ in tiny_model.named_parameters()] == names
    assert all(p.requires_grad for p in tiny_model.parameters())


PLAIN = """
import sys
from transformers import AutoModelForCausalLM, AutoTokenizer
model, tokenizer = (kind.from_pretrained(sys.argv[1]) for kind in (AutoModelForCausalLM, AutoTokenizer))
ids = tokenizer("<|endoftext|>" + sys.argv[2], return_tensors="pt")
out = model.generate(**ids, max_new_tokens=20, do_sample=False, pad_token_id=1)[0, 1:]
print(tokenizer.decode(out, skip_special_tokens=True))
assert "lmtune" not in sys.modules
"""


def test_a_merged_model_saved_and_loaded_by_plain_transformers_gives_the_same_text(tmp_path):
    model, tokenizer = lmtune.load("pocket-mini")
    plain = lmtune.generate(model, tokenizer, "Returns the", max_new_tokens=20)
    add_lora(model, rank=4)
    texts = ["Returns the shortest path in the graph G.", "Returns the number of nodes."] * 4
    lmtune.fit(model, lmtune.windows(texts, tokenizer), steps=8, lr=3e-2, progress=False)
    adapted = lmtune.generate(model, tokenizer, "Returns the", max_new_tokens=20)
    assert adapted != plain
    merge_lora(model)
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    done = subprocess.run([sys.executable, "-c", PLAIN, str(tmp_path), "Returns the"], capture_output=True, text=True)
    assert done.stdout.rstrip("\n") == adapted.rstrip("\n"), done.stderr


def family(kind):
    """A tiny model of one family, with random weights, for the vocabulary of ``tiny_tokenizer``."""
    import transformers as hf

    shape = dict(
        vocab_size=300,
        hidden_size=16,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=32,
        bos_token_id=0,
        eos_token_id=0,
    )
    torch.manual_seed(0)
    return getattr(hf, f"{kind}ForCausalLM")(getattr(hf, f"{kind}Config")(**shape))


@pytest.mark.parametrize("kind", ["Qwen2", "Llama"])
def test_a_folder_of_another_family_is_loaded_adapted_merged_and_saved(kind, tmp_path, tiny_tokenizer):
    family(kind).save_pretrained(tmp_path / "first")
    tiny_tokenizer.save_pretrained(tmp_path / "first")
    model, tokenizer = lmtune.load(tmp_path / "first")
    assert len(add_lora(model, rank=2)) == 4
    rows = lmtune.windows(["the sum of two numbers", "a list of the names"], tokenizer)
    before = lmtune.evaluate(model, rows, progress=False).loss
    lmtune.fit(model, rows, steps=20, lr=0.1, progress=False)
    after = lmtune.evaluate(model, rows, progress=False).loss
    assert after < before
    merge_lora(model)
    model.save_pretrained(tmp_path / "second")
    tokenizer.save_pretrained(tmp_path / "second")
    again, _ = lmtune.load(tmp_path / "second")
    assert lmtune.evaluate(again, rows, progress=False).loss == pytest.approx(after, rel=1e-5)
    labelled = lmtune.labelled(["the sum", "a list"], [0, 1], tokenizer)
    classifier = lmtune.classifier(again, 2, pooling="mean")
    assert lmtune.fit(classifier, labelled, steps=2, loss=lmtune.classification_loss, progress=False).losses


def test_training_moves_the_updates_and_the_head_alone():
    model = lmtune.classifier(tiny_gpt2(), 3)
    add_lora(model, rank=2)
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    rows = [{**row, "labels": i % 3} for i, row in enumerate(ragged_examples([5, 9, 7, 4]))]
    lmtune.fit(model, rows, steps=3, lr=0.1, loss=lmtune.classification_loss, progress=False)
    moved = {n for n, p in model.named_parameters() if not torch.equal(p, before[n])}
    assert moved == {n for n in before if n.endswith((".a", ".b")) or n.startswith("head.")}


def test_the_seed_draws_a_and_the_global_state_stays():
    def drawn(seed):
        model = tiny_gpt2()
        torch.manual_seed(5)
        add_lora(model, seed=seed, rank=2)
        return next(m.a for m in model.modules() if isinstance(m, LoRALinear)), torch.rand(1)

    (a, after), (b, _), (c, _) = drawn(1), drawn(1), drawn(2)
    torch.manual_seed(5)
    assert torch.equal(a, b) and not torch.equal(a, c) and torch.equal(after, torch.rand(1))


def test_row_36_a_head_that_is_tied_to_the_embeddings_gets_no_update():
    model = tiny_gpt2()
    before = [(n, p.requires_grad) for n, p in model.named_parameters()]
    with pytest.raises(ValueError, match="lm_head shares its weight with transformer.wte"):
        add_lora(model, targets=("c_attn", "lm_head"))
    assert [(n, p.requires_grad) for n, p in model.named_parameters()] == before, "refused before it was frozen"


def test_row_36_a_head_of_its_own_is_merged_and_changes_no_logit():
    model = tiny_gpt2(tie_word_embeddings=False)
    ids, embeddings = torch.tensor([[3, 4, 5]]), model.transformer.wte.weight.detach().clone()
    add_lora(model, targets=("lm_head",))
    with torch.no_grad():
        model.lm_head.b.normal_()
        adapted = model(input_ids=ids).logits
        merge_lora(model)
        assert torch.allclose(model(input_ids=ids).logits, adapted, atol=1e-12)
    assert torch.equal(model.transformer.wte.weight, embeddings)


def test_row_36_layers_that_share_one_weight_under_two_names_are_refused():
    model = tiny_gpt2()
    model.transformer.h[1].attn.c_attn.weight = model.transformer.h[0].attn.c_attn.weight
    with pytest.raises(ValueError, match="h.0.attn.c_attn shares its weight with transformer.h.1.attn.c_attn"):
        add_lora(model)


def test_refusals():
    model = tiny_gpt2()
    with pytest.raises(ValueError, match="it has: c_attn, c_fc, c_proj, lm_head"):
        add_lora(model, targets=("q_proj",))
    with pytest.raises(ValueError, match="rank is 0"):
        add_lora(model, rank=0)
    with pytest.raises(ValueError, match="alpha is -1"):
        add_lora(model, alpha=-1)
    with pytest.raises(ValueError, match="no LoRA update"):
        merge_lora(model)
    add_lora(model)
    with pytest.raises(ValueError, match="already"):
        add_lora(model)
