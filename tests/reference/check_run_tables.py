"""First link of check_run.py: tables, counts and evidence against the run's own trace. No model, no moescope code."""

import numpy as np
import pandas as pd

ROUNDING = 1e-5  # float32 sums, and decimals in CSV


def check_shapes(report, run):
    """Names, shapes and ranges of the trace; nothing else can be checked if they are wrong."""
    n, k = run.n_traced, run.n_chosen
    expected = dict.fromkeys(("token_ids", "doc_idx", "position", "context_position", "byte_begin", "byte_end"), (n,))
    for layer in range(run.n_layers):
        expected.update({f"layers.{layer}.{name}": (n, k) for name in ("expert_ids", "weights", "scores")})
    got = {name: value.shape for name, value in run.trace.items()}
    wrong = [f"; {name} {got.get(name)}, expected {expected.get(name)}"
             for name in sorted(got.keys() | expected.keys()) if got.get(name) != expected.get(name)]
    ok = report.check(not wrong, f"trace.safetensors: {len(expected)} tensors of {n} tokens" + "".join(wrong))
    ok &= report.check(n > 0, f"{n} traced tokens of {run.n_tokens_run}")
    ok &= report.check(len(run.pieces) == run.d_vocab, f"vocabulary.json has {len(run.pieces)} of {run.d_vocab} pieces")
    if not ok:
        return False
    ids = run.trace["token_ids"]
    ok &= report.check(ids.min() >= 0 and ids.max() < run.d_vocab, f"token ids lie in 0..{run.d_vocab - 1}")
    for layer in range(run.n_layers):
        experts, weights, scores = (run.layer(name, layer) for name in ("expert_ids", "weights", "scores"))
        distinct = (np.diff(np.sort(experts, axis=1), axis=1) > 0).all()
        ok &= report.check(experts.min() >= 0 and experts.max() < run.n_experts and distinct,
                           f"layer {layer}: {k} different experts in 0..{run.n_experts - 1} for every token")
        finite = np.isfinite(weights).all() and np.isfinite(scores).all()
        ok &= report.check(finite and (weights >= 0).all() and (weights <= 1 + 1e-6).all() and (scores >= 0).all(),
                           f"layer {layer}: weights in [0, 1], scores not negative, all finite")
        ok &= report.check((weights[:, :-1] >= weights[:, 1:]).all(), f"layer {layer}: experts in order of weight")
    return ok


def check_sequences(report, run):
    """Rows of one sequence follow each other in one document, and documents.jsonl counts them."""
    position, context, document = (run.trace[name] for name in ("position", "context_position", "doc_idx"))
    inside = context[1:] != 0
    report.check(context[0] == 0, "the trace begins with the first token of a sequence")
    report.check((context[1:][inside] == context[:-1][inside] + 1).all()
                 and (position[1:][inside] == position[:-1][inside] + 1).all()
                 and (document[1:] == document[:-1])[inside].all(),
                 f"{len(run.sequences())} sequences, each a run of one document")
    report.check((np.diff(document) >= 0).all(), "documents in order")
    keys = document.astype(np.int64) << 32 | position
    report.check(len(np.unique(keys)) == len(keys), "no token of a document was run twice")
    present, counts = np.unique(document, return_counts=True)
    traced = {index: entry["n_traced"] for index, entry in run.documents.items() if entry["n_traced"]}
    report.check(traced == dict(zip(present.tolist(), counts.tolist())), f"n_traced of {len(traced)} documents")
    n_tokens = sum(entry["n_tokens"] for entry in run.documents.values())
    report.check(n_tokens == run.n_tokens_run, f"documents hold {n_tokens} tokens, run.json says {run.n_tokens_run}")


def check_parquet(report, run):
    for name, table in run.tables.items():
        path = run.folder / f"{name}.parquet"
        if not path.is_file():
            report.not_checked(path.name, "absent (a build without Parquet)")
            continue
        other = pd.read_parquet(path)
        if not report.check(list(other.columns) == list(table.columns) and len(other) == len(table),
                            f"{name}: {len(table)} rows, CSV and Parquet have the same columns"):
            continue
        for column in table.columns:
            if column in ("status", "domain"):
                same = other[column].fillna("").astype(str).tolist() == table[column].fillna("").astype(str).tolist()
                report.check(same, f"{name}.{column}: CSV and Parquet agree")
            else:
                report.close(f"{name}.{column}: CSV and Parquet", other[column], table[column], 1e-6)


def expert_rows(run, layer):
    """experts.csv of a layer, ordered by expert."""
    table = run.tables["experts"]
    return table[table["layer"] == layer].sort_values("expert")


def counts_of(run, layer):
    return np.bincount(run.layer("expert_ids", layer).ravel(), minlength=run.n_experts)


def coactivation_of(run, layer):
    chosen = np.zeros((run.n_traced, run.n_experts), np.int64)
    np.put_along_axis(chosen, run.layer("expert_ids", layer).astype(np.int64), 1, axis=1)
    return chosen.T @ chosen


def dense_input_tokens(report, run, layer):
    """[V, E] counts; the file must not name a pair twice or store a zero."""
    expert, token, count = (run.input_tokens[f"layers.{layer}.{name}"] for name in ("expert", "token_id", "count"))
    dense = np.zeros((run.d_vocab, run.n_experts), np.int64)
    np.add.at(dense, (token, expert), count)
    report.check((count > 0).all() and np.count_nonzero(dense) == len(count),
                 f"layer {layer}: input_tokens names {len(count)} pairs once each")
    return dense


def check_counts(report, run, layer):
    """Load, co-activation and input tokens: exact where everything is traced, and never below the traced part."""
    rows = expert_rows(run, layer)
    if not report.equal(f"layer {layer}: experts.csv rows", rows["expert"], np.arange(run.n_experts)):
        return
    n_tokens = rows["n_tokens"].to_numpy()
    report.check(n_tokens.sum() == run.n_tokens_run * run.n_chosen,
                 f"layer {layer}: n_tokens sums to tokens x K = {run.n_tokens_run * run.n_chosen}: {n_tokens.sum()}")
    report.close(f"layer {layer}: load_frac", rows["load_frac"], n_tokens / n_tokens.sum(), ROUNDING)
    pairs, dense = run.coactivation[f"layers.{layer}.coactivation"], dense_input_tokens(report, run, layer)
    report.equal(f"layer {layer}: co-activation is symmetric", pairs, pairs.T)
    report.equal(f"layer {layer}: its diagonal is n_tokens", np.diag(pairs), n_tokens)
    report.equal(f"layer {layer}: its rows sum to K n_tokens", pairs.sum(1), run.n_chosen * n_tokens)
    report.equal(f"layer {layer}: input_tokens sum to n_tokens", dense.sum(0), n_tokens)
    report.check((dense.sum(1) % run.n_chosen == 0).all(), f"layer {layer}: each input token reached K experts")
    traced_dense, tokens = np.zeros_like(dense), np.repeat(run.trace["token_ids"], run.n_chosen)
    np.add.at(traced_dense, (tokens, run.layer("expert_ids", layer).ravel()), 1)
    traced = (("n_tokens", n_tokens, counts_of(run, layer)), ("co-activation", pairs, coactivation_of(run, layer)),
              ("input_tokens", dense, traced_dense))
    for name, got, want in traced:
        if run.is_complete:
            report.equal(f"layer {layer}: {name} counted in the trace", got, want)
        else:
            report.check((got >= want).all(), f"layer {layer}: {name} is at least what the trace holds")


def mean_by_expert(run, layer, values):
    """Mean of values [N, K] over the tokens of each expert; NaN where there is none."""
    experts = run.layer("expert_ids", layer).ravel()
    with np.errstate(invalid="ignore"):
        sums = np.bincount(experts, weights=values.astype(np.float64).ravel(), minlength=run.n_experts)
        return sums / np.bincount(experts, minlength=run.n_experts)


def check_means(report, run, layer):
    rows = expert_rows(run, layer)
    weights, scores = (run.layer(name, layer).astype(np.float64) for name in ("weights", "scores"))
    report.close(f"layer {layer}: mean_weight", rows["mean_weight"], mean_by_expert(run, layer, weights), ROUNDING)
    report.close(f"layer {layer}: mean_score", rows["mean_score"], mean_by_expert(run, layer, scores), ROUNDING)
    report.close(f"layer {layer}: mean_output_norm (score / weight)", rows["mean_output_norm"],
                 mean_by_expert(run, layer, scores / weights), ROUNDING)


def check_layers_table(report, run):
    table = run.tables["layers"].sort_values("layer")
    report.equal("layers.csv: rows", table["layer"], np.arange(run.n_layers))
    entropy, imbalance, unused = [], [], []
    for layer in range(run.n_layers):
        n = expert_rows(run, layer)["n_tokens"].to_numpy(np.float64)
        share = n[n > 0] / n.sum()
        entropy.append(-(share * np.log2(share)).sum())
        imbalance.append(n.max() / n.mean())
        unused.append((n == 0).sum())
    report.equal("layers.csv: n_tokens", table["n_tokens"], np.full(run.n_layers, run.n_tokens_run))
    report.close("layers.csv: load_entropy_bits", table["load_entropy_bits"], entropy, ROUNDING)
    report.close("layers.csv: load_max_over_mean", table["load_max_over_mean"], imbalance, ROUNDING)
    report.equal("layers.csv: n_never_used", table["n_never_used"], unused)


def check_domains(report, run):
    """Tokens by domain from documents.jsonl and the trace; shares from the documents' token counts."""
    table = run.tables["domains"]
    names = table["domain"].fillna("").astype(str)
    tokens_of = {}
    for entry in run.documents.values():
        domain = entry["domain"] or ""
        tokens_of[domain] = tokens_of.get(domain, 0) + entry["n_tokens"]
    per_domain = table.groupby(["layer", names])["n_tokens"].sum()
    report.check(all(per_domain.get((layer, domain), 0) == n * run.n_chosen
                     for layer in range(run.n_layers) for domain, n in tokens_of.items()),
                 f"domains.csv: each of {len(tokens_of)} domains has K pairs a token in every layer")
    share = table["n_tokens"] / (names.map(tokens_of))
    if np.allclose(table["share_of_domain_frac"], share / run.n_chosen, rtol=1e-5, atol=1e-9):
        share = share / run.n_chosen
    report.close("domains.csv: share_of_domain_frac (of its tokens, or of its token-slot pairs)",
                 table["share_of_domain_frac"], share, ROUNDING)
    if not run.is_complete:
        return
    domains = np.array([run.documents[index]["domain"] or "" for index in run.trace["doc_idx"].tolist()])
    got = {(layer, expert, domain): n for layer, expert, domain, n
           in zip(table["layer"], table["expert"], names, table["n_tokens"]) if n}
    want = {}
    for layer in range(run.n_layers):
        for domain in tokens_of:
            counts = np.bincount(run.layer("expert_ids", layer)[domains == domain].ravel(), minlength=run.n_experts)
            want.update({(layer, expert, domain): n for expert, n in enumerate(counts.tolist()) if n})
    report.check(got == want, f"domains.csv: {len(want)} counts as in the trace, {len(got)} in the table")


def check_all(report, run):
    from check_run_evidence import check_evidence
    check_sequences(report, run)
    check_parquet(report, run)
    for layer in range(run.n_layers):
        check_counts(report, run, layer)
        if run.is_complete:
            check_means(report, run, layer)
    check_layers_table(report, run)
    check_domains(report, run)
    check_evidence(report, run)
    if not run.is_complete:
        report.not_checked("exact counts, means, domains by expert",
                           f"only {run.n_traced} of {run.n_tokens_run} tokens are traced")
    report.not_checked("experts.n_windows", "where windows begin is not stored")
