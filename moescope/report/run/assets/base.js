// DOM helpers and formats. Text of the run becomes text nodes and attribute values only, never markup.

const byId = (id) => document.getElementById(id);

function setAttributes(element, attributes) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "vars") for (const [key, v] of Object.entries(value)) element.style.setProperty(key, v);
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  return element;
}

function appendAll(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(String(child)));
  }
  return element;
}

// h("p", {class: "note", onclick: f, vars: {"--x": 1}}, "text", node, [more])
const h = (tag, attributes, ...children) =>
  appendAll(setAttributes(document.createElement(tag), attributes), children);
const svg = (tag, attributes, ...children) =>
  appendAll(setAttributes(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes), children);

// ---- numbers: what is missing is said, never shown as 0

const isNumber = (x) => typeof x === "number" && Number.isFinite(x);
const NONE = "\u2013";

const integer = (x) => (isNumber(x) ? Math.round(x).toLocaleString("en-US") : NONE);

function real(x, digits = 3) {
  if (!isNumber(x)) return NONE;
  if (x === 0) return "0";
  const size = Math.abs(x);
  if (size >= 10 ** digits) return Math.round(x).toLocaleString("en-US");
  if (size < 1e-4) return x.toExponential(Math.max(0, digits - 1));
  return String(Number(x.toPrecision(digits)));
}

// Two decimals for scores in [0, 1] and their differences.
const score = (x) => (isNumber(x) ? x.toFixed(2).replace(/^-(?=.*[1-9])/, "\u2212").replace("-", "") : NONE);
const signed = (x) => (isNumber(x) ? (x > 0 ? "+" : "") + score(x) : NONE);
const percent = (x, digits = 1) => (isNumber(x) ? (100 * x).toFixed(digits) + "\u202f%" : NONE);
const interval = (low, high, format = score) =>
  isNumber(low) && isNumber(high) ? "[" + format(low) + ", " + format(high) + "]" : "[no interval]";

function bytes(n) {
  if (!isNumber(n)) return NONE;
  const units = ["B", "kB", "MB", "GB", "TB"];
  let unit = 0;
  while (n >= 1000 && unit < units.length - 1) { n /= 1000; unit++; }
  return real(n) + "\u202f" + units[unit];
}

function count(n) {
  if (!isNumber(n)) return NONE;
  for (const [size, unit] of [[1e12, "T"], [1e9, "B"], [1e6, "M"]]) if (n >= size) return real(n / size) + "\u202f" + unit;
  return integer(n);
}

function duration(seconds) {
  if (!isNumber(seconds)) return NONE;
  if (seconds < 60) return real(seconds, 2) + "\u202fs";
  const minutes = Math.round(seconds / 60);
  return minutes < 60 ? minutes + "\u202fmin" : Math.floor(minutes / 60) + "\u202fh " + (minutes % 60) + "\u202fmin";
}

const notAvailable = (reason) => h("span", {class: "na"}, "not available (" + reason + ")");
const expertName = (layer, expert) => "L" + layer + "E" + expert;

// ---- text of tokens: every character can be seen, none can reorder or hide what stands around it

const CONTROL = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\ufff9-\ufffb\ud800-\udfff]|[\u{e0000}-\u{e0fff}]/u;

function codeName(character) {
  if (character === "\n") return "\u21b5";
  if (character === "\t") return "\u21e5";
  if (character === "\r") return "\u240d";
  return "U+" + character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
}

// Characters that cannot be seen become marked symbols; spaces become dots where `dots` says so ("all", "edges", "none").
function visible(text, dots) {
  const nodes = [];
  let plain = "";
  const flush = () => { if (plain) nodes.push(document.createTextNode(plain)); plain = ""; };
  const mark = (symbol, name) => { flush(); nodes.push(h("span", {class: "ws" + (name ? " code" : "")}, symbol)); };
  const characters = Array.from(text);
  characters.forEach((character, i) => {
    const at_edge = dots === "edges" && (i === 0 || i === characters.length - 1 || characters[i - 1] === " ");
    if (character === " " && (dots === "all" || at_edge)) mark("\u00b7");
    else if (CONTROL.test(character)) mark(codeName(character), codeName(character).length > 1);
    else plain += character;
  });
  flush();
  return nodes;
}

// A piece in a list: spaces at its ends are dots, nothing is only blank.
const piece = (text) =>
  h("code", {class: "piece", dir: "ltr"}, text === "" ? h("span", {class: "ws code"}, "empty") : visible(text, "edges"));

// For title, aria-label and document.title.
const plainText = (text) => Array.from(String(text)).map((c) => (CONTROL.test(c) ? codeName(c) : c)).join("");
// Sentences of labels: the same care, with their spaces.
const sentence = (text) => visible(String(text), "none");
