#!/usr/bin/env python3
"""Compares a file of `moescope trace` with what transformers computes for the same model and the same ids.

    moescope trace MODEL --ids 5,9,2 --out t.safetensors
    python check_trace.py MODEL --ids 5,9,2 --trace t.safetensors

Exit code 1 if anything is missing, misshapen, not finite or further off than the bound; every line says its bound.
Errors are relative: largest absolute difference over the largest absolute value of the reference tensor. Where expert
ids differ the tokens are listed with the distance of the router logits that decided; what hangs on a differing choice
is then compared on the other tokens only, and the check has failed all the same.
"""

import argparse
import pathlib
import sys

import torch
from safetensors.torch import load_file

from olmoe_reference import load_model, relative_error, trace

# float32: sums in another order, over all layers. The applied weights are probabilities: an absolute bound.
BOUNDS = {"logits": 1e-4, "router_logits": 1e-4, "expert_weights": 1e-5, "neurons": 1e-4, "expert_outputs": 1e-4,
          "residual": 1e-4}
PER_LAYER = ("router_logits", "expert_ids", "expert_weights", "neurons", "expert_outputs", "residual")


class Report:
    """Prints a line a comparison and remembers failures."""

    def __init__(self):
        self.n_failed = 0
        self.n_passed = 0

    def check(self, ok, line):
        self.n_passed += bool(ok)
        self.n_failed += not ok
        print(("ok    " if ok else "FAIL  ") + line)
        return ok

    def finish(self):
        if self.n_passed + self.n_failed == 0:
            self.check(False, "nothing was compared")
        print(f"{self.n_passed} comparisons passed, {self.n_failed} failed")
        return 1 if self.n_failed else 0


def compare_values(report, name, got, want, bound, absolute=False):
    """One tensor against its reference; a NaN or infinity is a failure whatever the reference holds."""
    if not report.check(torch.isfinite(got).all().item() or got.numel() == 0, f"{name}: every value is finite"):
        return
    if got.numel() == 0:
        report.check(False, f"{name}: no value to compare")
        return
    error = (got.double() - want.double()).abs().max().item() if absolute else relative_error(got, want)
    kind = "absolute" if absolute else "relative"
    report.check(error <= bound, f"{name}: {kind} error {error:.2e}, bound {bound:.0e}")


def compare_ids(report, name, got, want, router_logits):
    """Expert ids in order; returns a mask [T] of the tokens where they are equal."""
    same = (got.long() == want.long()).all(-1)
    n_different = int((~same).sum())
    n_equal = len(same) - n_different
    report.check(n_different == 0, f"{name}: {n_equal} of {len(same)} tokens have equal expert ids in order")
    for token in torch.where(~same)[0].tolist()[:5]:
        top = router_logits[token].double().topk(min(want.shape[1] + 1, router_logits.shape[1])).values
        gap = (top[:-1] - top[1:]).min().item()
        print(f"      token {token}: got {got[token].tolist()}, want {want[token].tolist()}, "
              f"closest logits {gap:.1e} apart")
    return same


def compare_trace(report, got, want, scale=1.0):
    """`got`: tensors of moescope trace; `want`: of olmoe_reference.trace, one sequence. `scale` widens the bounds."""
    want = {name: value[0] if name == "logits" else value for name, value in want.items() if name != "input_ids"}
    unknown = sorted(name for name in got if name not in want and name not in ("token_ids", "input_ids"))
    if unknown:
        report.check(False, f"tensors that the layout does not know: {', '.join(unknown)}")
    for name in sorted(got.keys() & want.keys()):
        if not report.check(got[name].shape == want[name].shape,
                            f"{name}: shape {list(got[name].shape)}, expected {list(want[name].shape)}"):
            got = {key: value for key, value in got.items() if key != name}
    if "logits" in got:
        compare_values(report, "logits", got["logits"], want["logits"], scale * BOUNDS["logits"])
    n_layers = len({name.split(".")[1] for name in want if name.startswith("layers.")})
    for layer in range(n_layers):
        same = None
        for what in PER_LAYER:
            name = f"layers.{layer}.{what}"
            if name not in got:
                continue
            if what == "expert_ids":
                same = compare_ids(report, name, got[name], want[name], want[f"layers.{layer}.router_logits"])
                continue
            rows = slice(None)
            if what in ("expert_weights", "neurons", "expert_outputs") and same is not None:
                rows = same
            compare_values(report, name, got[name][rows], want[name][rows], scale * BOUNDS[what],
                           absolute=what == "expert_weights")
    return n_layers


def require(report, got, n_layers, what):
    """A file that lacks what was asked for must not pass because nothing could be compared."""
    wanted = {"logits"} if "logits" in what else set()
    wanted |= {f"layers.{layer}.{part}" for layer in range(n_layers) for part in what if part != "logits"}
    missing = sorted(wanted - got.keys())
    if missing:
        report.check(False, f"missing from the trace: {', '.join(missing)}")


def parse_ids(text):
    try:
        return [int(part) for part in text.replace(" ", "").split(",") if part]
    except ValueError:
        raise SystemExit(f"--ids {text!r}: expected numbers separated by commas")


def load_trace(path):
    if not pathlib.Path(path).is_file():
        raise SystemExit(f"{path}: no such file")
    return load_file(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="folder with config.json and model.safetensors")
    parser.add_argument("--ids", required=True, help="token ids, separated by commas")
    parser.add_argument("--trace", required=True, help="what `moescope trace MODEL --ids IDS --out` wrote")
    parser.add_argument("--what", default="logits," + ",".join(PER_LAYER), help="the parts that the file must hold")
    parser.add_argument("--dtype", choices=["float32", "float64", "bfloat16"], default="float32",
                        help="arithmetic of the reference")
    parser.add_argument("--scale", type=float, default=1.0, help="factor on every bound (bfloat16 needs about 500)")
    args = parser.parse_args()

    ids = parse_ids(args.ids)
    model = load_model(args.model, getattr(torch, args.dtype))
    if not ids or min(ids) < 0 or max(ids) >= model.config.vocab_size:
        raise SystemExit(f"--ids: need at least one id, each in 0..{model.config.vocab_size - 1}")
    report = Report()
    got = load_trace(args.trace)
    n_layers = compare_trace(report, got, trace(model, torch.tensor([ids])), args.scale)
    require(report, got, n_layers, args.what.split(","))
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
