// Small charts: SVG lines by layer, and rows of a value with its interval. Colours come from the style sheet.

const darkScheme = matchMedia("(prefers-color-scheme: dark)");
let printing = false;
const isDark = () => darkScheme.matches && !printing;

const SCALES = {
  light: {sequential: ["#eef2f7", "#b5cfe8", "#6ea5d6", "#2f73b3", "#0c3866"], diverging: ["#2166ac", "#a9c9e4", "#f1f0ee", "#eebd8f", "#b4580b"]},
  dark: {sequential: ["#1d2530", "#234a75", "#3478b8", "#6db0ec", "#d5eaff"], diverging: ["#6db0f2", "#2f5f8f", "#262a31", "#8a5423", "#f2a154"]},
};

const channels = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));

// t in [0, 1] -> [r, g, b]
function colour(kind, t) {
  const stops = SCALES[isDark() ? "dark" : "light"][kind];
  const x = Math.min(1, Math.max(0, t)) * (stops.length - 1), i = Math.min(stops.length - 2, Math.floor(x));
  const a = channels(stops[i]), b = channels(stops[i + 1]);
  return a.map((v, c) => Math.round(v + (b[c] - v) * (x - i)));
}
const css = (rgb) => "rgb(" + rgb.join(" ") + ")";

function niceTicks(low, high, n = 5) {
  if (!(high > low)) return [low];
  const raw = (high - low) / n, power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 2.5, 5, 10].map((x) => x * power).find((x) => x >= raw);
  const ticks = [];
  for (let x = Math.ceil(low / step - 1e-9) * step; x <= high + step * 1e-9; x += step) ticks.push(Number(x.toFixed(12)));
  return ticks;
}

const CHART = {width: 290, height: 168, left: 40, right: 8, top: 8, bottom: 30};

// options: {title, unit, series: [{name, cls, values, low, high}], zero, max, format}
function layerChart(options) {
  const all = options.series.flatMap((s) => [...s.values, ...(s.low || []), ...(s.high || [])]).filter(isNumber);
  if (!all.length) return h("figure", {class: "chart"}, h("figcaption", {}, options.title), notAvailable("no numbers in the run"));
  let low = options.zero ? Math.min(0, ...all) : Math.min(...all), high = Math.max(...all);
  if (isNumber(options.max)) high = Math.max(high, options.max);
  if (high === low) { high += Math.abs(high) * 0.1 || 1; low -= options.zero ? 0 : Math.abs(low) * 0.1; }
  const ticks = niceTicks(low, high);
  if (ticks.length > 1 && !isNumber(options.max)) {  // the top line lies above every point
    const step = ticks[1] - ticks[0];
    while (ticks[ticks.length - 1] < high - 1e-9 * step) ticks.push(Number((ticks[ticks.length - 1] + step).toFixed(12)));
    high = ticks[ticks.length - 1];
  }
  const {width, height, left, right, top, bottom} = CHART;
  const x = (layer) => left + ((width - left - right) * (layer + 0.5)) / L;
  const y = (v) => height - bottom - ((height - top - bottom) * (v - low)) / (high - low);
  const format = options.format || real;
  const summary = options.series.map((s) => {
    const known = s.values.filter(isNumber);
    return s.name + ": " + (known.length ? format(Math.min(...known)) + " to " + format(Math.max(...known)) : "not available");
  }).join("; ");
  const root = svg("svg", {viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": options.title + " by layer. " + summary});
  for (const tick of ticks) {
    root.append(svg("line", {class: "gridline", x1: left, x2: width - right, y1: y(tick), y2: y(tick)}),
                svg("text", {class: "tick", x: left - 6, y: y(tick) + 3.5, "text-anchor": "end"}, format(tick)));
  }
  const every = Math.ceil(L / 9);
  for (let layer = 0; layer < L; layer += every) {
    root.append(svg("text", {class: "tick", x: x(layer), y: height - bottom + 15, "text-anchor": "middle"}, layer));
  }
  root.append(svg("text", {class: "axis", x: (left + width - right) / 2, y: height - 2, "text-anchor": "middle"}, "layer"));
  for (const s of options.series) root.append(seriesMarks(s, x, y, format));
  return h("figure", {class: "chart"},
    h("figcaption", {}, options.title, options.unit ? h("span", {class: "unit"}, options.unit) : null), root,
    options.series.length > 1 ? h("div", {class: "legend"}, options.series.map((s) =>
      h("span", {}, h("i", {class: "swatch " + s.cls, "aria-hidden": "true"}), s.name))) : null);
}

function seriesMarks(series, x, y, format) {
  const group = svg("g", {class: "series " + series.cls});
  let path = "";
  series.values.forEach((v, layer) => {
    if (!isNumber(v)) return;
    path += (layer > 0 && isNumber(series.values[layer - 1]) ? "L" : "M") + x(layer).toFixed(1) + " " + y(v).toFixed(1);
  });
  group.append(svg("path", {d: path, fill: "none"}));
  series.values.forEach((v, layer) => {
    if (!isNumber(v)) return;
    const low = series.low && series.low[layer], high = series.high && series.high[layer];
    const whisker = isNumber(low) && isNumber(high);
    if (whisker) group.append(svg("line", {class: "whisker", x1: x(layer), x2: x(layer), y1: y(low), y2: y(high)}));
    group.append(svg("circle", {cx: x(layer), cy: y(v), r: L > 24 ? 1.8 : 2.6},
      svg("title", {}, `layer ${layer}, ${series.name}: ${format(v)}` + (whisker ? " " + interval(low, high, format) : ""))));
  });
  return group;
}

// Rows of value and interval on one scale. rows: [{name, cls, value, low, high, n, why}]
function intervalRows(rows, options = {}) {
  const low = options.low ?? 0, high = options.high ?? 1;
  const at = (v) => ((Math.min(high, Math.max(low, v)) - low) / (high - low)) * 100 + "%";
  const format = options.format || score;
  const list = h("div", {class: "rows", role: "list"});
  for (const row of rows) {
    const track = h("div", {class: "track", "aria-hidden": "true"});
    if (low < 0 && high > 0) track.append(h("i", {class: "zero", vars: {left: at(0)}}));
    if (isNumber(row.value)) {
      if (isNumber(row.low) && isNumber(row.high)) {
        track.append(h("i", {class: "span", vars: {left: at(row.low), right: `calc(100% - ${at(row.high)})`}}));
      }
      track.append(h("i", {class: "dot", vars: {left: at(row.value)}}));
    }
    const value = isNumber(row.value)
      ? [h("b", {}, format(row.value)), " ", h("span", {class: "range"}, interval(row.low, row.high, format)),
         row.n ? h("span", {class: "n"}, row.n) : null]
      : notAvailable(row.why || "null in the run");
    list.append(h("div", {class: "row " + (row.cls || ""), role: "listitem"},
      h("div", {class: "row-name"}, row.name), track, h("div", {class: "row-value"}, value)));
  }
  return list;
}

// Bars of counts or shares: [{name (node or text), share in [0, 1], value (text)}]
const bars = (rows) => h("div", {class: "bars", role: "list"}, rows.map((row) =>
  h("div", {class: "bar-row", role: "listitem"}, h("div", {class: "bar-name"}, row.name),
    h("div", {class: "bar-track", "aria-hidden": "true"}, h("i", {vars: {width: Math.max(0.5, 100 * row.share) + "%"}})),
    h("div", {class: "bar-value"}, row.value))));
