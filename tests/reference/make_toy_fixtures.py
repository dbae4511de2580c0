#!/usr/bin/env python3
"""Toy models of superposition trained in eager PyTorch, one instance at a time: what moescope toy must reproduce.

Writes tests/fixtures/toy/replay.json: for every case the architecture, the training, the instance, the initial values, the
gradient of step 0 (autograd), the loss of every step and the values after the last (torch.optim.AdamW).

Written from the paper's definitions, not from moescope's code:
  s = G x, p = softmax(s), K = the k largest of s, g_e = p_e / sum_K p (renormalized), p_e (switch) or 1/k (hash)
  x_hat = sum_{e in K} g_e ReLU(W_e W_e^T x + b_e)
  loss = sum or mean over features of the batch mean of I_i (x_i - x_hat_i)^2
         + balance_coef E sum_e f_e P_e, f_e the share of counted inputs with e in K (no gradient), P_e their mean p_e
Random numbers are Philox4x32-10 (Salmon et al. 2011), here with Python's whole numbers; which word is used for what is the
convention of moescope/toy/draws.h, restated in draw_inputs and initial_values.
Every decision of the router that is not an exact tie has a margin (MIN_GAP), so that rounding cannot turn it.
"""

import json
import math
import pathlib

import torch

OUT = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "toy" / "replay.json"
MASK = 0xFFFFFFFF
INITIAL, TRAINING, HASH, PARTITION = 0, 1, 3, 4
MIN_GAP = 2e-6
DEFAULTS = dict(n_features=2, n_dims=1, n_experts=1, n_active=1, n_top_activations=0, gate="renormalized", ties="first",
                bias_init="zero", weight_init="whole_tensor", gate_init="xavier", group_size=0, group_correlation=0.0)
TRAIN = dict(steps=40, batch=50, lr=0.01, beta1=0.9, beta2=0.999, eps=1e-8, weight_decay=0.01, loss="mean", balance_coef=0.0)
CASES = {
    "dense": (dict(n_features=5, n_dims=2, weight_init="per_expert"), dict(loss="sum"), 0.4, [1, 0.7, 0.5, 0.3, 0.2], 1),
    "phase": (dict(n_experts=2, ties="random", bias_init="xavier"), dict(balance_coef=0.01), 0.2, [1, 2.5], 2),
    "phase_first": (dict(n_experts=2), dict(balance_coef=0.01), 0.1, [1, 0.3], 3),
    "two_active": (dict(n_features=6, n_dims=2, n_experts=4, n_active=2), dict(), 0.5, [1] * 6, 4),
    "two_active_balance": (dict(n_features=6, n_dims=2, n_experts=4, n_active=2, bias_init="xavier"),
                           dict(balance_coef=0.3, loss="sum"), 0.5, [1, 1, 1, 0.5, 0.5, 2], 5),
    "switch": (dict(n_features=4, n_dims=3, n_experts=3, gate="switch"), dict(), 0.7, [1] * 4, 6),
    "switch_two": (dict(n_features=4, n_dims=3, n_experts=3, n_active=2, gate="switch"), dict(balance_coef=0.1), 0.7,
                   [1, 1, 1, 0.1], 7),
    "frozen": (dict(n_features=6, n_dims=2, n_experts=3, n_active=2, gate="frozen", gate_init="shuffled_blocks"), dict(), 0.6,
               [1] * 6, 8),
    "hash": (dict(n_features=6, n_dims=2, n_experts=4, n_active=2, gate="hash"), dict(), 0.5, [1] * 6, 9),
    "exclude_zero": (dict(n_features=3, n_dims=2, n_experts=3, ties="exclude_zero"), dict(balance_coef=0.05), 0.15, [1] * 3, 10),
    "exclude_zero_two": (dict(n_features=3, n_dims=2, n_experts=3, n_active=2, ties="exclude_zero"), dict(), 0.2, [1] * 3, 11),
    "all_active": (dict(n_features=4, n_dims=2, n_experts=2, n_active=2), dict(), 0.6, [1] * 4, 12),
    "top_activations": (dict(n_features=7, n_dims=5, n_top_activations=2), dict(), 0.5, [1] * 7, 13),
    "groups": (dict(n_features=7, n_dims=2, n_experts=2, group_size=3, group_correlation=0.64, gate_init="diagonal",
                    ties="random"), dict(), 0.4, [1] * 7, 14),
    "zero_gate": (dict(n_features=3, n_dims=1, n_experts=3, gate_init="zero", ties="random"), dict(), 0.5, [1] * 3, 15),
    "blocks": (dict(n_features=6, n_dims=1, n_experts=3, gate_init="blocks"), dict(), 0.3, [1] * 6, 2**63 + 16),
}


def philox(counter, key):
    c, k = list(counter), list(key)
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(b >> 32) ^ c[1] ^ k[0], b & MASK, (a >> 32) ^ c[3] ^ k[1], a & MASK]
        k = [(k[0] + 0x9E3779B9) & MASK, (k[1] + 0xBB67AE85) & MASK]
    return c


def word(seed, stream, step, index):
    return philox([index // 4, step, stream, 0], [seed & MASK, seed >> 32])[index % 4]


def uniform(w):
    return (w >> 8) / 2**24


def normal(seed, parameter):
    u = (word(seed, INITIAL, 0, 2 * parameter) + 1) / 2**32
    v = word(seed, INITIAL, 0, 2 * parameter + 1) / 2**32
    return math.sqrt(-2 * math.log(u)) * math.cos(2 * math.pi * v)


def initial_values(a, seed):
    n, m, E = a["n_features"], a["n_dims"], a["n_experts"]
    scale_w = math.sqrt(2 / ((n + E) * m)) if a["weight_init"] == "whole_tensor" else math.sqrt(2 / (n + m))
    scale = math.sqrt(2 / (n + E))
    w = [scale_w * normal(seed, q) for q in range(E * n * m)]
    b = [scale * normal(seed, E * n * m + q) if a["bias_init"] == "xavier" else 0.0 for q in range(E * n)]
    gate = [0.0] * (E * n)
    if a["gate_init"] == "xavier":
        gate = [scale * normal(seed, E * n * (m + 1) + q) for q in range(E * n)]
    elif a["gate_init"] == "diagonal":
        for e in range(min(E, n)):
            gate[e * n + e] = 1.0
    elif a["gate_init"] in ("blocks", "shuffled_blocks"):
        order = list(range(n))
        if a["gate_init"] == "shuffled_blocks":
            for i in range(n - 1, 0, -1):
                j = word(seed, PARTITION, 0, i) * (i + 1) >> 32
                order[i], order[j] = order[j], order[i]
        for place, feature in enumerate(order):
            gate[place // (n // E) * n + feature] = 1.0
    tensor = lambda values, *shape: torch.tensor(values, dtype=torch.float32).reshape(shape)
    return tensor(w, E, n, m), tensor(b, E, n), tensor(gate, E, n)


def draw_inputs(a, batch, density, seed, step):
    """x [B, n] and tie words [B] (or None)."""
    n, size = a["n_features"], a["group_size"]
    n_groups = -(-n // size) if size else 0
    stride = n + (n + n_groups if size else 0) + (a["ties"] == "random")
    p = torch.tensor(density, dtype=torch.float32)
    rows, ties = [], []
    for s in range(batch):
        words = [word(seed, TRAINING, step, s * stride + i) for i in range(stride)]
        own = torch.tensor([uniform(w) for w in words[:n]], dtype=torch.float32)
        x = torch.where(own < p, own * (torch.tensor(1.0) / p), torch.zeros(n))
        if size:
            copy = torch.tensor([uniform(w) for w in words[n:2 * n]], dtype=torch.float32)
            group = torch.tensor([uniform(words[2 * n + i // size]) for i in range(n)], dtype=torch.float32)
            share = torch.tensor(math.sqrt(a["group_correlation"]), dtype=torch.float32)
            x = torch.where(copy < share, torch.where(group < p, own, torch.zeros(n)), x)
        rows.append(x)
        ties.append(words[-1])
    return torch.stack(rows), ties if a["ties"] == "random" else None


def hash_scores(a, x, seed):
    n, E = a["n_features"], a["n_experts"]
    keys = [word(seed, HASH, 0, i) for i in range(n + E)]
    scores = []
    for row in x.tolist():
        pattern = 0
        for i, value in enumerate(row):
            pattern ^= keys[i] if value > 0 else 0
        line = []
        for e in range(E):
            h = pattern ^ keys[n + e]
            h = ((h ^ (h >> 16)) * 0x85EBCA6B) & MASK
            h = ((h ^ (h >> 13)) * 0xC2B2AE35) & MASK
            line.append(float((h ^ (h >> 16)) >> 8))
        scores.append(line)
    return torch.tensor(scores)


def choose(a, scores, ties):
    """0/1 [B, E]; scores without gradient."""
    chosen = torch.zeros_like(scores)
    for s, row in enumerate(scores.tolist()):
        E, first = len(row), 0
        if ties is not None:
            first = ties[s] * E >> 32
        order = sorted(range(E), key=lambda e: (-row[e], (e - first) % E))
        for e in order[:a["n_active"]]:
            chosen[s, e] = 1
        if a["n_active"] < E:
            gap = row[order[a["n_active"] - 1]] - row[order[a["n_active"]]]
            assert gap == 0 or gap > MIN_GAP, f"a choice hangs on {gap}: take another seed"
    return chosen


def loss_of(a, t, values, x, ties, importance, seed):
    w, b, gate = values
    E, k = a["n_experts"], a["n_active"]
    if a["gate"] == "frozen":
        gate = gate.detach()
    scores = hash_scores(a, x, seed) if a["gate"] == "hash" else x @ gate.T
    p = torch.softmax(scores, dim=1)
    counted = (x > 0).any(1).float() if a["ties"] == "exclude_zero" and k < E else torch.ones(len(x))
    chosen = choose(a, scores.detach(), ties) * counted[:, None]
    if a["gate"] == "hash":
        g = chosen / k
    elif a["gate"] == "switch":
        g = p * chosen
    else:
        kept = p * chosen
        total = kept.sum(1, keepdim=True)
        g = kept / torch.where(total > 0, total, torch.ones_like(total))
    x_hat = torch.zeros_like(x)
    for e in range(E):
        h = x @ w[e]
        if a["n_top_activations"]:
            order = torch.sort(h.detach() ** 2, dim=1, descending=True, stable=True).indices[:, :a["n_top_activations"]]
            h = h * torch.zeros_like(h).scatter(1, order, 1.0)
        x_hat = x_hat + g[:, e:e + 1] * torch.relu(h @ w[e].T + b[e])
    per_feature = (importance * (x - x_hat) ** 2).mean(0)
    loss = per_feature.sum() if t["loss"] == "sum" else per_feature.mean()
    if t["balance_coef"]:
        n = counted.sum().clamp(min=1)
        loss = loss + t["balance_coef"] * E * (chosen.sum(0) / n * ((p * counted[:, None]).sum(0) / n)).sum()
    return loss


def numbers(tensors):
    return {name: tensor.detach().flatten().tolist() for name, tensor in zip(("w", "b", "gate"), tensors)}


def replay(architecture, training, density, importance, seed):
    a, t = {**DEFAULTS, **architecture}, {**TRAIN, **training}
    values = [v.requires_grad_() for v in initial_values(a, seed)]
    case = dict(architecture=a, training=t, density=density, importance=importance, seed=str(seed), initial=numbers(values))
    learned = values[:2] if a["gate"] in ("frozen", "hash") else values
    optimiser = torch.optim.AdamW(learned, lr=t["lr"], betas=(t["beta1"], t["beta2"]), eps=t["eps"],
                                  weight_decay=t["weight_decay"])
    weights = torch.tensor(importance, dtype=torch.float32)
    case["losses"] = []
    for step in range(t["steps"]):
        x, ties = draw_inputs(a, t["batch"], density, seed, step)
        loss = loss_of(a, t, values, x, ties, weights, seed)
        for value in values:
            value.grad = None
        loss.backward()
        for value in values:
            if value.grad is None:
                value.grad = torch.zeros_like(value)
        if step == 0:
            case["gradient"] = numbers([value.grad for value in values])
            case["inputs"] = x[:4].flatten().tolist()
        case["losses"].append(loss.item())
        if a["gate"] == "renormalized" and a["n_active"] == 1 and not t["balance_coef"]:
            # p / p is 1, whose gradient is 0; autograd leaves rounding of 1e-10, which Adam would blow up to full steps.
            values[2].grad = torch.zeros_like(values[2])
        optimiser.step()
    case["final"] = numbers(values)
    return case


def main():
    torch.set_num_threads(1)
    known = [philox([0] * 4, [0] * 2), philox([MASK] * 4, [MASK] * 2),
             philox([0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344], [0xA4093822, 0x299F31D0])]
    assert known == [[0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8], [0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD],
                     [0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1]], "Philox differs from the published values"
    counters = [[i * 0x01234567 & MASK, i, 7 * i, i & 1] for i in range(50)]
    result = {"torch": torch.__version__,
              "philox": [{"counter": c, "key": [c[1], c[0]], "words": philox(c, [c[1], c[0]])} for c in counters],
              "cases": {}}
    for name, case in CASES.items():
        result["cases"][name] = replay(*case)
        print(name, result["cases"][name]["losses"][0], result["cases"][name]["losses"][-1])
    OUT.parent.mkdir(parents=True, exist_ok=True)
    OUT.write_text(json.dumps(result, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main()
