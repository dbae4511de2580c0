"""Evidence windows of a run against its own trace; which windows can be seen again is shared with check_run_model."""

import numpy as np


def trace_rows(run):
    """{(doc_idx, position): row of the trace}"""
    keys = zip(run.trace["doc_idx"].tolist(), run.trace["position"].tolist())
    return {key: row for row, key in enumerate(keys)}


def traced_windows(run):
    """[(evidence row, first trace row)] of the windows whose tokens are all traced, one after the other."""
    rows, found = trace_rows(run), []
    position, document, length = (run.evidence[name].tolist() for name in ("position", "doc_idx", "length"))
    for window in range(len(length)):
        first = rows.get((document[window], position[window]))
        last = rows.get((document[window], position[window] + length[window] - 1))
        if first is not None and last is not None and last - first == length[window] - 1:
            found.append((window, first))
    return found


def scores_in_window(run, layer, expert, first, length):
    """Scores [length] of one expert in the trace, 0 where a token was not routed to it."""
    here = run.layer("expert_ids", layer)[first:first + length] == expert
    return (run.layer("scores", layer)[first:first + length] * here).sum(1)


def check_form(report, run):
    e = run.evidence
    n, size = e["token_ids"].shape
    ok = report.check(size == run.info["window"], f"evidence: {n} windows of up to {size} tokens")
    padding = np.arange(size)[None, :] >= e["length"][:, None]
    report.check(((e["token_ids"] == -1) == padding).all() and (e["scores"][padding] == 0).all(),
                 "evidence: -1 and 0 behind the end of a window, and only there")
    report.check(np.isfinite(e["scores"]).all() and (e["scores"] >= 0).all(), "evidence: scores finite, not negative")
    report.check(np.array_equal(e["scores"].max(1), e["strength"]), "evidence: strength is the largest score")
    key = list(zip(e["layer"].tolist(), e["expert"].tolist(), e["kind"].tolist(), (-e["strength"]).tolist()))
    report.check(key == sorted(key), "evidence: by layer, expert, kind, then falling strength")
    report.check((e["decile"][e["kind"] == 0] == -1).all() and (e["decile"][e["kind"] == 1] >= 0).all()
                 and (e["decile"] <= 9).all() and set(e["kind"].tolist()) <= {0, 1}, "evidence: kinds and deciles")
    return ok


def check_strongest(report, run):
    """The five strongest tokens of each window, by score; equal scores may stand in any order."""
    e, n_wrong = run.evidence, 0
    for row in range(len(e["length"])):
        best = np.sort(e["scores"][row])[::-1][:5]
        best = best[best > 0]
        chosen = e["strongest"][row]
        inside = chosen[chosen >= 0]
        wrong = len(inside) != len(best) or len(set(inside.tolist())) != len(inside)
        wrong = wrong or (inside >= e["length"][row]).any() or (chosen[len(inside):] != -1).any()
        wrong = wrong or not np.array_equal(e["scores"][row][inside], best)
        n_wrong += bool(wrong)
    report.check(n_wrong == 0, f"evidence: strongest tokens in {len(e['length'])} windows, {n_wrong} wrong")


def check_against_trace(report, run):
    e, windows, wrong_ids, worst = run.evidence, traced_windows(run), 0, 0.0
    for row, first in windows:
        length = e["length"][row]
        wrong_ids += not np.array_equal(e["token_ids"][row][:length], run.trace["token_ids"][first:first + length])
        want = scores_in_window(run, e["layer"][row], e["expert"][row], first, length)
        error = np.abs(e["scores"][row][:length] - want).max() / max(want.max(), 1e-30)
        worst = max(worst, float(error)) if np.isfinite(error) else float("inf")
    if not windows:
        report.not_checked("evidence against the trace", "no window lies in it")
        return
    report.check(wrong_ids == 0, f"evidence: token ids of {len(windows)} traced windows, {wrong_ids} wrong")
    report.check(worst <= 1e-5, f"evidence: their scores are those of the trace within {worst:.1e}, bound 1e-05")
    if len(windows) < len(e["length"]):
        report.not_checked(f"{len(e['length']) - len(windows)} of {len(e['length'])} evidence windows",
                           "their tokens are not traced")


def check_none_missed(report, run):
    """No traced token is stronger than the weakest kept window of its expert, and yet in none of them.

    An expert with fewer windows than others had no more to keep: there, every traced token must lie in one.
    """
    e = run.evidence
    strongest = e["kind"] == 0
    n_asked = np.unique(e["layer"][strongest] * run.n_experts + e["expert"][strongest], return_counts=True)[1].max()
    starts = dict(traced_windows(run))
    n_missed, n_tokens, example = 0, 0, ""
    for layer in range(run.n_layers):
        ids, scores = run.layer("expert_ids", layer), run.layer("scores", layer)
        for expert in range(run.n_experts):
            kept = np.flatnonzero((e["layer"] == layer) & (e["expert"] == expert) & strongest)
            weakest = e["strength"][kept].min() if len(kept) == n_asked else 0.0
            rows, slots = np.where(ids == expert)
            strong = rows[scores[rows, slots] > weakest * (1 + 1e-5)]
            covered = np.zeros(run.n_traced, bool)
            for window in kept:
                if window in starts:
                    covered[starts[window]:starts[window] + e["length"][window]] = True
            missed = strong[~covered[strong]]
            n_tokens += len(strong)
            n_missed += len(missed)
            if len(missed) and not example:
                example = f"; first: layer {layer}, expert {expert}, trace row {missed[0]}"
    report.check(n_missed == 0, f"evidence: {n_tokens} tokens stronger than their expert's weakest kept window, "
                                f"{n_missed} of them in no kept window{example}")


def check_evidence(report, run):
    if check_form(report, run):
        check_strongest(report, run)
        check_against_trace(report, run)
        check_none_missed(report, run)
