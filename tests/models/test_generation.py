"""Writing text: the same for the same seed, within the context, ending where the text ends."""

import pytest
import torch

import lmtune
from tests.tiny import tiny_gpt2


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


def test_settings_that_a_model_brings_along_do_not_leak_in(tiny_tokenizer):
    plain, other = tiny_gpt2(vocab=300).float(), tiny_gpt2(vocab=300).float()
    other.generation_config.repetition_penalty = 50.0
    texts = [lmtune.generate(m, tiny_tokenizer, "a", max_new_tokens=20) for m in (plain, other)]
    assert texts[0] == texts[1] and other.generation_config.repetition_penalty == 50.0


def test_top_p_keeps_only_the_likeliest(model, tiny_tokenizer):
    greedy = lmtune.generate(model, tiny_tokenizer, "a", max_new_tokens=10)
    drawn = lmtune.generate(model, tiny_tokenizer, "a", max_new_tokens=10, temperature=1.0, top_p=1e-6)
    assert drawn == greedy
