#!/usr/bin/env python3
"""Loads a folder that `moescope train` wrote the way a stranger would: AutoModelForCausalLM and AutoTokenizer.

    python check_checkpoint.py FOLDER                                  loads, prints ids and the next-token logits
    python check_checkpoint.py FOLDER --text S --trace t.safetensors   compares with `moescope trace FOLDER --text S`

Fails (exit code 1) if a weight is missing or left over, a weight or a logit is not finite, the tokenizer has ids that
the embedding lacks, AutoTokenizer and the bare tokenizer.json disagree, decoding does not give the text back, or the
trace is off. AutoTokenizer goes by tokenizer_config.json: without a tokenizer_class there it takes GPTNeoXTokenizer for
an olmoe model, which builds its own normalizer and pre-tokenizer and ignores those of tokenizer.json.
"""

import argparse
import pathlib
import sys

import torch
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from check_trace import Report, compare_trace, load_trace, parse_ids
from olmoe_reference import load_model, trace

TEXT = ("The proof of Theorem 2.1 is in $\\S$4, 1984; see `int main(void) { return 0; }`\n\tand na\u00efve caf\u00e9s "
        "\u2014 \u4f60\u597d \U0001f642 DON'T  stop.")


def encode(report, folder, model, text):
    """Ids of the text by AutoTokenizer, checked against the file itself."""
    auto = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    bare = PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json"))
    ids = auto(text)["input_ids"]
    report.check(ids == bare(text)["input_ids"],
                 f"AutoTokenizer ({type(auto).__name__}) gives the ids of tokenizer.json on {len(text)} characters")
    report.check(len(bare) <= model.config.vocab_size,
                 f"{len(bare)} tokens fit an embedding of {model.config.vocab_size} rows")
    decoded = bare.decode(bare(text, add_special_tokens=False)["input_ids"], clean_up_tokenization_spaces=False)
    report.check(decoded == text, f"decoding gives the text back: {decoded!r}")
    return ids


def show(model, ids, logits):
    """Numbers to compare by eye where there is no trace file."""
    print("ids      " + ",".join(map(str, ids)))
    top = logits[-1].topk(5)
    print("next     " + ", ".join(f"{i}: {v:.6f}" for v, i in zip(top.values.tolist(), top.indices.tolist())))
    if len(ids) > 1:
        loss = torch.nn.functional.cross_entropy(logits[:-1].float(), torch.tensor(ids[1:]))
        print(f"loss     {loss.item():.6f} nats a token over {len(ids) - 1}")
    n_parameters = sum(parameter.numel() for parameter in model.parameters())
    print(f"model    {model.config.model_type}, {n_parameters} parameters, {model.config.num_hidden_layers} layers")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    given = parser.add_mutually_exclusive_group()
    given.add_argument("--text", help="text to run (default: a line of prose, LaTeX, code and other scripts)")
    given.add_argument("--ids", help="token ids in place of a text; the tokenizer is then not looked at")
    parser.add_argument("--trace", help="a file of `moescope trace` for the same input")
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--scale", type=float, default=1.0, help="factor on the bounds of check_trace.py")
    args = parser.parse_args()
    for name in ("config.json",) + (() if args.ids else ("tokenizer.json",)):
        if not (args.folder / name).is_file():
            raise SystemExit(f"{args.folder / name}: no such file")

    report = Report()
    model = load_model(args.folder, getattr(torch, args.dtype))  # exits if a weight is missing or left over
    bad = [name for name, value in model.named_parameters() if not torch.isfinite(value).all()]
    report.check(not bad, "every weight is finite" + (f": not {', '.join(bad)}" if bad else ""))
    ids = parse_ids(args.ids) if args.ids else encode(report, args.folder, model, args.text or TEXT)
    if not ids or not 0 <= min(ids) <= max(ids) < model.config.vocab_size:
        raise SystemExit(f"need at least one id, each in 0..{model.config.vocab_size - 1}; got {ids}")
    want = trace(model, torch.tensor([ids]))
    report.check(torch.isfinite(want["logits"]).all().item(), "every logit is finite")
    show(model, ids, want["logits"][0])
    if args.trace:
        got = load_trace(args.trace)
        report.check("logits" in got, "the trace holds logits")
        compare_trace(report, got, want, args.scale)
    return report.finish()


if __name__ == "__main__":
    sys.exit(main())
