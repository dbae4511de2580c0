"""Second link of check_run.py: the trace of a run against transformers and Hugging Face tokenizers.

Every chosen sequence is run again in float32 and compared token by token. float32 runs must agree to rounding. Two
router logits closer than NEAR_TIE may be ordered differently by another order of summation: such a token is counted,
and what depends on it (later layers, at it and behind it in its sequence) is left out; more than MAX_NEAR_TIES fail.
A bfloat16 run cannot agree token by token; there the share of equal choices and typical errors are bounded instead.
"""

import numpy as np
import torch

from check_run_evidence import traced_windows
from olmoe_reference import load_model, trace

NEAR_TIE = 1e-4  # difference of router logits
MAX_NEAR_TIES = 1e-3  # share of (token, layer) pairs
WEIGHT_BOUND = 1e-5  # absolute
SCORE_BOUND = 1e-4  # relative
BF16_EQUAL_SETS = 0.9  # share of tokens whose set of experts is that of float32 arithmetic
BF16_TYPICAL_ERROR = 0.03  # median relative error of weights and scores where the sets are equal


class LayerSums:
    """What the comparison of one layer adds up over sequences."""

    def __init__(self):
        self.n_compared = self.n_equal = self.n_near_ties = self.n_wrong = self.n_left_out = 0
        self.weight_error = self.score_error = 0.0
        self.example = ""
        self.relative_errors = []
        self.entropy_bits, self.margin = [], []


def compare_layer(sums, want, got, open_rows, is_bf16):
    """One layer of one sequence. open_rows [T]: not behind a near tie; returned with this layer's near ties closed."""
    same = (got["ids"] == want["ids"]).all(1)
    top = np.sort(want["logits"], axis=1)[:, ::-1][:, :want["ids"].shape[1] + 1]
    gap = (top[:, :-1] - top[:, 1:]).min(1)
    sums.n_left_out += int((~open_rows).sum())
    sums.n_compared += int(open_rows.sum())
    sums.n_equal += int((same & open_rows).sum())
    tie = ~same & open_rows & (gap < NEAR_TIE)
    wrong = np.flatnonzero(~same & open_rows & ~tie)
    sums.n_near_ties += int(tie.sum())
    sums.n_wrong += len(wrong)
    if len(wrong) and not sums.example:
        t = wrong[0]
        sums.example = (f"; trace row {want['first'] + t}: got {got['ids'][t].tolist()}, expected "
                        f"{want['ids'][t].tolist()}, logits {gap[t]:.1e} apart")
    rows = same & open_rows
    weight_error = np.abs(got["weights"] - want["weights"])[rows]
    score_error = (np.abs(got["scores"] - want["scores"]) / np.maximum(want["scores"], 1e-30))[rows]
    if is_bf16:
        sums.relative_errors += [(weight_error / want["weights"][rows]).ravel(), score_error.ravel()]
    elif rows.any():
        sums.weight_error = max(sums.weight_error, float(weight_error.max()))
        sums.score_error = max(sums.score_error, float(score_error.max()))
    if is_bf16 or not tie.any():
        return open_rows
    return open_rows & (np.arange(len(tie)) < np.flatnonzero(tie)[0])


def sorted_sets(ids, *values):
    """Rows brought into order of expert id: bfloat16 rounding may swap neighbours without changing the choice."""
    order = np.argsort(ids, axis=1, kind="stable")
    return [np.take_along_axis(value, order, 1) for value in (ids, *values)]


def compare_sequence(run, traced, rows, layers, is_bf16):
    open_rows = np.ones(rows.stop - rows.start, bool)
    for layer, sums in enumerate(layers):
        part = {name: traced[f"layers.{layer}.{name}"].double().numpy() for name in ("router_logits", "expert_weights")}
        norms = traced[f"layers.{layer}.expert_outputs"].double().norm(dim=-1).numpy()
        ids = traced[f"layers.{layer}.expert_ids"].numpy()
        want = [ids, part["expert_weights"], part["expert_weights"] * norms]
        got = [run.layer(name, layer)[rows] for name in ("expert_ids", "weights", "scores")]
        if is_bf16:
            want, got = sorted_sets(*want), sorted_sets(*got)
        want, got = (dict(zip(("ids", "weights", "scores"), values)) for values in (want, got))
        want.update(logits=part["router_logits"], first=rows.start)
        open_rows = compare_layer(sums, want, got, open_rows, is_bf16)
        probabilities = torch.from_numpy(part["router_logits"]).softmax(-1).numpy()
        safe = np.where(probabilities > 0, probabilities, 1.0)
        sums.entropy_bits.append(-(probabilities * np.log2(safe)).sum(1))
        ordered = np.sort(probabilities, axis=1)
        sums.margin.append(ordered[:, -1] - ordered[:, -2])


class Promoted:
    """Top 3 of lm_head applied to an expert's output, without the final norm, for the strongest tokens of windows."""

    def __init__(self):
        self.n_tokens = self.n_wrong = self.n_other_choice = 0
        self.example = ""

    def compare(self, run, model, traced, rows, windows):
        e, head = run.evidence, model.lm_head.weight.detach().double()
        for window, first in windows:
            layer, expert = int(e["layer"][window]), int(e["expert"][window])
            for slot, index in enumerate(e["strongest"][window].tolist()):
                promoted = e["promoted"][window][slot]
                if index < 0:
                    self.wrong(window, slot, promoted, "no token, so -1") if (promoted != -1).any() else None
                    continue
                t = first + index - rows.start
                chosen = torch.where(traced[f"layers.{layer}.expert_ids"][t] == expert)[0]
                if len(chosen) != 1:  # counted with the expert ids
                    self.n_other_choice += 1
                    continue
                self.n_tokens += 1
                logits = head @ traced[f"layers.{layer}.expert_outputs"][t, chosen[0]].double()
                best = logits.topk(3)
                if promoted.min() < 0 or promoted.max() >= run.d_vocab or len(set(promoted.tolist())) != 3:
                    self.wrong(window, slot, promoted, best.indices.tolist())
                    continue
                # Equal up to rounding: the logit in each place, so that near ties may stand in either order.
                off = (logits[torch.from_numpy(promoted.astype(np.int64))] - best.values).abs().max()
                if not off <= self.bound * logits.abs().max():
                    self.wrong(window, slot, promoted, best.indices.tolist())

    def wrong(self, window, slot, got, want):
        self.n_wrong += 1
        self.example = self.example or f"; evidence row {window}, token {slot}: got {got.tolist()}, expected {want}"


def report_layers(report, layers, is_bf16, n_chosen):
    for layer, sums in enumerate(layers):
        share = sums.n_equal / max(sums.n_compared, 1)
        if is_bf16:
            report.check(share >= BF16_EQUAL_SETS,
                         f"layer {layer}: {share:.4f} of {sums.n_compared} tokens choose the experts of float32 "
                         f"arithmetic, at least {BF16_EQUAL_SETS}")
            typical = float(np.median(np.concatenate(sums.relative_errors))) if sums.n_equal else float("inf")
            report.check(typical <= BF16_TYPICAL_ERROR,
                         f"layer {layer}: median relative error of weights and scores {typical:.1e}")
            continue
        report.check(sums.n_wrong == 0 and sums.n_equal > 0,
                     f"layer {layer}: expert ids of {sums.n_compared} tokens, {sums.n_wrong} wrong, {sums.n_near_ties} "
                     f"near ties, {sums.n_left_out} left out behind near ties{sums.example}")
        report.check(sums.n_near_ties <= MAX_NEAR_TIES * sums.n_compared + 1, f"layer {layer}: near ties are few")
        n = sums.n_equal * n_chosen
        report.check(sums.weight_error <= WEIGHT_BOUND,
                     f"layer {layer}: {n} weights within {sums.weight_error:.1e}, bound {WEIGHT_BOUND:.0e}")
        report.check(sums.score_error <= SCORE_BOUND,
                     f"layer {layer}: {n} scores within {sums.score_error:.1e} relative, bound {SCORE_BOUND:.0e}")


def report_whole_run(report, run, layers, losses, is_bf16, everything):
    """Entropy, margin and loss are means over all tokens of the run: comparable only if all were run again."""
    table = run.tables["layers"].sort_values("layer")
    entropy = [float(np.concatenate(sums.entropy_bits).mean()) for sums in layers]
    margin = [float(np.concatenate(sums.margin).mean()) for sums in layers]
    loss = torch.cat(losses)
    stored = run.info["loss"]
    if not everything:
        for layer in range(run.n_layers):
            print(f"      layer {layer}: router entropy {entropy[layer]:.4f} bits and margin {margin[layer]:.4f} "
                  f"over the sequences run again; {table['router_entropy_bits'].iloc[layer]:.4f} and "
                  f"{table['router_margin'].iloc[layer]:.4f} over the whole run")
        print(f"      loss {loss.mean():.4f} over {len(loss)} tokens run again, "
              f"{stored['mean_nats']:.4f} over {stored['n']}")
        report.not_checked("router entropy, margin and loss against transformers", "not every token was run again")
        return
    bound = 0.02 if is_bf16 else 1e-4
    report.close("layers.csv: router_entropy_bits against transformers", table["router_entropy_bits"], entropy, bound)
    report.close("layers.csv: router_margin against transformers", table["router_margin"], margin, bound)
    report.check(stored["n"] == len(loss), f"run.json: loss over {stored['n']} tokens, transformers over {len(loss)}")
    report.close("run.json: mean loss in nats against transformers", [stored["mean_nats"]], [float(loss.mean())], bound)
    report.close("run.json: perplexity is its exponential", [stored["perplexity"]], [np.exp(stored["mean_nats"])], 1e-5)


def check_tokens(report, run, folder):
    """Token ids and byte offsets of traced documents against Hugging Face tokenizers on the stored text."""
    path = folder / "tokenizer.json"
    if not path.is_file():
        report.not_checked("token ids against the text", f"{path} is absent")
        return
    from tokenizers import Tokenizer
    tokenizer = Tokenizer.from_file(str(path))
    tokenizer.no_padding()
    tokenizer.no_truncation()
    n_tokens = n_wrong_ids = n_wrong_bytes = 0
    for index in np.unique(run.trace["doc_idx"]).tolist():
        text = run.documents[index]["text"]
        encoding = tokenizer.encode(text, add_special_tokens=False)
        bytes_before = np.concatenate([[0], np.cumsum([len(c.encode("utf-8", "surrogatepass")) for c in text])])
        rows = np.flatnonzero(run.trace["doc_idx"] == index)
        position = run.trace["position"][rows]
        n_tokens += len(rows)
        if position.max() >= len(encoding.ids):
            n_wrong_ids += len(rows)
            continue
        n_wrong_ids += int((np.array(encoding.ids)[position] != run.trace["token_ids"][rows]).sum())
        offsets = bytes_before[np.array(encoding.offsets)[position]]
        # A token may be a part of a character: its bytes lie inside the characters that the library names.
        inside = (run.trace["byte_begin"][rows] >= offsets[:, 0]) & (run.trace["byte_end"][rows] <= offsets[:, 1])
        n_wrong_bytes += int((~(inside & (run.trace["byte_begin"][rows] <= run.trace["byte_end"][rows]))).sum())
    report.check(n_wrong_ids == 0, f"{n_tokens} token ids are those of Hugging Face tokenizers, {n_wrong_ids} are not")
    report.check(n_wrong_bytes == 0,
                 f"{n_tokens} byte ranges lie in the characters of their token, {n_wrong_bytes} do not")


def check_config(report, run, config):
    model = run.info["model"]
    for key, want in (("family", config.model_type), ("n_layers", config.num_hidden_layers),
                      ("n_experts", config.num_experts), ("n_experts_per_token", config.num_experts_per_tok),
                      ("d_model", config.hidden_size), ("d_expert", config.intermediate_size),
                      ("d_vocab", config.vocab_size)):
        report.check(model[key] == want, f"run.json: {key} is {model[key]}, the checkpoint has {want}")


@torch.no_grad()
def check_all(report, run, folder, n_sequences, seed, dtype):
    dtype = dtype or str(run.info["settings"].get("dtype", run.info["model"]["dtype"])).lower()
    is_bf16 = dtype in ("bf16", "bfloat16")
    if not is_bf16 and dtype not in ("f32", "float32"):
        raise SystemExit(f"run.json says dtype {dtype}: give --dtype float32 or --dtype bfloat16")
    model = load_model(folder)
    check_config(report, run, model.config)
    check_tokens(report, run, folder)

    sequences = run.sequences()
    everything = n_sequences <= 0 or n_sequences >= len(sequences)
    chosen = range(len(sequences)) if everything else sorted(
        np.random.default_rng(seed).choice(len(sequences), n_sequences, replace=False).tolist())
    windows, layers, losses, promoted = traced_windows(run), [LayerSums() for _ in range(run.n_layers)], [], Promoted()
    promoted.bound = 0.05 if is_bf16 else 1e-4
    for index in chosen:
        rows = sequences[index]
        ids = torch.from_numpy(run.trace["token_ids"][rows].astype(np.int64))
        traced = trace(model, ids[None])
        compare_sequence(run, traced, rows, layers, is_bf16)
        losses.append(torch.nn.functional.cross_entropy(traced["logits"][0, :-1], ids[1:], reduction="none"))
        inside = [(window, first) for window, first in windows
                  if rows.start <= first and first + run.evidence["length"][window] <= rows.stop]
        promoted.compare(run, model, traced, rows, inside)
    bounds = "bfloat16" if is_bf16 else "float32"
    print(f"      {len(chosen)} of {len(sequences)} sequences run again, bounds for {bounds}")
    report_layers(report, layers, is_bf16, run.n_chosen)
    if promoted.n_tokens:
        report.check(promoted.n_wrong == 0,
                     f"evidence: promoted tokens of {promoted.n_tokens} strong tokens, {promoted.n_wrong} wrong, "
                     f"{promoted.n_other_choice} routed elsewhere by the reference{promoted.example}")
    else:
        report.not_checked("promoted tokens", "no evidence window lies in the sequences run again")
    report_whole_run(report, run, layers, losses, is_bf16, everything and run.is_complete)
    if not everything:
        report.not_checked(f"{len(sequences) - len(chosen)} sequences", "use --sequences 0")
    report.not_checked("experts.active_neuron_frac*", "not recomputed here")
