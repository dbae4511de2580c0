#!/usr/bin/env python3
"""Replays five training steps of a tiny OLMoE in PyTorch; a trainer of the same conventions gives the same numbers.

Writes tests/fixtures/train/{plain,variant}_steps.{json,safetensors} from the checkpoints in tests/fixtures/model/olmoe.

Conventions (every one can be had differently; this is what is replayed)
- Batch: ids [B, T+1]. Inputs are ids[:, :-1], targets ids[:, 1:]; all sequences are full, no padding, no mask. The same
  batch in every step.
- Cross-entropy: mean over all N = B*T targets, in nats.
- Load balancing, one value a layer: E * sum_e f_e * P_e, with f_e the share of the N*K (token, slot) pairs that expert
  e got (sums to 1 over e, a constant for the gradient) and P_e the mean over tokens of the softmax over all E router
  logits. 1 under perfect balance. The trained term is the mean over layers.
  transformers (load_balancing_loss_func) differs twice: its f_e sums to K, and it takes f and P over the tokens of all
  layers together before it multiplies. Its value for the same logits is stored beside, and is not trained on.
- Router z: mean over tokens of logsumexp(router logits)^2, then mean over layers.
- loss = cross-entropy + 0.01 * load balancing + 0.001 * router z.
- Gradient norm: L2 over all parameters together, before clipping; a tied embedding counts once. Clipping as in
  torch.nn.utils.clip_grad_norm_: gradients times min(1, max_norm / (norm + 1e-6)).
- AdamW as in torch.optim.AdamW: p *= 1 - lr * decay; m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2;
  p -= lr / (1 - b1^t) * m / (sqrt(v) / sqrt(1 - b2^t) + eps), t = 1, 2, ... Decay on parameters of two or more
  dimensions only (also embedding and lm_head), none on norm weights. eps is small, as is usual, so that an entry whose
  gradient is nothing but rounding may still move by about lr: see float32_rounding for how far that goes here.
- Everything in float32, no dropout. lr is given for each step, no schedule is implied.

steps[i] in the JSON was measured before update i; `final` after the last. Tensors: `batch` [B, T+1] i32;
`grad.NAME` the unclipped gradient of step 0 and `after.NAME` the parameter after all steps, NAME as in the checkpoint
(one tensor an expert and projection).
The replay is made in float64 too: `float32_rounding` says how far float32 is from it, and the gradients of the float64
run are checked against finite differences along random directions.
"""

import json
import pathlib

import safetensors
import torch
import transformers
from safetensors.torch import save_file
from transformers.models.olmoe.modeling_olmoe import load_balancing_loss_func

from olmoe_reference import load_model, relative_error, routing_gap

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures"
SETTINGS = {
    "plain": dict(load_balancing_coefficient=0.01, router_z_coefficient=0.001, max_grad_norm=1.0, betas=[0.9, 0.95],
                  eps=1e-8, weight_decay=0.1, lr=[1e-3, 2e-3, 3e-3, 2e-3, 1e-3]),
    # A limit that the norm never reaches, so that both branches of clipping are covered.
    "variant": dict(load_balancing_coefficient=0.01, router_z_coefficient=0.001, max_grad_norm=1000.0,
                    betas=[0.9, 0.95], eps=1e-8, weight_decay=0.1, lr=[1e-3, 2e-3, 3e-3, 2e-3, 1e-3]),
}
BATCH_SHAPE = (4, 17)  # [B, T+1]
MIN_GAP = 1e-4  # router logits that decide a choice are further apart than this in every step


def losses(model, batch, settings):
    """All terms of one step as tensors, and the router logits of every layer [N, E]."""
    out = model(input_ids=batch[:, :-1].long(), use_cache=False, output_router_logits=True)
    targets = batch[:, 1:].long().reshape(-1)
    cross_entropy = torch.nn.functional.cross_entropy(out.logits.flatten(0, 1), targets)
    n_experts, n_chosen = model.config.num_experts, model.config.num_experts_per_tok
    balance, z = [], []
    for logits in out.router_logits:
        probabilities = logits.softmax(-1)
        chosen = torch.nn.functional.one_hot(probabilities.topk(n_chosen, dim=-1).indices, n_experts)
        share = chosen.sum((0, 1)).to(logits.dtype) / (logits.shape[0] * n_chosen)
        balance.append(n_experts * (share * probabilities.mean(0)).sum())
        z.append(torch.logsumexp(logits, -1).square().mean())
    terms = {
        "cross_entropy": cross_entropy,
        "load_balancing": torch.stack(balance).mean(),
        "router_z": torch.stack(z).mean(),
        "transformers_load_balancing": load_balancing_loss_func(out.router_logits, n_experts, n_chosen),
    }
    terms["loss"] = (cross_entropy + settings["load_balancing_coefficient"] * terms["load_balancing"]
                     + settings["router_z_coefficient"] * terms["router_z"])
    return terms, torch.stack(balance), out.router_logits


def by_checkpoint_name(model, value_of):
    """{name in the checkpoint: value_of(parameter)}, the fused expert tensors taken apart."""
    result = {}
    for name, parameter in model.named_parameters():
        value = value_of(parameter).detach().clone()
        if name.endswith("experts.gate_up_proj") or name.endswith("experts.down_proj"):
            stem = name.rsplit(".", 1)[0]
            for expert, fused in enumerate(value):
                parts = zip(("gate_proj", "up_proj"), fused.chunk(2)) if "gate_up" in name else [("down_proj", fused)]
                for part, tensor in parts:
                    result[f"{stem}.{expert}.{part}.weight"] = tensor.contiguous()
        else:
            result[name] = value
    return result


def record(terms, balance):
    step = {name: value.item() for name, value in terms.items()}
    step["load_balancing_by_layer"] = balance.tolist()
    return step


def replay(folder, batch, settings, dtype):
    """Trains; returns steps, final terms, gradients of step 0, parameters after, and the smallest routing gap."""
    model = load_model(folder, dtype)
    decayed = [p for p in model.parameters() if p.dim() >= 2]
    others = [p for p in model.parameters() if p.dim() < 2]
    optimizer = torch.optim.AdamW(
        [{"params": decayed, "weight_decay": settings["weight_decay"]}, {"params": others, "weight_decay": 0.0}],
        lr=0.0, betas=tuple(settings["betas"]), eps=settings["eps"], foreach=False)
    steps, gradients, gap = [], None, float("inf")
    for lr in settings["lr"]:
        terms, balance, router_logits = losses(model, batch, settings)
        gap = min([gap] + [routing_gap(logits.detach(), model.config.num_experts_per_tok) for logits in router_logits])
        optimizer.zero_grad(set_to_none=False)
        terms["loss"].backward()
        gradients = gradients or by_checkpoint_name(model, lambda p: p.grad)
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), settings["max_grad_norm"], foreach=False)
        steps.append({"lr": lr, "grad_norm": norm.item(), **record(terms, balance)})
        for group in optimizer.param_groups:
            group["lr"] = lr
        optimizer.step()
    with torch.no_grad():
        terms, balance, router_logits = losses(model, batch, settings)
    gap = min([gap] + [routing_gap(logits, model.config.num_experts_per_tok) for logits in router_logits])
    return steps, record(terms, balance), gradients, by_checkpoint_name(model, lambda p: p), gap


def finite_difference_error(folder, batch, settings):
    """Gradient of the loss in float64 against central differences along random directions: largest relative error."""
    model = load_model(folder, torch.float64)
    losses(model, batch, settings)[0]["loss"].backward()
    generator, worst, h = torch.Generator().manual_seed(7), 0.0, 1e-6
    parameters = list(model.parameters())
    for _ in range(5):
        directions = [torch.randn(p.shape, generator=generator, dtype=torch.float64) for p in parameters]
        expected = sum((p.grad * d).sum() for p, d in zip(parameters, directions)).item()
        values = []
        for sign in (1, -2, 1):  # to +h, to -h, back
            with torch.no_grad():
                for p, d in zip(parameters, directions):
                    p.add_(d, alpha=sign * h)
                values.append(losses(model, batch, settings)[0]["loss"].item())
        worst = max(worst, abs((values[0] - values[1]) / (2 * h) - expected) / abs(expected))
    return worst


def rounding(single, double):
    """Largest relative error of float32 against float64: of each scalar series, of gradients and of parameters."""
    names = [name for name in single[0][0] if name not in ("lr", "load_balancing_by_layer")]
    result = {name: max(abs(a[name] - b[name]) / abs(b[name]) for a, b in zip(single[0], double[0])) for name in names}
    for key, index in (("grad", 2), ("after", 3)):
        result[f"{key}_worst_tensor"] = max(relative_error(single[index][n], value)
                                            for n, value in double[index].items() if value.abs().max() > 0)
    result["after_max_absolute"] = max((single[3][n].double() - v).abs().max().item() for n, v in double[3].items())
    return result


def main():
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    out = FIXTURES / "train"
    out.mkdir(parents=True, exist_ok=True)
    for name, settings in SETTINGS.items():
        folder = FIXTURES / "model" / "olmoe" / name
        for seed in range(1, 100):
            generator = torch.Generator().manual_seed(seed)
            batch = torch.randint(0, 67, BATCH_SHAPE, generator=generator, dtype=torch.int32)
            single = replay(folder, batch, settings, torch.float32)
            if single[4] >= MIN_GAP:
                break
        else:
            raise SystemExit(f"{name}: every batch has router logits closer than {MIN_GAP} in some step")
        double = replay(folder, batch, settings, torch.float64)
        gradient_error = finite_difference_error(folder, batch, settings)
        if gradient_error > 1e-5:
            raise SystemExit(f"{name}: gradients are off by {gradient_error:.1e} from finite differences")
        steps, final, gradients, after, gap = single
        tensors = {"batch": batch}
        tensors.update({f"grad.{key}": value for key, value in gradients.items()})
        tensors.update({f"after.{key}": value for key, value in after.items()})
        save_file(tensors, out / f"{name}_steps.safetensors")
        (out / f"{name}_steps.safetensors").chmod(0o644)
        summary = {
            "made_by": "tests/reference/train_replay.py", "checkpoint": f"model/olmoe/{name}", "batch_seed": seed,
            "settings": settings, "steps": steps, "final": final, "smallest_routing_gap": gap,
            "float32_rounding": rounding(single, double), "finite_difference_error": gradient_error,
            "versions": {m.__name__: m.__version__ for m in (torch, transformers, safetensors)},
        }
        (out / f"{name}_steps.json").write_text(json.dumps(summary, indent=2) + "\n")
        print(name, json.dumps({key: summary[key] for key in ("batch_seed", "smallest_routing_gap", "float32_rounding",
                                                              "finite_difference_error")}, indent=1))
        for step in steps + [final]:
            print("  " + ", ".join(f"{k} {v:.6f}" for k, v in step.items() if not isinstance(v, list)))


if __name__ == "__main__":
    main()
