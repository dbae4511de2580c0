"""How the checkpoints of make_family_fixtures.py lie on disk: names and dtypes of tensors, keys of config.json.

What transformers' save_pretrained writes (one tensor an expert and projection, as released checkpoints have it) is the
starting point; a layout changes names, fuses, or adds the tensors that releases carry and nobody reads.
"""

import torch

# Kept in float32 by releases: the bias of the selection, and the router of ERNIE.
FLOAT32_NAMES = {"e_score_correction_bias": (), "mlp.gate.weight": ("ernie4_5_moe",)}


def stays_float32(name, family):
    return any(name.endswith(end) and (not families or family in families) for end, families in FLOAT32_NAMES.items())


def as_stored(tensors, family):
    """Tensors as released: bfloat16, but for the few that stay float32."""
    return {name: value.contiguous() if stays_float32(name, family) else value.to(torch.bfloat16).contiguous()
            for name, value in tensors.items()}


def fused(tensors, model, generator):
    """mlp.experts.{e}.{gate,up,down}_proj.weight joined to the two tensors an MoE block holds in memory."""
    result = {name: value for name, value in tensors.items() if ".mlp.experts." not in name}
    for name, value in model.state_dict().items():
        if ".mlp.experts." in name:
            result[name] = value.to(torch.bfloat16).contiguous()
    return result


def gpt2_bare(tensors, model, generator):
    """As the first GPT-2 checkpoints: no prefix, and the causal mask as a tensor of every layer."""
    n = model.config.n_positions
    result = {name.removeprefix("transformer."): value for name, value in tensors.items() if name != "lm_head.weight"}
    for layer in range(model.config.n_layer):
        result[f"h.{layer}.attn.bias"] = torch.ones(n, n, dtype=torch.uint8).tril()[None, None].contiguous()
        result[f"h.{layer}.attn.masked_bias"] = torch.tensor(-10000.0)
    return result


def gpt_neox_old(tensors, model, generator):
    """As Pythia was released: embed_out, and masks and rotary frequencies as tensors of every layer."""
    n = model.config.max_position_embeddings
    result = {name.replace("lm_head.", "embed_out."): value for name, value in tensors.items()}
    for layer in range(model.config.num_hidden_layers):
        prefix = f"gpt_neox.layers.{layer}.attention."
        result[prefix + "bias"] = torch.ones(n, n, dtype=torch.uint8).tril()[None, None].contiguous()
        result[prefix + "masked_bias"] = torch.tensor(-1e9)
        result[prefix + "rotary_emb.inv_freq"] = model.gpt_neox.rotary_emb.inv_freq.clone()
    return result


def lm_head(tensors, model, generator):
    """The head under the name that transformers 5 has in memory."""
    return {name.replace("embed_out.", "lm_head."): value for name, value in tensors.items()}


def mtp(tensors, model, generator):
    """DeepSeek-V3's extra layer for the token after the next, which a plain pass does not read: a whole decoder layer
    with the number num_hidden_layers, and its own norms, projection, embedding and head."""
    result, last = dict(tensors), model.config.num_hidden_layers
    source = f"model.layers.{last - 1}."
    for name, value in tensors.items():
        if name.startswith(source):
            noise = torch.randn(value.shape, generator=generator)
            result[name.replace(source, f"model.layers.{last}.")] = noise.to(value.dtype)
    d, v = model.config.hidden_size, model.config.vocab_size
    extra = {"embed_tokens.weight": (v, d), "enorm.weight": (d,), "hnorm.weight": (d,), "eh_proj.weight": (d, 2 * d),
             "shared_head.norm.weight": (d,), "shared_head.head.weight": (v, d)}
    for name, shape in extra.items():
        result[f"model.layers.{last}.{name}"] = torch.randn(shape, generator=generator).to(torch.bfloat16)
    return result


# layout -> (function or None, parts of names that transformers finds in the files and not in the model)
LAYOUTS = {
    "released": (None, ()),
    "fused": (fused, ()),
    "gpt2_bare": (gpt2_bare, (".attn.bias", ".attn.masked_bias")),
    "gpt_neox_old": (gpt_neox_old, (".attention.bias", ".attention.masked_bias", ".rotary_emb.inv_freq")),
    "lm_head": (lm_head, ()),
    "mtp": (mtp, ("model.layers.3.",)),
}


def old_rope_keys(config):
    """rope_parameters as the top-level keys that checkpoints had before transformers 5."""
    parameters = config.pop("rope_parameters", None)
    if parameters is None:
        return
    theta, partial = parameters.pop("rope_theta"), parameters.pop("partial_rotary_factor", None)
    if config["model_type"] == "gpt_neox":
        config["rotary_emb_base"], config["rotary_pct"] = theta, partial
        return
    config["rope_theta"] = theta
    if partial is not None:
        config["partial_rotary_factor"] = partial
    kind = parameters.pop("rope_type")
    if kind == "default":
        config["rope_scaling"] = None
        return
    # Releases with latent attention say "type", the others "rope_type".
    config["rope_scaling"] = {"type" if "kv_lora_rank" in config else "rope_type": kind, **parameters}


def config_as_released(config, variant):
    """The dictionary of config.json from what transformers wrote."""
    config = dict(config, dtype="bfloat16")
    if variant.old_keys:
        old_rope_keys(config)
        config["torch_dtype"] = config.pop("dtype")
    for key in variant.drop:
        config.pop(key, None)
    return {**config, **variant.extra}
