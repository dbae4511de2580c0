#!/usr/bin/env python3
"""Does check_run.py fail where it should? Writes a correct run directory with transformers, then spoils one number at a
time and expects a failure that names it.

    python check_run_selftest.py

The run directory is made from docs/run-directory.md and transformers alone, with the plain OLMoE fixture.
"""

import contextlib
import io
import json
import pathlib
import shutil
import sys
import tempfile

import numpy as np
import pandas as pd
import tokenizers
import torch
from safetensors.numpy import load_file, save_file

import check_run_model
import check_run_tables
from check_run import Report, Run
from olmoe_reference import load_model, trace

FIXTURE = pathlib.Path(__file__).resolve().parent.parent / "fixtures" / "model" / "olmoe" / "plain"
CONTEXT, WINDOW, N_WINDOWS = 16, 8, 4


def make_model(folder):
    folder.mkdir()
    for name in ("config.json", "model.safetensors"):
        shutil.copy(FIXTURE / name, folder / name)
    vocabulary = {f"w{index}": index for index in range(67)}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="w0"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(folder / "tokenizer.json"))


def run_documents(model):
    """Random documents in contexts of CONTEXT tokens; returns documents, per-token columns and per-layer tensors."""
    random, documents, columns, layers, losses, outputs = np.random.default_rng(3), [], [], [], [], []
    for index, n in enumerate((40, 23, 16, 5)):
        ids = random.integers(0, 67, n)
        begin = np.cumsum([0] + [len(f"w{i}") + 1 for i in ids])
        documents.append({"doc_idx": index, "id": str(index), "domain": "ab"[index % 2], "n_tokens": n, "n_traced": n,
                          "text": " ".join(f"w{i}" for i in ids)})
        for start in range(0, n, CONTEXT):
            part = ids[start:start + CONTEXT]
            traced = trace(model, torch.from_numpy(part)[None])
            losses.append(torch.nn.functional.cross_entropy(
                traced["logits"][0, :-1], torch.from_numpy(part)[1:], reduction="none"))
            outputs.append([traced[f"layers.{layer}.expert_outputs"].numpy() for layer in range(3)])
            layers.append([[traced[f"layers.{layer}.{name}"].numpy() for name in
                            ("expert_ids", "expert_weights", "router_logits")] for layer in range(3)])
            columns += [(token, index, start + i, i, begin[start + i], begin[start + i + 1] - 1)
                        for i, token in enumerate(part.tolist())]
    names = ("token_ids", "doc_idx", "position", "context_position", "byte_begin", "byte_end")
    columns = dict(zip(names, (np.array(c, np.int32) for c in zip(*columns))))
    merged = [[np.concatenate([piece[layer][i] for piece in layers]) for i in range(3)] for layer in range(3)]
    outputs = [np.concatenate([piece[layer] for piece in outputs]) for layer in range(3)]
    return documents, columns, merged, outputs, torch.cat(losses)


def windows_of(columns):
    """Windows of WINDOW tokens cut inside each context: (first row, length)."""
    starts = np.append(np.flatnonzero(columns["context_position"] == 0), len(columns["token_ids"]))
    return [(row, min(WINDOW, b - row)) for a, b in zip(starts, starts[1:]) for row in range(a, b, WINDOW)]


def make_evidence(columns, tensors, outputs, head):
    rows = []
    for layer in range(3):
        ids, scores = tensors[f"layers.{layer}.expert_ids"], tensors[f"layers.{layer}.scores"]
        for expert in range(8):
            dense = (scores * (ids == expert)).sum(1)
            found = [(dense[row:row + n].max(), row, n) for row, n in windows_of(columns)]
            found = [window for window in found if window[0] > 0]
            found.sort(key=lambda w: (-w[0], w[1]))
            kinds = [(0, -1, w) for w in found[:N_WINDOWS]] + [(1, 5, w) for w in found[1:3]]
            for kind, decile, (strength, row, n) in kinds:
                padded = np.zeros(WINDOW, np.float32)
                padded[:n] = dense[row:row + n]
                best = [int(i) for i in np.argsort(-padded, kind="stable")[:5] if padded[i] > 0]
                promoted = np.full((5, 3), -1, np.int32)
                for slot, i in enumerate(best):
                    output = outputs[layer][row + i][ids[row + i] == expert][0]
                    promoted[slot] = np.argsort(-(head @ output.astype(np.float64)))[:3]
                token_ids = np.full(WINDOW, -1, np.int32)
                token_ids[:n] = columns["token_ids"][row:row + n]
                rows.append((layer, expert, kind, decile, np.float32(strength), columns["doc_idx"][row],
                             columns["position"][row], n, token_ids, padded, best + [-1] * (5 - len(best)), promoted))
    names = ("layer", "expert", "kind", "decile", "strength", "doc_idx", "position", "length", "token_ids", "scores",
             "strongest", "promoted")
    return {name: np.array(column, np.float32 if name in ("strength", "scores") else np.int32)
            for name, column in zip(names, zip(*rows))}


def make_tables(documents, columns, tensors, merged, outputs):
    experts, layers, domains, counts, pairs = [], [], [], {}, {}
    n, domain_of = len(columns["token_ids"]), np.array([documents[i]["domain"] for i in columns["doc_idx"]])
    for layer in range(3):
        ids, weights, scores = (tensors[f"layers.{layer}.{name}"] for name in ("expert_ids", "weights", "scores"))
        norms = np.linalg.norm(outputs[layer].astype(np.float64), axis=-1)
        chosen = (ids[:, :, None] == np.arange(8)).any(1).astype(np.int64)
        load = chosen.sum(0)
        for expert in range(8):
            here = ids == expert
            means = [values[here].mean(dtype=np.float64) for values in (weights, scores, norms)]
            experts.append((layer, expert, load[expert], load[expert] / load.sum(), *means, 1.0, 1.0, 1, "ok"))
            domains += [(layer, expert, d, (chosen[domain_of == d, expert]).sum(),
                         chosen[domain_of == d, expert].mean()) for d in "ab"]
        p = torch.from_numpy(merged[layer][2]).double().softmax(-1).numpy()
        share, ordered = load / load.sum(), np.sort(p, axis=1)
        used = share[share > 0]
        layers.append((layer, n, -(p * np.log2(p)).sum(1).mean(), (ordered[:, -1] - ordered[:, -2]).mean(),
                       -(used * np.log2(used)).sum(), load.max() / load.mean(), (load == 0).sum()))
        dense = np.zeros((67, 8), np.int64)
        np.add.at(dense, (np.repeat(columns["token_ids"], 3), ids.ravel()), 1)
        token, expert = np.nonzero(dense)
        counts.update({f"layers.{layer}.expert": expert.astype(np.int32), f"layers.{layer}.token_id":
                       token.astype(np.int32), f"layers.{layer}.count": dense[token, expert]})
        pairs[f"layers.{layer}.coactivation"] = chosen.T @ chosen
    return {
        "experts": pd.DataFrame(experts, columns="layer expert n_tokens load_frac mean_weight mean_score "
                                "mean_output_norm active_neuron_frac active_neuron_frac_01 n_windows status".split()),
        "layers": pd.DataFrame(layers, columns="layer n_tokens router_entropy_bits router_margin load_entropy_bits "
                               "load_max_over_mean n_never_used".split()),
        "domains": pd.DataFrame(domains, columns="layer expert domain n_tokens share_of_domain_frac".split()),
    }, counts, pairs


def make_run(folder, model_folder):
    model = load_model(model_folder)
    documents, columns, merged, outputs, losses = run_documents(model)
    tensors = dict(columns)
    for layer, (ids, weights, _) in enumerate(merged):
        tensors.update({f"layers.{layer}.expert_ids": ids, f"layers.{layer}.weights": weights,
                        f"layers.{layer}.scores": weights * np.linalg.norm(outputs[layer], axis=-1)})
    tables, counts, pairs = make_tables(documents, columns, tensors, merged, outputs)
    head = model.lm_head.weight.detach().double().numpy()
    folder.mkdir()
    for name, values in (("trace", tensors), ("input_tokens", counts), ("coactivation", pairs),
                         ("evidence", make_evidence(columns, tensors, outputs, head))):
        save_file({key: np.ascontiguousarray(value) for key, value in values.items()}, folder / f"{name}.safetensors")
    for name, table in tables.items():
        table.to_csv(folder / f"{name}.csv", index=False)
        table.to_parquet(folder / f"{name}.parquet")
    (folder / "vocabulary.json").write_text(json.dumps({"pieces": [f"w{i}" for i in range(67)]}))
    (folder / "documents.jsonl").write_text("".join(json.dumps(d) + "\n" for d in documents))
    (folder / "run.json").write_text(json.dumps({
        "schema": 1, "settings": {"dtype": "float32"}, "window": WINDOW, "context": CONTEXT,
        "corpus": {"n_tokens_run": len(columns["token_ids"])},
        "model": {"family": "olmoe", "n_layers": 3, "n_experts": 8, "n_experts_per_token": 3, "d_model": 32,
                  "d_expert": 16, "d_vocab": 67, "dtype": "float32"},
        "loss": {"mean_nats": float(losses.mean()), "perplexity": float(losses.mean().exp()), "n": len(losses)}}))
    (folder / "DONE").touch()


def check(folder, model_folder):
    """Failures of check_run on a folder; an exit with a message is a failure too."""
    report = Report()
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            run = Run(folder)
            if check_run_tables.check_shapes(report, run):
                check_run_tables.check_all(report, run)
                check_run_model.check_all(report, run, model_folder, 0, 0, None)
            code = report.finish()
    except SystemExit as error:
        return [str(error)]
    assert bool(code) == bool(report.failed), "exit code and failures disagree"
    return report.failed


def edit_tensor(name, key, index, change):
    def spoil(folder):
        tensors = load_file(folder / f"{name}.safetensors")
        tensors[key][index] = change(tensors[key][index])
        save_file(tensors, folder / f"{name}.safetensors")
    return spoil


def edit_table(name, column, row, change):
    def spoil(folder):
        table = pd.read_csv(folder / f"{name}.csv")
        table.loc[row, column] = change(table.loc[row, column])
        table.to_csv(folder / f"{name}.csv", index=False)
        table.to_parquet(folder / f"{name}.parquet")
    return spoil


def edit_json(*path, change):
    def spoil(folder):
        info = json.loads((folder / "run.json").read_text())
        place = info
        for key in path[:-1]:
            place = place[key]
        place[path[-1]] = change(place[path[-1]])
        (folder / "run.json").write_text(json.dumps(info))
    return spoil


def move_pair(folder):
    """Co-activation of two pairs exchanged: still symmetric, still the same row sums in total, but not the counts."""
    tensors = load_file(folder / "coactivation.safetensors")
    pairs = tensors["layers.0.coactivation"]
    for a, b, by in ((0, 1, 1), (2, 3, 1), (0, 2, -1), (1, 3, -1)):
        pairs[a, b] += by
        pairs[b, a] += by
    save_file(tensors, folder / "coactivation.safetensors")


def drop_strongest_window(folder):
    tensors = load_file(folder / "evidence.safetensors")
    save_file({key: np.ascontiguousarray(value[1:]) for key, value in tensors.items()}, folder / "evidence.safetensors")


SPOILED = {  # what is spoiled: (how, a word that some failure must hold)
    "an expert id": (edit_tensor("trace", "layers.1.expert_ids", (7, 0), lambda v: (v + 1) % 8), "expert"),
    "a weight by 2e-5": (edit_tensor("trace", "layers.0.weights", (3, 0), lambda v: v + 2e-5), "weights within"),
    "a score by 0.1%": (edit_tensor("trace", "layers.2.scores", (9, 1), lambda v: v * 1.001), "scores within"),
    "a token id": (edit_tensor("trace", "token_ids", 11, lambda v: (v + 1) % 67), "token ids are those"),
    "a NaN weight": (edit_tensor("trace", "layers.0.weights", (3, 1), lambda v: np.nan), "finite"),
    "a byte offset": (edit_tensor("trace", "byte_end", 4, lambda v: v + 2), "byte ranges"),
    "the position in context": (edit_tensor("trace", "context_position", 20, lambda v: v + 1), "sequences"),
    "a load count": (edit_table("experts", "n_tokens", 3, lambda v: v + 1), "n_tokens"),
    "a mean score by 0.1%": (edit_table("experts", "mean_score", 5, lambda v: v * 1.001), "mean_score"),
    "an empty output norm": (edit_table("experts", "mean_output_norm", 5, lambda v: np.nan), "mean_output_norm"),
    "the router entropy": (edit_table("layers", "router_entropy_bits", 1, lambda v: v * 1.001), "entropy"),
    "the router margin": (edit_table("layers", "router_margin", 1, lambda v: v + 1e-3), "margin"),
    "the load entropy": (edit_table("layers", "load_entropy_bits", 0, lambda v: v * 1.001), "load_entropy"),
    "a domain count": (edit_table("domains", "n_tokens", 2, lambda v: v + 1), "domains"),
    "a domain share": (edit_table("domains", "share_of_domain_frac", 2, lambda v: v * 1.01), "share_of_domain"),
    "a co-activation pair": (move_pair, "co-activation"),
    "an input-token count": (edit_tensor("input_tokens", "layers.0.count", 3, lambda v: v + 1), "input_tokens"),
    "an evidence score": (edit_tensor("evidence", "scores", (4, 0), lambda v: v + 0.01), "evidence"),
    "a promoted token": (edit_tensor("evidence", "promoted", (6, 0, 2), lambda v: (v + 1) % 67), "promoted"),
    "the order of strongest": (edit_tensor("evidence", "strongest", (0, 0), lambda v: (v + 1) % 8), "strongest"),
    "the strongest window left out": (drop_strongest_window, "in no kept window"),
    "the loss": (edit_json("loss", "mean_nats", change=lambda v: v + 0.01), "loss"),
    "the number of experts a token": (edit_json("model", "n_experts_per_token", change=lambda v: 2), "expected"),
    "the expert width": (edit_json("model", "d_expert", change=lambda v: 17), "d_expert"),
    "no DONE": (lambda folder: (folder / "DONE").unlink(), "DONE"),
}


def main():
    n_failed = 0
    with tempfile.TemporaryDirectory() as temporary:
        good, model_folder = pathlib.Path(temporary) / "good", pathlib.Path(temporary) / "model"
        make_model(model_folder)
        make_run(good, model_folder)
        failures = check(good, model_folder)
        print(("FAIL  " if failures else "ok    ") + "a correct run passes" + "".join(f"\n      {f}" for f in failures))
        n_failed += bool(failures)
        for what, (spoil, word) in SPOILED.items():
            bad = pathlib.Path(temporary) / "bad"
            shutil.copytree(good, bad)
            spoil(bad)
            failures = check(bad, model_folder)
            named = [line for line in failures if word in line]
            n_failed += not named
            print(("ok    " if named else "FAIL  ") + f"{what}: {named[0] if named else failures or 'not noticed'}")
            shutil.rmtree(bad)
    return 1 if n_failed else 0


if __name__ == "__main__":
    sys.exit(main())
