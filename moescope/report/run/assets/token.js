// The page of one token (#T464: vocabulary id 464): where every layer sends it.

function buildToken(id) {
  const entry = tokenIndex().find((t) => pieceIds()[t.token] === id);
  const back = h("nav", {class: "expert-nav", "aria-label": "Back"}, h("a", {href: "#experts"}, "All experts"));
  if (!entry) {
    const reason = data.tokenLines() ? `only the ${integer(tokenIndex().length)} most frequent tokens of the run can be looked up; all counts are in input_tokens.safetensors`
                                     : missingReason("input_tokens.safetensors");
    return h("article", {}, back, h("h1", {tabindex: -1}, "Token " + id), h("p", {}, notAvailable(reason)));
  }
  const layers = expertsOfToken(entry);
  const rows = layers.map((experts, layer) => h("tr", {}, h("th", {scope: "row"}, layer), h("td", {}, experts.length ? h("ul", {class: "token-experts"}, experts.map((x) => {
    const index = indexOf(layer, x.expert), share = x.n / entry.n;
    return h("li", {}, h("span", {class: "share"}, h("i", {"aria-hidden": "true", vars: {width: Math.min(100, 100 * share) + "%"}})),
      h("span", {class: "share-value"}, percent(Math.min(1, share), 0)), expertLink(layer, x.expert), h("span", {class: "token-label"}, shortOr(index)));
  })) : notAvailable("the token is not in this layer's counts"))));
  return h("article", {class: "token-page"}, back, h("p", {class: "eyebrow"}, `Token ${id}, ${integer(entry.n)} occurrences in the run`),
    h("h1", {tabindex: -1}, piece(pieceOf(entry.token))),
    h("p", {class: "note"}, `The experts that get it most often in each layer, with the share of its ${integer(entry.n)} occurrences that reach them (each goes to ${integer(K)}).`),
    h("div", {class: "scroll"}, h("table", {}, h("thead", {}, h("tr", {}, h("th", {scope: "col"}, "layer"), h("th", {scope: "col"}, "experts"))), h("tbody", {}, rows))));
}
