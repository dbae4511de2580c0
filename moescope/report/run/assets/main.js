// Which view is shown (the address's part behind #), keys, printing.

const overviewView = byId("overview-view"), detailView = byId("detail-view");
let current = null;  // {layer, expert} while an expert's page is shown

function showOverview(anchor) {
  current = null;
  detailView.hidden = true;
  detailView.replaceChildren();
  overviewView.hidden = false;
  if (!overviewView.firstChild) appendAll(overviewView, buildOverview());
  document.title = plainText(model.name || "model") + " - moescope";
  const target = anchor && byId(anchor);
  if (target && overviewView.contains(target)) target.scrollIntoView();
  else if (anchor === "overview") scrollTo(0, 0);
}

// `again`: the same page with more of its data; the reader stays where they are.
function showDetail(node, title, again) {
  overviewView.hidden = true;
  detailView.hidden = false;
  detailView.replaceChildren(node);
  document.title = plainText(title) + " - " + plainText(model.name || "model") + " - moescope";
  if (again) return;
  scrollTo(0, 0);
  const heading = detailView.querySelector("h1");
  if (heading && document.activeElement !== searchBox) heading.focus({preventScroll: true});
}

function route(again) {
  hideTip();
  let hash = location.hash.slice(1);
  try { hash = decodeURIComponent(hash); } catch (error) { hash = ""; }
  const expert = /^L(\d+)E(\d+)$/.exec(hash), token = /^T(\d+)$/.exec(hash);
  if (expert && Number(expert[1]) < L && Number(expert[2]) < E) {
    current = {layer: Number(expert[1]), expert: Number(expert[2])};
    openBeforePrint = [];
    const name = expertName(current.layer, current.expert), label = shortLabel(indexOf(current.layer, current.expert));
    showDetail(buildExpert(current.layer, current.expert), label ? name + " " + label : name, again === true);
  } else if (token) {
    current = null;
    showDetail(buildToken(Number(token[1])), "Token " + token[1]);
  } else if (expert) {
    current = null;
    showDetail(h("article", {}, h("h1", {tabindex: -1}, "No expert " + hash), h("p", {}, `The model has layers 0 to ${L - 1} and experts 0 to ${E - 1}. `, h("a", {href: "#experts"}, "All experts"))), hash);
  } else {
    showOverview(hash);
  }
}

function onKey(event) {
  if (event.altKey || event.ctrlKey || event.metaKey || byId("help").open) return;
  if (/^(INPUT|SELECT|TEXTAREA)$/.test(document.activeElement.tagName)) return;
  const go = (layer, expert) => { event.preventDefault(); location.hash = expertName(layer, expert); };
  if (event.key === "/") { event.preventDefault(); searchBox.focus(); searchBox.select(); }
  else if (event.key === "?") byId("help").showModal();
  else if (event.key === "Escape") hideTip();
  else if (event.key === "g") { event.preventDefault(); location.hash = "experts"; showOverview("experts"); gridView.focus(); }
  else if (current && event.key === "ArrowRight") go(current.layer, (current.expert + 1) % E);
  else if (current && event.key === "ArrowLeft") go(current.layer, (current.expert + E - 1) % E);
  else if (current && event.key === "]" && current.layer < L - 1) go(current.layer + 1, current.expert);
  else if (current && event.key === "[" && current.layer > 0) go(current.layer - 1, current.expert);
}

addEventListener("hashchange", () => route());
addEventListener("keydown", onKey);
addEventListener("scroll", hideTip, {passive: true});
byId("help-button").addEventListener("click", () => byId("help").showModal());
// Printing uses light colours and shows every window; listeners added later (grid, heat map) paint again after this one.
addEventListener("beforeprint", () => { printing = true; for (const open of openBeforePrint) open(); });
addEventListener("afterprint", () => { printing = false; });

route();
if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", () => { if (current && evidenceAwaited) route(true); });
document.documentElement.dataset.drawn = "yes";  // for tests: the script came to its end
// For tools that measure: the time from opening to the first painted view that is complete.
const markUsable = () => requestAnimationFrame(() => setTimeout(() => { document.documentElement.dataset.usableMs = performance.now().toFixed(0); }, 0));
if (evidenceAwaited) document.addEventListener("DOMContentLoaded", markUsable);
else markUsable();
