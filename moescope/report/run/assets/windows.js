// Evidence windows: text with the expert's tokens marked, and the small box with a token's numbers.

const tip = byId("tip");

function showTip(anchor, content) {
  tip.replaceChildren();
  appendAll(tip, [content]);
  tip.hidden = false;
  const box = anchor.getBoundingClientRect(), own = tip.getBoundingClientRect();
  const left = Math.min(Math.max(8, box.left), innerWidth - own.width - 8);
  const above = box.top - own.height - 8;
  tip.style.left = Math.max(8, left) + "px";
  tip.style.top = (above > 52 ? above : Math.min(box.bottom + 8, innerHeight - own.height - 8)) + "px";
}

function hideTip() { tip.hidden = true; }

// Scores are kept as 16-bit shares of the expert's largest, so a small one has fewer digits.
function scoreText(share, largest) {
  const digits = share > 0.02 ? 3 : share > 0.002 ? 2 : 1, value = share * largest;
  return value >= 1e-3 && value < 1000 ? value.toPrecision(digits) : real(value, digits);
}

// Blank pieces become symbols; else only a space that joins words stays a space.
function tokenNodes(text) {
  if (/^ +$/.test(text) || (text !== "" && text.trim() === "")) return visible(text, "all");
  const indent = /^ {2,}/.exec(text);
  if (!indent) return visible(text, "none");
  return [...visible(indent[0], "all"), ...visible(text.slice(indent[0].length), "none")];
}

function tokenTip(window, i, largest) {
  const text = pieceOf(window.tokens[i]), promoted = window.strongest.get(i);
  return [h("div", {class: "tip-head"}, piece(text), h("span", {}, "id " + pieceIds()[window.tokens[i]])),
    h("div", {}, "score ", h("b", {}, scoreText(window.shares[i], largest)), ` (${percent(window.shares[i], 0)} of the largest shown)`),
    promoted ? h("div", {}, promoted.length ? ["promotes ", promoted.map((t) => [piece(pieceOf(t)), " "])] : "no promoted tokens kept")
             : h("div", {class: "na"}, "promoted tokens are kept for the strongest five only")];
}

function windowItem(window, largest) {
  const spans = window.tokens.map((token, i) => {
    const share = window.shares[i], nodes = tokenNodes(pieceOf(token));
    if (share === 0) return h("span", {class: "t"}, nodes);
    return h("span", {class: "t on" + (window.strongest.has(i) ? " top" : ""), "data-i": i, vars: {"--a": (0.1 + 0.75 * share).toFixed(3)}}, nodes);
  });
  const n_routed = window.shares.filter((x) => x > 0).length;
  const peak = window.shares.indexOf(Math.max(...window.shares));
  const from = documentOf(window.document), promoted = window.strongest.get(peak);
  const origin = [from.domain, from.id === null ? "document " + from.doc_idx : from.id].filter(Boolean).join(" \u00b7 ");
  const item = h("li", {class: "window"},
    h("div", {class: "window-side"}, h("span", {class: "strength"}, scoreText(window.shares[peak], largest)),
      window.decile >= 0 ? h("span", {class: "decile"}, "tenth " + (window.decile + 1)) : null),
    h("div", {class: "window-main"},
      h("div", {class: "text", dir: "ltr", tabindex: 0, role: "group",
                "aria-label": `Window of ${window.tokens.length} tokens, ${n_routed} of them routed here; arrows walk over them`}, spans),
      h("div", {class: "window-meta"},
        promoted && promoted.length ? h("span", {class: "promotes"}, piece(pieceOf(window.tokens[peak])), " \u2192 ", promoted.map((t) => [piece(pieceOf(t)), " "])) : null,
        h("span", {class: "origin"}, sentence(origin), ", token ", integer(window.position)))));
  item.moescope = {window, largest};
  return item;
}

// One listener for a whole list: pointer, touch and arrow keys.
function watchTokens(list) {
  const tokenOf = (target) => (target.closest ? target.closest(".t.on") : null);
  const show = (span) => {
    const {window, largest} = span.closest(".window").moescope;
    showTip(span, tokenTip(window, Number(span.dataset.i), largest));
  };
  list.addEventListener("pointerover", (event) => {
    const span = tokenOf(event.target);
    if (span) show(span); else hideTip();
  });
  list.addEventListener("pointerleave", hideTip);
  list.addEventListener("keydown", (event) => {
    const step = {ArrowRight: 1, ArrowLeft: -1}[event.key];
    if (!step || !event.target.classList.contains("text") || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    const spans = Array.from(event.target.querySelectorAll(".t.on")), now = spans.findIndex((s) => s.classList.contains("current"));
    const next = spans[now < 0 ? (step > 0 ? 0 : spans.length - 1) : now + step];
    if (!next) return;
    if (now >= 0) spans[now].classList.remove("current");
    next.classList.add("current");
    show(next);
  });
  list.addEventListener("focusout", () => {
    for (const span of list.querySelectorAll(".current")) span.classList.remove("current");
    hideTip();
  });
}

const FIRST_WINDOWS = 12;

function windowList(windows, largest, what) {
  const list = h("ol", {class: "windows"}, windows.slice(0, FIRST_WINDOWS).map((w) => windowItem(w, largest)));
  watchTokens(list);
  if (windows.length <= FIRST_WINDOWS) return list;
  const more = h("button", {type: "button", class: "more"}, `Show all ${integer(windows.length)} ${what}`);
  const open = () => {
    if (!more.isConnected) return;
    list.append(...windows.slice(FIRST_WINDOWS).map((w) => windowItem(w, largest)));
    more.remove();
  };
  more.addEventListener("click", () => {
    open();
    list.children[FIRST_WINDOWS].querySelector(".text").focus({preventScroll: true});
  });
  openBeforePrint.push(open);
  return [list, more];
}

let openBeforePrint = [];

// The sample is shown evenly over its strengths first, so that a glance at it is not another list of the strongest.
function spread(windows, n) {
  if (windows.length <= n) return windows;
  const first = Array.from({length: n}, (_, i) => Math.floor((i * windows.length) / n)), chosen = new Set(first);
  return [...first.map((i) => windows[i]), ...windows.filter((_, i) => !chosen.has(i))];
}

function evidenceSections(layer, expert) {
  const evidence = evidenceOf(layer, expert);
  if (!evidence) {
    return [section("evidence", "Evidence", h("p", {}, evidencePending() ? "Still being read \u2026" : notAvailable(missingReason("evidence.safetensors"))))];
  }
  const strongest = evidence.windows.filter((w) => w.kind === 0), sample = evidence.windows.filter((w) => w.kind === 1);
  const none = notAvailable(core.experts.n_tokens[indexOf(layer, expert)] === 0 ? "no token reached this expert" : "no window was kept");
  const legend = h("p", {class: "heat-legend"}, "score 0 ", h("i", {class: "heat-ramp", "aria-hidden": "true"}), " " + real(evidence.largest),
    h("span", {class: "legend-more"}, "Underlined: the five strongest of a window. Point at a token or tap it for its score and what it promotes."));
  const n_all = core.experts.n_windows[indexOf(layer, expert)];
  const of_all = isNumber(n_all) ? ` It fired in ${integer(n_all)} windows of the run.` : "";
  return [
    section("evidence", "Strongest windows", h("p", {class: "note"}, `${integer(strongest.length)} windows with the largest score, strongest first.` + of_all),
      strongest.length ? [legend, windowList(strongest, evidence.largest, "strongest windows")] : h("p", {}, none)),
    section("sample", "Sample over all strengths", h("p", {class: "note"}, `${integer(sample.length)} windows drawn evenly from ten equal parts by strength; tenth 10 holds the strongest.`),
      sample.length ? windowList(spread(sample, FIRST_WINDOWS), evidence.largest, "sampled windows") : h("p", {}, none)),
  ];
}
