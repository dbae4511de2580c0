#!/usr/bin/env python3
"""For people who doubt the numbers: checks a run directory of moescope without any of moescope's code.

    python check_run.py RUN MODEL                 MODEL: the folder of the checkpoint that the run was made with

Two links. The tables, counts and evidence must follow from the run's own trace (check_run_tables.py: exact counts, no
model needed). The trace must be what Hugging Face transformers computes for those tokens (check_run_model.py: expert
ids, weights, scores, promoted tokens, entropy, margin, loss), and its token ids what Hugging Face tokenizers gives for
the stored text. A run whose trace covers every token is checked in full:

    moescope record MODEL CORPUS --out RUN        with as many traced tokens as the corpus has

otherwise what cannot be known from a part is checked as far as it must hold, and listed under NOT CHECKED.
Exit code 0 only if every comparison passed and the trace was compared with the model; docs/run-directory.md is the
format. Reads OLMoE models.
"""

import argparse
import json
import pathlib
import sys

import numpy as np
import pandas as pd
from safetensors.numpy import load_file

REQUIRED = ("DONE", "run.json", "vocabulary.json", "documents.jsonl", "trace.safetensors", "experts.csv", "layers.csv",
            "domains.csv", "input_tokens.safetensors", "coactivation.safetensors", "evidence.safetensors")
TABLES = ("experts", "layers", "domains")


class Report:
    """Prints a line a comparison, remembers failures and what was left out."""

    def __init__(self):
        self.n_passed, self.failed, self.unchecked = 0, [], []

    def check(self, ok, line):
        ok = bool(ok)
        self.n_passed += ok
        if not ok:
            self.failed.append(line)
        print(("ok    " if ok else "FAIL  ") + line, flush=True)
        return ok

    def equal(self, name, got, want):
        """Exact equality of integer arrays; says where the first difference stands."""
        got, want = np.asarray(got), np.asarray(want)
        if got.shape != want.shape:
            return self.check(False, f"{name}: shape {got.shape}, expected {want.shape}")
        different = np.argwhere(got != want)
        if len(different) == 0:
            return self.check(got.size > 0, f"{name}: {got.size or 'no'} values equal")
        at = tuple(int(i) for i in different[0])
        return self.check(False, f"{name}: {len(different)} of {got.size} differ, first at {at}: "
                                 f"{got[at]}, expected {want[at]}")

    def close(self, name, got, want, bound):
        """|got - want| <= bound * (|want| + mean |want|) everywhere; NaN only where NaN is expected."""
        got, want = np.asarray(got, np.float64), np.asarray(want, np.float64)
        if got.shape != want.shape:
            return self.check(False, f"{name}: shape {got.shape}, expected {want.shape}")
        if got.size == 0:
            return self.check(False, f"{name}: nothing to compare")
        if not np.array_equal(np.isnan(got), np.isnan(want)):
            n_wrong = int((np.isnan(got) != np.isnan(want)).sum())
            return self.check(False, f"{name}: {n_wrong} of {got.size} empty where a number belongs, or the reverse")
        there = ~np.isnan(want)
        if not there.any():
            return self.check(True, f"{name}: all {got.size} empty, as expected")
        got, want = got[there], want[there]
        error = np.abs(got - want) / (np.abs(want) + np.abs(want).mean() + 1e-30)
        worst = int(error.argmax())
        line = f"{name}: {got.size} values within {error[worst]:.1e}, bound {bound:.0e}"
        if not error[worst] <= bound:
            line += f"; worst {got[worst]:.8g}, expected {want[worst]:.8g}"
        return self.check(error[worst] <= bound, line)

    def not_checked(self, what, why):
        self.unchecked.append(f"{what}: {why}")

    def finish(self):
        for line in self.unchecked:
            print("NOT CHECKED  " + line)
        for line in self.failed:
            print("FAILED  " + line)
        print(f"{self.n_passed} comparisons passed, {len(self.failed)} failed, {len(self.unchecked)} not checked")
        return 0 if not self.failed and self.n_passed else 1


class Run:
    """A run directory as it lies on disk."""

    def __init__(self, folder):
        folder = pathlib.Path(folder)
        missing = [name for name in REQUIRED if not (folder / name).is_file()]
        if missing:
            raise SystemExit(f"{folder}: not a finished run directory, missing {', '.join(missing)}")
        self.folder = folder
        self.info = json.loads((folder / "run.json").read_text())
        if self.info.get("schema") not in (1, 2):
            raise SystemExit(f"{folder}/run.json: schema {self.info.get('schema')}, this script reads 1 and 2")
        model = self.info["model"]
        self.n_layers, self.n_experts = model["n_layers"], model["n_experts"]
        self.n_chosen, self.d_vocab = model["n_experts_per_token"], model["d_vocab"]
        self.n_tokens_run = self.info["corpus"]["n_tokens_run"]
        self.pieces = json.loads((folder / "vocabulary.json").read_text())["pieces"]
        with open(folder / "documents.jsonl", encoding="utf-8") as file:
            self.documents = {document["doc_idx"]: document for document in map(json.loads, file)}
        self.trace = load_file(folder / "trace.safetensors")
        self.evidence = load_file(folder / "evidence.safetensors")
        self.input_tokens = load_file(folder / "input_tokens.safetensors")
        self.coactivation = load_file(folder / "coactivation.safetensors")
        self.tables = {name: pd.read_csv(folder / f"{name}.csv") for name in TABLES}
        self.n_traced = len(self.trace["token_ids"])
        self.is_complete = self.n_traced == self.n_tokens_run

    def layer(self, what, layer):
        return self.trace[f"layers.{layer}.{what}"]

    def sequences(self):
        """Slices of trace rows that the model saw as one sequence."""
        starts = np.flatnonzero(self.trace["context_position"] == 0).tolist()
        return [slice(a, b) for a, b in zip(starts, starts[1:] + [self.n_traced])]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", help="run directory")
    parser.add_argument("model", help="folder with config.json, the weights and tokenizer.json")
    parser.add_argument("--sequences", type=int, default=64, help="how many sequences to run again; 0: every one")
    parser.add_argument("--seed", type=int, default=0, help="which sequences")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"],
                        help="arithmetic of the run, which sets the bounds (default: what run.json says)")
    args = parser.parse_args()

    import check_run_model
    import check_run_tables

    run, report = Run(args.run), Report()
    if not check_run_tables.check_shapes(report, run):
        return report.finish()
    check_run_tables.check_all(report, run)
    check_run_model.check_all(report, run, pathlib.Path(args.model), args.sequences, args.seed, args.dtype)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
