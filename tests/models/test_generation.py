"""Writing text: the same for the same seed, within the context, ending where the text ends."""

import pytest
import torch

import lmtune
from tests.tiny import tiny_gpt2, tokenizer_like_llamas


@pytest.fixture(scope="module")
def model():
    return tiny_gpt2(vocab=300).float()


def test_greedy_takes_the_likeliest_token_each_time(model, tiny_tokenizer):
    text = lmtune.generate(model, tiny_tokenizer, "the sum", max_new_tokens=5)
    ids = [0, *tiny_tokenizer("the sum")["input_ids"]]
    for _ in range(5):
        with torch.no_grad():
            new = int(model(input_ids=torch.tensor([ids])).logits[0, -1].argmax())
        if new == 0:
            break
        ids.append(new)
    assert text == tiny_tokenizer.decode(ids[1:])


def test_sampling_depends_on_its_seed_and_leaves_the_global_state(model, tiny_tokenizer):
    state = torch.random.get_rng_state()
    one, again, other = (
        lmtune.generate(model, tiny_tokenizer, "a", max_new_tokens=12, temperature=1.0, seed=s) for s in (1, 1, 2)
    )
    assert one == again != other
    assert torch.equal(state, torch.random.get_rng_state())


def test_it_stops_where_the_context_is_full(model, tiny_tokenizer):
    text = lmtune.generate(model, tiny_tokenizer, "a", max_new_tokens=500, temperature=1.0)
    assert len(tiny_tokenizer(text)["input_ids"]) <= 60
    with pytest.raises(ValueError, match="shorten the prompt"):
        lmtune.generate(model, tiny_tokenizer, "a list of the names " * 30)


@pytest.mark.parametrize("settings", [dict(max_new_tokens=0), dict(temperature=-1.0), dict(top_p=0.0)])
def test_wrong_settings_are_refused(model, tiny_tokenizer, settings):
    with pytest.raises(ValueError, match="allowed"):
        lmtune.generate(model, tiny_tokenizer, "a", **settings)


def test_the_training_flags_come_back(model, tiny_tokenizer):
    model.train()
    lmtune.generate(model, tiny_tokenizer, "a", max_new_tokens=1)
    assert model.training


def saying(tokenizer, *texts):
    """A model that has learned to write each text's second half behind its first, and to end there."""
    model = tiny_gpt2(vocab=len(tokenizer), n_positions=64).float()
    halves = [text.split("|") for text in texts]
    rows = lmtune.pairs([a for a, _ in halves], [b for _, b in halves], tokenizer, 64)
    lmtune.fit(model, rows, steps=120, batch_size=4, lr=5e-3, progress=False)
    return model.eval()


@pytest.mark.parametrize("own", [None, 7, [7, 9]])
def test_row_37_a_text_ends_alike_in_training_in_generation_and_in_a_saved_folder(tmp_path, own):
    """A tokenizer that has a token for the beginning alone ends its rows with that one."""
    from transformers import AutoModelForCausalLM

    tokenizer = tokenizer_like_llamas()
    tokenizer.eos_token = None
    model = saying(tokenizer, "a list| of", "the sum| of two")
    model.generation_config.eos_token_id = own
    model.save_pretrained(tmp_path / "given")
    tokenizer.save_pretrained(tmp_path / "given")
    loaded, tokenizer = lmtune.load(tmp_path / "given", device="cpu")
    assert lmtune.generate(loaded, tokenizer, "a list", max_new_tokens=30) == "a list of"
    loaded.save_pretrained(tmp_path / "saved")
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "saved")
    ids = [tokenizer.bos_token_id, *tokenizer("a list", add_special_tokens=False)["input_ids"]]
    out = plain.generate(torch.tensor([ids]), max_new_tokens=30, do_sample=False, pad_token_id=0)[0].tolist()
    assert out[-1] == tokenizer.bos_token_id and tokenizer.decode(out[1:-1]) == "a list of"


def test_row_37_a_model_with_several_ends_keeps_them_where_the_rows_end_is_among_them():
    from lmtune.models.generation import ends_of_text, stop_at_end_of_text

    tokenizer, model = tokenizer_like_llamas(), tiny_gpt2()
    model.generation_config.eos_token_id = [9, tokenizer.eos_token_id]
    assert ends_of_text(model, tokenizer) == [9, tokenizer.eos_token_id]
    model.generation_config.eos_token_id = [9, 11]
    stop_at_end_of_text(model, tokenizer)
    assert model.generation_config.eos_token_id == tokenizer.eos_token_id


def test_settings_that_a_model_brings_along_do_not_leak_in(tiny_tokenizer):
    plain, other = tiny_gpt2(vocab=300).float(), tiny_gpt2(vocab=300).float()
    other.generation_config.repetition_penalty = 50.0
    texts = [lmtune.generate(m, tiny_tokenizer, "a", max_new_tokens=20) for m in (plain, other)]
    assert texts[0] == texts[1] and other.generation_config.repetition_penalty == 50.0


def test_top_p_keeps_only_the_likeliest(model, tiny_tokenizer):
    greedy = lmtune.generate(model, tiny_tokenizer, "a", max_new_tokens=10)
    drawn = lmtune.generate(model, tiny_tokenizer, "a", max_new_tokens=10, temperature=1.0, top_p=1e-6)
    assert drawn == greedy
