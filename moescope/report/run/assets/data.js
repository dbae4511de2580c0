// The data blocks (formats: page_data.h). Everything but `core` is decoded when it is first asked for.

const blockText = (name) => {
  const element = byId("data-" + name);
  return element ? element.textContent : null;
};

function lazy(make) {
  let made = false, value;
  return () => {
    if (!made) { value = make(); made = true; }
    return value;
  };
}

const lazyJson = (name) => lazy(() => {
  const text = blockText(name);
  return text === null ? null : JSON.parse(text);
});
const lazyLines = (name) => lazy(() => {
  const text = blockText(name);
  return text === null ? null : text.split("\n");
});

class Bytes {
  constructor(base64) {
    const binary = atob(base64);
    this.data = new Uint8Array(binary.length);
    for (let i = 0; i < binary.length; i++) this.data[i] = binary.charCodeAt(i);
    this.at = 0;
  }
  get more() { return this.at < this.data.length; }
  u8() { return this.data[this.at++]; }
  u16() { return this.u8() | (this.u8() << 8); }
  f32() {
    const view = new DataView(this.data.buffer, this.at, 4);
    this.at += 4;
    return view.getFloat32(0, true);
  }
  varint() {  // up to 2^53, so no shifts
    let value = 0, scale = 1, byte;
    do { byte = this.u8(); value += (byte & 127) * scale; scale *= 128; } while (byte & 128);
    return value;
  }
}

const core = JSON.parse(blockText("core"));
const run = core.run, model = run.model || {};
// E columns: the R experts that a router chooses from and, in some models, one shared by all tokens, number R.
const L = core.sizes.layers, E = core.sizes.experts, R = core.sizes.routed, K = core.sizes.per_token;
const isShared = (expert) => expert === R;
const indexOf = (layer, expert) => layer * E + expert;
const missingReason = (file) => file + ": " + (core.missing[file] || "not in the run");

const data = {
  pieces: lazyJson("pieces"),
  labels: lazyJson("labels"),
  documents: lazyJson("documents"),
  domainLines: lazyLines("domains"),
  inputLines: lazyLines("input-tokens"),
  tokenLines: lazyLines("tokens"),
  neighbourLines: lazyLines("neighbours"),
  triangles: new Map(),
  evidenceLines: new Map(),
};

const pieceOf = (local) => data.pieces().pieces[local];
const pieceIds = lazy(() => {
  const reader = new Bytes(data.pieces().ids), ids = [];
  while (reader.more) ids.push(reader.varint());
  return ids;
});

const labelOf = (index) => (data.labels() ? data.labels()[index] : null);
// What an expert is called in lists; null where it has no label.
const shortLabel = (index) => (core.labels && core.labels.short[index] ? core.labels.short[index] : null);

function domainsOf(index) {
  const lines = data.domainLines();
  if (!lines) return null;
  const names = JSON.parse(lines[0]), {rows, n_more} = JSON.parse(lines[1 + index]);
  return {n_more, rows: rows.map(([domain, n, share]) => ({name: names[domain] || "(no domain)", n, share}))};
}

// [{token (page number), n, n_layer}]: n_layer is K times the occurrences in the layer.
function inputTokensOf(index) {
  const lines = data.inputLines();
  if (!lines) return null;
  const reader = new Bytes(lines[index]), list = [];
  while (reader.more) list.push({token: reader.varint(), n: reader.varint(), n_layer: reader.varint()});
  return list;
}

// The tokens that can be looked up: [{token, n, line}], most frequent first.
const tokenIndex = lazy(() => (data.tokenLines() || []).filter(Boolean).map((line) => {
  const head = new Bytes(line.slice(0, 24));
  return {token: head.varint(), n: head.varint(), line};
}));

function expertsOfToken(entry) {
  const reader = new Bytes(entry.line);
  reader.varint();
  reader.varint();
  return Array.from({length: L}, () =>
    Array.from({length: reader.varint()}, () => ({expert: reader.varint(), n: reader.varint()})));
}

// Full matrix of a layer, or null.
function coactivationOf(layer) {
  if (!data.triangles.has(layer)) {
    const text = blockText("coactivation-" + layer);
    let matrix = null;
    if (text) {
      const reader = new Bytes(text);
      matrix = new Float64Array(R * R);
      for (let i = 0; i < R; i++) for (let j = i; j < R; j++) matrix[i * R + j] = matrix[j * R + i] = reader.varint();
    }
    data.triangles.set(layer, matrix);
  }
  return data.triangles.get(layer);
}

// How much more often two experts meet than they would if they were chosen independently; null where unknown.
function meetingLift(layer, i, j, together) {
  const n_i = core.experts.n_tokens[indexOf(layer, i)], n_j = core.experts.n_tokens[indexOf(layer, j)];
  const n = core.layers ? core.layers.n_tokens[layer] : null;
  return n_i > 0 && n_j > 0 && n > 0 ? (together * n) / (n_i * n_j) : null;
}

// [{expert, n, lift}] of a routed expert, or null.
function neighboursOf(layer, expert) {
  let list = null;
  const matrix = coactivationOf(layer);
  if (matrix) {
    list = Array.from({length: R}, (_, j) => ({expert: j, n: matrix[expert * R + j]})).filter((x) => x.expert !== expert);
  } else if (data.neighbourLines() && data.neighbourLines()[layer * R + expert]) {
    const reader = new Bytes(data.neighbourLines()[layer * R + expert]);
    list = [];
    while (reader.more) list.push({expert: reader.varint(), n: reader.varint()});
  }
  if (list) for (const other of list) other.lift = meetingLift(layer, expert, other.expert, other.n);
  return list;
}

function readWindow(reader, largest) {
  const head = reader.varint();
  const window = {kind: head >> 4, decile: (head & 15) - 1, document: reader.varint(), position: reader.varint()};
  const length = reader.varint();
  window.tokens = Array.from({length}, () => reader.varint());
  const bits = Array.from({length: Math.ceil(length / 8)}, () => reader.u8());
  window.shares = window.tokens.map((_, i) => (bits[i >> 3] >> (i & 7)) & 1).map((on) => (on ? reader.u16() / 65535 : 0));
  window.strength = Math.max(...window.shares) * largest;
  window.strongest = new Map();
  for (let n = reader.varint(); n > 0; n--) {
    const at = reader.varint();
    window.strongest.set(at, [reader.varint(), reader.varint(), reader.varint()].filter((x) => x > 0).map((x) => x - 1));
  }
  return window;
}

// Evidence stands last in the file, so an expert's page may be asked for before the browser has read it.
let evidenceAwaited = false;  // a page was shown without it
const evidencePending = () => document.readyState === "loading" && !core.missing["evidence.safetensors"];

// {largest, windows}; null while the file is still being read or where there is no evidence.
function evidenceOf(layer, expert) {
  if (!data.evidenceLines.has(layer)) {
    const text = blockText("evidence-" + layer);
    if (text === null || (evidencePending() && !byId("data-evidence-" + layer).nextSibling)) {
      evidenceAwaited = evidencePending();
      return null;
    }
    data.evidenceLines.set(layer, text.split("\n"));
  }
  const reader = new Bytes(data.evidenceLines.get(layer)[expert]);
  const largest = reader.f32(), windows = [];
  for (let n = reader.varint(); n > 0; n--) windows.push(readWindow(reader, largest));
  return {largest, windows};
}

function documentOf(number) {
  const documents = data.documents();
  return {doc_idx: documents.doc_idx[number], id: documents.id[number],
          domain: documents.domains[documents.domain[number]] || ""};
}
