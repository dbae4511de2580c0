"""Fits the probes of a `moescope probe` run again with scikit-learn, on neurons computed here, and compares.

    moescope probe MODEL CORPUS --dtype float32 --out RUN          (default protocol)
    python check_probe.py MODEL RUN [--probes 200]

Independent of moescope but for the samples that it wrote (probe_samples.safetensors): the layers' inputs come from
transformers, neurons from the checkpoint's matrices, probes from scikit-learn. For olmoe checkpoints. Exits with 1 if an F1
or a count differs, or if fewer than ten probes could be compared.
"""

import argparse
import csv
import json
import pathlib
import sys

import numpy as np
import torch
from safetensors.numpy import load_file
from safetensors.torch import load_file as load_torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from transformers import AutoModelForCausalLM

parser = argparse.ArgumentParser()
parser.add_argument("model", type=pathlib.Path)
parser.add_argument("run", type=pathlib.Path)
parser.add_argument("--probes", type=int, default=200, help="(layer, expert, concept) triples to fit, at random")
arguments = parser.parse_args()

samples = load_file(arguments.run / "probe_samples.safetensors")
run = json.loads((arguments.run / "run.json").read_text())
if run["dtype"] != "float32":
    sys.exit(f"{arguments.run}: its neurons are {run['dtype']}; probe with --dtype float32 to compare")
names = [concept["concept"] for concept in run["concepts"]]
rows = {}
for row in csv.DictReader(open(arguments.run / "probes.csv")):
    rows[row["concept"], int(row["layer"]), int(row["expert"]), int(row["k"])] = row

model = AutoModelForCausalLM.from_pretrained(arguments.model, dtype=torch.float32)
weights = {name: tensor.float() for file in arguments.model.glob("*.safetensors") for name, tensor in load_torch(file).items()}
inputs = {}
for index, layer in enumerate(model.model.layers):
    layer.mlp.register_forward_pre_hook(lambda _, given, index=index: inputs.setdefault(index, []).append(given[0][0]))
bounds = samples["window_begin"]
with torch.no_grad():
    for begin, end in zip(bounds[:-1], bounds[1:]):
        model(torch.tensor(samples["token_ids"][begin:end].astype(np.int64))[None])
inputs = {layer: torch.cat(pieces) for layer, pieces in inputs.items()}
top_k = model.config.num_experts_per_tok


def neurons_of(layer, expert):
    """Places of the tokens that reach the expert, and their neurons."""
    x, prefix = inputs[layer], f"model.layers.{layer}.mlp."
    chosen = torch.topk((x @ weights[prefix + "gate.weight"].T).softmax(-1), top_k).indices
    tokens = (chosen == expert).any(-1).nonzero()[:, 0]
    gate, up = (weights[f"{prefix}experts.{expert}.{part}_proj.weight"] for part in ("gate", "up"))
    return tokens.numpy(), (torch.nn.functional.silu(x[tokens] @ gate.T) * (x[tokens] @ up.T)).numpy()


wrong, n_compared, n_close, n_skipped = [], 0, 0, 0
generator = np.random.default_rng(1)
fitted = sorted({key[:3] for key, row in rows.items() if row["f1"] != ""})
for index in generator.permutation(len(fitted))[: arguments.probes]:
    concept, layer, expert = fitted[index]
    tokens, neurons = neurons_of(layer, expert)
    place = {int(token): i for i, token in enumerate(tokens)}
    mine = samples["item_concept"] == names.index(concept)
    items = [(place[int(t)], int(y), int(p)) for t, y, p in
             zip(samples["item_token"][mine], samples["item_label"][mine], samples["item_part"][mine]) if int(t) in place]
    at, y, part = (np.array(column) for column in zip(*items))
    x = neurons[at].astype(np.float64)
    train, test = part == 0, part == 2
    difference = np.abs(x[train & (y == 1)].mean(0) - x[train & (y == 0)].mean(0))
    order = np.argsort(-difference, kind="stable")
    for k in run["settings"]["ks"]:
        row = rows[concept, layer, expert, k]
        if row["f1"] == "":
            continue
        if (int(row["num_positive"]), int(row["num_negative"])) != ((y == 1).sum(), (y == 0).sum()):
            wrong.append(f"{concept} layer {layer} expert {expert}: counts {row}")
            continue
        # Neurons that tie up to rounding may change places: then the probe is another one.
        if k < x.shape[1] and difference[order[k - 1]] - difference[order[k]] < 1e-5 * difference[order[0]]:
            n_skipped += 1
            continue
        fit = LogisticRegression(C=1.0, class_weight="balanced", solver="newton-cholesky", tol=1e-10, max_iter=500)
        fit.fit(x[train][:, order[:k]], y[train])
        margin = np.abs(fit.decision_function(x[test][:, order[:k]]))
        f1 = f1_score(y[test], fit.predict(x[test][:, order[:k]]), zero_division=0)
        n_compared += 1
        if abs(f1 - float(row["f1"])) < 1e-9:
            continue
        # A test token within float32 rounding of the border may fall on either side.
        if margin.min() < 1e-4 * max(1.0, margin.max()) and abs(f1 - float(row["f1"])) < 0.05:
            n_close += 1
            continue
        wrong.append(f"{concept} layer {layer} expert {expert} k {k}: F1 {row['f1']}, here {f1}")

print(f"{n_compared} probes compared, {n_close} differ by tokens on the border, {n_skipped} left out for ties, {len(wrong)} wrong")
for line in wrong[:20]:
    print(line)
sys.exit(1 if wrong or n_compared < 10 else 0)
