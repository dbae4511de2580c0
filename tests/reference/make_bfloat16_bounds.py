"""Measures how far transformers' own bfloat16 run of every family fixture is from its float32 logits.

    python tests/reference/make_bfloat16_bounds.py

Writes tests/fixtures/model/family_bfloat16.json: by variant, the median over tokens of a token's mean difference, and the largest
difference, both over the largest logit. The median, because a token whose experts nearly tie may go elsewhere: that is no
measure of rounding. Variants with 4- and 8-bit weights are left out (transformers needs other libraries for them).
"""

import json
import pathlib

import torch
import transformers
from safetensors.torch import load_file

ROOT = pathlib.Path(__file__).parent.parent / "fixtures"


def measure(folder):
    config = json.loads((folder / "config.json").read_text())
    if "quantization_config" in config:
        return None
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16, attn_implementation="eager",
                                                              experts_implementation="eager").eval()
    reference = load_file(folder / "reference.safetensors")
    exact = reference["logits"].float()
    with torch.no_grad():
        logits = model(reference["input_ids"].long()).logits.float()
    difference = (logits.reshape(exact.shape) - exact).abs() / exact.abs().max()
    return {"median": round(difference.mean(-1).median().item(), 6), "largest": round(difference.max().item(), 6)}


bounds, left_out = {}, []
for folder in sorted(path for path in (ROOT / "family").iterdir() if path.is_dir()):
    measured = measure(folder)
    if measured is None:
        left_out.append(folder.name)
    else:
        bounds[folder.name] = measured
result = {"transformers": transformers.__version__, "torch": torch.__version__, "left_out": left_out, "bounds": bounds}
(ROOT / "model" / "family_bfloat16.json").write_text(json.dumps(result, indent=1) + "\n")
