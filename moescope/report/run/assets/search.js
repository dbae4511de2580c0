// Search as you type: expert numbers, label and rule text, tokens.

const MAX_EXPERTS = 40, MAX_TOKENS = 24;
const searchBox = byId("search"), results = byId("results");
let options = [], active = -1;

const labelTexts = lazy(() => Array.from({length: core.labels ? L * E : 0}, (_, i) => {
  const label = labelOf(i);
  if (!label) return null;
  return {i, short: (label.short_label || "").toLowerCase(), rest: [label.label, label.rule && label.rule.text].filter(Boolean).join(" ").toLowerCase()};
}).filter(Boolean));

const tokenTexts = lazy(() => tokenIndex().map((t) => ({...t, text: pieceOf(t.token), lower: pieceOf(t.token).toLowerCase()})));

function expertsByNumber(query) {
  const found = /^l?\s*(\d+)(?:\s*[e/.,: -]\s*(\d+))?$/i.exec(query);
  if (!found || Number(found[1]) >= L) return [];
  if (found[2] !== undefined) return Number(found[2]) < E ? [indexOf(Number(found[1]), Number(found[2]))] : [];
  return /^l/i.test(query) ? Array.from({length: E}, (_, e) => indexOf(Number(found[1]), e)) : [];
}

function expertsByText(words) {
  const found = [];
  for (const t of labelTexts()) {
    if (words.every((w) => t.short.includes(w))) found.push([0, t.i]);
    else if (words.every((w) => t.short.includes(w) || t.rest.includes(w))) found.push([1, t.i]);
  }
  const f1 = (i) => core.labels.f1[i] ?? -1;
  return found.sort((a, b) => a[0] - b[0] || f1(b[1]) - f1(a[1])).map((x) => x[1]);
}

// Exact text first, then text that begins so, then text that contains it; frequent ones first within each.
function tokensByText(raw) {
  const query = raw.toLowerCase(), trimmed = query.trim() || query, ranked = [[], [], [], []];
  for (const t of tokenTexts()) {
    const at_idx = t.lower.indexOf(trimmed);
    if (at_idx < 0) continue;
    if (t.text === raw) ranked[0].push(t);
    else if (t.lower.trim() === trimmed) ranked[1].push(t);
    else ranked[t.lower.trimStart().startsWith(trimmed) ? 2 : 3].push(t);
  }
  return ranked.flat();
}

function expertOption(i) {
  const f1 = core.labels && core.labels.f1[i];
  return {hash: expertName(Math.floor(i / E), i % E), node: h("div", {class: "option", role: "option"},
    h("span", {class: "option-key"}, expertName(Math.floor(i / E), i % E)), h("span", {class: "option-text"}, shortOr(i)),
    h("span", {class: "option-note"}, isNumber(f1) ? `F1 ${score(f1)} ${interval(core.labels.f1_low[i], core.labels.f1_high[i])}` : "no score"))};
}

const tokenOption = (t) => ({hash: "T" + pieceIds()[t.token], node: h("div", {class: "option", role: "option"},
  h("span", {class: "option-key"}, "token"), h("span", {class: "option-text"}, piece(t.text)), h("span", {class: "option-note"}, integer(t.n) + " times"))});

function group(title, list, max, make) {
  if (!list.length) return null;
  const made = list.slice(0, max).map(make);
  options.push(...made);
  return h("div", {role: "group", "aria-label": title}, h("div", {class: "group-title"}, title, h("span", {}, list.length > max ? `${integer(max)} of ${integer(list.length)}` : integer(list.length))), made.map((o) => o.node));
}

function search() {
  const raw = searchBox.value;
  options = [];
  setActive(-1);
  if (raw.trim() === "" && raw.length < 2) return closeResults();
  const words = raw.toLowerCase().split(/\s+/).filter(Boolean);
  const numbered = expertsByNumber(raw.trim());
  const groups = [group("Experts by number", numbered, MAX_EXPERTS, expertOption), group("Tokens", tokensByText(raw), MAX_TOKENS, tokenOption),
                  words.length ? group("Experts by label or rule", expertsByText(words), MAX_EXPERTS, expertOption) : null].filter(Boolean);
  if (!core.labels) groups.push(h("div", {class: "group-title"}, "labels are not searched: the run is not labelled yet"));
  if (!core.missing || !data.tokenLines()) groups.push(h("div", {class: "group-title"}, "tokens are not searched: " + missingReason("input_tokens.safetensors")));
  results.replaceChildren(...(options.length ? groups : [h("div", {class: "group-title"}, "Nothing found. Tokens outside the most frequent ones of the run are not listed."), ...groups]));
  options.forEach((o, i) => {
    o.node.id = "option-" + i;
    o.node.addEventListener("pointerdown", (event) => event.preventDefault());
    o.node.addEventListener("click", () => choose(i));
  });
  results.hidden = false;
  searchBox.setAttribute("aria-expanded", "true");
  if (options.length) setActive(0);
}

function setActive(i) {
  if (options[active]) options[active].node.removeAttribute("aria-selected");
  active = i;
  if (!options[i]) return searchBox.removeAttribute("aria-activedescendant");
  options[i].node.setAttribute("aria-selected", "true");
  searchBox.setAttribute("aria-activedescendant", "option-" + i);
  options[i].node.scrollIntoView({block: "nearest"});
}

function closeResults() {
  results.hidden = true;
  searchBox.setAttribute("aria-expanded", "false");
}

function choose(i) {
  closeResults();
  searchBox.blur();
  location.hash = options[i].hash;
}

searchBox.addEventListener("input", search);
searchBox.addEventListener("focus", () => { if (searchBox.value) search(); });
searchBox.addEventListener("blur", closeResults);
searchBox.addEventListener("keydown", (event) => {
  if (event.key === "Escape") { searchBox.value = ""; closeResults(); searchBox.blur(); }
  else if (event.key === "Enter" && options[active]) choose(active);
  else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
    event.preventDefault();
    if (options.length) setActive((active + (event.key === "ArrowDown" ? 1 : -1) + options.length) % options.length);
  }
});
