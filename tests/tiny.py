"""Models, examples and gradients small enough to be right by inspection."""

import torch
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM


def tiny_gpt2(vocab: int = 50, **changes) -> GPT2LMHeadModel:
    """A GPT-2 of a few thousand parameters in fp64 without dropout, drawn from seed 0."""
    torch.manual_seed(0)
    settings = dict(
        vocab_size=vocab,
        n_positions=32,
        n_embd=16,
        n_layer=2,
        n_head=2,
        resid_pdrop=0.0,
        embd_pdrop=0.0,
        attn_pdrop=0.0,
        bos_token_id=0,
        eos_token_id=0,
    )
    return GPT2LMHeadModel(GPT2Config(**{**settings, **changes})).double()


def tiny_llama(vocab: int = 50) -> LlamaForCausalLM:
    """The same for the Llama architecture."""
    torch.manual_seed(0)
    return LlamaForCausalLM(
        LlamaConfig(
            vocab_size=vocab,
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=2,
            max_position_embeddings=32,
            bos_token_id=0,
            eos_token_id=0,
        )
    ).double()


def ragged_examples(lengths, vocab: int = 50, seed: int = 0) -> list[dict]:
    """Examples of the given lengths with random ids, every position a label."""
    generator = torch.Generator().manual_seed(seed)
    rows = [torch.randint(2, vocab, (n,), generator=generator).tolist() for n in lengths]
    return [{"input_ids": row, "labels": list(row), "characters": 3 * len(row)} for row in rows]


def true_gradients(model, examples):
    """Autograd of (sum of token cross-entropies) / N, one row at a time and unpadded."""
    model.zero_grad()
    losses = []
    for e in examples:
        logits = model(input_ids=torch.tensor([e["input_ids"]])).logits[0]
        targets = torch.tensor(e["labels"])
        losses += [
            torch.nn.functional.cross_entropy(logits[t], targets[t + 1])
            for t in range(len(targets) - 1)
            if targets[t + 1] != -100
        ]
    (torch.stack(losses).sum() / len(losses)).backward()
    return {n: p.grad.clone() for n, p in model.named_parameters()}


def sgd(model, config):
    """Plain SGD, under which weights move by rate times gradient."""
    return torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=config.lr)


def sgd_step(model, examples, **settings):
    """What a `fit` with plain SGD of rate 1 takes off each weight: the gradient."""
    from lmtune.training.loop import fit

    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    settings = {"lr": 1.0, "schedule": "constant", "clip": None, "optimizer": sgd, **settings}
    fit(model, examples, **settings)
    return {n: before[n] - p.detach() for n, p in model.named_parameters()}


def largest_difference(a, b):
    return max((a[n] - b[n]).abs().max().item() for n in a)


_TRAINED_ON = ["2+2=4 the sum of two numbers", "a list of the names"] * 5


def _trained(backend, special, alphabet=(), **names):
    from tokenizers import trainers
    from transformers import PreTrainedTokenizerFast

    settings = dict(vocab_size=400, special_tokens=special, initial_alphabet=list(alphabet), show_progress=False)
    backend.train_from_iterator(_TRAINED_ON, trainers.BpeTrainer(**settings))
    return PreTrainedTokenizerFast(tokenizer_object=backend, model_max_length=64, **names)


def tokenizer_like_llamas():
    """One that puts a blank before each text, and has a token for every byte."""
    from tokenizers import Tokenizer, decoders, models, normalizers

    backend = Tokenizer(models.BPE(unk_token="<unk>", byte_fallback=True))
    backend.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    back = [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    backend.decoder = decoders.Sequence(back)
    special = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    return _trained(backend, special, bos_token="<s>", eos_token="</s>", unk_token="<unk>")


def tokenizer_with_a_blank_before():
    """A byte-level one that puts a blank before each text, as RoBERTa's can."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    backend.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    return _trained(backend, ["<s>", "</s>"], alphabet, bos_token="<s>", eos_token="</s>")


def tokenizer_of_letters(letters: str, **names):
    """One token a letter; other characters are left out, for there is no token for the unknown."""
    from tokenizers import Tokenizer, decoders, models
    from transformers import PreTrainedTokenizerFast

    vocabulary = {"</s>": 0} | {letter: i + 1 for i, letter in enumerate(letters)}
    backend = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    backend.decoder = decoders.Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=backend, model_max_length=64, **{"eos_token": "</s>", **names})
