"""What Hugging Face transformers' OLMoE computes inside, layer by layer.

Shared by the scripts of this folder. Hooks keep what enters each decoder layer and each MoE block; the neurons and
outputs of the chosen experts are then recomputed from the module's own weights, and the recomputed mixture must equal
what the module returned. So these numbers are those of transformers and not of a second implementation.

Letters: B sequences, T positions, N = B*T tokens (sequence-major), D d_model, F expert width, E experts, K experts a
token, V vocabulary.
"""

import types

import torch
from transformers import AutoModelForCausalLM
from transformers.models.olmoe import modeling_olmoe

# The recomputed mixture may differ from the module's by the order of the sum over K experts: a few float32 roundings,
# relative to the largest entry of the layer.
MIXTURE_TOLERANCE = {torch.float32: 1e-6, torch.float64: 1e-14, torch.bfloat16: 2e-2}


def load_model(folder, dtype=torch.float32, ignored=()):
    """The model of a folder in evaluation mode, with the plain (eager) attention and expert loops.

    Tensors whose names contain one of `ignored` may be in the files without being in the model.
    """
    model, info = AutoModelForCausalLM.from_pretrained(
        folder,
        dtype=dtype,
        attn_implementation="eager",
        experts_implementation="eager",
        local_files_only=True,
        output_loading_info=True,
    )
    info["unexpected_keys"] = [key for key in info["unexpected_keys"] if not any(part in key for part in ignored)]
    wrong = {key: info[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys") if info[key]}
    if wrong:
        raise SystemExit(f"{folder}: the weights do not fit the model: {wrong}")
    if dtype == torch.float64:
        compute_in_float64(model)
    return model.eval()


plain_eager_attention = modeling_olmoe.eager_attention_forward


def eager_attention(module, query, key, value, mask, scaling, dropout=0.0, **kwargs):
    """As in transformers, but with the softmax in float64 for float64."""
    if query.dtype != torch.float64:
        return plain_eager_attention(module, query, key, value, mask, scaling, dropout, **kwargs)
    key, value = (modeling_olmoe.repeat_kv(x, module.num_key_value_groups) for x in (key, value))
    scores = query @ key.transpose(2, 3) * scaling
    probabilities = (scores if mask is None else scores + mask).softmax(-1)
    return (probabilities @ value).transpose(1, 2).contiguous(), probabilities


def compute_in_float64(model):
    """transformers casts to float32 inside norms, router and attention whatever the dtype; here nothing does."""

    def norm(self, x):
        return self.weight * (x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.variance_epsilon))

    def router(self, x):
        logits = torch.nn.functional.linear(x.reshape(-1, self.hidden_dim), self.weight)
        weights, ids = logits.softmax(-1).topk(self.top_k, dim=-1)
        return logits, weights / weights.sum(-1, keepdim=True) if self.norm_topk_prob else weights, ids

    for module in model.modules():
        if isinstance(module, modeling_olmoe.OlmoeRMSNorm):
            module.forward = types.MethodType(norm, module)
        elif isinstance(module, modeling_olmoe.OlmoeTopKRouter):
            module.forward = types.MethodType(router, module)
    modeling_olmoe.eager_attention_forward = eager_attention


def relative_error(got, want):
    """Largest absolute difference over the largest absolute value of `want`."""
    got, want = got.double(), want.double()
    return ((got - want).abs().max() / want.abs().max().clamp_min(1e-300)).item()


def expert_forward(experts, expert, x):
    """One expert on rows x [M, D]: neurons [M, F] = act(gate(x)) * up(x), and output [M, D]."""
    gate, up = torch.nn.functional.linear(x, experts.gate_up_proj[expert]).chunk(2, dim=-1)
    neurons = experts.act_fn(gate) * up
    return neurons, torch.nn.functional.linear(neurons, experts.down_proj[expert])


def chosen_experts(experts, x, expert_ids):
    """Neurons [N, K, F] and outputs [N, K, D] (before weighting) of the chosen experts of every token."""
    n_tokens, n_chosen = expert_ids.shape
    neurons = x.new_zeros(n_tokens, n_chosen, experts.down_proj.shape[2])
    outputs = x.new_zeros(n_tokens, n_chosen, x.shape[1])
    for expert in expert_ids.unique().tolist():
        rows, slots = torch.where(expert_ids == expert)
        neurons[rows, slots], outputs[rows, slots] = expert_forward(experts, expert, x[rows])
    return neurons, outputs


def routing_gap(router_logits, n_chosen):
    """Smallest difference of two neighbouring logits among the K+1 largest: below it, choice or order could flip."""
    top = router_logits.double().topk(n_chosen + 1, dim=-1).values
    return (top[:, :-1] - top[:, 1:]).min().item()


@torch.no_grad()
def trace(model, input_ids):
    """Runs input_ids [B, T] and returns {name: tensor} in the layout of `moescope trace`, logits as [B, T, V].

    router_logits, expert_ids, expert_weights are what the module's router returned, ids in descending order of weight.
    """
    captured = {}
    handles = []
    for index, layer in enumerate(model.model.layers):
        def keep_residual(_, args, kwargs, index=index):
            captured[index, "residual"] = (args[0] if args else kwargs["hidden_states"]).detach().clone()

        def keep_mixture(_, args, output, index=index):
            captured[index, "mixture_in"] = args[0].detach().clone()
            captured[index, "mixture_out"] = output.detach().clone()

        def keep_router(_, args, output, index=index):
            captured[index, "router"] = tuple(part.detach().clone() for part in output)

        handles.append(layer.register_forward_pre_hook(keep_residual, with_kwargs=True))
        handles.append(layer.mlp.register_forward_hook(keep_mixture))
        handles.append(layer.mlp.gate.register_forward_hook(keep_router))
    try:
        logits = model(input_ids=input_ids.long(), use_cache=False).logits
    finally:
        for handle in handles:
            handle.remove()

    result = {"input_ids": input_ids.to(torch.int32), "logits": logits}
    for index, layer in enumerate(model.model.layers):
        router_logits, weights, ids = captured[index, "router"]
        if not (weights[:, :-1] >= weights[:, 1:]).all():
            raise SystemExit(f"layer {index}: the router did not return its experts in descending order")
        x = captured[index, "mixture_in"].flatten(0, 1)
        neurons, outputs = chosen_experts(layer.mlp.experts, x, ids)
        error = relative_error((outputs * weights[..., None]).sum(1), captured[index, "mixture_out"].flatten(0, 1))
        if error > MIXTURE_TOLERANCE[x.dtype]:
            raise SystemExit(f"layer {index}: the recomputed mixture is off by {error:.2e} from the module's output")
        name = f"layers.{index}."
        result[name + "router_logits"] = router_logits
        result[name + "expert_ids"] = ids.to(torch.int32)
        result[name + "expert_weights"] = weights
        result[name + "neurons"] = neurons
        result[name + "expert_outputs"] = outputs
        result[name + "residual"] = captured[index, "residual"].flatten(0, 1)
    return result
