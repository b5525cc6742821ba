"""Decoder architectures of transformers, each with two layers of width 32 and 64 tokens."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch

VOCABULARY = 64
#: What most configurations call by these names.
_USUAL = dict(
    vocab_size=VOCABULARY,
    hidden_size=32,
    intermediate_size=64,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=64,
    initializer_range=0.2,  # the usual 0.02 is meant for wide models; here every token would be as likely as another
    bos_token_id=0,
    eos_token_id=0,
    pad_token_id=1,
)
_WINDOW = 6  #: of attention that slides; most documents of the sweep are longer


@dataclass(frozen=True)
class Architecture:
    """One row of the table.

    Args:
        kind: the ``model_type`` of its configuration.
        settings: what its configuration needs besides or instead of the usual ones; None takes one away.
        packs: whether documents in one row can be kept apart; where not, such rows are refused.
        causal: whether it looks back only; where not, it is refused.
        name: where a kind stands twice.
    """

    kind: str
    settings: dict[str, Any] = field(default_factory=dict)
    packs: bool = True
    causal: bool = True
    name: str = ""

    def __str__(self) -> str:
        return self.name or self.kind

    def build(self):
        """The model in fp32 with random weights, in evaluation mode; None where this transformers has none."""
        from transformers import AutoConfig, AutoModelForCausalLM

        settings = {k: v for k, v in {**_USUAL, **self.settings}.items() if v is not None}
        try:
            config = AutoConfig.for_model(self.kind, **settings)
        except ValueError as error:
            if "Unrecognized model identifier" in str(error):
                return None
            raise
        torch.manual_seed(0)
        return AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()


def _sliding(kind: str, **settings) -> Architecture:
    return Architecture(kind, {"sliding_window": _WINDOW, **settings}, packs=False)


def _recurrent(kind: str, **settings) -> Architecture:
    return Architecture(kind, settings, packs=False)


def _decoder(kind: str, **settings) -> Architecture:
    return Architecture(kind, {"is_decoder": True, **settings})


def _positions_from_two(kind: str) -> Architecture:
    """A decoder whose first position is the number after the padding's; transformers 5.23 generates from 0."""
    return Architecture(kind, {"is_decoder": True}, packs=False)


def _half_of_two(kind: str, **settings) -> Architecture:
    """The decoder of an architecture that has an encoder too."""
    sizes = dict(d_model=32, decoder_layers=2, decoder_attention_heads=4, decoder_ffn_dim=64, init_std=0.2)
    taken = dict.fromkeys(("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads"))
    encoder = dict(encoder_layers=2, encoder_attention_heads=4, encoder_ffn_dim=64)
    return Architecture(kind, {**taken, **sizes, **encoder, **settings}, packs=False)


_EXPERTS = dict(num_local_experts=4, num_experts=4, n_routed_experts=4, num_experts_per_tok=2, moe_intermediate_size=16)
_LINEAR = dict(
    linear_num_value_heads=2,
    linear_num_key_heads=2,
    linear_key_head_dim=8,
    linear_value_head_dim=8,
    head_dim=8,
    layer_types=["linear_attention", "full_attention"],
)
_GROUPS = dict(n_group=1, topk_group=1, n_shared_experts=1, first_k_dense_replace=1, head_dim=8)
_LATENT = dict(
    q_lora_rank=16,
    kv_lora_rank=16,
    qk_nope_head_dim=8,
    qk_rope_head_dim=4,
    v_head_dim=8,
    num_key_value_heads=4,
    first_k_dense_replace=1,
    n_group=1,
    topk_group=1,
)
_MAMBA2 = dict(mamba_n_heads=4, mamba_d_head=16, mamba_n_groups=1, mamba_d_state=8, mamba_chunk_size=8)

ARCHITECTURES = [
    Architecture("gpt2"),
    Architecture(
        "gpt_neo",
        dict(num_layers=2, attention_types=[[["global", "local"], 1]], window_size=_WINDOW, num_hidden_layers=None),
    ),
    Architecture("gpt_neox"),
    Architecture("gptj", dict(rotary_dim=4)),
    Architecture("gpt_bigcode"),
    Architecture("openai-gpt", packs=False),
    Architecture("gpt_oss", dict(_EXPERTS, head_dim=8, sliding_window=_WINDOW), packs=False),
    Architecture("codegen", dict(rotary_dim=4)),
    Architecture("ctrl", dict(dff=64)),
    Architecture("opt", dict(ffn_dim=64, word_embed_proj_dim=32)),
    Architecture("bloom", packs=False),
    Architecture("mpt", dict(max_seq_len=64)),
    Architecture("falcon"),
    Architecture("falcon", dict(alibi=True), name="falcon with ALiBi", packs=False),
    Architecture("xglm", dict(ffn_dim=64, d_model=32, num_layers=2, attention_heads=4)),
    Architecture("biogpt"),
    Architecture("llama"),
    _sliding("mistral"),
    Architecture("ministral", dict(head_dim=8, sliding_window=None)),
    Architecture("mixtral", _EXPERTS),
    Architecture("qwen2"),
    Architecture(
        "qwen2",
        dict(use_sliding_window=True, sliding_window=_WINDOW, max_window_layers=1),
        packs=False,
        name="qwen2 with a window",
    ),
    Architecture("qwen2_moe", dict(_EXPERTS, shared_expert_intermediate_size=16)),
    Architecture("qwen3", dict(head_dim=8)),
    Architecture("qwen3_moe", dict(_EXPERTS, head_dim=8)),
    _recurrent("qwen3_next", **_EXPERTS, **_LINEAR, shared_expert_intermediate_size=16),
    _recurrent("qwen3_5_text", **_LINEAR),
    Architecture("gemma", dict(head_dim=8)),
    _sliding("gemma2", head_dim=8, query_pre_attn_scalar=8),
    _sliding("gemma3_text", head_dim=8, query_pre_attn_scalar=8, layer_types=["sliding_attention", "full_attention"]),
    Architecture("vaultgemma", dict(head_dim=8, query_pre_attn_scalar=8, sliding_window=_WINDOW), packs=False),
    Architecture("phi"),
    Architecture("phi3"),
    Architecture("phimoe", _EXPERTS),
    _sliding("starcoder2"),
    Architecture("stablelm"),
    Architecture("olmo"),
    Architecture("olmo2"),
    _sliding("olmo3", layer_types=["sliding_attention", "full_attention"]),
    Architecture("olmoe", _EXPERTS),
    Architecture("cohere"),
    _sliding("cohere2", layer_types=["sliding_attention", "full_attention"]),
    Architecture("granite"),
    Architecture("granitemoe", _EXPERTS),
    Architecture("granitemoeshared", dict(_EXPERTS, shared_intermediate_size=16)),
    _recurrent(
        "granitemoehybrid", **_EXPERTS, **_MAMBA2, shared_intermediate_size=16, layer_types=["mamba", "attention"]
    ),
    Architecture(
        "dbrx",
        dict(
            d_model=32,
            n_heads=4,
            n_layers=2,
            max_seq_len=64,
            attn_config=dict(clip_qkv=8.0, kv_n_heads=2, rope_theta=10000.0),
            ffn_config=dict(ffn_hidden_size=64, hidden_size=32, moe_num_experts=4, moe_top_k=2),
        ),
    ),
    Architecture("jetmoe", dict(_EXPERTS, kv_channels=8)),
    Architecture("persimmon"),
    Architecture("deepseek_v2", dict(_EXPERTS, **_LATENT)),
    Architecture("deepseek_v3", dict(_EXPERTS, **_LATENT)),
    Architecture("dots1", dict(_EXPERTS, **_GROUPS)),
    Architecture("ernie4_5", dict(head_dim=8)),
    Architecture("glm", dict(head_dim=8)),
    Architecture("glm4", dict(head_dim=8)),
    Architecture("glm4_moe", dict(_EXPERTS, **_GROUPS)),
    Architecture("smollm3"),
    Architecture("helium", dict(head_dim=8)),
    Architecture("nemotron"),
    Architecture("arcee"),
    Architecture("hunyuan_v1_dense", dict(head_dim=8)),
    _recurrent("minimax", **_EXPERTS, head_dim=8, block_size=8, layer_types=["linear_attention", "full_attention"]),
    _recurrent("lfm2", layer_types=["conv", "full_attention"]),
    _sliding("exaone4", layer_types=["sliding_attention", "full_attention"]),
    Architecture("seed_oss", dict(head_dim=8)),
    Architecture("apertus"),
    Architecture("diffllama"),
    Architecture("doge"),
    Architecture("nanochat"),
    _sliding("cwm", head_dim=8),
    Architecture(
        "llama4_text", dict(_EXPERTS, head_dim=8, intermediate_size_mlp=64, attention_chunk_size=8), packs=False
    ),
    Architecture("ernie4_5_moe", dict(_EXPERTS, moe_num_experts=4, moe_k=2)),
    Architecture("hunyuan_v1_moe", dict(_EXPERTS, head_dim=8, moe_topk=2)),
    Architecture("minimax_m2", dict(_EXPERTS, head_dim=8)),
    Architecture(
        "modernbert-decoder",
        dict(local_attention=2 * _WINDOW, layer_types=["sliding_attention", "full_attention"]),
        packs=False,
    ),
    _recurrent("rwkv", context_length=64, attention_hidden_size=32),
    _recurrent("mamba", state_size=8),
    _recurrent("mamba2", num_heads=4, head_dim=16, n_groups=1, state_size=8, chunk_size=8),
    _recurrent("falcon_mamba", state_size=8),
    _recurrent("falcon_h1", **_MAMBA2, mamba_d_ssm=64, head_dim=8),
    _recurrent("recurrent_gemma", lru_width=32, block_types=["recurrent", "attention"], attention_window_size=_WINDOW),
    _recurrent("jamba", **_EXPERTS, attn_layer_period=2, attn_layer_offset=1, mamba_d_state=8, use_mamba_kernels=False),
    _recurrent(
        "nemotron_h",
        **_EXPERTS,
        mamba_num_heads=4,
        mamba_head_dim=16,
        n_groups=1,
        ssm_state_size=8,
        chunk_size=8,
        head_dim=8,
        layers_block_type=["mamba", "attention"],
    ),
    _recurrent("olmo_hybrid"),
    _recurrent("bamba", **_MAMBA2, attn_layer_indices=[1]),
    _recurrent(
        "zamba2",
        mamba_ngroups=1,
        n_mamba_heads=4,
        mamba_headdim=16,
        mamba_d_state=8,
        chunk_size=8,
        layers_block_type=["mamba", "hybrid"],
        num_mem_blocks=1,
    ),
    _half_of_two("bart"),
    _half_of_two("trocr", hidden_size=32),
    _half_of_two("pegasus"),
    _half_of_two("blenderbot-small"),
    _decoder("bert"),
    _decoder("electra", embedding_size=32),
    _decoder("bert-generation"),
    _decoder("megatron-bert"),
    _decoder("rembert"),
    _decoder("roformer", embedding_size=32),
    _decoder("big_bird", attention_type="original_full"),
    _positions_from_two("roberta"),
    _positions_from_two("data2vec-text"),
    Architecture("bert", causal=False, name="bert without is_decoder"),
    Architecture("roberta", causal=False, name="roberta without is_decoder"),
    Architecture("electra", dict(embedding_size=32), causal=False, name="electra without is_decoder"),
    Architecture("xlm", causal=False),
    Architecture(
        "xlnet", dict(max_position_embeddings=None, d_model=32, n_layer=2, n_head=4, d_inner=64), causal=False
    ),
]
