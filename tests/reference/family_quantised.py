"""Quantised weights for make_family_fixtures.py: drawn in the stored form, so that the model holds exactly what a reader
must get, and read back by plain loops over single elements."""

import torch
from transformers import AutoModelForCausalLM, Mxfp4Config
from transformers.integrations.finegrained_fp8 import Fp8Dequantize
from transformers.integrations.mxfp4 import convert_moe_packed_tensors

from family_reference import logits_of, relative_error

FP8_BLOCK = 16
FP8_CONFIG = {"activation_scheme": "dynamic", "fmt": "e4m3", "quant_method": "fp8",
              "weight_block_size": [FP8_BLOCK, FP8_BLOCK]}
MXFP4_CONFIG = {"modules_to_not_convert": ["model.layers.*.self_attn", "model.layers.*.mlp.router",
                                           "model.embed_tokens", "lm_head"], "quant_method": "mxfp4"}
FP4 = (0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 6.0, -0.0, -0.5, -1.0, -1.5, -2.0, -3.0, -4.0, -6.0)


@torch.no_grad()
def draw_mxfp4(model, generator):
    """Experts of gpt_oss as released: {projection}_blocks [E, rows, columns/32, 16], _scales [E, rows, columns/32]."""
    stored = {}
    for index, layer in enumerate(model.model.layers):
        for projection in ("gate_up_proj", "down_proj"):
            parameter = getattr(layer.mlp.experts, projection)  # [E, columns, rows]
            n_experts, n_columns, n_rows = parameter.shape
            shape = (n_experts, n_rows, n_columns // 32)
            blocks = torch.randint(0, 256, (*shape, 16), generator=generator, dtype=torch.uint8)
            scales = torch.randint(121, 125, shape, generator=generator, dtype=torch.uint8)
            parameter.copy_(convert_moe_packed_tensors(blocks, scales, dtype=torch.float32))
            name = f"model.layers.{index}.mlp.experts.{projection}"
            stored[name] = {name + "_blocks": blocks, name + "_scales": scales}
    return stored


def fp8(weight):
    """(float8, scale of each block) of a matrix; the last row and column of blocks may be cut off."""
    n_rows, n_columns = weight.shape
    grid = (-(-n_rows // FP8_BLOCK), -(-n_columns // FP8_BLOCK))
    padded = torch.zeros(grid[0] * FP8_BLOCK, grid[1] * FP8_BLOCK)
    padded[:n_rows, :n_columns] = weight
    blocks = padded.view(grid[0], FP8_BLOCK, grid[1], FP8_BLOCK)
    scales = blocks.abs().amax((1, 3)) / 448.0
    quantised = (blocks / scales[:, None, :, None]).to(torch.float8_e4m3fn)
    return quantised.view(padded.shape)[:n_rows, :n_columns].contiguous(), scales


@torch.no_grad()
def draw_fp8(model, generator):
    """Every linear layer of the blocks but the router; experts one by one."""
    stored = {}

    def store(name, matrix):
        quantised, scales = fp8(matrix)
        stored[name] = {name: quantised, name + "_scale_inv": scales}
        matrix.copy_(read_fp8(quantised, scales))

    for name, module in model.model.layers.named_modules():
        name = f"model.layers.{name}"
        if isinstance(module, torch.nn.Linear):
            store(name + ".weight", module.weight)
        elif name.endswith(".experts"):
            width = module.down_proj.shape[2]
            for expert in range(module.down_proj.shape[0]):
                store(f"{name}.{expert}.gate_proj.weight", module.gate_up_proj[expert, :width])
                store(f"{name}.{expert}.up_proj.weight", module.gate_up_proj[expert, width:])
                store(f"{name}.{expert}.down_proj.weight", module.down_proj[expert])
    return stored


def read_fp8(quantised, scales):
    values, scales, (n_rows, n_columns) = quantised.float().tolist(), scales.tolist(), quantised.shape
    return torch.tensor([[torch.tensor(values[i][j]).mul(scales[i // FP8_BLOCK][j // FP8_BLOCK]).item()
                          for j in range(n_columns)] for i in range(n_rows)])


def read_mxfp4(blocks, scales):
    """[E, columns, rows] as gpt_oss holds it in memory."""
    n_experts, n_rows, n_groups, _ = blocks.shape
    result = torch.zeros(n_experts, 32 * n_groups, n_rows)
    for expert in range(n_experts):
        for row in range(n_rows):
            column = 0
            for group, exponent in zip(blocks[expert, row].tolist(), scales[expert, row].tolist()):
                for byte in group:
                    result[expert, column, row] = FP4[byte & 15] * 2.0 ** (exponent - 127)
                    result[expert, column + 1, row] = FP4[byte >> 4] * 2.0 ** (exponent - 127)
                    column += 2
    return result


def dequantised(tensors):
    """The tensors of a quantised checkpoint as a plain one would have them, by loops over elements."""
    result = {}
    for name, value in tensors.items():
        if name.endswith("_blocks"):
            result[name.removesuffix("_blocks")] = read_mxfp4(value, tensors[name.replace("_blocks", "_scales")])
        elif name + "_scale_inv" in tensors:
            result[name] = read_fp8(value, tensors[name + "_scale_inv"])
        elif not name.endswith(("_scales", "_scale_inv")):
            result[name] = value.float()
    return result


def check_mxfp4(folder, traced):
    """transformers' own reader of the released layout must give the same logits (other strides, so other roundings)."""
    model = AutoModelForCausalLM.from_pretrained(
        folder, quantization_config=Mxfp4Config(dequantize=True), dtype=torch.float32, local_files_only=True,
        attn_implementation="eager", experts_implementation="eager").eval()
    error = relative_error(logits_of(model, traced["input_ids"]), traced["logits"])
    if not error <= 1e-6:
        raise SystemExit(f"{folder}: transformers reads other logits from MXFP4, by {error:.2e}")
    return "transformers reads the folder itself: logits within 1e-6"


def check_fp8(folder, traced):
    """Where sizes are multiples of the block the loop must equal transformers' dequantiser. Elsewhere that one refuses
    (or, where the grid divides the sizes, takes smaller blocks than the file's), so only the loop can be held to."""
    quantised, scales = fp8(torch.randn(3 * FP8_BLOCK, 2 * FP8_BLOCK, generator=torch.Generator().manual_seed(1)))
    want = Fp8Dequantize(None)._dequantize_one(quantised, scales, torch.float32)
    if not torch.equal(read_fp8(quantised, scales), want):
        raise SystemExit("the loop over FP8 elements differs from transformers' dequantiser")
    return "the loop equals transformers' dequantiser where sizes are multiples of the block"


# layout -> (draws into the model and returns {tensor on disk: {tensors that take its place}}, quantization_config,
# check of a folder against transformers' own code)
QUANTISED_LAYOUTS = {"mxfp4": (draw_mxfp4, MXFP4_CONFIG, check_mxfp4), "fp8": (draw_fp8, FP8_CONFIG, check_fp8)}
