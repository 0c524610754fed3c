"use strict";
/* A search as a tree that can be replayed, folded, moved and read. Text of steps is only ever set as text. */

const DATA = JSON.parse(document.getElementById("data").textContent);
const ROW = 36, GAP = 46, MARGIN = 34, MANY = 40, FAR = 0.45;
const PLAY_SECONDS = 20, SLOWEST = 900;
const VOTES = 6, MAP = { width: 150, height: 260 };
const $ = (id) => document.getElementById(id);
document.body.classList.remove("still");
const SVG = "http://www.w3.org/2000/svg";

/* What a colour can say of a step, where it was asked for. */
const MEASURES = {
  score: { name: "path so far (PRM)", low: "the PRM: surely wrong", high: "surely right", of: (n) => n.score },
  right: { name: "step alone (PRM)", low: "the PRM: surely wrong", high: "surely right", of: (n) => n.right },
  q: { name: "Q-value", low: "will end wrong", high: "will end right", of: (n) => n.q },
  prior: { name: "prior (policy)", low: "unlikely", high: "likely", of: (n) => n.prior },
  visits: { name: "visits", low: "one", high: "most", of: (n) => (n.visits ? Math.log(n.visits) / Math.log(Math.max(2, tree.nodes[0].visits)) : null) },
};
/* Orange, grey, blue: told apart with every common colour blindness, and of different lightness. */
const STOPS = [[0, [200, 80, 0]], [0.25, [240, 160, 80]], [0.5, [222, 218, 210]], [0.75, [105, 165, 215]], [1, [0, 82, 155]]];
const FATES = {
  root: "The question.",
  followed: "The search went on from here.",
  "gave up": "The search went on from here, followed nothing that came of it, and gave up.",
  open: "Looked ahead: sampled, perhaps scored, not followed.",
  ended: "A solution ends here.",
  cut: "Cut off, not a whole step: not followed.",
};

let tree, nodes, boxes, shown, selected, time, timer = null;
let folded, spread, stacks = new Map();
let place = { x: 0, y: 0, scale: 1 }, fitted = null;
const state = { tree: 0, view: null, color: null, jumps: null };

function color(value) {
  const at = Math.min(1, Math.max(0, value));
  const i = Math.max(1, STOPS.findIndex(([stop]) => stop >= at));
  const [[a, from], [b, to]] = [STOPS[i - 1], STOPS[i]];
  return `rgb(${from.map((c, k) => Math.round(c + ((to[k] - c) * (at - a)) / (b - a))).join(" ")})`;
}

function element(name, cls, text) {
  const made = document.createElement(name);
  if (cls) made.className = cls;
  if (text !== undefined) made.textContent = text;
  return made;
}

/* What the legend covers of the tree: on a narrow screen it lies below. */
const legendRoom = () => (getComputedStyle($("legend")).position === "static" ? 0 : $("legend").offsetHeight);

function number(value, digits = 2) {
  return value === null || value === undefined ? "–" : value.toFixed(digits);
}

const label = (node) => (node.parent === null ? "the question" : node.text.trim() || "(blank)");

/* -- one search -------------------------------------------------------------------------------------------- */

function open(index) {
  stop();
  tree = DATA.trees[index];
  state.tree = index;
  nodes = tree.nodes;
  for (const node of nodes) {
    node.children = [];
    node.round = node.move < 0 ? -1 : tree.moves[node.move].round;
    node.expanded = [];
  }
  for (const node of nodes) if (node.parent !== null) nodes[node.parent].children.push(node);
  tree.moves.forEach((move, i) => nodes[move.node].expanded.push(i));
  for (const node of nodes) {
    node.path = node.parent === null ? [node] : [...nodes[node.parent].path, node];
    node.depth = node.path.length - 1;
    // The answer's path runs along the top; then the better steps.
    node.children.sort((a, b) => b.chosen - a.chosen || (b.score ?? 0) - (a.score ?? 0) || a.index - b.index);
  }
  for (const node of [...nodes].reverse()) node.size = 1 + node.children.reduce((sum, child) => sum + child.size, 0);
  folded = new Set();
  spread = new Set();
  selected = nodes[tree.chosen];
  time = tree.rounds;
  state.view = nodes.length > MANY ? "stack" : "all";
  state.jumps = tree.moves.filter((move) => move.left !== null).length > 8 ? "now" : "all";
  const measures = Object.keys(MEASURES).filter((key) => nodes.some((node) => MEASURES[key].of(node) !== null));
  $("measure").replaceChildren(...measures.map((key) => new Option(MEASURES[key].name, key)));
  state.color = measures[0] ?? null;
  header();
  build();
}

function header() {
  $("question").textContent = tree.question;
  $("answer").textContent = tree.answer === null ? "none" : tree.answer;
  if (tree.forced) $("answer").append(element("span", "hint", " (asked for, not offered)"));
  const votes = [...tree.votes].sort((a, b) => (b.answer === tree.answer) - (a.answer === tree.answer));
  $("votes").replaceChildren(...votes.slice(0, VOTES).map((vote) => {
    const item = element("li", vote.answer === tree.answer ? "won" : "");
    item.append(element("b", "", vote.answer), ` × ${vote.solutions}`);
    if (vote.score !== null) item.append(`, score ${vote.score.toFixed(1)}`);
    item.title = `${vote.solutions} solutions with this answer${vote.score === null ? "" : `; their scores sum to ${vote.score.toFixed(2)}`}`;
    return item;
  }));
  if (votes.length > VOTES) $("votes").append(element("li", "", `and ${votes.length - VOTES} other answers`));
  const many = (test) => nodes.filter(test).length;
  const counts = [
    ["steps", nodes.length - 1],
    ["moves", tree.moves.length],
    ["solutions", tree.votes.reduce((sum, vote) => sum + vote.solutions, 0)],
    ["looked at only", many((n) => n.fate === "open")],
    ["went back", tree.moves.filter((move) => move.left !== null).length],
    ["gave up", many((n) => n.fate === "gave up" || n.fate === "cut")],
    ["tokens", tree.tokens.generated],
  ];
  $("counts").replaceChildren(...counts.map(([name, value]) => {
    const pair = element("div");
    pair.append(element("dt", "", name), element("dd", "", String(value)));
    return pair;
  }));
}

/* -- boxes ------------------------------------------------------------------------------------------------- */

function build() {
  for (const box of $("stage").querySelectorAll(".node, .stack")) box.remove();
  stacks = new Map();
  boxes = nodes.map((node) => {
    const box = element("div", `node ${node.fate.replace(" ", "")}${node.chosen ? " chosen" : ""}`);
    box.id = `n${node.index}`;
    box.setAttribute("role", "treeitem");
    box.setAttribute("aria-level", node.depth + 1);
    box.tabIndex = -1;
    if (node.parent !== null) box.append(element("i", "sw"));
    if (node.children.length) box.classList.add("parent");
    box.append(element("span", "t", node.parent === null ? "?" : label(node)));
    if (node.right !== null) box.append(element("span", "s", number(node.score)));
    if (node.fate === "gave up" || node.fate === "cut") box.append(element("span", "m", "✗"));
    if (node.forced) box.append(element("span", "m", "!"));
    if (node.expanded.length) box.append(element("span", "o", String(tree.moves[node.expanded[0]].round + 1)));
    box.setAttribute("aria-label", `${label(node)}, ${node.fate}${node.chosen ? ", of the answer" : ""}, score ${number(node.score)}`);
    box.title = label(node);
    box.addEventListener("click", () => select(node));
    $("stage").append(box);
    return box;
  });
  for (const node of nodes) node.width = boxes[node.index].offsetWidth;
  $("time").max = tree.rounds;
  paint();
  layout();
  replay(time);
  select(selected, false);
}

function paint() {
  const measure = MEASURES[state.color];
  for (const node of nodes) {
    const swatch = boxes[node.index].querySelector(".sw");
    if (!swatch) continue;
    const value = measure ? measure.of(node) : null;
    swatch.classList.toggle("none", value === null);
    swatch.style.setProperty("--c", value === null ? "transparent" : color(value));
  }
  for (const stack of stacks.values()) paintStack(stack);
  document.querySelector(".scale").hidden = !measure;
  $("low").textContent = measure ? measure.low : "";
  $("high").textContent = measure ? measure.high : "";
  const steps = Array.from({ length: 11 }, (_, i) => color(i / 10));
  document.querySelector(".scale i").style.background = `linear-gradient(90deg, ${steps.join(",")})`;
}

const followed = (node) => node.children.length || node.expanded.length || node.fate === "ended" || node.chosen;

/* The visible children of a node, and those that are stacked in one box. */
function split(node) {
  if (folded.has(node.index)) return { own: [], rest: [] };
  if (state.view === "path" && !spread.has(node.index)) return { own: node.children.filter((c) => c.chosen), rest: [] };
  if (state.view === "all" || spread.has(node.index)) return { own: node.children, rest: [] };
  const rest = node.children.filter((child) => !followed(child));
  return rest.length > 1 ? { own: node.children.filter(followed), rest } : { own: node.children, rest: [] };
}

function stackOf(node, rest) {
  let stack = stacks.get(node.index);
  if (!stack) {
    const box = element("button", "stack");
    box.tabIndex = -1;
    box.addEventListener("click", () => { spread.add(node.index); layout(); replay(time); });
    $("stage").append(box);
    stack = { node, box, rest: [] };
    stacks.set(node.index, stack);
  }
  stack.rest = rest;
  paintStack(stack);
  stack.width = stack.box.offsetWidth;
  return stack;
}

/* Of a moment of the replay: what is found later has no dot yet, but keeps its place. */
function paintStack({ box, rest }) {
  const measure = MEASURES[state.color];
  const dots = rest.slice(0, 8).map((node) => {
    const dot = element("i");
    const value = measure && node.fate !== "cut" ? measure.of(node) : null;
    dot.classList.toggle("none", value === null);
    dot.classList.toggle("future", node.round >= time);
    if (value !== null) dot.style.setProperty("--c", color(value));
    return dot;
  });
  box.replaceChildren(...dots, element("span", "", `+${rest.filter((node) => node.round < time).length}`));
  box.title = `${rest.length} steps looked at, not followed:\n${rest.slice(0, 12).map((n) => `${number(n.score)}  ${label(n)}`).join("\n")}`;
  box.setAttribute("aria-label", `${rest.length} steps looked at and not followed; show them`);
}

/* -- layout ------------------------------------------------------------------------------------------------ */

/* Rows by contour: a subtree moves up until it touches what is above it in some column. First children stand
   in their parent's row, so that a path without branches is a straight line. */
function layout() {
  for (const stack of stacks.values()) stack.box.hidden = true;
  for (const box of boxes) box.hidden = true;
  const widths = [];
  const items = [];
  const lay = (node) => {
    const { own, rest } = split(node);
    const item = { node, width: node.width, row: 0, depth: node.depth, below: own.map(lay) };
    if (rest.length) {
      const stack = stackOf(node, rest);
      stack.box.hidden = false;
      stack.width = stack.box.offsetWidth;
      item.below.push({ stack, width: stack.width, row: 0, depth: node.depth + 1, below: [], bottom: [] });
    }
    for (const part of [item, ...item.below]) widths[part.depth] = Math.max(widths[part.depth] ?? 0, part.width);
    items.push(item);
    return item;
  };
  const pack = (item) => {
    item.bottom = [1];
    for (const child of item.below) {
      if (child.stack) child.top = [0], child.bottom = [1]; else pack(child);
      let offset = 0;
      child.top.forEach((top, d) => { offset = Math.max(offset, (item.bottom[d + 1] ?? 0) - top); });
      child.offset = offset;
      child.bottom.forEach((bottom, d) => { item.bottom[d + 1] = offset + bottom; });
    }
    item.top = [0];
    for (const child of item.below) child.top.forEach((top, d) => { item.top[d + 1] ??= child.offset + top; });
  };
  const root = lay(nodes[0]);
  pack(root);
  const left = [MARGIN];
  widths.forEach((width, d) => { left[d + 1] = left[d] + width + GAP; });
  shown = new Map();
  const lines = [];
  const put = (item, row, parent) => {
    const x = left[item.depth], y = MARGIN + row * ROW;
    const box = item.stack ? item.stack.box : boxes[item.node.index];
    box.hidden = false;
    box.style.left = `${x}px`;
    box.style.top = `${y}px`;
    if (item.node) shown.set(item.node.index, { x, y, width: item.width });
    if (parent) lines.push(line(parent, { x, y }, item));
    for (const child of item.below) put(child, row + child.offset, { x: x + item.width, y });
  };
  put(root, 0, null);
  $("lines").replaceChildren(...lines);
  $("stage").style.width = `${left[widths.length] - GAP + MARGIN}px`;
  $("stage").style.height = `${2 * MARGIN + Math.max(...root.bottom) * ROW}px`;
  for (const node of nodes) knob(node);
}

function line(from, to, item) {
  const path = document.createElementNS(SVG, "path");
  const [y1, y2, bend] = [from.y + 13, to.y + 13, Math.min(GAP, 34)];
  const start = to.x - bend;
  path.setAttribute("d", `M${from.x} ${y1}H${start}C${start + bend * 0.6} ${y1} ${start + bend * 0.4} ${y2} ${to.x} ${y2}`);
  const node = item.node;
  const weak = item.stack || node.fate === "open" || node.fate === "cut";
  path.setAttribute("class", `${weak ? "weak" : ""}${node && node.chosen ? " chosen" : ""}`);
  const weight = node ? Math.max(node.samples, node.visits) : 1;
  path.setAttribute("stroke-width", node && node.chosen ? 3 : Math.min(4, 1 + Math.log2(weight) / 2));
  path.dataset.round = item.stack ? Math.min(...item.stack.rest.map((n) => n.round)) : node.round;
  return path;
}

function knob(node) {
  const box = boxes[node.index];
  box.querySelector(".knob")?.remove();
  if (!node.children.length) return;
  const { own, rest } = split(node);
  const shut = own.length + rest.length < node.children.length;
  box.setAttribute("aria-expanded", String(!shut));
  const button = element("button", `knob${shut ? " shut" : ""}`, shut ? `+${node.size - 1 - own.reduce((sum, c) => sum + c.size, 0)}` : "−");
  button.tabIndex = -1;
  button.setAttribute("aria-label", shut ? "unfold" : "fold");
  button.addEventListener("click", (event) => { event.stopPropagation(); toggle(node); });
  box.append(button);
}

function toggle(node) {
  const { own, rest } = split(node);
  if (own.length + rest.length < node.children.length) {
    folded.delete(node.index);
    if (state.view === "path") spread.add(node.index);
  } else if (spread.has(node.index) && state.view !== "all") {
    spread.delete(node.index);
    if (state.view === "stack" && !split(node).rest.length) folded.add(node.index);
  } else folded.add(node.index);
  layout();
  replay(time);
}

/* -- replay ------------------------------------------------------------------------------------------------ */

function replay(to) {
  time = Math.min(tree.rounds, Math.max(0, to));
  $("time").value = time;
  $("when").textContent = time === tree.rounds ? `all ${tree.rounds} rounds` : `round ${time} of ${tree.rounds}`;
  const now = tree.moves.filter((move) => move.round === time - 1);
  const at = new Set(now.map((move) => move.node));
  const done = time === tree.rounds && timer === null;
  for (const node of nodes) {
    const box = boxes[node.index];
    box.classList.toggle("future", node.round >= time);
    box.classList.toggle("now", at.has(node.index) && !done);
    box.classList.toggle("fresh", node.round === time - 1 && time > 0 && !done);
    // Before it was gone on from, a step that was given up later was only looked at.
    const begun = node.expanded.length > 0 && tree.moves[node.expanded[0]].round < time;
    const order = box.querySelector(".o");
    if (order) order.hidden = !begun;
    if (node.fate === "gave up") {
      box.classList.toggle("gaveup", begun);
      box.classList.toggle("open", !begun);
      box.querySelector(".m").hidden = !begun;
    }
  }
  for (const stack of stacks.values()) {
    stack.box.classList.toggle("future", stack.rest.every((node) => node.round >= time));
    paintStack(stack);
  }
  for (const path of $("lines").children) path.classList.toggle("future", path.dataset.round >= time);
  arcs(done);
  caption(now, done);
  later();
  remember();
}

function arcs(done) {
  const drawn = [];
  for (const move of tree.moves) {
    const current = move.round === time - 1 && !done;
    if (move.left === null || move.round >= time || state.jumps === "none" || (state.jumps === "now" && !current)) continue;
    const [from, to] = [shown.get(move.left), shown.get(move.node)];
    if (!from || !to) continue;
    const [x1, y1, x2, y2] = [from.x + from.width / 2, from.y, to.x + to.width / 2, to.y];
    const up = Math.min(90, 22 + Math.hypot(x2 - x1, y2 - y1) / 5);
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", `M${x1} ${y1}C${x1} ${y1 - up} ${x2} ${y2 - up} ${x2} ${y2 - 2}`);
    path.setAttribute("marker-end", "url(#tip)");
    if (current) path.setAttribute("class", "now");
    drawn.push(path);
  }
  $("arcs").replaceChildren(...drawn);
}

function caption(now, done) {
  const line = $("caption");
  if (done || time === 0) {
    const text = done ? "The whole search. Replay it, or choose a step to see what was thought of it." : "Before the first move.";
    line.replaceChildren(text);
    return;
  }
  line.replaceChildren(`Round ${time}: `);
  now.slice(0, 4).forEach((move, i) => {
    if (i) line.append("; ");
    const made = move.new.map((index) => nodes[index]);
    if (move.left !== null) {
      line.append(element("span", "went", "went back"), " from ", element("b", "", label(nodes[move.left])), " to ");
    } else line.append(move.node ? "went on from " : "began at ");
    line.append(element("b", "", label(nodes[move.node])), made.length ? `, ${made.length} new step${made.length > 1 ? "s" : ""}` : ", nothing new");
    const best = made.filter((n) => n.score !== null).sort((a, b) => b.score - a.score)[0];
    if (best) line.append(", best ", element("b", "", label(best)), ` ${number(best.score)}`);
    const ends = made.filter((n) => n.answer !== null);
    if (ends.length) line.append(", found ", element("b", "", ends.map((n) => n.answer).filter((a, k, all) => all.indexOf(a) === k).join(", ")));
  });
  if (now.length > 4) line.append(`; and ${now.length - 4} more`);
}

function play() {
  if (timer !== null) return stop();
  if (time >= tree.rounds) time = 0;
  const wait = Math.min(SLOWEST, Math.max(60, (PLAY_SECONDS * 1000) / Math.max(1, tree.rounds)));
  timer = setInterval(() => { if (time >= tree.rounds) stop(); else { replay(time + 1); follow(); } }, wait);
  $("play").firstElementChild.textContent = "❚❚";
  replay(time);
}

function stop() {
  if (timer === null) return;
  clearInterval(timer);
  timer = null;
  $("play").firstElementChild.textContent = "▶";
  replay(time);
}

function step(by) {
  stop();
  replay(time + by);
  follow();
}

/* The move of this moment is in sight. */
function follow() {
  const move = tree.moves.find((m) => m.round === time - 1);
  if (move && shown.has(move.node)) reveal(move.node);
}

/* -- details ----------------------------------------------------------------------------------------------- */

function select(node, focus = true) {
  boxes[selected.index].classList.remove("selected");
  boxes[selected.index].tabIndex = -1;
  selected = node;
  const box = boxes[node.index];
  box.classList.add("selected");
  box.tabIndex = 0;
  for (const other of nodes) if (other.chosen) boxes[other.index].setAttribute("aria-selected", "false");
  box.setAttribute("aria-selected", "true");
  if (focus) {
    box.focus({ preventScroll: true });
    reveal(node.index);
  }
  details(node);
  remember();
}

function details(node) {
  const panel = $("details");
  panel.replaceChildren(element("h2", "", label(node)), element("p", "fate", FATES[node.fate] + (node.chosen && node.parent !== null ? " It is part of the answer." : "") + (node.forced ? " It was asked for, because no answer had been reached." : "")));
  const table = element("table");
  const row = (name, value) => {
    const line = element("tr");
    line.append(element("th", "", name), element("td", "", value));
    table.append(line);
  };
  if (node.answer !== null) row("answer", node.answer);
  if (node.parent !== null) {
    row("PRM: this step is right", number(node.right, 3));
    row("PRM: so is all before it", number(node.score, 3));
    if (node.q !== null) row("Q-value: it will end right", number(node.q, 3));
    row("prior among its siblings", number(node.prior, 3));
    row("probability by the policy", node.forced ? "–" : number(node.probability, 3));
    row("sampled", node.samples === 1 ? "once" : `${node.samples} times`);
  }
  if (node.visits) row("visits, mean value", `${node.visits}, ${number(node.value, 3)}`);
  if (node.parent !== null) row("found in round", node.round < 0 ? "–" : String(node.round + 1));
  const rounds = node.expanded.map((i) => tree.moves[i].round + 1);
  row("gone on from in round", rounds.length > 12 ? `${rounds.slice(0, 12).join(", ")}, … (${rounds.length})` : rounds.join(", ") || "never");
  row("steps below", String(node.size - 1));
  panel.append(table);
  if (node.probabilities) {
    const bar = element("div", "classes");
    node.probabilities.forEach((p, i) => {
      const part = element("i");
      part.style.width = `${100 * p}%`;
      part.style.background = color([0, 0.5, 1][i]);
      bar.append(part);
    });
    panel.append(element("h3", "", "PRM: negative, neutral, positive"), bar, element("div", "hint", node.probabilities.map((p) => number(p, 3)).join("   ")));
  }
  if (node.path.length > 1) {
    const list = element("ol");
    for (const part of node.path.slice(1)) {
      const item = element("li", "", label(part));
      if (part.right !== null) item.append(element("span", "s", `  ${number(part.right)}`));
      list.append(item);
    }
    panel.append(element("h3", "", "The solution so far"), list);
  }
  const keys = element("p", "hint");
  const say = [["↑ ↓ ← →", "move"], ["Enter", "fold"], ["space", "replay"], [", .", "step"], ["+ − f", "zoom, fit"]];
  for (const [key, does] of say) {
    const pair = element("span");
    pair.append(element("kbd", "", key), ` ${does}`);
    keys.append(pair, "  ");
  }
  panel.append(element("h3", "", "Keys"), keys);
}

/* -- moving and zooming ------------------------------------------------------------------------------------ */

function move(x, y, scale) {
  place = { x, y, scale };
  fitted = null;
  $("stage").style.transform = `translate(${x}px, ${y}px) scale(${scale})`;
  $("stage").classList.toggle("far", scale < FAR);
  later();
}

function zoom(by, x = $("port").clientWidth / 2, y = $("port").clientHeight / 2) {
  const scale = Math.min(2.5, Math.max(0.05, place.scale * by));
  const k = scale / place.scale;
  move(x - (x - place.x) * k, y - (y - place.y) * k, scale);
}

/* least: the smallest scale to begin with; a larger tree then begins at its top left corner, where the answer is. */
function fit(least = 0) {
  const [port, stage] = [$("port"), $("stage")];
  const room = port.clientHeight - legendRoom() - 20;
  const scale = Math.max(least, Math.min(1.15, port.clientWidth / stage.offsetWidth, room / stage.offsetHeight));
  move(Math.max(0, (port.clientWidth - stage.offsetWidth * scale) / 2), Math.max(0, (room - stage.offsetHeight * scale) / 3), scale);
  fitted = least;
}

/* The whole tree beside its part that is in sight. */
function overview() {
  const [port, stage, canvas] = [$("port"), $("stage"), $("map")];
  const { x, y, scale } = place;
  const all = x >= 0 && y >= 0 && x + stage.offsetWidth * scale <= port.clientWidth && y + stage.offsetHeight * scale <= port.clientHeight;
  canvas.hidden = all;
  if (all) return;
  const k = Math.min(MAP.width / stage.offsetWidth, MAP.height / stage.offsetHeight);
  const fine = devicePixelRatio || 1;
  const [width, height] = [Math.ceil(stage.offsetWidth * k), Math.ceil(stage.offsetHeight * k)];
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  [canvas.width, canvas.height] = [width * fine, height * fine];
  const paper = canvas.getContext("2d"), ink = getComputedStyle(document.body).color;
  paper.scale(fine, fine);
  for (const [index, box] of shown) {
    const node = nodes[index];
    if (node.round >= time) continue;
    const value = MEASURES[state.color] ? MEASURES[state.color].of(node) : null;
    paper.fillStyle = value === null ? "#8a93a5" : color(value);
    paper.globalAlpha = node.fate === "open" || node.fate === "cut" ? 0.5 : 1;
    paper.fillRect(box.x * k, box.y * k, Math.max(2, box.width * k), Math.max(1, 22 * k));
    if (node.chosen) { paper.strokeStyle = ink; paper.lineWidth = 1; paper.strokeRect(box.x * k, box.y * k, box.width * k, Math.max(2, 26 * k)); }
  }
  paper.globalAlpha = 1;
  paper.strokeStyle = "#4a90e2";
  paper.lineWidth = 2;
  paper.strokeRect((-x / scale) * k, (-y / scale) * k, (port.clientWidth / scale) * k, (port.clientHeight / scale) * k);
  canvas.dataset.k = k;
}

let asked = 0;
function later() {
  cancelAnimationFrame(asked);
  asked = requestAnimationFrame(overview);
}

function steer(event) {
  if (!event.buttons) return;
  const area = $("map").getBoundingClientRect(), k = Number($("map").dataset.k), { scale } = place;
  move($("port").clientWidth / 2 - ((event.clientX - area.left) / k) * scale, $("port").clientHeight / 2 - ((event.clientY - area.top) / k) * scale, scale);
}

function reveal(index) {
  const box = shown.get(index);
  if (!box) return;
  const [w, h, s] = [$("port").clientWidth, $("port").clientHeight, place.scale];
  const into = (at, size, low, high) => (at < low ? low - at : at + size > high ? high - at - size : 0);
  const dx = into(place.x + box.x * s, box.width * s, 40, w - 60);
  const dy = into(place.y + box.y * s, 26 * s, 40, h - legendRoom() - 40);
  if (dx || dy) move(place.x + dx, place.y + dy, s);
}

function pointers() {
  const port = $("port"), down = new Map();
  const spanOf = () => { const [a, b] = [...down.values()]; return Math.hypot(a.x - b.x, a.y - b.y); };
  port.addEventListener("pointerdown", (event) => {
    if (event.target.closest("#legend, #map, .knob, .stack")) return;
    down.set(event.pointerId, { x: event.clientX, y: event.clientY });
  });
  port.addEventListener("pointermove", (event) => {
    const was = down.get(event.pointerId);
    if (!was) return;
    const [dx, dy] = [event.clientX - was.x, event.clientY - was.y];
    if (!port.classList.contains("drag") && Math.hypot(dx, dy) < 4) return;
    if (!port.classList.contains("drag")) port.setPointerCapture(event.pointerId);
    port.classList.add("drag");
    const before = down.size === 2 ? spanOf() : 0;
    down.set(event.pointerId, { x: event.clientX, y: event.clientY });
    if (before) {
      const area = port.getBoundingClientRect(), [a, b] = [...down.values()];
      zoom(spanOf() / before, (a.x + b.x) / 2 - area.left, (a.y + b.y) / 2 - area.top);
    } else move(place.x + dx, place.y + dy, place.scale);
  });
  for (const end of ["pointerup", "pointercancel"]) {
    port.addEventListener(end, (event) => { down.delete(event.pointerId); port.classList.remove("drag"); });
  }
  port.addEventListener("wheel", (event) => {
    event.preventDefault();
    const area = port.getBoundingClientRect();
    zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), event.clientX - area.left, event.clientY - area.top);
  }, { passive: false });
}

/* -- keys -------------------------------------------------------------------------------------------------- */

function neighbour(key) {
  const inSight = (node) => node && shown.has(node.index) && !boxes[node.index].classList.contains("future");
  if (key === "ArrowLeft") return nodes[selected.parent];
  if (key === "ArrowRight") return split(selected).own.find(inSight);
  const here = shown.get(selected.index);
  if (!here) return nodes[0];
  const rows = [...shown].filter(([index]) => nodes[index].depth === selected.depth && inSight(nodes[index])).sort((a, b) => a[1].y - b[1].y);
  const at = rows.findIndex(([index]) => index === selected.index);
  const next = rows[at + (key === "ArrowUp" ? -1 : 1)];
  return next && nodes[next[0]];
}

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("select, input")) return;
  const button = event.target.closest("button");
  const does = {
    ArrowLeft: 0, ArrowRight: 0, ArrowUp: 0, ArrowDown: 0,
    Enter: () => selected.children.length && toggle(selected),
    " ": play, ",": () => step(-1), ".": () => step(1), Home: () => step(-time), End: () => step(tree.rounds),
    "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8), f: () => fit(),
  };
  if (!(event.key in does) || (button && (event.key === "Enter" || event.key === " "))) return;
  event.preventDefault();
  if (does[event.key]) return does[event.key]();
  if (event.key === "ArrowRight" && selected.children.length && !split(selected).own.length && folded.has(selected.index)) return toggle(selected);
  const next = neighbour(event.key);
  if (next) select(next);
}

/* -- the state in the address ------------------------------------------------------------------------------ */

function remember() {
  if (!shown) return;
  const said = { tree: state.tree, t: time, view: state.view, color: state.color, jumps: state.jumps, step: selected.index };
  if (folded.size) said.folded = [...folded].join(",");
  try { history.replaceState(null, "", `#${new URLSearchParams(said)}`); } catch { /* a page in a frame may not */ }
}

function recall() {
  const said = new URLSearchParams(location.hash.slice(1));
  const whole = (name, limit) => { const n = Number.parseInt(said.get(name), 10); return n >= 0 && n < limit ? n : null; };
  open(whole("tree", DATA.trees.length) ?? 0);
  const choose = (name, id, values) => { if (values.includes(said.get(name))) state[name] = said.get(name); $(id).value = state[name]; };
  choose("view", "view", ["all", "stack", "path"]);
  choose("jumps", "jumps", ["now", "all", "none"]);
  choose("color", "measure", [...$("measure").options].map((option) => option.value));
  for (const index of (said.get("folded") ?? "").split(",")) if (index && nodes[index]) folded.add(Number(index));
  const to = whole("t", tree.rounds + 1) ?? tree.rounds;
  const at = whole("step", nodes.length);
  paint();
  layout();
  fit(said.has("fit") ? 0 : 0.62);
  replay(to);
  if (at !== null) select(nodes[at], false);
  if (to < tree.rounds) follow();
}

function begin() {
  if (DATA.trees.length > 1) {
    $("which").hidden = false;
    $("which").append(...DATA.trees.map((one, i) => new Option(`${i + 1} of ${DATA.trees.length}: ${one.question}`, i)));
  }
  const views = () => { for (const [name, id] of [["view", "view"], ["jumps", "jumps"], ["color", "measure"]]) $(id).value = state[name]; };
  $("which").addEventListener("change", () => { open(Number($("which").value)); views(); fit(0.62); });
  $("view").addEventListener("change", () => { state.view = $("view").value; folded.clear(); spread.clear(); layout(); replay(time); fit(0.62); });
  $("measure").addEventListener("change", () => { state.color = $("measure").value; paint(); later(); remember(); });
  $("jumps").addEventListener("change", () => { state.jumps = $("jumps").value; replay(time); });
  $("time").addEventListener("input", () => { stop(); replay(Number($("time").value)); follow(); });
  $("first").addEventListener("click", () => step(-time));
  $("back").addEventListener("click", () => step(-1));
  $("next").addEventListener("click", () => step(1));
  $("play").addEventListener("click", play);
  $("in").addEventListener("click", () => zoom(1.25));
  $("out").addEventListener("click", () => zoom(0.8));
  $("fit").addEventListener("click", () => fit());
  for (const kind of ["pointerdown", "pointermove"]) $("map").addEventListener(kind, steer);
  addEventListener("resize", () => { if (fitted !== null) fit(fitted); later(); });
  document.addEventListener("keydown", keys);
  pointers();
  recall();
  $("which").value = state.tree;
}

begin();
