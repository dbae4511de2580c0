// All experts as cells, layers x experts, coloured by one number. One tab stop; arrows move inside.

function perLabel(f) {
  return (i) => (core.labels && core.labels.status[i] ? f(i) : null);
}

const better = (i) => {
  const known = [core.labels.tokens[i], core.labels.random[i]].filter(isNumber);
  return isNumber(core.labels.f1[i]) && known.length === 2 ? core.labels.f1[i] - Math.max(...known) : null;
};

// kind "sequential": from low to high; "diverging": `middle` is neutral.
const METRICS = [
  {id: "f1", name: "rule F1", needs: "labels", value: perLabel((i) => core.labels.f1[i]), low: 0, high: 1, format: score},
  {id: "gain", name: "rule F1 minus the better control", needs: "labels", value: perLabel(better), kind: "diverging", middle: 0, format: signed},
  {id: "load", name: "load / mean load", value: (i) => (isNumber(core.experts.load_frac[i]) ? core.experts.load_frac[i] * R : null),
   kind: "diverging", middle: 1, log: true, format: real},
  {id: "entropy", name: "input-token entropy, bits", value: (i) => core.experts.input_entropy_bits[i], format: real},
  {id: "score", name: "mean score", value: (i) => core.experts.mean_score[i], format: real},
  {id: "weight", name: "mean router weight", value: (i) => core.experts.mean_weight[i], format: real},
  {id: "norm", name: "mean output norm", value: (i) => core.experts.mean_output_norm[i], format: real},
  {id: "neurons", name: "active neurons, share", value: (i) => core.experts.active_neuron_frac[i], format: percent},
  {id: "neurons01", name: "neurons above 0.1 of the largest, share", value: (i) => core.experts.active_neuron_frac_01[i], format: percent},
].filter((m) => m.needs !== "labels" || core.labels);

function metricScale(metric) {
  const transform = metric.log ? Math.log2 : (x) => x;
  const values = Array.from({length: L * E}, (_, i) => metric.value(i));
  const known = values.filter((v) => isNumber(v) && (!metric.log || v > 0)).map(transform).sort((a, b) => a - b);
  if (!known.length) return {values, at: () => null, low: null, high: null, n: 0};
  let low = isNumber(metric.low) ? metric.low : known[0], high = isNumber(metric.high) ? metric.high : known[known.length - 1];
  if (metric.kind === "diverging") {
    // The far 1 % at both ends share the end colours, so that one extreme expert does not wash out the rest.
    const middle = transform(metric.middle), cut = Math.floor(known.length / 100);
    const reach = Math.max(known[known.length - 1 - cut] - middle, middle - known[cut], 1e-9);
    low = middle - reach;
    high = middle + reach;
  }
  const at = (v) => {
    if (!isNumber(v)) return null;
    const x = metric.log ? (v > 0 ? Math.log2(v) : low) : v;
    return high > low ? (x - low) / (high - low) : 0.5;
  };
  const back = metric.log ? (x) => 2 ** x : (x) => x;
  return {values, at, low: back(low), high: back(high), n: known.length};
}

const STATUS_WORDS = {
  ok: "enough evidence", rare: "rare: it fired in fewer windows than strongest ones were asked for", never: "never: no token reached it",
  not_recorded: "not recorded: experts.csv has no row for it (a dense layer has one expert)",
};
const LABEL_WORDS = {
  ok: "labelled", too_few: "no label: too few positive tokens to learn and test a rule",
  no_rule: "no label: no rule beat saying yes always",
  never: "no label: no token reached it",
};
const statusWords = (status) => STATUS_WORDS[status] || "status " + status;
const labelWords = (status) => LABEL_WORDS[status] || "label status " + status;

function cellText(i, metric) {
  const value = metric.value(i), name = expertName(Math.floor(i / E), i % E);
  const status = core.experts.status[i];
  const label = shortLabel(i) || (core.labels && core.labels.status[i] ? labelWords(core.labels.status[i]) : "no label");
  const shown = isNumber(value) ? metric.format(value) : "not available";
  return {name, label, status: status === "ok" ? "" : statusWords(status), value: metric.name + ": " + shown};
}

function expertGrid() {
  const cells = [];
  const body = h("div", {class: "grid", role: "group", "aria-label": "All experts, one row a layer. Arrow keys move, Enter opens.",
                         vars: {"--experts": E}});
  for (let layer = 0; layer < L; layer++) {
    const row = h("div", {class: "grid-row"}, h("span", {class: "grid-layer", "aria-hidden": "true"}, layer));
    for (let expert = 0; expert < E; expert++) {
      const cell = h("a", {class: "cell", href: "#" + expertName(layer, expert), tabindex: cells.length ? -1 : 0});
      cells.push(cell);
      row.append(cell);
    }
    body.append(row);
  }
  const legend = h("div", {class: "scale"});
  const select = h("select", {id: "metric"}, METRICS.map((m) => h("option", {value: m.id}, m.name)));
  if (!core.labels) select.value = "load";
  let metric;
  const paint = () => {
    metric = METRICS.find((m) => m.id === select.value);
    const scale = metricScale(metric), kind = metric.kind || "sequential";
    cells.forEach((cell, i) => {
      const t = scale.at(scale.values[i]), text = cellText(i, metric);
      cell.style.backgroundColor = t === null ? "" : css(colour(kind, t));
      cell.classList.toggle("none", t === null);
      cell.setAttribute("aria-label", plainText(`${text.name}, ${text.label}, ${text.value}`));
    });
    const stops = [0, 0.25, 0.5, 0.75, 1].map((t) => css(colour(kind, t))).join(", ");
    legend.replaceChildren(
      ...(scale.n ? [h("span", {}, metric.format(scale.low)), h("i", {class: "ramp", vars: {background: `linear-gradient(to right, ${stops})`}}),
                     h("span", {}, metric.format(scale.high))] : []),
      h("span", {class: "scale-none"}, h("i", {class: "cell none"}), `not available (${integer(L * E - scale.n)} of ${integer(L * E)})`));
  };
  select.addEventListener("change", paint);
  darkScheme.addEventListener("change", paint);
  addEventListener("beforeprint", paint);
  addEventListener("afterprint", paint);
  const indexOfCell = (target) => cells.indexOf(target);
  body.addEventListener("pointerover", (event) => {
    const i = indexOfCell(event.target);
    if (i >= 0) showTip(event.target, gridTip(cellText(i, metric)));
  });
  body.addEventListener("pointerleave", hideTip);
  body.addEventListener("focusin", (event) => {
    const i = indexOfCell(event.target);
    if (i < 0) return;
    for (const cell of cells) if (cell.tabIndex === 0) cell.tabIndex = -1;
    event.target.tabIndex = 0;
    if (event.target.matches(":focus-visible")) showTip(event.target, gridTip(cellText(i, metric)));
  });
  body.addEventListener("focusout", hideTip);
  body.addEventListener("keydown", (event) => moveInGrid(event, cells, indexOfCell(event.target)));
  paint();
  return {element: h("div", {class: "grid-box"},
            h("div", {class: "grid-head"}, h("label", {for: "metric"}, "Colour: "), select, legend),
            h("div", {class: "grid-scroll"}, h("div", {class: "grid-wide"}, body,
              h("div", {class: "grid-axis", "aria-hidden": "true"}, "expert 0 \u2026 " + (R - 1) + (E > R ? " and the shared one" : "") + " in each row; one row a layer")))),
          focus: () => (cells.find((cell) => cell.tabIndex === 0) || cells[0]).focus()};
}

const gridTip = (text) => [h("b", {}, text.name), " ", sentence(text.label), h("div", {}, text.value), text.status ? h("div", {}, text.status) : null];

function moveInGrid(event, cells, i) {
  const step = {ArrowRight: 1, ArrowLeft: -1, ArrowDown: E, ArrowUp: -E, Home: -(i % E), End: E - 1 - (i % E)}[event.key];
  if (i < 0 || step === undefined || event.altKey || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  event.stopPropagation();
  if (cells[i + step]) cells[i + step].focus();
}
