"""The checkpoints of make_family_fixtures.py: for each variant its settings, and which settings must matter.

settings      keyword arguments of the family's configuration class in transformers
matter        {name: settings that differ}: with any of these the same weights must give clearly other logits
draw          standard deviations of parameters whose names contain the key, in place of the usual ones
shift         means of parameters whose names contain the key, in place of 0
old_keys      config.json with top-level rope_theta, rope_scaling and torch_dtype, as before transformers 5
drop, extra   keys left out of config.json (the reader must know the default), and keys added as releases have them
"""

import dataclasses

COMMON = dict(vocab_size=67, hidden_size=32, max_position_embeddings=96, pad_token_id=None, bos_token_id=1,
              eos_token_id=2)


@dataclasses.dataclass
class Variant:
    name: str
    family: str
    exercises: str
    settings: dict
    matter: dict = dataclasses.field(default_factory=dict)
    old_keys: bool = False
    drop: tuple = ()
    extra: dict = dataclasses.field(default_factory=dict)
    layout: str = "released"
    same_weights_as: str = ""
    draw: dict = dataclasses.field(default_factory=dict)
    shift: dict = dataclasses.field(default_factory=dict)


def rope(theta, **more):
    return {"rope_type": "default", "rope_theta": theta, **more}


def yarn(theta, **more):
    """YaRN whose ramp has several steps for 12 rotary dimensions, and which long inputs leave far behind."""
    return {"rope_type": "yarn", "rope_theta": theta, "factor": 4.0, "original_max_position_embeddings": 24,
            "beta_fast": 2.0, "beta_slow": 0.5, **more}


def but(parameters, **changes):
    """rope_parameters with some entries changed, or taken out (None)."""
    changed = {**parameters, **changes}
    return {"rope_parameters": {key: value for key, value in changed.items() if value is not None}}


MIXTRAL = [
    Variant("mixtral", "mixtral", "block_sparse_moe names w1/w3/w2, renormalised weights, sliding window on all layers, "
            "grouped queries, head_dim not D/H, old keys",
            dict(num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=6, intermediate_size=16,
                 num_local_experts=8, num_experts_per_tok=2, sliding_window=7, rms_norm_eps=1e-3,
                 rope_parameters=rope(900.0)),
            matter={"sliding_window": dict(sliding_window=None), "rope_theta": but(rope(1e6)),
                    "rms_norm_eps": dict(rms_norm_eps=1e-6)},
            old_keys=True),
]

QWEN2_MOE = [
    Variant("qwen2_moe", "qwen2_moe", "gated shared expert, renormalised weights, mlp_only_layers, biases on q, k, v by "
            "default, sliding window on some layers by use_sliding_window, old keys",
            dict(num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2, intermediate_size=22,
                 moe_intermediate_size=16, shared_expert_intermediate_size=20, num_experts=8, num_experts_per_tok=3,
                 norm_topk_prob=True, mlp_only_layers=[1], use_sliding_window=True, sliding_window=6,
                 max_window_layers=2, rope_parameters=rope(5000.0)),
            matter={"norm_topk_prob": dict(norm_topk_prob=False), "use_sliding_window": dict(use_sliding_window=False),
                    "max_window_layers": dict(max_window_layers=3)},
            old_keys=True, drop=("qkv_bias", "layer_types")),
    Variant("qwen2_moe_step", "qwen2_moe", "decoder_sparse_step 2, weights not renormalised, no qkv bias, shared expert "
            "wider than a dense block, tied embeddings, new keys",
            dict(num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=4, intermediate_size=18,
                 moe_intermediate_size=16, shared_expert_intermediate_size=24, num_experts=8, num_experts_per_tok=2,
                 norm_topk_prob=False, decoder_sparse_step=2, qkv_bias=False, tie_word_embeddings=True,
                 rope_parameters=rope(1000.0)),
            matter={"norm_topk_prob": dict(norm_topk_prob=True)}),
]

QWEN3_PLAIN = dict(num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2, head_dim=10, intermediate_size=22,
                   moe_intermediate_size=16, num_experts=8, num_experts_per_tok=3, norm_topk_prob=True,
                   mlp_only_layers=[0], rms_norm_eps=1e-3, rope_parameters=rope(2000.0))
QWEN3_MOE = [
    Variant("qwen3_moe", "qwen3_moe", "q and k norms of each head, head_dim not D/H, mlp_only_layers, renormalised "
            "weights, one tensor an expert and projection, old keys", QWEN3_PLAIN,
            matter={"norm_topk_prob": dict(norm_topk_prob=False), "rms_norm_eps": dict(rms_norm_eps=1e-6)},
            old_keys=True),
    Variant("qwen3_moe_fused", "qwen3_moe", "the weights of qwen3_moe as fused tensors mlp.experts.gate_up_proj [E,2F,D] "
            "and mlp.experts.down_proj [E,D,F], new keys", QWEN3_PLAIN, layout="fused", same_weights_as="qwen3_moe"),
    Variant("qwen3_moe_bias", "qwen3_moe", "attention biases on q, k, v and o, weights not renormalised, sliding window "
            "on all layers, decoder_sparse_step 2, tied embeddings, new keys",
            dict(num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=1, head_dim=12, intermediate_size=22,
                 moe_intermediate_size=16, num_experts=8, num_experts_per_tok=2, norm_topk_prob=False,
                 decoder_sparse_step=2, attention_bias=True, use_sliding_window=True, sliding_window=9,
                 tie_word_embeddings=True, rope_parameters=rope(2000.0)),
            matter={"norm_topk_prob": dict(norm_topk_prob=True), "sliding_window": dict(use_sliding_window=False)}),
]

LLAMA3_SCALING = {"rope_type": "llama3", "rope_theta": 100.0, "factor": 8.0, "low_freq_factor": 1.0,
                  "high_freq_factor": 4.0, "original_max_position_embeddings": 32}
LLAMA = [
    Variant("llama", "llama", "grouped queries, head_dim not D/H, biases on attention and feed-forward, new keys",
            dict(num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=6, intermediate_size=20,
                 attention_bias=True, mlp_bias=True, rms_norm_eps=1e-3, rope_parameters=rope(700.0)),
            matter={"rms_norm_eps": dict(rms_norm_eps=1e-6), "rope_theta": but(rope(1e4))}),
    Variant("llama32", "llama", "rope_type llama3 with wavelengths in all three bands, tied embeddings, inputs beyond "
            "original_max_position_embeddings, old keys",
            dict(num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=12, intermediate_size=20,
                 tie_word_embeddings=True, rope_parameters=LLAMA3_SCALING),
            matter={"scaling": dict(rope_parameters=rope(100.0)), "factor": but(LLAMA3_SCALING, factor=4.0),
                    "low_freq_factor": but(LLAMA3_SCALING, low_freq_factor=2.0),
                    "high_freq_factor": but(LLAMA3_SCALING, high_freq_factor=6.0),
                    "original": but(LLAMA3_SCALING, original_max_position_embeddings=64)},
            old_keys=True),
]

# Most arguments of gelu lie near -2, where its two forms differ most, and its values weigh much.
TAIL = dict(draw={"mlp.c_proj.weight": 1.0, "dense_4h_to_h.weight": 1.0},
            shift={"mlp.c_fc.bias": -2.0, "dense_h_to_4h.bias": -2.0})
GPT2_COMMON = dict(n_layer=2, n_head=4)
GPT2 = [
    Variant("gpt2", "gpt2", "names without prefix, old mask tensors attn.bias and attn.masked_bias, n_inner null, learned "
            "positions, gelu_new, tied, old keys", dict(GPT2_COMMON),
            matter={"layer_norm_epsilon": dict(layer_norm_epsilon=1e-2),
                    "activation_function": dict(activation_function="gelu")}, **TAIL,
            old_keys=True, layout="gpt2_bare", extra={"n_ctx": 96}),
    Variant("gpt2_prefixed", "gpt2", "names with the prefix transformer., n_inner set, scale_attn_by_inverse_layer_idx, "
            "scale_attn_weights false, reorder_and_upcast_attn, new keys",
            dict(GPT2_COMMON, n_inner=40, scale_attn_by_inverse_layer_idx=True, scale_attn_weights=False,
                 reorder_and_upcast_attn=True, layer_norm_epsilon=1e-2),
            matter={"by_layer": dict(scale_attn_by_inverse_layer_idx=False), "scale": dict(scale_attn_weights=True),
                    "layer_norm_epsilon": dict(layer_norm_epsilon=1e-5)}),
]

NEOX_ROPE = rope(300.0, partial_rotary_factor=0.25)
GPT_NEOX = [
    Variant("gpt_neox", "gpt_neox", "parallel residual, rotary_pct 0.25, exact gelu, biases, embed_out.weight, old mask "
            "and inv_freq tensors, old keys rotary_pct and rotary_emb_base",
            dict(num_hidden_layers=2, num_attention_heads=2, intermediate_size=40, use_parallel_residual=True,
                 rope_parameters=NEOX_ROPE),
            matter={"parallel": dict(use_parallel_residual=False), "gelu": dict(hidden_act="gelu_new"),
                    "partial": but(NEOX_ROPE, partial_rotary_factor=0.5), "theta": but(NEOX_ROPE, rope_theta=1e4)},
            **TAIL, old_keys=True, layout="gpt_neox_old"),
    Variant("gpt_neox_sequential", "gpt_neox", "sequential residual, no attention biases, half of the head rotates, "
            "lm_head.weight, new keys",
            dict(num_hidden_layers=2, num_attention_heads=4, intermediate_size=36, use_parallel_residual=False,
                 attention_bias=False, layer_norm_eps=1e-2, rope_parameters=rope(300.0, partial_rotary_factor=0.5)),
            matter={"parallel": dict(use_parallel_residual=True), "gelu": dict(hidden_act="gelu_new"),
                    "layer_norm_eps": dict(layer_norm_eps=1e-5)},
            **TAIL, layout="lm_head"),
]

OLMO = [
    Variant("olmo", "olmo", "layer norm without parameters, clip_qkv that bites, grouped queries, attention biases, old "
            "keys",
            dict(num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, intermediate_size=20, clip_qkv=0.75,
                 attention_bias=True, rope_parameters=rope(800.0)),
            matter={"clip_qkv": dict(clip_qkv=None)}, old_keys=True),
    Variant("olmo2", "olmo2", "norms after attention and feed-forward, q and k norms over all heads, grouped queries, "
            "attention biases, rope_type linear, new keys",
            dict(num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, intermediate_size=20,
                 attention_bias=True, rms_norm_eps=1e-2,
                 rope_parameters={"rope_type": "linear", "rope_theta": 800.0, "factor": 4.0}),
            matter={"rms_norm_eps": dict(rms_norm_eps=1e-6), "linear": dict(rope_parameters=rope(800.0))}),
]

MINISTRAL3_ROPE = yarn(30.0, mscale=1.0, mscale_all_dim=0.6, llama_4_scaling_beta=0.4)
QWEN3_MISTRAL = [
    Variant("qwen3", "qwen3", "q and k norms of each head, head_dim not D/H, attention biases, sliding window from layer "
            "max_window_layers on, tied, old keys without layer_types",
            dict(num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2, head_dim=10, intermediate_size=20,
                 attention_bias=True, use_sliding_window=True, sliding_window=9, max_window_layers=2,
                 rms_norm_eps=1e-3, tie_word_embeddings=True, rope_parameters=rope(3000.0)),
            matter={"use_sliding_window": dict(use_sliding_window=False), "rms_norm_eps": dict(rms_norm_eps=1e-6),
                    "max_window_layers": dict(max_window_layers=1)},
            old_keys=True, drop=("layer_types",)),
    Variant("mistral", "mistral", "sliding window on all layers, head_dim not D/H, grouped queries, old keys",
            dict(num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=1, head_dim=10, intermediate_size=20,
                 sliding_window=7, rope_parameters=rope(600.0)),
            matter={"sliding_window": dict(sliding_window=8), "none": dict(sliding_window=None)}, old_keys=True),
    Variant("ministral3", "ministral3", "yarn with mscale and mscale_all_dim, queries scaled by position "
            "(llama_4_scaling_beta), head_dim not D/H, new keys",
            dict(num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, head_dim=12, intermediate_size=20,
                 rope_parameters=MINISTRAL3_ROPE),
            matter={"beta": but(MINISTRAL3_ROPE, llama_4_scaling_beta=0.2), "fast": but(MINISTRAL3_ROPE, beta_fast=8.0),
                    "slow": but(MINISTRAL3_ROPE, beta_slow=1.0), "mscale": but(MINISTRAL3_ROPE, mscale=0.6),
                    "factor": but(MINISTRAL3_ROPE, factor=8.0),
                    "original": but(MINISTRAL3_ROPE, original_max_position_embeddings=48)}),
]
FIRST = MIXTRAL + QWEN2_MOE + QWEN3_MOE + LLAMA + GPT2 + GPT_NEOX + OLMO + QWEN3_MISTRAL
