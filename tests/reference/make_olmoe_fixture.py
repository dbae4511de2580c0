#!/usr/bin/env python3
"""Makes tests/fixtures/model/olmoe: tiny random OLMoE checkpoints with the numbers transformers computes for them.

    plain           float32, untied, router weights not renormalised, K=3 of E=8
    variant         renormalised weights, grouped-query attention, clip_qkv that bites, other rope_theta, epsilon; tied
    bf16            weights stored in bfloat16; logits of a run in float32 and of a run in bfloat16
    sharded         the weights of plain in several files with an index; config.json with the keys of the released OLMoE
                    checkpoints (rope_theta, torch_dtype) in place of those that transformers 5 writes

reference.safetensors of each: input_ids [B,T], logits [B,T,V] and the per-layer tensors of olmoe_reference.trace; and
long.input_ids [1,T'], long.logits [1,T',V], long.layers.{l}.expert_ids and .expert_weights for one longer sequence;
plain also has greedy.prompt [P], greedy.tokens [20], greedy.logits [20,V].
manifest.json: versions, seeds, smallest routing gaps, shares clipped, and the measured rounding of bfloat16.

Every weight is drawn larger than the usual initialisation and no norm is 1, so that leaving out any detail changes the
logits. Seeds are tried in turn until no two neighbouring router logits that matter are closer than MIN_GAP.
"""

import json
import pathlib
import shutil

import safetensors
import torch
import transformers
from safetensors.torch import save_file
from transformers import OlmoeConfig, OlmoeForCausalLM

from olmoe_reference import load_model, relative_error, routing_gap, trace

OUT = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "model" / "olmoe"
MIN_GAP = 5e-4
N_GREEDY = 20

COMMON = dict(
    vocab_size=67,
    hidden_size=32,
    intermediate_size=16,
    num_attention_heads=4,
    num_experts=8,
    num_experts_per_tok=3,
    max_position_embeddings=128,
    pad_token_id=None,
    bos_token_id=None,
    eos_token_id=66,
)
PLAIN = dict(num_hidden_layers=3, num_key_value_heads=4, norm_topk_prob=False)
VARIANT = dict(
    num_hidden_layers=2,
    num_key_value_heads=2,
    norm_topk_prob=True,
    clip_qkv=0.75,
    rope_parameters={"rope_type": "default", "rope_theta": 500.0},
    rms_norm_eps=1e-3,
    tie_word_embeddings=True,
)
BF16 = dict(num_hidden_layers=2, num_key_value_heads=4, norm_topk_prob=False)


def random_model(settings, seed):
    """A model with every parameter drawn anew: matrices normal, norm weights uniform in [0.5, 1.5]."""
    config = OlmoeConfig(**COMMON, **settings)
    model = OlmoeForCausalLM(config).eval()
    model.set_attn_implementation("eager")
    model.set_experts_implementation("eager")
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.dim() == 1:
                parameter.copy_(0.5 + torch.rand(parameter.shape, generator=generator))
                continue
            std = 0.5 if "embed" in name or "lm_head" in name or "mlp.gate." in name else 0.2
            parameter.copy_(std * torch.randn(parameter.shape, generator=generator))
    return model, generator


def round_parameters(model, dtype):
    """Parameters only, to what a checkpoint of that dtype holds: model.to() would round the rotary frequencies too."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(parameter.to(dtype))


def inputs(generator, batch, length, long_length):
    v = COMMON["vocab_size"]
    short = torch.randint(0, v, (batch, length), generator=generator, dtype=torch.int32)
    long = torch.randint(0, v, (1, long_length), generator=generator, dtype=torch.int32)
    return short, long


def smallest_gap(traced, config):
    return min(
        routing_gap(traced[f"layers.{layer}.router_logits"], config.num_experts_per_tok)
        for layer in range(config.num_hidden_layers)
    )


def clip_share(model, input_ids):
    """Share of value entries, the only ones not normed before, that clip_qkv changes; and of query entries."""
    clip, shares, handles = model.config.clip_qkv, {"query": [], "value": []}, []
    for layer in model.model.layers:
        for module, name in ((layer.self_attn.q_norm, "query"), (layer.self_attn.v_proj, "value")):
            handles.append(module.register_forward_hook(
                lambda _, args, output, name=name: shares[name].append((output.abs() > clip).float().mean().item())))
    with torch.no_grad():
        model(input_ids=input_ids.long(), use_cache=False)
    for handle in handles:
        handle.remove()
    return {name: sum(values) / len(values) for name, values in shares.items()}


def search(settings, first_seed, dtype=torch.float32):
    """First seed at or after first_seed whose router has no near tie on either input; returns model and traces."""
    for seed in range(first_seed, first_seed + 200):
        model, generator = random_model(settings, seed)
        round_parameters(model, dtype)
        short, long = inputs(generator, batch=3, length=12, long_length=80)
        traces = trace(model, short), trace(model, long)
        gap = min(smallest_gap(traced, model.config) for traced in traces)
        if gap >= MIN_GAP:
            return seed, model, traces, gap
    raise SystemExit(f"no seed in {first_seed}..{first_seed + 199} keeps router logits {MIN_GAP} apart")


def reference_tensors(traces):
    short, long = traces
    tensors = dict(short)
    tensors["long.input_ids"], tensors["long.logits"] = long["input_ids"], long["logits"]
    tensors.update({f"long.{name}": value for name, value in long.items() if name.endswith(("expert_ids", "_weights"))})
    return {name: value.contiguous() for name, value in tensors.items()}


@torch.no_grad()
def greedy(model, prompt):
    """N_GREEDY tokens by argmax, each from a run of the whole sequence; must equal transformers' cached generate."""
    tokens, logits = prompt.long(), []
    for _ in range(N_GREEDY):
        logits.append(model(input_ids=tokens[None], use_cache=False).logits[0, -1])
        tokens = torch.cat([tokens, logits[-1].argmax()[None]])
    cached = model.generate(prompt.long()[None], attention_mask=torch.ones_like(prompt)[None].long(), do_sample=False,
                            max_new_tokens=N_GREEDY, eos_token_id=None, pad_token_id=0)[0]
    if not torch.equal(cached, tokens):
        raise SystemExit("greedy generation with a cache differs from full runs")
    top = torch.stack(logits).topk(2, dim=-1).values
    return {
        "greedy.prompt": prompt,
        "greedy.tokens": tokens[len(prompt):].to(torch.int32),
        "greedy.logits": torch.stack(logits),
    }, (top[:, 0] - top[:, 1]).min().item()


def check_layout(folder):
    """The released checkpoints hold one tensor a projection and expert; transformers fuses them when it loads."""
    names = set()
    for path in folder.glob("*.safetensors"):
        if path.name != "reference.safetensors":
            with safetensors.safe_open(path, "pt") as file:
                names |= set(file.keys())
    for projection in ("gate_proj", "up_proj", "down_proj"):
        if f"model.layers.0.mlp.experts.7.{projection}.weight" not in names:
            raise SystemExit(f"{folder}: save_pretrained did not write one tensor an expert: {sorted(names)[:20]}")
    if any("gate_up_proj" in name for name in names) or "model.layers.0.mlp.gate.weight" not in names:
        raise SystemExit(f"{folder}: not the layout of the released checkpoints")
    return sorted(names)


def check_reload(folder, traced, dtype=torch.float32):
    """What a reader of the folder gets must be the model that made the reference."""
    again = trace(load_model(folder, dtype), traced["input_ids"])
    if not torch.equal(again["logits"], traced["logits"]):
        error = relative_error(again["logits"], traced["logits"])
        raise SystemExit(f"{folder}: the saved model gives other logits, by {error:.2e}")


def write(name, model, traces, extra=None, **save_options):
    folder = OUT / name
    shutil.rmtree(folder, ignore_errors=True)
    model.save_pretrained(folder, **save_options)
    if traces is not None:
        save_file({**reference_tensors(traces), **(extra or {})}, folder / "reference.safetensors")
    return folder, check_layout(folder)


def in_float64(folder, traced):
    """How far float32 itself is from float64 on this model: no implementation can be held to less."""
    double = trace(load_model(folder, torch.float64), traced["input_ids"])
    return relative_error(traced["logits"], double["logits"])


def make_plain(manifest):
    seed, model, traces, gap = search(PLAIN, 1)
    prompt = traces[0]["input_ids"][0, :5].clone()
    generated, generated_gap = greedy(model, prompt)
    folder, names = write("plain", model, traces, generated)
    check_reload(folder, traces[0])
    manifest["plain"] = dict(seed=seed, smallest_routing_gap=gap, smallest_greedy_gap=generated_gap,
                             n_tensors=len(names), float32_rounding=in_float64(folder, traces[0]))
    sharded, names = write("sharded", model, None, max_shard_size="60KB")
    config = json.loads((sharded / "config.json").read_text())
    config["rope_theta"] = config.pop("rope_parameters")["rope_theta"]
    config["rope_scaling"] = None
    config["torch_dtype"] = config.pop("dtype")
    (sharded / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    check_reload(sharded, traces[0])
    n_files = len(list(sharded.glob("model-*.safetensors")))
    manifest["sharded"] = dict(seed=seed, n_files=n_files, same_weights_as="plain")


def make_variant(manifest):
    seed, model, traces, gap = search(VARIANT, 1001)
    folder, names = write("variant", model, traces)
    if "lm_head.weight" in names:
        raise SystemExit("variant: tied embeddings were written twice")
    check_reload(folder, traces[0])
    manifest["variant"] = dict(seed=seed, smallest_routing_gap=gap, n_tensors=len(names),
                               clipped_share=clip_share(model, traces[0]["input_ids"]),
                               float32_rounding=in_float64(folder, traces[0]))


def make_bf16(manifest):
    """Reference tensors of float32 arithmetic on the bf16 weights; bf16.* are those of transformers in bf16."""
    seed, model, traces, gap = search(BF16, 2001, torch.bfloat16)
    folder = OUT / "bf16"
    shutil.rmtree(folder, ignore_errors=True)
    half = random_model(BF16, seed)[0].to(torch.bfloat16)
    half.save_pretrained(folder)
    check_layout(folder)
    check_reload(folder, traces[0])
    low = trace(load_model(folder, torch.bfloat16), traces[0]["input_ids"])
    extra = {"bf16.logits": low["logits"]}
    same = []  # per layer: [N], does the token keep its set of experts
    for layer in range(model.config.num_hidden_layers):
        name = f"layers.{layer}.expert_ids"
        extra["bf16." + name] = low[name]
        same.append((low[name].sort(-1).values == traces[0][name].sort(-1).values).all(-1))
    save_file({**reference_tensors(traces), **extra}, folder / "reference.safetensors")
    difference = (low["logits"].float() - traces[0]["logits"]).abs()
    # Positions that no flipped choice can have reached: every earlier token of the sequence kept its experts.
    untouched = torch.stack(same).all(0).view(difference.shape[:2]).long().cumprod(1).bool()
    scale = traces[0]["logits"].abs().max()
    manifest["bf16"] = dict(seed=seed, smallest_routing_gap=gap,
                            bf16_run_max_relative_error=relative_error(low["logits"], traces[0]["logits"]),
                            bf16_run_mean_relative_error=(difference.mean() / scale).item(),
                            bf16_run_max_relative_error_before_any_flip=(difference[untouched].max() / scale).item(),
                            bf16_run_positions_before_any_flip_frac=untouched.float().mean().item(),
                            bf16_run_tokens_with_equal_expert_sets_frac=[
                                layer.float().mean().item() for layer in same])


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    OUT.mkdir(parents=True, exist_ok=True)
    manifest = {"made_by": "tests/reference/make_olmoe_fixture.py", "common": COMMON, "settings": {
        "plain": PLAIN, "variant": VARIANT, "bf16": BF16}, "min_gap": MIN_GAP,
        "versions": {module.__name__: module.__version__ for module in (torch, transformers, safetensors)}}
    make_plain(manifest)
    make_variant(manifest)
    make_bf16(manifest)
    (OUT / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n")
    for path in OUT.rglob("*.safetensors"):
        path.chmod(0o644)
    print(json.dumps({name: manifest[name] for name in ("plain", "sharded", "variant", "bf16")}, indent=2))


if __name__ == "__main__":
    main()
