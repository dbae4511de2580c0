"""What Hugging Face transformers computes inside a causal language model of any family that moescope reads.

Used by make_family_fixtures.py. Hooks keep what enters each decoder layer, each feed-forward block and each down
projection, and what each router returns. The neurons and outputs of routed experts, which transformers never holds one
by one, are recomputed from the module's own weights; their weighted sum plus the shared expert must equal what the
block returned. So these numbers are those of transformers and not of a second implementation.

Letters: B sequences, T positions, N = B*T tokens (sequence-major), D d_model, F width of an expert (or of a dense
block), Fs width of the shared expert, E experts, K experts a token, G groups, V vocabulary.
"""

import copy

import torch
from torch.overrides import TorchFunctionMode

from olmoe_reference import chosen_experts as chosen_gated_experts
from olmoe_reference import relative_error

# The recomputed mixture may differ from the block's by the order of the sums.
MIXTURE_TOLERANCE = {torch.float32: 1e-5, torch.float64: 1e-13}

DOWN_PROJECTIONS = ("down_proj", "c_proj", "dense_4h_to_h")
SIGMOID_FAMILIES = ("glm4_moe", "glm4_moe_lite", "deepseek_v3")
SOFTMAX_FAMILIES = ("mixtral", "qwen2_moe", "qwen3_moe", "deepseek_v2", "ernie4_5_moe")


class Float64(TorchFunctionMode):
    """Where transformers asks for float32 whatever the model's dtype, it gets float64 (frequencies excepted: they were
    made in float32 when the model was built, and every implementation starts from those)."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        def widen(value):
            return torch.float64 if value is torch.float32 else value

        if func is torch.Tensor.float:
            func = torch.Tensor.double
        return func(*map(widen, args), **{key: widen(value) for key, value in (kwargs or {}).items()})


def decoder_layers(model):
    body = model.base_model
    return body.layers if hasattr(body, "layers") else body.h


def router_of(block):
    """The router of a feed-forward block, or None where the block is dense."""
    if not hasattr(block, "experts"):
        return None
    return block.router if hasattr(block, "router") else block.gate


def shared_of(block):
    """The shared expert of a feed-forward block, or None."""
    return getattr(block, "shared_expert", None) or getattr(block, "shared_experts", None)


def down_projection_of(mlp):
    return next(getattr(mlp, name) for name in DOWN_PROJECTIONS if hasattr(mlp, name))


def selection_scores(config, router, logits):
    """Scores [N,E] of which the K largest are chosen (-inf: cannot be chosen), and scores of groups [N,G] or None."""
    family = config.model_type
    if family == "gpt_oss":
        return logits, None
    if family in SIGMOID_FAMILIES:
        scores = logits.sigmoid() + router.e_score_correction_bias
    elif family in SOFTMAX_FAMILIES:
        scores = logits.softmax(-1)
    else:
        raise SystemExit(f"no selection score is known for {family}")
    if family == "ernie4_5_moe":
        return scores + router.moe_statics.e_score_correction_bias.squeeze(), None
    limited = family in SIGMOID_FAMILIES or getattr(router, "topk_method", "greedy") == "group_limited_greedy"
    if not limited or router.num_group == router.topk_group:
        return scores, None
    grouped = scores.unflatten(-1, (router.num_group, -1))
    groups = grouped.topk(2, -1).values.sum(-1) if family in SIGMOID_FAMILIES else grouped.amax(-1)
    kept = torch.zeros_like(groups, dtype=torch.bool).scatter(1, groups.topk(router.topk_group, -1).indices, True)
    return grouped.masked_fill(~kept[..., None], float("-inf")).flatten(1), groups


def selection_gaps(config, router, logits):
    """Per token [N], the smallest difference of scores at which the choice, its order, or the groups would change."""
    scores, groups = selection_scores(config, router, logits.double())
    top = scores.topk(min(router.top_k + 1, scores.shape[1]), -1).values
    gaps = (top[:, :-1] - top[:, 1:]).nan_to_num(posinf=float("inf")).amin(-1)
    if groups is not None:
        best = groups.topk(router.topk_group + 1, -1).values
        gaps = gaps.minimum(best[:, -2] - best[:, -1])
    return gaps


def chosen_gpt_oss_experts(experts, x, expert_ids):
    """As chosen_experts for gpt_oss: weights are [E, in, out], biased; gate and up alternate; the gate is clamped."""
    gate_up = torch.einsum("nd,nkdf->nkf", x, experts.gate_up_proj[expert_ids]) + experts.gate_up_proj_bias[expert_ids]
    neurons = experts._apply_gate(gate_up)
    outputs = torch.einsum("nkf,nkfd->nkd", neurons, experts.down_proj[expert_ids])
    return neurons, outputs + experts.down_proj_bias[expert_ids]


def chosen_experts(experts, x, expert_ids):
    """Neurons [N,K,F] and outputs [N,K,D] (before weighting) of the chosen experts of every token x [N,D]."""
    chosen = chosen_gpt_oss_experts if hasattr(experts, "gate_up_proj_bias") else chosen_gated_experts
    return chosen(experts, x, expert_ids)


class Capture:
    """Hooks on every layer while it is entered (`with`); values[layer, what] are copies."""

    def __init__(self, model):
        self.model, self.values, self.handles = model, {}, []

    def keep(self, key, value):
        self.values[key] = value.detach().clone() if torch.is_tensor(value) else tuple(v.detach().clone() for v in value)

    def __enter__(self):
        def entering(module, key):
            def hook(_, args, kwargs):
                self.keep(key, args[0] if args else kwargs["hidden_states"])
            self.handles.append(module.register_forward_pre_hook(hook, with_kwargs=True))

        def leaving(module, key):
            self.handles.append(module.register_forward_hook(lambda _, args, output: self.keep(key, output)))

        for index, layer in enumerate(decoder_layers(self.model)):
            block, router = layer.mlp, router_of(layer.mlp)
            entering(layer, (index, "residual"))
            entering(block, (index, "block_in"))
            leaving(block, (index, "block_out"))
            if router is None:
                entering(down_projection_of(block), (index, "neurons"))
                continue
            leaving(router, (index, "router"))
            if shared_of(block) is not None:
                entering(down_projection_of(shared_of(block)), (index, "shared_neurons"))
                leaving(shared_of(block), (index, "shared_output"))
            if hasattr(block, "shared_expert_gate"):
                leaving(block.shared_expert_gate, (index, "shared_gate"))
        return self

    def __exit__(self, *_):
        for handle in self.handles:
            handle.remove()


def rows(tensor, width):
    return tensor.reshape(-1, width)


def dense_block(values, index):
    output = values[index, "block_out"]
    output = rows(output, output.shape[-1])
    neurons = rows(values[index, "neurons"], values[index, "neurons"].shape[-1])
    ids = torch.zeros(len(output), 1, dtype=torch.int32)
    return {"expert_ids": ids, "expert_weights": torch.ones_like(output[:, :1]), "neurons": neurons[:, None],
            "expert_outputs": output[:, None]}


def sparse_block(config, values, index, block):
    router = router_of(block)
    logits, weights, ids = values[index, "router"]
    scores, _ = selection_scores(config, router, logits)
    if (scores.gather(1, ids) == float("-inf")).any():
        raise SystemExit(f"layer {index}: the router chose an expert outside its groups")
    order = scores.gather(1, ids).sort(dim=-1, descending=True, stable=True).indices
    ids, weights = ids.gather(1, order), weights.gather(1, order)
    if not torch.equal(ids, scores.sort(dim=-1, descending=True, stable=True).indices[:, :ids.shape[1]]):
        raise SystemExit(f"layer {index}: the router did not choose the experts with the largest scores")
    x = rows(values[index, "block_in"], values[index, "block_in"].shape[-1])
    neurons, outputs = chosen_experts(block.experts, x, ids)
    result = {"router_logits": logits, "expert_ids": ids.to(torch.int32), "expert_weights": weights,
              "neurons": neurons, "expert_outputs": outputs}
    if shared_of(block) is not None:
        result["shared_neurons"] = rows(values[index, "shared_neurons"], values[index, "shared_neurons"].shape[-1])
        result["shared_output"] = rows(values[index, "shared_output"], x.shape[1])
        gate = values.get((index, "shared_gate"))
        result["shared_gate"] = torch.ones_like(x[:, 0]) if gate is None else gate.flatten().sigmoid()
    return result


def check_mixture(index, parts, values):
    """Weighted outputs plus the gated shared expert must be what the block returned."""
    want = values[index, "block_out"]
    want = want[0] if isinstance(want, tuple) else want
    got = (parts["expert_outputs"] * parts["expert_weights"][..., None]).sum(1)
    if "shared_output" in parts:
        got = got + parts["shared_gate"][:, None] * parts["shared_output"]
    error = relative_error(got, rows(want, got.shape[1]))
    if not error <= MIXTURE_TOLERANCE[got.dtype]:
        raise SystemExit(f"layer {index}: the recomputed mixture is off by {error:.2e} from the block's output")


@torch.no_grad()
def logits_of(model, input_ids):
    return model(input_ids=input_ids.long(), use_cache=False).logits


@torch.no_grad()
def trace(model, input_ids):
    """Runs input_ids [B,T]; returns {name: tensor}: input_ids, logits [B,T,V], and for every layer l the tensors
    layers.{l}.* of README.md, section model families."""
    with Capture(model) as capture:
        logits = logits_of(model, input_ids)
    result = {"input_ids": input_ids.to(torch.int32), "logits": logits}
    for index, layer in enumerate(decoder_layers(model)):
        if router_of(layer.mlp) is None:
            parts = dense_block(capture.values, index)
        else:
            parts = sparse_block(model.config, capture.values, index, layer.mlp)
        check_mixture(index, parts, capture.values)
        residual = capture.values[index, "residual"]
        parts["residual"] = rows(residual, residual.shape[-1])
        result.update({f"layers.{index}.{name}": value.contiguous() for name, value in parts.items()})
    return result


@torch.no_grad()
def token_gaps(model, input_ids):
    """Smallest selection gap over all layers, per token [B,T]; infinite for a dense model."""
    gaps = torch.full(input_ids.shape, float("inf"), dtype=torch.float64)
    with Capture(model) as capture:
        logits_of(model, input_ids)
    for index, layer in enumerate(decoder_layers(model)):
        router = router_of(layer.mlp)
        if router is not None:
            gap = selection_gaps(model.config, router, capture.values[index, "router"][0])
            gaps = gaps.minimum(gap.view_as(gaps))
    return gaps


def float64_trace(model, input_ids):
    """The trace of a copy of the model with everything but the rotary frequencies in float64."""
    double = copy.deepcopy(model).double()
    for module in double.modules():
        if hasattr(module, "reorder_and_upcast_attn"):
            module.reorder_and_upcast_attn = False  # the same products, but it insists on float32
    with Float64():
        return trace(double, input_ids)
