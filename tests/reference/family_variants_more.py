"""More checkpoints of make_family_fixtures.py (see family_variants.py): families with biased, grouped or latent parts,
and the quantised ones."""

from family_variants import Variant, but, rope, yarn

ERNIE = [
    Variant("ernie4_5_moe", "ernie4_5_moe", "choice by probability plus correction bias, dense first and last layers, "
            "two shared experts, use_bias, rotation of neighbouring pairs, float32 router, tied, old keys",
            dict(num_hidden_layers=4, num_attention_heads=4, num_key_value_heads=2, intermediate_size=20,
                 moe_intermediate_size=12, moe_num_experts=8, moe_k=3, moe_num_shared_experts=2,
                 moe_layer_start_index=1, moe_layer_end_index=2, use_bias=True, rope_parameters=rope(400.0)),
            old_keys=True, draw={"e_score_correction_bias": 0.1}),
    Variant("ernie4_5_moe_interval", "ernie4_5_moe", "moe_layer_interval 2, no shared experts, no biases, moe_norm_min that "
            "bites, head_dim not D/H, untied, new keys",
            dict(num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=1, head_dim=10, intermediate_size=20,
                 moe_intermediate_size=16, moe_num_experts=8, moe_k=2, moe_num_shared_experts=0,
                 moe_layer_start_index=0, moe_layer_interval=2, moe_norm_min=0.6, tie_word_embeddings=False,
                 rope_parameters=rope(400.0)),
            matter={"moe_norm_min": dict(moe_norm_min=1e-12)}, draw={"e_score_correction_bias": 0.1}),
]

OSS_ROPE = yarn(30.0, truncate=False)
OSS = dict(num_attention_heads=4, num_key_value_heads=2, head_dim=12, num_local_experts=8, sliding_window=8,
           rope_parameters=OSS_ROPE)
GPT_OSS = [
    Variant("gpt_oss", "gpt_oss", "attention sinks, sliding and full layers in turn, biases everywhere, softmax over the "
            "chosen logits, clamped interleaved gate and up with own alpha and limit, yarn not truncated, old keys",
            dict(OSS, num_hidden_layers=3, intermediate_size=16, num_experts_per_tok=3, swiglu_limit=1.5,
                 swiglu_alpha=1.3),
            matter={"limit": dict(swiglu_limit=7.0), "alpha": dict(swiglu_alpha=1.702),
                    "truncate": but(OSS_ROPE, truncate=True), "attention_factor": but(OSS_ROPE, attention_factor=1.0),
                    "fast": but(OSS_ROPE, beta_fast=8.0), "slow": but(OSS_ROPE, beta_slow=1.0),
                    "sliding_window": dict(sliding_window=9),
                    "layer_types": dict(layer_types=["full_attention", "sliding_attention", "full_attention"])},
            old_keys=True),
    Variant("gpt_oss_default", "gpt_oss", "as released: alpha 1.702 and limit 7 by default and biting, layer_types and "
            "attention_factor given, tied embeddings, new keys",
            dict(OSS, num_hidden_layers=2, intermediate_size=16, num_experts_per_tok=2, tie_word_embeddings=True,
                 layer_types=["full_attention", "sliding_attention"],
                 rope_parameters=yarn(30.0, truncate=False, attention_factor=1.25)),
            matter={"limit": dict(swiglu_limit=100.0), "attention_factor": dict(rope_parameters=OSS_ROPE)},
            drop=("swiglu_limit", "swiglu_alpha"), draw={"gate_up_proj": 0.9}),
]

GLM_ROPE = rope(500.0, partial_rotary_factor=0.5)
GLM4_MOE = [
    Variant("glm4_moe", "glm4_moe", "sigmoid scores, selection bias, groups, renormalised and scaled weights, shared "
            "expert, dense first layer, half of the head rotates, q and k norms, no biases, old keys",
            dict(num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2, head_dim=12, intermediate_size=20,
                 moe_intermediate_size=16, n_routed_experts=8, num_experts_per_tok=3, n_shared_experts=1, n_group=2,
                 topk_group=1, routed_scaling_factor=1.7, norm_topk_prob=True, use_qk_norm=True,
                 first_k_dense_replace=1, rms_norm_eps=1e-3, rope_parameters=GLM_ROPE),
            matter={"n_group": dict(n_group=1), "norm_topk_prob": dict(norm_topk_prob=False),
                    "scale": dict(routed_scaling_factor=1.0), "qk_eps": dict(rms_norm_eps=1e-6),
                    "partial": but(GLM_ROPE, partial_rotary_factor=1.0)},
            old_keys=True, drop=("num_mtp_layers",), extra={"num_nextn_predict_layers": 0}),
    Variant("glm4_moe_bias", "glm4_moe", "biases on q, k and v, no q and k norms, four groups of which two, weights not "
            "renormalised, two shared experts, partial_rotary_factor by default, two dense layers, new keys",
            dict(num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=4, intermediate_size=20,
                 moe_intermediate_size=12, n_routed_experts=8, num_experts_per_tok=2, n_shared_experts=2, n_group=4,
                 topk_group=2, routed_scaling_factor=2.5, norm_topk_prob=False, use_qk_norm=False,
                 attention_bias=True, first_k_dense_replace=2, rope_parameters=GLM_ROPE),
            matter={"topk_group": dict(topk_group=3), "norm_topk_prob": dict(norm_topk_prob=True)},
            drop=("num_mtp_layers",), extra={"rope_parameters": rope(500.0)}),
]

LATENT = dict(num_attention_heads=4, num_key_value_heads=4, q_lora_rank=24, kv_lora_rank=20, qk_nope_head_dim=10,
              qk_rope_head_dim=12, v_head_dim=14, rms_norm_eps=1e-2)
GLM4_MOE_LITE = [
    Variant("glm4_moe_lite", "glm4_moe_lite", "latent attention with low-rank queries, first layer dense by default, "
            "sigmoid scores with selection bias, one group, renormalised and scaled weights, rotation of pairs, old keys",
            dict(LATENT, num_hidden_layers=2, intermediate_size=20, moe_intermediate_size=16, n_routed_experts=8,
                 num_experts_per_tok=3, n_shared_experts=1, routed_scaling_factor=1.8,
                 rope_parameters=rope(500.0, partial_rotary_factor=1.0)),
            matter={"interleave": dict(rope_interleave=False), "scale": dict(routed_scaling_factor=1.0)},
            old_keys=True, drop=("mlp_layer_types", "rope_interleave"),
            extra={"first_k_dense_replace": 1, "topk_method": "noaux_tc", "num_nextn_predict_layers": 1}),
    Variant("glm4_moe_lite_layers", "glm4_moe_lite", "mlp_layer_types given, direct queries, attention biases, rotation of "
            "halves, groups, yarn with mscale, weights not renormalised, new keys",
            dict(LATENT, q_lora_rank=None, num_hidden_layers=3, intermediate_size=20, moe_intermediate_size=16,
                 n_routed_experts=8, num_experts_per_tok=2, n_shared_experts=2, n_group=2, topk_group=1,
                 norm_topk_prob=False, routed_scaling_factor=1.5, rope_interleave=False, attention_bias=True,
                 mlp_layer_types=["sparse", "dense", "sparse"],
                 rope_parameters=yarn(30.0, mscale=1.0, mscale_all_dim=0.7)),
            matter={"interleave": dict(rope_interleave=True), "n_group": dict(n_group=1)}),
]

V2_ROPE = yarn(30.0, mscale=1.0, mscale_all_dim=0.707)
DEEPSEEK_V2 = [
    Variant("deepseek_v2", "deepseek_v2", "latent attention with low-rank queries, group_limited_greedy, scaled weights, "
            "dense first layer, two shared experts, attention biases, yarn with mscale, norms of latents keep eps 1e-6, "
            "old keys",
            dict(LATENT, num_hidden_layers=3, intermediate_size=20, moe_intermediate_size=12, n_routed_experts=8,
                 num_experts_per_tok=3, n_shared_experts=2, n_group=4, topk_group=2, topk_method="group_limited_greedy",
                 routed_scaling_factor=3.0, first_k_dense_replace=1, attention_bias=True, rope_parameters=V2_ROPE),
            matter={"method": dict(topk_method="greedy"), "scale": dict(routed_scaling_factor=1.0),
                    "mscale": but(V2_ROPE, mscale=0.707), "all": but(V2_ROPE, mscale_all_dim=None),
                    "eps": dict(rms_norm_eps=1e-6)},
            old_keys=True, drop=("head_dim", "qk_head_dim"),
            extra={"scoring_func": "softmax", "moe_layer_freq": 1, "aux_loss_alpha": 0.001, "seq_aux": True}),
    Variant("deepseek_v2_lite", "deepseek_v2", "direct queries, greedy choice, weights neither renormalised nor scaled, "
            "biases of dense and shared experts, plain rope, new keys",
            dict(LATENT, q_lora_rank=None, num_hidden_layers=2, intermediate_size=20, moe_intermediate_size=16,
                 n_routed_experts=8, num_experts_per_tok=2, n_shared_experts=1, n_group=1, topk_group=1,
                 topk_method="greedy", routed_scaling_factor=1.0, first_k_dense_replace=1, mlp_bias=True,
                 rope_parameters=rope(600.0)),
            matter={"scale": dict(routed_scaling_factor=2.0)}),
]

V3_ROPE = yarn(30.0, mscale=1.0, mscale_all_dim=0.8)
V3_EXTRA = {"scoring_func": "sigmoid", "topk_method": "noaux_tc", "moe_layer_freq": 1, "ep_size": 1}
DEEPSEEK_V3 = [
    Variant("deepseek_v3", "deepseek_v3", "latent attention with low-rank queries, sigmoid scores, selection bias, groups, "
            "renormalised and scaled weights, dense first layer, yarn with mscale_all_dim, rope_interleave by default, "
            "tensors of the extra layer model.layers.3, old keys",
            dict(LATENT, num_hidden_layers=3, intermediate_size=20, moe_intermediate_size=12, n_routed_experts=8,
                 num_experts_per_tok=3, n_shared_experts=1, n_group=4, topk_group=2, routed_scaling_factor=2.5,
                 norm_topk_prob=True, first_k_dense_replace=1, rope_parameters=V3_ROPE),
            matter={"topk_group": dict(topk_group=3), "norm_topk_prob": dict(norm_topk_prob=False),
                    "scale": dict(routed_scaling_factor=1.0), "interleave": dict(rope_interleave=False),
                    "mscale": but(V3_ROPE, mscale=0.8), "all": but(V3_ROPE, mscale_all_dim=None),
                    "eps": dict(rms_norm_eps=1e-6)},
            old_keys=True, layout="mtp", drop=("rope_interleave", "num_mtp_layers", "head_dim", "qk_head_dim"),
            extra={**V3_EXTRA, "num_nextn_predict_layers": 1}),
    Variant("deepseek_v3_moonlight", "deepseek_v3", "as Moonlight: direct queries, one group, two shared experts, scale "
            "2.446, plain rope, old keys",
            dict(LATENT, q_lora_rank=None, num_hidden_layers=2, intermediate_size=20, moe_intermediate_size=12,
                 n_routed_experts=8, num_experts_per_tok=3, n_shared_experts=2, n_group=1, topk_group=1,
                 routed_scaling_factor=2.446, norm_topk_prob=True, first_k_dense_replace=1,
                 rope_parameters=rope(500.0)),
            matter={"interleave": dict(rope_interleave=False)},
            old_keys=True, drop=("rope_interleave", "num_mtp_layers", "head_dim", "qk_head_dim"),
            extra={**V3_EXTRA, "num_nextn_predict_layers": 0}),
    Variant("deepseek_v3_halves", "deepseek_v3", "rope_interleave false, attention biases, weights not renormalised, no "
            "dense layer, two groups of which one, tied embeddings, new keys",
            dict(LATENT, num_hidden_layers=2, intermediate_size=20, moe_intermediate_size=16, n_routed_experts=8,
                 num_experts_per_tok=2, n_shared_experts=1, n_group=2, topk_group=1, routed_scaling_factor=1.5,
                 norm_topk_prob=False, first_k_dense_replace=0, rope_interleave=False, attention_bias=True,
                 tie_word_embeddings=True, rope_parameters=rope(700.0)),
            matter={"interleave": dict(rope_interleave=True), "norm_topk_prob": dict(norm_topk_prob=True)}),
]

QUANTISED = [
    Variant("gpt_oss_mxfp4", "gpt_oss", "MXFP4 experts as released (blocks and scales), alpha 1.702 and limit 7, old keys",
            dict(OSS, num_hidden_layers=2, intermediate_size=32, num_experts_per_tok=2),
            old_keys=True, layout="mxfp4"),
    Variant("deepseek_v3_fp8", "deepseek_v3", "block-wise F8_E4M3 weights with weight_scale_inv, sizes that are no multiples "
            "of the block, old keys",
            dict(LATENT, hidden_size=40, num_hidden_layers=2, intermediate_size=28, moe_intermediate_size=20,
                 n_routed_experts=8, num_experts_per_tok=2, n_shared_experts=1, n_group=2, topk_group=1,
                 routed_scaling_factor=2.5, norm_topk_prob=True, first_k_dense_replace=1, rope_parameters=V3_ROPE),
            old_keys=True, layout="fp8", drop=("rope_interleave", "num_mtp_layers", "head_dim", "qk_head_dim"),
            extra={**V3_EXTRA, "num_nextn_predict_layers": 0}),
]

MORE = ERNIE + GPT_OSS + GLM4_MOE + GLM4_MOE_LITE + DEEPSEEK_V2 + DEEPSEEK_V3 + QUANTISED
