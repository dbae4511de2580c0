// The first view: what was run, what the labels are worth, all experts, layers, the run, how to read the numbers.

const at = (object, ...path) => path.reduce((value, key) => (value && typeof value === "object" ? value[key] : undefined), object);

const CONTROLS = {
  most_frequent_tokens: {name: "most frequent tokens", cls: "c-tokens",
    what: "the best list of single tokens, as long as the rule has conditions (3 at least): \u201cit fires on these words\u201d"},
  random_expert: {name: "rule of a random other expert", cls: "c-random",
    what: "the rule learned for another expert of the same layer, drawn at random"},
  always: {name: "always yes", cls: "c-always", what: "saying yes to every token: what the base rate alone gives"},
};

const stat = (name, value, note) => h("div", {class: "stat"}, h("div", {class: "stat-name"}, name), h("div", {class: "stat-value"}, value),
                                      note ? h("div", {class: "stat-note"}, note) : null);

function headerSection() {
  const sizes = [model.family, `${integer(L)} layers \u00d7 ${integer(R)} experts, ${integer(K)} a token${E > R ? " and a shared one" : ""}`,
    isNumber(model.n_parameters) ? count(model.n_parameters) + " parameters" + (isNumber(model.n_active_parameters) ? ` (${count(model.n_active_parameters)} active)` : "") : null,
    isNumber(model.d_model) ? "width " + integer(model.d_model) : null, isNumber(model.d_expert) ? "expert width " + integer(model.d_expert) : null,
    isNumber(model.d_vocab) ? "vocabulary " + integer(model.d_vocab) : null, model.dtype];
  return h("header", {class: "title"}, h("h1", {}, sentence(model.name || "Model without a name")),
    h("p", {class: "lede"}, sizes.filter(Boolean).map((x) => h("span", {class: "fact"}, sentence(x)))));
}

function headlineStats() {
  const summary = core.summary, corpus = run.corpus || {}, both = at(summary, "beats_both_frac"), f1 = at(summary, "mean_f1", "rule");
  const why = missingReason("label_summary.json");
  return h("div", {class: "stats"},
    stat("Experts that beat both controls",
      both && isNumber(both.value) ? percent(both.value) : notAvailable(summary ? "null in label_summary.json" : why),
      both && isNumber(both.value) ? `${interval(both.low, both.high, percent)}, n = ${integer(both.n)}` : null),
    stat("Mean rule F1", f1 && isNumber(f1.value) ? score(f1.value) : notAvailable(summary ? "null in label_summary.json" : why),
      f1 && isNumber(f1.value) ? `${interval(f1.low, f1.high)}, n = ${integer(f1.n)} experts` : null),
    stat("Perplexity on the corpus", isNumber(at(run, "loss", "perplexity")) ? real(run.loss.perplexity) : notAvailable("no loss in run.json"),
      isNumber(at(run, "loss", "mean_nats")) ? `loss ${real(run.loss.mean_nats, 4)} nats, n = ${integer(run.loss.n)}` : null),
    stat("Tokens run", isNumber(corpus.n_tokens_run) ? count(corpus.n_tokens_run) : notAvailable("not in run.json"),
      isNumber(corpus.n_documents) ? `${integer(corpus.n_documents)} documents` : null),
    stat("Speed", isNumber(run.tokens_per_s) ? [integer(run.tokens_per_s), h("small", {}, " tokens/s")] : notAvailable("not in run.json"),
      [run.device ? sentence(run.device) : null, isNumber(run.seconds) ? ", " + duration(run.seconds) : null]));
}

function notices() {
  const list = [];
  if (!core.labels) list.push("This run has no labels yet: `moescope label` writes labels.jsonl and label_summary.json, then run `moescope report` again. Everything that `record` measured is below.");
  const others = Object.entries(core.missing).filter(([name]) => !name.startsWith("label"));
  if (others.length) list.push("Not available: " + others.map(([name, why]) => `${name} (${why})`).join(", ") + ".");
  const w = core.windows;
  if (w.n_shown < w.n) list.push(`To keep this file small it shows ${integer(w.n_shown)} of ${integer(w.n)} evidence windows; all of them are in evidence.safetensors.`);
  return list.map((text) => h("p", {class: "notice"}, text));
}

// Per-layer entries of label_summary.json as columns [L]; `path` leads to a {value, low, high}.
function summaryColumn(...path) {
  const values = new Array(L).fill(null), low = new Array(L).fill(null), high = new Array(L).fill(null);
  const layers = at(core.summary, "layers");
  (Array.isArray(layers) ? layers : []).forEach((entry, i) => {
    const layer = isNumber(entry.layer) ? entry.layer : i, number = at(entry, ...path);
    if (layer >= L) return;
    values[layer] = isNumber(number) ? number : at(number, "value") ?? null;
    low[layer] = at(number, "low") ?? null;
    high[layer] = at(number, "high") ?? null;
  });
  return {values, low, high};
}

// Plain means over the routed experts of a layer that have a label, where the summary holds none by layer.
function layerMeans(values) {
  return Array.from({length: L}, (_, layer) => {
    const known = values.slice(layer * E, layer * E + R).filter(isNumber);
    return known.length ? known.reduce((a, b) => a + b, 0) / known.length : null;
  });
}

function labelSection() {
  const intro = h("p", {class: "note"}, "Each label is a rule that runs: it is learned on one part of the documents, pruned on a second, and scored on a third that it never saw. ",
    "A label is worth something if it beats both controls, that is, if the 95\u202f% interval of the difference in F1 lies above 0. An expert without a rule does not beat them.");
  const controls = h("dl", {class: "defs"}, ["most_frequent_tokens", "random_expert"].map((key) =>
    h("div", {}, h("dt", {}, CONTROLS[key].name), h("dd", {}, CONTROLS[key].what))));
  if (!core.labels) return section("labels", "What the labels are worth", intro, controls, h("p", {}, notAvailable(missingReason("labels.jsonl"))));
  const shares = [["both controls", "c-rule", "beats_both_frac"], ["most frequent tokens", "c-tokens", "beats_most_frequent_tokens_frac"],
                  ["rule of a random other expert", "c-random", "beats_random_expert_frac"]].map(([name, cls, key]) => shareRow(name, cls, key));
  const means = [["rule", "the rule", "c-rule"], ...Object.entries(CONTROLS).map(([key, c]) => [key, c.name, c.cls])].map(([key, name, cls]) => {
    const v = at(core.summary, "mean_f1", key);
    return {name, cls, value: at(v, "value"), low: at(v, "low"), high: at(v, "high"), n: isNumber(at(v, "n")) ? `n = ${integer(v.n)}` : null,
            why: core.summary ? "null in label_summary.json" : missingReason("label_summary.json")};
  });
  const both = summaryColumn("beats_both_frac");
  const charts = [];
  if (both.values.some(isNumber)) {
    charts.push(layerChart({title: "Share of experts that beat both controls", unit: "95\u202f% intervals", zero: true, max: 1, format: (x) => percent(x, 0), series: [{name: "beats both", cls: "c-rule", ...both}]}));
  }
  charts.push(layerChart({title: "Mean F1 over labelled experts", unit: "test documents", zero: true, series: [
    {name: "rule", cls: "c-rule", values: layerMeans(core.labels.f1)}, {name: "most frequent tokens", cls: "c-tokens", values: layerMeans(core.labels.tokens)},
    {name: "random expert", cls: "c-random", values: layerMeans(core.labels.random)}]}));
  return section("labels", "What the labels are worth", intro, controls,
    h("div", {class: "halves"}, h("div", {}, h("h3", {}, "Share of experts whose rule beats \u2026"), intervalRows(shares, {format: percent})),
      h("div", {}, h("h3", {}, "Mean F1 on test documents"), intervalRows(means))),
    h("div", {class: "charts"}, charts), statusLine(), splitLine());
}

function shareRow(name, cls, key) {
  const v = at(core.summary, key) || at(core.summary, key.replace("_frac", ""));
  return {name, cls, value: at(v, "value"), low: at(v, "low"), high: at(v, "high"), n: isNumber(at(v, "n")) ? `n = ${integer(v.n)}` : null,
          why: core.summary ? "not in label_summary.json" : missingReason("label_summary.json")};
}

function tally(values, words) {
  const counts = new Map();
  for (const v of values) counts.set(v, (counts.get(v) || 0) + 1);
  return Array.from(counts, ([v, n]) => `${integer(n)} ${words(v)}`).join("; ");
}

const statusLine = () => h("p", {class: "note"}, "Labels: ", tally(core.labels.status, (s) => (s ? labelWords(s) : "without a line in labels.jsonl")), ".");

function splitLine() {
  const split = at(core.summary, "split");
  if (!split) return null;
  const part = (key, name) => {
    const v = split["n_" + key];
    if (isNumber(v)) return `${name} ${integer(v)}`;
    if (!v || typeof v !== "object") return null;
    const units = isNumber(v.units) ? `${integer(v.units)} ${split.unit || "unit"}s` : null, tokens = isNumber(v.tokens) ? `${integer(v.tokens)} tokens` : null;
    return units && tokens ? `${name} ${units} (${tokens})` : units || tokens ? `${name} ${units || tokens}` : null;
  };
  const parts = [part("explain", "learned on"), part("validation", "pruned on"), part("test", "scored on")].filter(Boolean);
  return parts.length ? h("p", {class: "note"}, sentence("Text: " + parts.join("; ") + ".")) : null;
}

function section(id, title, ...children) {
  return h("section", {id, "aria-labelledby": "h-" + id, tabindex: -1}, h("h2", {id: "h-" + id}, title), ...children);
}

function layerSection() {
  if (!core.layers) return section("layers", "Layers", h("p", {}, notAvailable(missingReason("layers.csv"))), heatmapSection());
  const c = core.layers, loadMax = Math.log2(R);
  const charts = [
    layerChart({title: "Router entropy", unit: `bits, at most ${real(loadMax)}`, zero: true, max: loadMax, series: [{name: "router entropy", cls: "c-rule", values: c.router_entropy_bits}]}),
    layerChart({title: "Router margin", unit: "first minus second probability", zero: true, series: [{name: "margin", cls: "c-rule", values: c.router_margin}]}),
    layerChart({title: "Load entropy", unit: `bits, even load ${real(loadMax)}`, zero: true, max: loadMax, series: [{name: "load entropy", cls: "c-rule", values: c.load_entropy_bits}]}),
    layerChart({title: "Largest load over mean load", unit: "1 = even", zero: true, series: [{name: "largest / mean", cls: "c-rule", values: c.load_max_over_mean}]}),
  ];
  const head = ["layer", "tokens", "router entropy, bits", "router margin", "load entropy, bits", "largest / mean load", "experts never used"];
  const table = h("table", {}, h("thead", {}, h("tr", {}, head.map((x, i) => h("th", {class: i ? "num" : "", scope: "col"}, x)))),
    h("tbody", {}, Array.from({length: L}, (_, l) => h("tr", {}, h("th", {scope: "row"}, l),
      [integer(c.n_tokens[l]), real(c.router_entropy_bits[l]), real(c.router_margin[l]), real(c.load_entropy_bits[l]), real(c.load_max_over_mean[l]), integer(c.n_never_used[l])]
        .map((x) => h("td", {class: "num"}, x === NONE ? notAvailable("empty in layers.csv") : x))))));
  return section("layers", "Layers", h("div", {class: "charts"}, charts),
    h("details", {}, h("summary", {}, "The same as a table"), h("div", {class: "scroll"}, table)),
    h("h3", {class: "spaced"}, "Which experts are chosen together"), heatmapSection());
}

function valueNode(value) {
  if (value === null || value === undefined || value === "") return h("span", {class: "na"}, NONE);
  if (Array.isArray(value)) {
    if (value.length > 8) return h("details", {}, h("summary", {}, integer(value.length) + " entries"), value.map((v) => h("div", {}, valueNode(v))));
    return value.map((v, i) => [i ? ", " : "", valueNode(v)]);
  }
  if (typeof value === "object") return h("dl", {class: "facts small"}, Object.entries(value).map(([k, v]) => fact(k, valueNode(v))));
  return typeof value === "number" ? String(value) : sentence(value);
}

const fact = (name, value) => h("div", {}, h("dt", {}, sentence(name)), h("dd", {}, value));

function runSection() {
  const corpus = run.corpus || {}, memory = run.memory || {}, waves = run.waves || {};
  const or = (value, text) => (isNumber(value) ? text(value) : notAvailable("not in run.json"));
  const facts = h("dl", {class: "facts"},
    fact("corpus", corpus.name ? sentence(corpus.name) : notAvailable("not in run.json")),
    fact("documents", or(corpus.n_documents, integer)), fact("empty documents left out", or(corpus.n_empty, integer)),
    fact("bytes replaced (not UTF-8)", or(corpus.n_replaced_bytes, integer)),
    fact("tokens run", [or(corpus.n_tokens_run, integer), isNumber(corpus.n_tokens_available) ? ` of ${integer(corpus.n_tokens_available)} available` : ""]),
    fact("tokens traced", or(run.n_traced, integer)), fact("window, context", [or(run.window, integer), ", ", or(run.context, integer), " tokens"]),
    fact("device, dtype", [sentence(run.device || NONE), ", ", sentence(run.dtype || model.dtype || NONE)]), fact("seed", or(run.seed, String)),
    fact("waves", isNumber(waves.n) ? `${integer(waves.n)} of up to ${integer(waves.tokens)} tokens` : notAvailable("not in run.json")),
    fact("memory, peak of budget", isNumber(memory.peak_bytes) ? `${bytes(memory.peak_bytes)} of ${bytes(memory.budget_bytes)}` : notAvailable("not in run.json")),
    fact("time", or(run.seconds, duration)),
    fact("model hash", h("code", {}, sentence(model.hash || NONE))), fact("tokenizer hash", h("code", {}, sentence(at(run, "tokenizer", "hash") || NONE))),
    fact("corpus hash", h("code", {}, sentence(corpus.hash || NONE))), fact("moescope", sentence(run.tool_version || NONE)));
  const skipped = Array.isArray(run.skipped) ? run.skipped : [];
  const files = core.files.map((name) => (core.linked ? h("a", {href: name}, name) : h("code", {}, name)));
  return section("run", "About this run", facts,
    run.command ? h("p", {class: "command"}, h("code", {}, sentence(run.command))) : null,
    h("h3", {}, "Skipped"), skipped.length
      ? h("ul", {}, skipped.map((s) => h("li", {}, h("b", {}, integer(s.n)), " ", sentence(s.what || ""), s.why ? [": ", sentence(s.why)] : null)))
      : h("p", {class: "note"}, Array.isArray(run.skipped) ? "Nothing was skipped." : notAvailable("no list \u201cskipped\u201d in run.json")),
    h("p", {class: "note"}, "Experts: ", tally(core.experts.status, statusWords), "."),
    h("h3", {}, core.linked ? "Files beside this page" : "Files in the run directory"), h("p", {class: "files"}, files),
    Array.isArray(corpus.files) && corpus.files.length ? h("details", {}, h("summary", {}, `Files of the corpus (${integer(corpus.files.length)})`),
      h("ul", {class: "small"}, corpus.files.slice(0, 500).map((f) => h("li", {}, h("code", {}, valueNode(f))))),
      corpus.files.length > 500 ? h("p", {class: "note"}, `and ${integer(corpus.files.length - 500)} more in run.json`) : null) : null,
    h("details", {}, h("summary", {}, "Every setting"), valueNode(run.settings)),
    at(core.summary, "settings") ? h("details", {}, h("summary", {}, "Settings of the labels"), valueNode(core.summary.settings)) : null);
}

function readingSection() {
  const define = (name, text) => h("div", {}, h("dt", {}, name), h("dd", {}, text));
  return section("reading", "How to read the numbers", h("dl", {class: "defs"},
    define("score", "of a token for an expert: its applied router weight times the length of the expert\u2019s output. 0 if the expert was not chosen."),
    define("window, strength", "a short run of tokens; its strength for an expert is the largest score in it. Evidence is the strongest windows, and a sample over ten equal parts of all windows by strength (10 strongest), because the strongest alone show a caricature."),
    define("promotes", "the tokens that the expert\u2019s output at one token raises most when it is read through the unembedding (logit lens)."),
    define("positive token", "one of the strongest tokens of an expert that together carry half of its total score. Tokens that it receives weakly are left out of the score, and counted."),
    define("F1, precision, recall, lift", "of the rule on test documents. Lift: precision over the base rate of positive tokens."),
    define("[low, high]", "95\u202f% interval from resampling documents. n: tokens judged; positive: how many of them the expert really takes."),
    define("active neurons", "mean share of the expert\u2019s neurons that are not 0 for a token it gets; and of those above a tenth of the same token\u2019s largest."),
    define("load", "share of the layer\u2019s choices that go to the expert; 1/" + R + " = " + percent(1 / R, 2) + " if even."),
    define("\u00d7 chance", "tokens that reach both experts, over what independent choices with the same loads would give."),
    define("input-token entropy", "bits of the distribution of token types that reach the expert; low: few types. Too low where few tokens were seen.")));
}

let gridView = null;

function buildOverview() {
  gridView = expertGrid();
  return [headerSection(), notices(), headlineStats(),
    section("experts", "All experts", h("p", {class: "note"}, "Every cell is an expert; open one for its label, rule, scores and evidence."), gridView.element),
    labelSection(), layerSection(), runSection(), readingSection()].flat();
}
