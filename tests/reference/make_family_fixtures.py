#!/usr/bin/env python3
"""Makes tests/fixtures/family: for every model family tiny random checkpoints with the numbers transformers computes.

    python make_family_fixtures.py [VARIANT ...]     (without names: all)

One folder a variant (family_variants.py says what each exercises): config.json, model.safetensors and
reference.safetensors with input_ids [B,T], logits [B,T,V], the tensors layers.{l}.* of family_reference.trace for that
input, and long.input_ids [1,T'], long.logits [1,T',V] of a sequence longer than every window and original context.
manifest.json: versions, and for each variant its seed, smallest gap and what follows.

What makes the fixtures sharp, each checked here:
- Parameters are random and large, no norm is 1 and no bias 0. Every kind of bias, norm and sink is set to its neutral
  value in turn, and every setting listed in `matter` is changed: the logits must move by MIN_EFFECT.
- Tokens are drawn one by one among those that keep every selection score (and group score) MIN_GAP apart, so that no
  rounding can change a choice or an order.
- The weights on disk, read back by transformers, give the same logits; the same pass in float64 gives float32_rounding.
Parameters are rounded to what the files hold; the arithmetic is float32 with eager attention and eager experts.
"""

import copy
import json
import pathlib
import re
import shutil
import sys
import tempfile

import safetensors
import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModelForCausalLM

from family_layouts import LAYOUTS, as_stored, config_as_released, stays_float32
from family_quantised import QUANTISED_LAYOUTS, dequantised
from family_reference import float64_trace, logits_of, relative_error, token_gaps, trace
from family_variants import COMMON, FIRST
from family_variants_more import MORE
from olmoe_reference import load_model

VARIANTS = {variant.name: variant for variant in FIRST + MORE}
OUT = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "family"
MIN_GAP = 5e-4
MIN_EFFECT = 1e-3  # ten times the bound on logits
N_SEQUENCES, LENGTH, LONG_LENGTH = 3, 12, 80
CANDIDATES = 12  # tokens tried at once for a position


def build(variant, **changes):
    config = AutoConfig.for_model(variant.family, **copy.deepcopy({**COMMON, **variant.settings, **changes}))
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").float().eval()
    if any("experts" in name for name, _ in model.named_modules()):
        model.set_experts_implementation("eager")
    return model


def is_norm(name):
    return re.search(r"(norm|ln_\w+)\.weight$", name) is not None


def drawn(name, shape, generator, scales):
    """A random value for a parameter: norms in [0.5, 1.5], biases and sinks and matrices normal."""
    if is_norm(name):
        return 0.5 + torch.rand(shape, generator=generator)
    normal = torch.randn(shape, generator=generator)
    for part, scale in scales.items():
        if part in name:
            return scale * normal
    return 0.2 * normal


SCALES = {"e_score_correction_bias": 0.2, "sinks": 1.5, "bias": 0.3, "embed": 0.5, "lm_head": 0.5, "wte": 0.5,
          "wpe": 0.5, "shared_expert_gate": 0.35, "mlp.gate.weight": 0.35, "mlp.router.weight": 0.35}


def named_values(model):
    """Parameters and the buffers that are saved."""
    return {**dict(model.named_parameters()), **{k: v for k, v in model.named_buffers() if k in model.state_dict()}}


@torch.no_grad()
def draw(model, variant, generator):
    for name, value in named_values(model).items():
        new = drawn(name, value.shape, generator, {**variant.draw, **SCALES, **variant.draw})
        new += sum(mean for part, mean in variant.shift.items() if part in name)
        value.copy_(new if stays_float32(name, variant.family) else new.to(torch.bfloat16))


def draw_sequence(model, generator, length):
    """[1, length] tokens, each the first of a random order that keeps all selections of its position MIN_GAP apart."""
    n_vocabulary, sequence = model.config.vocab_size, torch.zeros(1, 0, dtype=torch.long)
    while sequence.shape[1] < length:
        order = torch.randperm(n_vocabulary, generator=generator)
        for start in range(0, n_vocabulary, CANDIDATES):
            tokens = order[start:start + CANDIDATES, None]
            tried = torch.cat([sequence.expand(len(tokens), -1), tokens], 1)
            good = torch.where(token_gaps(model, tried)[:, -1] > 1.01 * MIN_GAP)[0]
            if len(good):
                sequence = tried[good[0]][None]
                break
        else:
            raise SystemExit(f"no token keeps the choices apart at position {sequence.shape[1]}: use another seed")
    return sequence


def effect_of(changed, long):
    """How much the logits of the long input move with the changed model."""
    return relative_error(logits_of(changed, long["input_ids"]), long["logits"])


def neutral_kinds(model):
    """{kind: names} of all biases, norms and sinks that could be forgotten."""
    kinds = {}
    for name in named_values(model):
        if is_norm(name) or name.endswith("bias") or name.endswith("sinks"):
            kinds.setdefault(re.sub(r"\d+", "*", name), []).append(name)
    return kinds


def set_latent_epsilon(model):
    """Gives the norms inside latent attention the configured epsilon, which transformers does not; False if none."""
    norms = [module for name, module in model.named_modules() if name.endswith("_a_layernorm")]
    for norm in norms:
        norm.variance_epsilon = model.config.rms_norm_eps
    return bool(norms)


@torch.no_grad()
def check_effects(variant, model, long):
    """Every bias, norm, sink and listed setting matters; returns the smallest effect and its name."""
    effects = {}
    for kind, names in neutral_kinds(model).items():
        changed = copy.deepcopy(model)
        for name in names:
            value = named_values(changed)[name]
            value.fill_(1.0 if is_norm(name) else -1e4 if name.endswith("sinks") else 0.0)
        effects[kind] = effect_of(changed, long)
    for setting, changes in variant.matter.items():
        changed = build(variant, **changes)
        changed.load_state_dict(model.state_dict())
        effects[setting] = effect_of(changed, long)
    latent_norms = copy.deepcopy(model)
    if set_latent_epsilon(latent_norms):
        effects["epsilon of the norms of latents"] = effect_of(latent_norms, long)
    weak = {name: effect for name, effect in effects.items() if effect < MIN_EFFECT}
    if weak:
        raise SystemExit(f"{variant.name}: leaving these out hardly changes the logits: {weak}")
    return min(effects.items(), key=lambda item: item[1]) if effects else None


def write_weights(folder, variant, model, generator, quantised):
    """config.json and model.safetensors; returns the parts of tensor names that transformers may ignore.

    quantised: {tensor: {tensors that are stored in its place}}.
    """
    with tempfile.TemporaryDirectory() as scratch:
        model.save_pretrained(scratch)
        tensors = load_file(pathlib.Path(scratch) / "model.safetensors")
        config = json.loads((pathlib.Path(scratch) / "config.json").read_text())
    change, ignored = LAYOUTS.get(variant.layout, (None, ()))
    tensors = as_stored(tensors, variant.family)
    for name, instead in quantised.items():
        del tensors[name]
        tensors.update(instead)
    if change is not None:
        tensors = change(tensors, model, generator)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    config = config_as_released(config, variant)
    if quantised:
        config["quantization_config"] = QUANTISED_LAYOUTS[variant.layout][1]
    (folder / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
    return ignored


def check_reload(folder, ignored, traced, quantised):
    """What transformers reads from the folder must be the model that made the reference; returns how that was seen."""
    with tempfile.TemporaryDirectory() as scratch:
        source = folder
        if quantised:
            source = pathlib.Path(scratch)
            save_file(dequantised(load_file(folder / "model.safetensors")), source / "model.safetensors",
                      metadata={"format": "pt"})
            config = json.loads((folder / "config.json").read_text())
            del config["quantization_config"]
            (source / "config.json").write_text(json.dumps(config))
        error = relative_error(logits_of(load_model(source, ignored=ignored), traced["input_ids"]), traced["logits"])
    if error != 0.0:
        raise SystemExit(f"{folder}: the saved model gives other logits, by {error:.2e}")
    return "dequantised by loops, read by transformers: equal logits" if quantised else (
        "read back by transformers: equal logits")


def write_reference(folder, short, long):
    tensors = {**short, "long.input_ids": long["input_ids"], "long.logits": long["logits"]}
    save_file({name: value.contiguous() for name, value in tensors.items()}, folder / "reference.safetensors")
    for path in folder.iterdir():
        path.chmod(0o644)


def seed_of(variant):
    """Fixed by the name, so that adding a variant changes no other."""
    return 1000 + sum((i + 1) * ord(letter) for i, letter in enumerate(variant.same_weights_as or variant.name)) % 9000


def make(variant):
    seed = seed_of(variant)
    generator = torch.Generator().manual_seed(seed)
    model = build(variant)
    draw(model, variant, generator)
    quantised = {}
    if variant.layout in QUANTISED_LAYOUTS:
        quantised = QUANTISED_LAYOUTS[variant.layout][0](model, generator)
    short_ids = torch.cat([draw_sequence(model, generator, LENGTH) for _ in range(N_SEQUENCES)])
    short, long = trace(model, short_ids), trace(model, draw_sequence(model, generator, LONG_LENGTH))
    gap = min(token_gaps(model, traced["input_ids"]).min().item() for traced in (short, long))
    if gap < MIN_GAP:
        raise SystemExit(f"{variant.name}: smallest gap {gap:.2e}")
    weakest = check_effects(variant, model, long)
    folder = OUT / variant.name
    ignored = write_weights(folder, variant, model, generator, quantised)
    checked = check_reload(folder, ignored, short, quantised)
    if quantised:
        checked += "; " + QUANTISED_LAYOUTS[variant.layout][2](folder, short)
    write_reference(folder, short, long)
    rounding = max(relative_error(traced["logits"], float64_trace(model, traced["input_ids"])["logits"])
                   for traced in (short, long))
    return dict(model_type=variant.family, exercises=variant.exercises, seed=seed,
                smallest_selection_gap=None if gap == float("inf") else gap,
                weakest_effect=None if weakest is None else {"of": weakest[0], "on_logits": weakest[1]},
                float32_rounding=rounding, checked=checked)


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    wanted = sys.argv[1:] or list(VARIANTS)
    unknown = [name for name in wanted if name not in VARIANTS]
    if unknown:
        raise SystemExit(f"no such variant: {unknown}; there are {list(VARIANTS)}")
    OUT.mkdir(parents=True, exist_ok=True)
    path = OUT / "manifest.json"
    manifest = json.loads(path.read_text()) if path.exists() else {"variants": {}}
    manifest = {"made_by": "tests/reference/make_family_fixtures.py", "common": COMMON, "min_gap": MIN_GAP,
                "versions": {module.__name__: module.__version__ for module in (torch, transformers, safetensors)},
                "variants": manifest["variants"]}
    for name in wanted:
        manifest["variants"][name] = make(VARIANTS[name])
        size = sum(file.stat().st_size for file in (OUT / name).iterdir())
        print(name, size, json.dumps(manifest["variants"][name]), flush=True)
        manifest["variants"] = {key: manifest["variants"][key] for key in VARIANTS if key in manifest["variants"]}
        path.write_text(json.dumps(manifest, indent=2) + "\n")


if __name__ == "__main__":
    main()
