// Co-activation of one layer as a picture, with the numbers under the pointer and the strongest pairs as a table.

const LIFT_REACH = 3;  // colours saturate at 1/8 and 8 times chance
const LIFT_TEXT = "times as often as if the two were chosen independently";

function drawHeatmap(canvas, layer) {
  const matrix = coactivationOf(layer), context = canvas.getContext("2d");
  const picture = context.createImageData(R, R);
  const blank = isDark() ? [20, 22, 26] : [255, 255, 255];
  for (let i = 0; i < R; i++) {
    for (let j = 0; j < R; j++) {
      const lift = i === j ? null : meetingLift(layer, i, j, matrix[i * R + j]);
      const log = lift > 0 ? Math.log2(lift) : -LIFT_REACH;
      const rgb = lift === null ? blank : colour("diverging", (log + LIFT_REACH) / (2 * LIFT_REACH));
      picture.data.set([...rgb, 255], 4 * (i * R + j));
    }
  }
  context.putImageData(picture, 0, 0);
}

function strongestPairs(layer, n) {
  const matrix = coactivationOf(layer), pairs = [];
  for (let i = 0; i < R; i++) {
    for (let j = i + 1; j < R; j++) {
      const together = matrix[i * R + j], lift = meetingLift(layer, i, j, together);
      if (lift !== null && together >= 20) pairs.push({i, j, together, lift});
    }
  }
  return pairs.sort((a, b) => b.lift - a.lift).slice(0, n);
}

const expertLink = (layer, expert) => h("a", {href: "#" + expertName(layer, expert)}, expertName(layer, expert));
const shortOr = (index) => (shortLabel(index) ? sentence(shortLabel(index)) : h("span", {class: "na"}, "no label"));

function heatmapSection() {
  if (!coactivationOf(0) && !Array.from({length: L}, (_, l) => coactivationOf(l)).some(Boolean)) {
    const why = data.neighbourLines() ? "too many experts for this page; neighbours stand on every expert's page, all counts in coactivation.safetensors"
                                      : missingReason("coactivation.safetensors");
    return h("p", {}, "Co-activation: ", notAvailable(why));
  }
  const canvas = h("canvas", {class: "heat", width: R, height: R, role: "img"});
  const select = h("select", {id: "heat-layer"}, Array.from({length: L}, (_, l) => h("option", {value: l}, "layer " + l)));
  const pairs = h("div", {class: "pairs"});
  const paint = () => {
    const layer = Number(select.value);
    const top = coactivationOf(layer) && core.layers ? strongestPairs(layer, 8) : [];
    canvas.hidden = !coactivationOf(layer);
    if (coactivationOf(layer)) drawHeatmap(canvas, layer);
    canvas.setAttribute("aria-label", `Heat map of how often two experts of layer ${layer} are chosen for the same token, ` +
      (top.length ? `strongest pair ${expertName(layer, top[0].i)} and ${expertName(layer, top[0].j)}, ${real(top[0].lift)} ${LIFT_TEXT}` : "no pair stands out"));
    pairs.replaceChildren(top.length ? pairTable(layer, top) : notAvailable(core.layers ? "no pair met 20 times" : missingReason("layers.csv")));
  };
  const cellAt = (event) => {
    const box = canvas.getBoundingClientRect();
    const clamp = (x) => Math.min(R - 1, Math.max(0, Math.floor(x * R)));
    return [clamp((event.clientY - box.top) / box.height), clamp((event.clientX - box.left) / box.width)];
  };
  canvas.addEventListener("pointermove", (event) => {
    const layer = Number(select.value), [i, j] = cellAt(event);
    const n = coactivationOf(layer)[i * R + j], lift = meetingLift(layer, i, j, n);
    showTip({getBoundingClientRect: () => new DOMRect(event.clientX, event.clientY, 8, 8)},
      [h("b", {}, expertName(layer, i)), " and ", h("b", {}, expertName(layer, j)),
       h("div", {}, i === j ? `${integer(n)} tokens reach it` : `${integer(n)} tokens reach both` + (lift === null ? "" : `, ${real(lift)}\u00d7 chance`))]);
  });
  canvas.addEventListener("pointerleave", hideTip);
  canvas.addEventListener("click", (event) => { location.hash = expertName(Number(select.value), cellAt(event)[0]); });
  for (const type of ["beforeprint", "afterprint"]) addEventListener(type, paint);
  darkScheme.addEventListener("change", paint);
  select.addEventListener("change", paint);
  paint();
  const ends = [0, 0.25, 0.5, 0.75, 1].map((t) => css(colour("diverging", t))).join(", ");
  return h("div", {class: "heat-box"},
    h("div", {}, h("div", {class: "grid-head"}, h("label", {for: "heat-layer"}, "Layer: "), select,
      h("div", {class: "scale"}, h("span", {}, "\u2264 1/8"), h("i", {class: "ramp", vars: {background: `linear-gradient(to right, ${ends})`}}), h("span", {}, "\u2265 8\u00d7 chance"))),
      canvas),
    h("div", {}, h("h3", {}, "Pairs that meet most beyond chance"), pairs));
}

function pairTable(layer, top) {
  return h("table", {}, h("thead", {}, h("tr", {}, h("th", {}, "pair"), h("th", {}, "what they are for"), h("th", {class: "num"}, "tokens"), h("th", {class: "num"}, "\u00d7 chance"))),
    h("tbody", {}, top.map((p) => h("tr", {}, h("td", {}, expertLink(layer, p.i), h("br"), expertLink(layer, p.j)),
      h("td", {}, shortOr(indexOf(layer, p.i)), h("br"), shortOr(indexOf(layer, p.j))),
      h("td", {class: "num"}, integer(p.together)), h("td", {class: "num"}, real(p.lift))))));
}
