"""Cells of a phase diagram per second: moescope against eager PyTorch, one model at a time and all models as one batch.

    python bench/toy_bench.py --bench build/toy_bench [--cells 400] [--steps 300] [--batch 512] [--threads 1] [--rounds 3]
        [--shape 2,1,2]

Two features, one dimension, two experts (or another shape), one active, balance loss: 20 densities x 20 importances. Against
  one      the model as an nn.Module with torch.optim.AdamW, one instance at a time (timed on a few instances)
  batched  all instances in one set of tensors [I, E, n, m]: bmm, one torch.optim.AdamW (foreach), summed losses; several
           numbers of instances at a time, the fastest counts
Checked first: both from the same initial values and inputs reach the same last-batch losses as moescope (redrawn with
Philox in numpy, for a few steps). For the timing PyTorch draws its inputs with torch.rand, as the published code does, and so
pays less for them than moescope. Sides take turns on the same threads; prints JSON with medians, spread and
ratios of CPU time (of all threads together), which other work on the machine disturbs least.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import numpy as np

COEF = 0.01


def philox(counter, key):
    """Philox4x32-10 of arrays; counter: 4 arrays, key: 2."""
    c, k = [np.asarray(v, np.uint64) for v in counter], [np.asarray(v, np.uint64) for v in key]
    low, shift = np.uint64(0xFFFFFFFF), np.uint64(32)
    for _ in range(10):
        a, b = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [(b >> shift) ^ c[1] ^ k[0], b & low, (a >> shift) ^ c[3] ^ k[1], a & low]
        k = [(k[0] + np.uint64(0x9E3779B9)) & low, (k[1] + np.uint64(0xBB67AE85)) & low]
    return c


def words(seeds, stream, step, n):
    """[I, n] words of every seed's stream."""
    blocks = np.arange(-(-n // 4), dtype=np.uint64)[None, :]
    zero = np.zeros((len(seeds), blocks.shape[1]), np.uint64)
    c = philox([zero + blocks, zero + np.uint64(step), zero + np.uint64(stream), zero],
               [zero + np.asarray(seeds, np.uint64)[:, None], zero])
    return np.stack(c, -1).reshape(len(seeds), -1)[:, :n]


def initial(seeds):
    q = words(seeds, 0, 0, 2 * (E * N * M + 2 * E * N)).astype(np.float64)
    normal = np.sqrt(-2 * np.log((q[:, 0::2] + 1) / 2**32)) * np.cos(2 * np.pi * q[:, 1::2] / 2**32)
    w = normal[:, : E * N * M] * np.sqrt(2 / ((N + E) * M))
    gate = normal[:, E * N * (M + 1):] * np.sqrt(2 / (N + E))
    return [torch.tensor(v, dtype=torch.float32).reshape(s) for v, s in
            ((w, (-1, E, N, M)), (np.zeros((len(seeds), E * N)), (-1, E, N)), (gate, (-1, E, N)))]


def inputs(seeds, densities, step, batch):
    r = torch.tensor((words(seeds, 1, step, batch * N) >> np.uint64(8)).astype(np.float64) / 2**24, dtype=torch.float32)
    r = r.reshape(len(seeds), batch, N)
    p = densities[:, None, None]
    return torch.where(r < p, r * (1 / p), torch.zeros(()))


def losses(w, b, gate, x, importance):
    """[I] training losses of I models at once."""
    p = torch.softmax(torch.bmm(x, gate.transpose(1, 2)), -1)
    chosen = torch.zeros_like(p).scatter_(2, p.argmax(2, keepdim=True), 1.0)
    instances, batch = x.shape[:2]
    h = torch.bmm(x, w.transpose(1, 2).reshape(instances, N, E * M)).reshape(instances, batch, E, M).transpose(1, 2)
    y = torch.relu(torch.bmm(h.reshape(-1, batch, M), w.reshape(-1, N, M).transpose(1, 2)).reshape(instances, E, batch, N) + b[:, :, None])
    x_hat = (y * chosen.transpose(1, 2)[..., None]).sum(1)
    loss = (importance[:, None] * (x - x_hat) ** 2).mean((1, 2))
    return loss + COEF * E * (chosen.mean(1) * p.mean(1)).sum(1)


def train_batched(cells, steps, batch, draw, per_group):
    """Last-batch losses of all cells."""
    last = []
    for first in range(0, len(cells["seed"]), per_group):
        part = slice(first, first + per_group)
        values = [v.requires_grad_() for v in initial(cells["seed"][part])]
        density, importance = cells["density"][part], cells["importance"][part]
        optimiser = torch.optim.AdamW(values, lr=1e-3, foreach=True)
        for step in range(steps):
            loss = losses(*values, draw(cells["seed"][part], density, step, batch), importance)
            optimiser.zero_grad(set_to_none=True)
            loss.sum().backward()
            optimiser.step()
        last.append(loss.detach())
    return torch.cat(last)


def make_single():
    class Toy(torch.nn.Module):
        """One instance, written as a reader of the paper would."""

        def __init__(self, w, b, gate):
            super().__init__()
            self.w, self.b, self.gate = (torch.nn.Parameter(v) for v in (w, b, gate))

        def forward(self, x):
            p = torch.softmax(x @ self.gate.T, -1)
            top, idx = p.topk(1, -1)
            g = torch.zeros_like(p).scatter(1, idx, top / top.sum(-1, keepdim=True))
            h = torch.einsum("bn,enm->bem", x, self.w)
            y = torch.relu(torch.einsum("bem,enm->ben", h, self.w) + self.b)
            return torch.einsum("be,ben->bn", g, y), p, g

    return Toy


def train_one(cells, i, steps, batch, draw=None):
    """Last-batch loss of one cell; draw: where inputs come from instead of torch.rand."""
    model = make_single()(*(v[0] for v in initial(cells["seed"][i:i + 1])))
    optimiser = torch.optim.AdamW(model.parameters(), lr=1e-3)
    density, importance = cells["density"][i], cells["importance"][i]
    for step in range(steps):
        if draw is None:
            x = torch.rand(batch, N) * (torch.rand(batch, N) <= density)
        else:
            x = draw(cells["seed"][i:i + 1], cells["density"][i:i + 1], step, batch)[0]
        x_hat, p, g = model(x)
        loss = (importance * (x - x_hat) ** 2).mean() + COEF * E * ((g > 0).float().mean(0) * p.mean(0)).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return loss.item()


def rand_inputs(seeds, densities, step, batch):
    shape = (len(seeds), batch, N)
    return torch.rand(shape) * (torch.rand(shape) <= densities[:, None, None])


def start(arguments, cells, steps):
    command = [arguments.bench, *map(str, (cells, steps, arguments.batch, arguments.threads, N, M, E))]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    return process, json.loads(process.stdout.readline())


def make_cells(n):
    c = np.arange(n)
    importance = np.ones((n, N))
    importance[:, -1] = 0.1 + 2.8 * (c // 20 % 20) / 19
    return {"seed": c, "density": torch.tensor(0.05 + 0.9 * (c % 20) / 19, dtype=torch.float32),
            "importance": torch.tensor(importance, dtype=torch.float32)}


def main(arguments):
    torch.set_num_threads(arguments.threads)
    cells = make_cells(arguments.cells)
    check_steps = 30
    process, ours = start(arguments, arguments.cells, check_steps)
    process.stdin.close()
    process.wait()
    theirs = train_batched(cells, check_steps, arguments.batch, inputs, arguments.cells).numpy()
    difference = float(np.abs(np.array(ours["last_batch"]) - theirs).max())
    singles = [i * 37 % arguments.cells for i in range(arguments.ones)]
    one_by_one = [train_one(cells, i, check_steps, arguments.batch, inputs) - ours["last_batch"][i] for i in singles]
    difference = max(difference, float(np.abs(one_by_one).max()))
    print(f"last-batch loss after {check_steps} steps, {arguments.cells} models in a batch and {arguments.ones} one by one: "
          f"largest difference {difference:.1e}", file=sys.stderr)
    if difference > 1e-5:
        sys.exit("the losses differ: nothing was timed")

    process, _ = start(arguments, arguments.cells, arguments.steps)
    seconds = {"moescope": [], "one": []}
    groups = [g for g in (4, 25, 100, 400) if g <= arguments.cells]
    for _ in range(arguments.rounds):
        process.stdin.write("go\n")
        process.stdin.flush()
        seconds["moescope"].append(json.loads(process.stdout.readline())["cpu_s"] / arguments.cells)
        begin = time.process_time()
        for i in singles:
            train_one(cells, i, arguments.steps, arguments.batch)
        seconds["one"].append((time.process_time() - begin) / arguments.ones)
        for group in groups:
            begin = time.process_time()
            train_batched(cells, arguments.steps, arguments.batch, rand_inputs, group)
            seconds.setdefault(f"batched_{group}", []).append((time.process_time() - begin) / arguments.cells)
    process.stdin.close()
    process.wait()
    median = {name: statistics.median(values) for name, values in seconds.items()}
    best = min((median[f"batched_{g}"], g) for g in groups)
    print(json.dumps({
        "cells": arguments.cells, "steps": arguments.steps, "batch": arguments.batch, "threads": arguments.threads,
        "shape": {"n_features": N, "n_dims": M, "n_experts": E},
        "torch": torch.__version__, "largest_loss_difference": difference,
        "cells_per_cpu_s": {name: 1 / value for name, value in median.items()},
        "spread": {name: (max(values) - min(values)) / median[name] for name, values in seconds.items()},
        "fastest_batched_group": best[1],
        "times_faster_than": {"one": median["one"] / median["moescope"], "batched": best[0] / median["moescope"]},
    }, indent=1))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--bench", default="build/toy_bench")
    parser.add_argument("--cells", type=int, default=400)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--batch", type=int, default=512)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ones", type=int, default=4, help="models timed one at a time in a round")
    parser.add_argument("--shape", default="2,1,2", help="features, dimensions, experts")
    options = parser.parse_args()
    N, M, E = map(int, options.shape.split(","))
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[name] = str(options.threads)
    import torch

    main(options)
