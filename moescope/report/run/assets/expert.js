// The page of one expert: label, how well it holds, rule, what reaches it, what it writes, evidence.

const literal = (l) => h("span", {class: "literal" + (l.negated ? " not" : "")}, l.negated ? h("b", {}, "not ") : null, sentence(l.predicate));

function ruleNode(rule) {
  const terms = Array.isArray(rule.terms) ? rule.terms.filter(Array.isArray) : [];
  if (!terms.length) return rule.text ? h("p", {}, sentence(rule.text)) : notAvailable("the rule has no terms");
  return h("ul", {class: "terms"}, terms.map((term, i) => h("li", {}, i ? h("span", {class: "or"}, "or") : null,
    term.map((l, j) => [j ? h("span", {class: "and"}, "and") : null, literal(l)]))));
}

function verdict(label) {
  const said = {true: ["beats both controls", "good"], false: ["does not beat both controls", "weak"]}[label.beats_both];
  return said ? h("span", {class: "badge " + said[1]}, said[0]) : h("span", {class: "badge"}, "not compared with the controls");
}

function scoreSection(label) {
  const scores = label.scores || {};
  if (label.status !== "ok" && !Object.values(scores).some((v) => isNumber(at(v, "f1")))) return section("score", "How well the label holds", h("p", {}, notAvailable(labelWords(label.status))));
  const controls = ["most_frequent_tokens", "random_expert", "always"];
  const why = label.status === "ok" ? "null in labels.jsonl" : labelWords(label.status);
  const rows = [["rule", "this rule", "c-rule"], ...controls.map((key) => [key, CONTROLS[key].name, CONTROLS[key].cls])];
  const other = isNumber(label.random_expert_idx) ? label.random_expert_idx : null;
  const rowName = (key, name) => (key === "random_expert" && other !== null ? ["rule of ", expertLink(label.layer, other), " (random)"] : name);
  const chart = intervalRows(rows.map(([key, name, cls]) => {
    const v = scores[key] || {};
    return {name: rowName(key, name), cls, value: v.f1, low: v.f1_low, high: v.f1_high, why};
  }));
  const columns = [["F1", "f1", score], ["precision", "precision", score], ["recall", "recall", score], ["lift", "lift", real], ["n", "n", integer], ["positive", "n_positive", integer]];
  const table = h("table", {class: "compact"}, h("thead", {}, h("tr", {}, h("th", {}, ""), columns.map(([name]) => h("th", {class: "num", scope: "col"}, name)))),
    h("tbody", {}, rows.map(([key, name]) => h("tr", {}, h("th", {scope: "row"}, rowName(key, name)),
      columns.map(([, field, format]) => h("td", {class: "num"}, at(scores, key, field) === null || at(scores, key, field) === undefined ? h("span", {class: "na"}, "n/a") : format(scores[key][field])))))));
  const differences = ["most_frequent_tokens", "random_expert"].map((key) => {
    const v = at(label, "difference", key) || {}, beats = label["beats_" + key];
    return {name: "rule minus " + (key === "random_expert" ? "random expert" : CONTROLS[key].name), cls: beats ? "c-rule" : "c-always", value: v.mean, low: v.low, high: v.high,
            n: beats === true ? "beats it" : beats === false ? "does not beat it" : null, why};
  });
  const target = label.target || {};
  const listed = Array.isArray(label.most_frequent_tokens) && label.most_frequent_tokens.length
    ? h("p", {class: "note"}, "The control \u201cmost frequent tokens\u201d says yes to: ", label.most_frequent_tokens.map((p) => [piece(String(p)), " "])) : null;
  return section("score", "How well the label holds", h("p", {class: "note"}, "F1 on test documents with 95\u202f% intervals, beside the controls."), chart,
    h("h3", {}, "Difference in F1"), intervalRows(differences, {low: -1, high: 1, format: signed}), h("div", {class: "scroll"}, table), listed,
    h("p", {class: "note"}, isNumber(target.n_positive)
      ? [`${integer(target.n_positive)} positive tokens, base rate ${percent(target.base_rate_frac, 2)}; ${integer(target.n_left_out)} tokens that it takes weakly are left out`,
         isNumber(target.left_out_hit_frac) ? ` (the rule holds for ${percent(target.left_out_hit_frac, 0)} of them).` : "."]
      : notAvailable("target: " + why)));
}

function factsBox(layer, expert) {
  const e = core.experts, i = indexOf(layer, expert), why = e.status[i] === "never" ? "no token reached it" : "empty in experts.csv";
  const or = (value, text) => (isNumber(value) ? text(value) : notAvailable(why));
  return side("Facts", h("dl", {class: "facts narrow"},
    fact("status", statusWords(e.status[i])), fact("tokens", or(e.n_tokens[i], integer)),
    fact("load", or(e.load_frac[i], (x) => `${percent(x, 2)}, ${real(x * R)} \u00d7 the mean`)),
    fact("mean router weight", or(e.mean_weight[i], real)), fact("mean output norm", or(e.mean_output_norm[i], real)), fact("mean score", or(e.mean_score[i], real)),
    fact("active neurons", or(e.active_neuron_frac[i], percent)), fact("above 0.1 of the largest", or(e.active_neuron_frac_01[i], percent)),
    fact("input-token entropy", isNumber(e.input_entropy_bits[i]) ? real(e.input_entropy_bits[i]) + " bits" : notAvailable(data.inputLines() ? why : missingReason("input_tokens.safetensors"))),
    fact("windows it fired in", or(e.n_windows[i], integer))));
}

const side = (title, ...children) => h("section", {class: "box"}, h("h2", {}, title), ...children);

// Two orders of the same short list (token_tables.h): by count, and by the share of a token's occurrences that come here.
function tokenBox(layer, expert) {
  const list = inputTokensOf(indexOf(layer, expert));
  if (!list) return side("Tokens that reach it", h("p", {}, notAvailable(missingReason("input_tokens.safetensors"))));
  if (!list.length) return side("Tokens that reach it", h("p", {}, notAvailable("no token reached it")));
  const n_all = core.experts.n_tokens[indexOf(layer, expert)];
  const row = (t) => ({name: h("a", {class: "token-link", href: "#T" + pieceIds()[t.token]}, piece(pieceOf(t.token))), t});
  const frequent = list.slice(0, 12).map((t) => ({...row(t), share: t.n / list[0].n, value: isNumber(n_all) && n_all > 0 ? `${integer(t.n)} (${percent(t.n / n_all)})` : integer(t.n)}));
  const captured = (t) => Math.min(1, (t.n * K) / t.n_layer);
  const typical = list.filter((t) => t.n >= 5).sort((a, b) => captured(b) - captured(a) || b.n - a.n).slice(0, 12)
    .map((t) => ({...row(t), share: captured(t), value: `${percent(captured(t), 0)} of ${integer(t.n_layer / K)}`}));
  return side("Tokens that reach it", h("h3", {}, "Most frequent"), h("p", {class: "note"}, "count, share of the expert\u2019s tokens"), bars(frequent),
    h("h3", {}, "Most its own"), h("p", {class: "note"}, "share of a token\u2019s occurrences that come here (5 or more)"),
    typical.length ? bars(typical) : notAvailable("no token reached it 5 times"));
}

// Pieces promoted at the strongest tokens of the windows on this page, counted.
function countPromoted(evidence) {
  const counts = new Map();
  let n = 0;
  for (const window of evidence.windows) {
    for (const promoted of window.strongest.values()) {
      n++;
      for (const token of new Set(promoted)) counts.set(token, (counts.get(token) || 0) + 1);
    }
  }
  return {n, list: Array.from(counts, ([token, times]) => ({token, times})).sort((a, b) => b.times - a.times)};
}

function promotedBox(layer, expert, label) {
  const content = [];
  const promotes = label && label.promotes;
  if (promotes && promotes.text) content.push(h("p", {}, sentence(promotes.text)));
  if (promotes && Array.isArray(promotes.pieces) && promotes.pieces.length) {
    content.push(h("p", {class: "note"}, "over-represented against the layer, with lift" + (isNumber(promotes.n) ? ` (n = ${integer(promotes.n)})` : "")), h("p", {class: "chips"}, promotes.pieces.slice(0, 16).map((p) =>
      h("span", {class: "chip"}, piece(String(p.piece ?? "")), isNumber(p.lift) ? h("small", {}, real(p.lift, 2) + "\u00d7") : null))));
  }
  const evidence = evidenceOf(layer, expert);
  if (evidence) {
    const {n, list} = countPromoted(evidence);
    content.push(n ? [h("p", {class: "note"}, `among the top three at ${integer(n)} strong tokens of the windows shown`),
                      bars(list.slice(0, 10).map((x) => ({name: piece(pieceOf(x.token)), share: x.times / n, value: `${integer(x.times)} (${percent(x.times / n, 0)})`})))]
                   : notAvailable("no window was kept"));
  } else {
    content.push(h("p", {}, evidencePending() ? "Still being read \u2026" : notAvailable(missingReason("evidence.safetensors"))));
  }
  return side("Tokens that it promotes", content);
}

function domainBox(layer, expert) {
  const domains = domainsOf(indexOf(layer, expert));
  if (!domains) return side("Domains", h("p", {}, notAvailable(missingReason("domains.csv"))));
  if (!domains.rows.length) return side("Domains", h("p", {}, notAvailable("no token reached it")));
  const known = domains.rows.filter((d) => isNumber(d.share)), most = Math.max(...known.map((d) => d.share), 1e-12);
  const rows = domains.rows.slice(0, 12).map((d) => ({name: sentence(d.name), share: isNumber(d.share) ? d.share / most : 0,
    value: `${isNumber(d.share) ? percent(d.share, 2) : "n/a"} (${integer(d.n)})`}));
  const n_more = domains.rows.length - rows.length + domains.n_more;
  return side("Domains", h("p", {class: "note"}, `share of a domain\u2019s tokens that come here (tokens); ${isShared(expert) ? "all do" : "even: " + percent(K / R, 2)}`), bars(rows),
    n_more ? h("p", {class: "note"}, `${integer(n_more)} more in domains.csv`) : null);
}

function neighbourBox(layer, expert) {
  if (isShared(expert)) return side("Chosen together with", h("p", {}, notAvailable("a router does not choose it: every token reaches it")));
  const list = neighboursOf(layer, expert);
  if (!list) return side("Chosen together with", h("p", {}, notAvailable(missingReason("coactivation.safetensors"))));
  const known = list.filter((x) => x.n > 0).sort((a, b) => (b.lift ?? 0) - (a.lift ?? 0) || b.n - a.n).slice(0, 8);
  if (!known.length) return side("Chosen together with", h("p", {}, notAvailable("it never met another expert")));
  return side("Chosen together with", h("p", {class: "note"}, "tokens that reach both; times as often as by chance"),
    h("table", {class: "compact"}, h("tbody", {}, known.map((x) => h("tr", {}, h("td", {}, expertLink(layer, x.expert)), h("td", {class: "wide"}, shortOr(indexOf(layer, x.expert))),
      h("td", {class: "num"}, integer(x.n)), h("td", {class: "num"}, x.lift === null ? h("span", {class: "na"}, "n/a") : real(x.lift, 2) + "\u00d7"))))));
}

function expertHead(layer, expert, label) {
  const i = indexOf(layer, expert), step = (by) => expertName(layer, (expert + by + E) % E);
  const nav = h("nav", {class: "expert-nav", "aria-label": "Neighbouring experts"},
    h("a", {href: "#experts"}, "All experts"), h("span", {class: "gap"}),
    h("a", {href: "#" + step(-1), rel: "prev"}, "\u2190 ", step(-1)), h("a", {href: "#" + step(1), rel: "next"}, step(1), " \u2192"),
    layer > 0 ? h("a", {href: "#" + expertName(layer - 1, expert)}, "layer " + (layer - 1)) : null,
    layer < L - 1 ? h("a", {href: "#" + expertName(layer + 1, expert)}, "layer " + (layer + 1)) : null);
  const badges = [];
  if (label) badges.push(label.status === "ok" ? verdict(label) : h("span", {class: "badge weak"}, labelWords(label.status)));
  else badges.push(h("span", {class: "badge"}, core.labels ? "no line in labels.jsonl" : "not labelled yet"));
  if (isShared(expert) && core.experts.status[i] !== "not_recorded") badges.push(h("span", {class: "badge"}, "shared: every token reaches it"));
  if (core.experts.status[i] !== "ok") badges.push(h("span", {class: "badge weak"}, statusWords(core.experts.status[i])));
  if (label && label.explainer) badges.push(h("span", {class: "badge"}, "explainer: ", sentence(label.explainer)));
  const title = label && label.short_label ? sentence(label.short_label) : "Expert without a label";
  return h("header", {class: "expert-head"}, nav,
    h("p", {class: "eyebrow"}, `Layer ${layer}, expert ${expert}`, h("code", {}, expertName(layer, expert))),
    h("h1", {tabindex: -1}, title), label && label.label ? h("p", {class: "label"}, sentence(label.label)) : null, h("p", {class: "badges"}, badges));
}

function buildExpert(layer, expert) {
  const index = indexOf(layer, expert), found = labelOf(index), label = found ? {...found, layer} : null;
  const scores = label ? [label.rule ? section("rule", "Rule", ruleNode(label.rule)) : null, scoreSection(label)]
    : [section("score", "How well the label holds", h("p", {}, notAvailable(core.labels ? "labels.jsonl has no line for this expert" : missingReason("labels.jsonl"))))];
  return h("article", {class: "expert"}, expertHead(layer, expert, label), h("div", {class: "scores"}, scores),
    h("aside", {class: "sidebar", "aria-label": "Measurements"}, factsBox(layer, expert), tokenBox(layer, expert), promotedBox(layer, expert, label), domainBox(layer, expert), neighbourBox(layer, expert)),
    h("div", {class: "evidence"}, evidenceSections(layer, expert)));
}
