#!/usr/bin/env python3
"""record against transformers on one checkpoint, and both against the machine's bf16 matrix-product peak, taking turns.

    python bench/transformers_bench.py [--bench build/record_bench] [--layers 8] [--tokens 4096] [--repeats 2]

record_bench makes the checkpoint (OLMoE-1B-7B's shape with random bfloat16 weights) and runs one recording with all taps.
transformers runs the same number of random tokens in sequences of 256 without the unembedding (neither side computes it),
in three ways, the first two tried with each experts implementation and batch size on a short input, the best taken:
  forward      nothing collected: what transformers can do at best
  routers      hooks on the routers only
  statistics   the experts' loop written out, so that it can collect what record counts of every expert: tokens, applied
               weights, output norms, active neurons (above 0, and above a tenth of the token's largest), scores
Prints JSON: tokens/s of each (median, lowest, highest), record's share of the peak, and the ratios to transformers.
"""
import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

import torch
import transformers

CONTEXT = 256


class Statistics:
    """What record keeps of every expert, as sums by expert; one for each layer."""

    def __init__(self, n_experts):
        self.n_tokens = torch.zeros(n_experts, dtype=torch.long)
        self.sums = torch.zeros(n_experts, 5, dtype=torch.double)  # weight, norm, score, active, active above a tenth

    def add(self, expert, weights, neurons, outputs):
        norms = outputs.float().norm(dim=1)
        size = neurons.abs()
        most = size.amax(dim=1, keepdim=True)
        weights = weights.float()
        self.n_tokens[expert] += len(norms)
        self.sums[expert] += torch.stack([weights.sum(), norms.sum(), (weights * norms).sum(), (size > 0).sum(),
                                          (size > 0.1 * most).sum()]).double()


def collecting_forward(experts, collected):
    def forward(hidden_states, top_k_index, top_k_weights):
        result = torch.zeros_like(hidden_states)
        order = top_k_index.flatten().argsort(stable=True)
        counts = top_k_index.flatten().bincount(minlength=experts.num_experts).tolist()
        begin = 0
        for expert, count in enumerate(counts):
            slots, begin = order[begin:begin + count], begin + count
            if count == 0:
                continue
            rows, weights = slots // top_k_index.shape[1], top_k_weights.flatten()[slots]
            gate, up = torch.nn.functional.linear(hidden_states[rows], experts.gate_up_proj[expert]).chunk(2, dim=-1)
            neurons = experts.act_fn(gate) * up
            outputs = torch.nn.functional.linear(neurons, experts.down_proj[expert])
            collected.add(expert, weights, neurons, outputs)
            result.index_add_(0, rows, (outputs * weights[:, None]).to(result.dtype))
        return result
    return forward


@torch.inference_mode()
def seconds(model, ids, batch):
    start = time.perf_counter()
    for part in ids.split(batch):
        model.model(input_ids=part, use_cache=False)
    return time.perf_counter() - start


def best_settings(model, ids, tried):
    """The fastest (implementation, sequences at a time). batched_mm is left out: it copies an expert's weights for every
    token, 64 GB for 1,000 tokens of this shape."""
    best = None
    for implementation in ("grouped_mm", "eager"):
        try:
            model.set_experts_implementation(implementation)
            for batch in (2, 8):
                speed = ids[:8].numel() / seconds(model, ids[:8], batch)
                tried[f"{implementation}, {batch} sequences"] = speed
                if best is None or speed > best[0]:
                    best = (speed, implementation, batch)
        except Exception as error:  # an implementation that this machine or release lacks is no candidate
            tried[implementation] = f"failed: {error}"[:120]
    return best[1], best[2]


def peak_flops():
    a, b = torch.randn(4096, 4096).bfloat16(), torch.randn(4096, 4096).bfloat16()
    a @ b
    start = time.perf_counter()
    a @ b
    return 2 * 4096**3 / (time.perf_counter() - start)


def spread(values):
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bench", default="build/record_bench")
    parser.add_argument("--layers", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=4096)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--cache", default=str(pathlib.Path(tempfile.gettempdir()) / "moescope-bench"))
    arguments = parser.parse_args()
    flags = ["--layers", str(arguments.layers), "--cache", arguments.cache, "--repeats", "1"]

    def record():
        done = subprocess.run([arguments.bench, *flags, "--tokens", str(arguments.tokens)], stdout=subprocess.PIPE,
                              check=True)
        return json.loads(done.stdout)

    record()  # makes the checkpoint and warms the page cache
    folder = f"{arguments.cache}/olmoe-{arguments.layers}-layers-64-experts"
    model = transformers.OlmoeForCausalLM.from_pretrained(folder, dtype=torch.bfloat16).eval()
    ids = torch.randint(0, model.config.vocab_size, (arguments.tokens // CONTEXT, CONTEXT),
                        generator=torch.Generator().manual_seed(1))
    tried = {}
    implementation, batch = best_settings(model, ids, tried)
    print(f"tried: {json.dumps(tried)}", file=sys.stderr)
    originals = [layer.mlp.experts.forward for layer in model.model.layers]
    speeds = {"record": [], "forward": [], "routers": [], "statistics": []}
    shares, peaks = [], []
    for repeat in range(arguments.repeats):
        peaks.append(peak_flops())
        ours = record()
        speeds["record"].append(ours["tokens_per_s"]["median"])
        shares.append(ours["share_of_peak"]["median"])
        model.set_experts_implementation(implementation)
        speeds["forward"].append(ids.numel() / seconds(model, ids, batch))
        kept = []
        handles = [layer.mlp.gate.register_forward_hook(lambda _, args, out: kept.append([x.clone() for x in out]))
                   for layer in model.model.layers]
        speeds["routers"].append(ids.numel() / seconds(model, ids, batch))
        for handle in handles:
            handle.remove()
        for layer in model.model.layers:
            layer.mlp.experts.forward = collecting_forward(layer.mlp.experts, Statistics(model.config.num_experts))
        speeds["statistics"].append(ids.numel() / seconds(model, ids, batch))
        for layer, original in zip(model.model.layers, originals):
            layer.mlp.experts.forward = original
        print(f"repeat {repeat + 1}: " + ", ".join(f"{name} {values[-1]:.1f}" for name, values in speeds.items()),
              file=sys.stderr)
    ratio = {name: spread([a / b for a, b in zip(speeds["record"], speeds[name])])
             for name in ("forward", "routers", "statistics")}
    print(json.dumps({
        "benchmark": f"OLMoE-1B-7B's shape, {arguments.layers} layers, bfloat16, {arguments.tokens} tokens",
        "tokens_per_s": {name: spread(values) for name, values in speeds.items()},
        "record_share_of_peak": spread(shares), "record_over_transformers": ratio,
        "peak_gflops_per_s": spread([peak / 1e9 for peak in peaks]),
        "transformers": {"version": transformers.__version__, "torch": torch.__version__,
                         "experts_implementation": implementation, "sequences_at_a_time": batch, "tried": tried},
        "threads": torch.get_num_threads(), "machine": ours["machine"],
    }, indent=2))


if __name__ == "__main__":
    main()
