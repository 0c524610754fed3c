"use strict";
const audit = JSON.parse(document.getElementById("audit").textContent);
const panel = document.getElementById("panel");
const svg = document.querySelector("svg");
const edges = [...document.querySelectorAll(".edge")];
const idOf = (key, version) => "v" + audit.versions.findIndex(one => one.key === key && one.version === version);

// Everything is put in as text: names and notes in a manifest are other people's.
function add(parent, tag, text, className) {
  const element = parent.appendChild(document.createElement(tag));
  if (text !== undefined) element.textContent = text;
  if (className) element.className = className;
  return element;
}
function words(value) {
  if (value === null || value === undefined || value === "") return "–";
  if (typeof value === "number") return Number.isInteger(value) ? value.toLocaleString("en") : String(+value.toPrecision(5));
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
function table(title, rows) {
  if (!rows.length) return;
  add(panel, "h3", title);
  const body = add(panel, "table");
  for (const [name, value] of rows) {
    const row = add(body, "tr");
    add(row, "td", name);
    const cell = add(row, "td");
    if (value instanceof Node) cell.append(value); else cell.textContent = words(value);
  }
}
function link(key, version, text) {
  const anchor = document.createElement("a");
  anchor.href = "#";
  anchor.textContent = text;
  anchor.addEventListener("click", event => { event.preventDefault(); choose(idOf(key, version), true); });
  return anchor;
}
function reach(id, from, to) {
  const seen = new Set([id]), todo = [id];
  while (todo.length) {
    const now = todo.pop();
    for (const edge of edges)
      if (edge.dataset[from] === now && !seen.has(edge.dataset[to])) { seen.add(edge.dataset[to]); todo.push(edge.dataset[to]); }
  }
  return seen;
}
function choose(id, scroll) {
  const node = document.getElementById(id);
  if (!node) return;
  const near = new Set([...reach(id, "target", "source"), ...reach(id, "source", "target")]);
  svg.classList.add("chosen-any");
  for (const other of document.querySelectorAll(".node")) {
    other.classList.toggle("near", near.has(other.id));
    other.classList.toggle("chosen", other === node);
  }
  for (const edge of edges) edge.classList.toggle("near", edge.dataset.source === id || edge.dataset.target === id);
  if (scroll) node.scrollIntoView({ block: "center", inline: "center" });
  show(audit.versions[+id.slice(1)]);
}
function clear() {
  svg.classList.remove("chosen-any");
  for (const node of document.querySelectorAll(".chosen")) node.classList.remove("chosen");
}
function show(one) {
  panel.replaceChildren();
  panel.scrollTop = 0;
  add(panel, "h2", one.key);
  add(panel, "p", one.ok ? "✓ as it was recorded" : "✗ not as it was recorded", one.ok ? "good" : "bad");
  for (const broken of one.broken) add(panel, "p", `${broken.part}: ${broken.message}`, "bad");
  for (const remark of one.remarks) add(panel, "p", remark, "quiet");
  if (!one.digest) return;
  const env = one.environment;
  table("Version", [["digest", one.digest], ["version", one.version], ["finished", one.finished], ["profile", one.profile],
    ["code", one.code_version], ["seed", String(one.seed)], ["label batches", one.external]].filter(row => row[1] !== null));
  table("Inputs", one.inputs.map(input => [input.name, link(input.key, input.version, `${input.key} ${input.digest.slice(0, 12)}`)]));
  const used = audit.versions.filter(other => (other.inputs || []).some(i => i.key === one.key && i.version === one.version));
  table("Used by", used.map(other => [other.key, link(other.key, other.version, other.digest.slice(0, 12))]));
  if (one.labels) {
    table("Label batches", one.labels.batches.map(batch => [`${batch.digest.slice(0, 12)} ${batch.source}`,
      `${words(batch.lines)} lines by ${Object.entries(batch.rated_by).map(([who, n]) => `${who} (${n})`).join(", ")}; ${batch.place}`]));
    table("Labels by batch and labeller", one.labels.rows.map(row => [`${row.batch.slice(0, 12)} ${row.labeler}`, row.rows]));
  }
  table("Figures", Object.entries(one.figures));
  table("Cost", Object.entries(one.cost));
  add(panel, "h3", "Configuration");
  add(panel, "pre", JSON.stringify(one.config, null, 1));
  table("Made on", [["commit", env.git_commit ? env.git_commit + (env.git_dirty ? " with local changes" : "") : null],
    ["hardware", env.hardware], ["threads", env.threads], ["Python", env.python], ...Object.entries(env.libraries)]);
  table("Files", one.files.map(file => [file.path, `${words(file.size)} bytes, ${file.sha256.slice(0, 16)}…`]));
}
// The graph is one stop of the tab key: a hundred would lie between a reader and what comes after.
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
function stop(node) {
  svg.querySelector('.node[tabindex="0"]')?.setAttribute("tabindex", "-1");
  node.setAttribute("tabindex", "0");
}
function neighbour(node, [x, y]) {
  const middle = one => { const box = one.getBoundingClientRect(); return [box.x + box.width / 2, box.y + box.height / 2]; };
  const [left, top] = middle(node);
  let best = null, least = Infinity;
  for (const other of document.querySelectorAll(".node")) {
    const [dx, dy] = middle(other).map((at, i) => at - [left, top][i]);
    const ahead = dx * x + dy * y, aside = Math.abs(dx * y + dy * x);
    // What lies straight ahead before what is nearer and aside.
    const far = ahead + 3 * aside;
    if (ahead > 1 && far < least) [best, least] = [other, far];
  }
  return best;
}
for (const node of document.querySelectorAll(".node")) {
  node.addEventListener("keydown", event => {
    const next = event.key in ARROWS && neighbour(node, ARROWS[event.key]);
    if (next) { event.preventDefault(); next.focus(); }
  });
  node.addEventListener("focus", () => stop(node));
  node.addEventListener("click", event => { event.stopPropagation(); choose(node.id); });
  node.addEventListener("keydown", event => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); choose(node.id); } });
}
for (const anchor of document.querySelectorAll(".broken a"))
  anchor.addEventListener("click", event => { event.preventDefault(); choose(idOf(anchor.dataset.key, anchor.dataset.version), true); });
svg.addEventListener("click", clear);
const root = audit.versions.length - 1;
show(audit.versions[root]);
const first = audit.versions.findIndex(one => !one.ok);
if (first >= 0) choose("v" + first, true);
else if (location.hash.length > 1) choose(location.hash.slice(1), true);
else {
  document.getElementById("v" + root)?.scrollIntoView({ block: "nearest", inline: "nearest" });
  document.querySelector(".graph").scrollBy(24, 24);  // not at the very edge, as if it were cut off
}
