"""Loading: shipped models, local folders, and what each wrong name is told."""

import json

import pytest
import torch

import lmtune
from tests.tiny import tiny_gpt2, tokenizer_like_llamas, tokenizer_of_letters


@pytest.fixture
def folder(tmp_path, tiny_tokenizer):
    """A model and its tokenizer in the Hub's format."""
    tiny_gpt2(vocab=300).float().save_pretrained(tmp_path / "model")
    tiny_tokenizer.save_pretrained(tmp_path / "model")
    return tmp_path / "model"


def test_a_local_folder_loads_in_fp32_and_evaluation_mode(folder):
    for name in (folder, str(folder)):
        model, tokenizer = lmtune.load(name)
        assert not model.training and {p.dtype for p in model.parameters()} == {torch.float32}
        assert tokenizer.eos_token_id == 0


def test_loading_a_folder_prints_nothing_and_keeps_the_setting(folder, capfd):
    from transformers.utils import logging

    assert logging.is_progress_bar_enabled()
    lmtune.load(folder)
    assert capfd.readouterr() == ("", "")
    assert logging.is_progress_bar_enabled()


def test_random_weights_have_the_same_shape_and_come_from_the_seed(folder):
    state = torch.random.get_rng_state()
    a, b, c = (lmtune.load(folder, pretrained=False, seed=s)[0] for s in (0, 0, 1))
    assert torch.equal(state, torch.random.get_rng_state())
    trained = lmtune.load(folder)[0]
    first = [m.transformer.wte.weight for m in (a, b, c, trained)]
    assert torch.equal(first[0], first[1]) and not torch.equal(first[0], first[2])
    assert first[2].shape == first[3].shape and not torch.equal(first[2], first[3])


@pytest.mark.parametrize(
    "name, kind, words",
    [
        ("pockt", OSError, "Did you mean 'pocket'"),
        ("someone/no-such-model", OSError, "not on this machine"),
        ("no/such/folder", ValueError, "no folder"),
        ("./nowhere", ValueError, "no folder"),
        ("", OSError, "no config.json"),
    ],
)
def test_a_name_that_leads_nowhere_gets_a_remedy(name, kind, words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(kind, match=words) as error:
        lmtune.load(name)
    assert "pocket" in str(error.value) or "save_pretrained" in str(error.value)


def test_incomplete_or_damaged_folders_are_named(folder):
    weights = folder / "model.safetensors"
    data = weights.read_bytes()
    weights.write_bytes(data[:100])
    with pytest.raises(OSError, match="damaged|could not be loaded"):
        lmtune.load(folder)
    weights.unlink()
    with pytest.raises(OSError, match="safetensors; it holds none"):
        lmtune.load(folder)
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x04pickle")
    with pytest.raises(OSError, match="a pickle, which may run code"):
        lmtune.load(folder)
    (folder / "config.json").write_text("{not json")
    with pytest.raises(OSError, match="not valid JSON of a configuration"):
        lmtune.load(folder)
    (folder / "config.json").unlink()
    with pytest.raises(OSError, match="no config.json"):
        lmtune.load(folder)


def test_the_classifier_refuses_less_than_two_classes():
    for wrong in (1, 0, -3, 2.0, None):
        with pytest.raises(ValueError, match="at least 2 classes"):
            lmtune.classifier(tiny_gpt2(), wrong)


def test_the_classifier_reads_the_last_real_position():
    model = lmtune.classifier(tiny_gpt2().float(), 3)
    ids = torch.tensor([[5, 6, 7]])
    truth = model(input_ids=ids, attention_mask=torch.ones_like(ids))
    right = model(input_ids=torch.tensor([[5, 6, 7, 0, 0]]), attention_mask=torch.tensor([[1, 1, 1, 0, 0]]))
    assert torch.allclose(truth, right, atol=1e-6)
    states = model.base(input_ids=ids).last_hidden_state
    assert torch.allclose(truth, model.head(states[:, -1]), atol=1e-6)
    head = lmtune.classifier(tiny_gpt2().float(), 3).head.weight
    assert torch.equal(head, model.head.weight)
    assert lmtune.classifier(tiny_gpt2(), 3).head.weight.dtype == torch.float64


def test_code_that_comes_with_a_folder_is_never_run(folder, monkeypatch):
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "evil", "auto_map": {"AutoConfig": "evil.C", "AutoModelForCausalLM": "evil.M"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "evil.py").write_text("raise SystemExit('code of the model was run')")
    monkeypatch.setattr("builtins.input", lambda *_: pytest.fail("somebody was asked"))
    for pretrained in (True, False):
        with pytest.raises(OSError, match="could not be loaded"):
            lmtune.load(folder, pretrained=pretrained)


def test_missing_weights_are_not_filled_with_random_ones(folder):
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    save_file(
        {f"_orig_mod.{k}": v for k, v in weights.items()}, folder / "model.safetensors", metadata={"format": "pt"}
    )
    with pytest.raises(OSError, match="lacks .* weights"):
        lmtune.load(folder)


def test_a_folder_without_a_tokenizer_is_refused(folder):
    for path in folder.glob("token*"):
        path.unlink()
    with pytest.raises(OSError, match="could not be loaded"):
        lmtune.load(folder)


def test_random_weights_are_drawn_in_fp32(folder, tmp_path, tiny_tokenizer):
    tiny_gpt2(vocab=300).bfloat16().save_pretrained(tmp_path / "half")
    tiny_tokenizer.save_pretrained(tmp_path / "half")
    weight = lmtune.load(tmp_path / "half", pretrained=False)[0].transformer.wte.weight
    assert not torch.equal(weight, weight.bfloat16().float())


def test_row_40_weights_are_widened_while_they_are_loaded(tmp_path):
    """Gemma keeps the square root of its width beside the weights; in bf16 33.941 is 34."""
    import transformers as tf

    sizes = dict(hidden_size=1152, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, head_dim=8)
    wide = tf.Gemma3ForCausalLM(tf.Gemma3TextConfig(vocab_size=300, num_key_value_heads=1, **sizes))
    wide.bfloat16().save_pretrained(tmp_path / "half")
    tokenizer_like_llamas().save_pretrained(tmp_path / "half")
    model, _ = lmtune.load(tmp_path / "half", device="cpu")
    plain = tf.AutoModelForCausalLM.from_pretrained(tmp_path / "half", dtype=torch.float32).eval()
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    ids = torch.tensor([[3, 4, 5, 6]])
    with torch.no_grad():
        assert torch.equal(model(input_ids=ids).logits, plain(input_ids=ids).logits)
    assert float(model.model.embed_tokens.embed_scale) == pytest.approx(1152**0.5, rel=1e-6)


def test_row_44_a_tokenizer_that_knows_no_english_loads(tmp_path):
    tokenizer = tokenizer_of_letters("CGT")
    tiny_gpt2(vocab=len(tokenizer)).float().save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    model, loaded = lmtune.load(tmp_path, device="cpu")
    rows = lmtune.windows(["CGTTGC", "GGCT"], loaded, 8)
    lmtune.fit(model, rows, steps=1, progress=False)
    assert set(lmtune.generate(model, loaded, "CG", max_new_tokens=3)) <= set("CGT")


def test_row_34_a_folder_of_another_kind_is_told_so(tmp_path, tiny_tokenizer):
    import transformers as tf

    sizes = dict(hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    tf.DebertaV2ForMaskedLM(tf.DebertaV2Config(vocab_size=300, **sizes)).save_pretrained(tmp_path)
    tiny_tokenizer.save_pretrained(tmp_path)
    with pytest.raises(OSError, match="architecture deberta-v2, .* no model that writes text") as refused:
        lmtune.load(tmp_path)
    assert "again" not in str(refused.value)


def test_the_folder_can_be_read_by_anyone(folder):
    assert json.loads((folder / "config.json").read_text())["model_type"] == "gpt2"
