// The labelling page. The server holds the state of a task and decides what is asked for; this shows it, turns keys and
// clicks into acts, and keeps what is typed in localStorage until the server has it.
"use strict";

const RATINGS = [
  { name: "right", key: "r", value: 1 },
  { name: "neutral", key: "n", value: 0 },
  { name: "wrong", key: "w", value: -1 },
  { name: "unsure", key: "u", value: null },
];
const TEXTS = ["written", "note"];
const $ = (id) => document.getElementById(id);

let task = null; // as the server showed it last
let ready = null; // the next one, loaded ahead
let progress = null;
let cursor = null; // the completion that keys rate, as "step.completion"
let shown = 0, visible = 0; // when the task was shown or the page became visible; milliseconds before that
let correcting = false;

// The server.

class Refused extends Error {
  constructor(status, content) {
    super(content.error || `The server answered ${status}.`);
    this.status = status;
    this.content = content;
  }
}

// Waits for a server that is away: an act that was made is never dropped.
async function ask(path, body) {
  for (let wait = 500; ; wait = Math.min(2 * wait, 5000)) {
    let answer, content;
    try {
      answer = await fetch(path, {
        method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body),
      });
      content = await answer.json();
    } catch {
      trouble("The server does not answer. What you did is kept here and sent again.");
      await new Promise((resolve) => setTimeout(resolve, wait));
      continue;
    }
    trouble("");
    if (answer.ok) return content;
    throw new Refused(answer.status, content);
  }
}

// Acts, one after another: keys that are typed faster than the server answers wait for their turn.

let queue = Promise.resolve();
function enqueue(work) {
  queue = queue.then(work).catch(fail);
  return queue;
}

function fail(error) {
  if (!(error instanceof Refused)) throw error;
  if (error.status === 401) return message("This page opens by invitation", error.message);
  if (error.status === 403) return message("This is the lead's page", error.message);
  trouble(error.message);
  if (error.content.task) show(error.content.task);
}

function randomId() {
  return Array.from(crypto.getRandomValues(new Uint32Array(3)), (n) => n.toString(36)).join("");
}

async function act(what, more = {}) {
  const body = { round: task.round, solution: task.solution, version: task.version, id: randomId(), what, ...more };
  // Kept until it is answered: a tab that is closed meanwhile sends it when it is opened again.
  localStorage.setItem("act", JSON.stringify(body));
  try {
    const content = await ask("/api/act", body);
    task = { ...content.task };
    if (content.progress) progress = content.progress;
    return content;
  } finally {
    localStorage.removeItem("act");
  }
}

async function change(what, more) {
  await flush();
  await act(what, more);
  trouble("");
  show(task);
  saved();
}

function rate(slot, value) {
  const [step, completion] = slot.split(".").map(Number);
  return enqueue(() => change("rate", { step, completion, rating: value }));
}

async function finish(what, more = {}) {
  await flush();
  const solution = task.solution;
  await act(what, { ...more, milliseconds: Math.round(elapsed()) });
  TEXTS.forEach((name) => localStorage.removeItem(textKey(name)));
  trouble("");
  correcting = false;
  if (ready && ready.solution !== solution) {
    const next = ready;
    ready = null;
    show(next, true);
  } else {
    await next();
  }
  loadAhead();
}

async function next() {
  const content = await ask("/api/next", {});
  welcome(content);
  if (content.task) show(content.task, true);
  else done();
}

function loadAhead() {
  enqueue(async () => {
    if (!task || correcting || ready) return;
    const content = await ask("/api/next", { skip: [task.solution] });
    progress = content.progress;
    ready = content.task;
    showProgress();
  });
}

function back() {
  enqueue(async () => {
    const earlier = ((progress && progress.recent) || []).filter((each) => !task || each.solution !== task.solution);
    const at = task && task.is_done ? progress.recent.findIndex((each) => each.solution === task.solution) : -1;
    const previous = at >= 0 ? progress.recent[at + 1] : earlier[0];
    if (!previous) return trouble("There is no solution before this one.");
    if (task) await flush();
    correcting = true;
    ready = null;
    show((await ask("/api/task", previous)).task, true);
  });
}

// Texts.

const textKey = (name) => `${name} ${task.round} ${task.solution}`;
let timer = null;

function typed(name) {
  localStorage.setItem(textKey(name), $(name).value);
  $("saved").textContent = "…";
  clearTimeout(timer);
  timer = setTimeout(() => enqueue(async () => { await flush(); saved(); }), 700);
}

async function flush() {
  clearTimeout(timer);
  for (const name of TEXTS) {
    const text = localStorage.getItem(textKey(name));
    if (text === null) continue;
    if (text !== task[name]) await act(name === "written" ? "write" : "note", { text });
    // Something more may have been typed while this was sent.
    if (localStorage.getItem(textKey(name)) === text) localStorage.removeItem(textKey(name));
  }
}

function saved() {
  $("saved").textContent = "Saved";
}

// Showing.

function element(kind, className, text, ...children) {
  const node = document.createElement(kind);
  if (className) node.className = className;
  if (text !== undefined && text !== null) node.textContent = text;
  node.append(...children);
  return node;
}

function key(name) {
  return element("kbd", "", name);
}

function trouble(text) {
  $("trouble").hidden = !text;
  $("trouble").textContent = text;
}

function message(title, text) {
  task = null;
  $("task").hidden = $("guidelines").hidden = $("lead").hidden = $("help").hidden = true;
  $("message").hidden = false;
  $("progress").textContent = "";
  $("message").querySelector("h2").textContent = title;
  $("message").querySelector("p").textContent = text;
}

function done() {
  message("Nothing is left for you", "All solutions are rated or in somebody's hands. This page looks again every half minute.");
  showProgress();
  setTimeout(() => { if (!task) enqueue(next); }, 30000);
}

function show(given, isNew = false) {
  task = given;
  $("message").hidden = true;
  $("task").hidden = $("help").hidden = false;
  if (isNew) {
    shown = performance.now();
    visible = 0;
    cursor = null;
    $("saved").textContent = "";
    for (const name of TEXTS) $(name).value = localStorage.getItem(textKey(name)) ?? task[name];
    $("note-box").open = $("note").value !== "";
    if (document.activeElement instanceof HTMLElement) document.activeElement.blur();
    scrollTo(0, 0);
  }
  if (isNew || task.next) cursor = task.next || "0.0";
  $("problem").textContent = task.problem;
  $("answer").textContent = task.answer ? `Right answer: ${task.answer}` : "";
  $("again").hidden = !task.is_done;
  const before = { bad_problem: "You called this a bad problem.", give_up: "You gave this one up." }[task.ending] || "You rated this one before.";
  $("again").textContent = task.refused ? `Not taken: ${task.refused}` : `${before} What you change counts once you go on.`;
  $("protocol").textContent = task.protocol === "dense"
    ? "Below each step are other ways to go on from the same place. Rate them too."
    : "When a step is wrong, other ways to go on from the same place appear. Rate them too.";
  showSteps();
  showActs();
  showWriting();
  showProgress();
  if (!isNew) moveTo(cursor);
}

function showSteps() {
  const asked = new Set(task.asked);
  const rows = [];
  task.steps.forEach((texts, step) => texts.forEach((text, completion) => {
    const slot = `${step}.${completion}`;
    const isOpen = asked.has(slot);
    if (completion && !isOpen) return;
    rows.push(slotRow(slot, completion ? "or" : String(step + 1), text, task.ends !== null && step > task.ends));
  }));
  $("steps").replaceChildren(...rows);
}

function slotRow(slot, number, text, isBeyond) {
  const rating = slot in task.ratings ? RATINGS.find((each) => each.value === task.ratings[slot]) : null;
  const buttons = (isBeyond ? [] : RATINGS).map((each) => {
    const label = each.name[0].toUpperCase() + each.name.slice(1);
    const button = element("button", each.name, `${label} `, key(each.key));
    button.setAttribute("aria-pressed", String(each === rating));
    button.setAttribute("aria-label", `${number === "or" ? "Alternative" : `Step ${number}`}: ${label}`);
    button.addEventListener("click", () => { cursor = slot; rate(slot, each.value); });
    return button;
  });
  const row = element("li", `slot ${rating ? rating.name : ""}`, null,
    element("span", "number", number), element("span", "text", text), element("span", "ratings", null, ...buttons));
  row.dataset.slot = slot;
  row.classList.toggle("alternative", number === "or");
  row.classList.toggle("beyond", isBeyond);
  row.classList.toggle("at", slot === cursor);
  return row;
}

function showActs() {
  const open = task.others;
  const label = task.unconfirmed ? (task.ends === null ? "All right " : "Right up to there ")
    : task.finished ? (task.is_done ? "Save the correction " : "Next ")
    : `${open} alternative${open === 1 ? "" : "s"} left `;
  $("go").replaceChildren(label, key("Enter"));
  $("go").disabled = !task.unconfirmed && !task.finished;
  $("others-wrong").hidden = $("others-right").hidden = !open || task.unconfirmed;
  $("others-wrong").replaceChildren(`${open === 1 ? "It is" : `All ${open} are`} wrong `, key("x"));
  $("others-right").replaceChildren(`${open === 1 ? "It is" : `All ${open} are`} right `, key("a"));
  $("undo").disabled = !task.can_undo;
}

function showWriting() {
  const place = task.writing;
  $("writing").hidden = !place;
  if (!place) return;
  const after = place.after === null ? "" : ` It goes on from the alternative “${task.steps[place.step - 1][place.after]}”.`;
  const what = place.what === "step" ? `Write the right step ${place.step + 1}`
    : `Write the rest of the solution from step ${place.step + 1} to its answer, one step a line`;
  $("writing-label").replaceChildren(`${what}, in the form of the steps above.${after} `, key("e"));
  $("written").rows = place.what === "step" ? 1 : 4;
}

function showProgress() {
  if (!progress) return;
  const name = task ? task.round : progress.rounds.length ? progress.rounds[0].round : "";
  const round = progress.rounds.find((each) => each.round === name);
  if (!round) return;
  const parts = [`Round ${round.round}`, `${round.mine} by you`, `${round.left} of ${round.wanted} left`];
  if (progress.seconds !== null) parts.push(`${Math.round(progress.seconds)} s each`);
  if (progress.minutes_left) parts.push(`about ${duration(progress.minutes_left)} to go`);
  $("progress").textContent = parts.join(" · ");
  $("meter").hidden = false;
  const share = round.wanted ? Math.max(0, 1 - round.left / round.wanted) : 0;
  $("meter").setAttribute("aria-valuenow", String(Math.round(100 * share)));
  // Through the object model: the content security policy forbids style attributes in the page's text.
  $("meter").firstElementChild.style.width = `${100 * share}%`;
  $("back").hidden = progress.recent.length === 0;
}

function duration(minutes) {
  return minutes < 1 ? "a minute" : minutes < 90 ? `${Math.round(minutes)} min` : `${(minutes / 60).toFixed(1)} h`;
}

function welcome(content) {
  progress = content.progress;
  $("who").textContent = content.name;
  $("to-lead").hidden = !content.lead;
  const wanted = localStorage.getItem("guidelines");
  $("guidelines").hidden = wanted ? wanted === "closed" : innerWidth <= 900;
  $("help").setAttribute("aria-expanded", String(!$("guidelines").hidden));
}

// Keys and clicks.

function places() {
  return [...$("steps").children].filter((row) => !row.classList.contains("beyond")).map((row) => row.dataset.slot);
}

function moveTo(slot) {
  if (!slot) return;
  cursor = slot;
  for (const row of $("steps").children) row.classList.toggle("at", row.dataset.slot === slot);
  const row = $("steps").querySelector(".at");
  if (row) row.scrollIntoView({ block: "nearest" });
}

function move(by) {
  const slots = places();
  moveTo(slots[Math.min(slots.length - 1, Math.max(0, slots.indexOf(cursor) + by))]);
}

// One key for what is said most: this is the first wrong step. Pressed again, it only goes there.
async function wrongAt(step) {
  const slot = `${step}.0`;
  if (!places().includes(slot)) return;
  if (task.ratings[slot] !== -1) await change("rate", { step, completion: 0, rating: -1 });
  else moveTo(slot);
}

function go() {
  return enqueue(async () => {
    if (!task) return;
    if (task.unconfirmed) await change("confirm");
    else if (task.finished) await finish("finish");
    else trouble(`${task.others} alternatives are left: r n w u rate the marked one, x and a all of them.`);
  });
}

function end(reason) {
  return enqueue(async () => { if (task) await finish("end", { reason }); });
}

function help() {
  const box = $("guidelines");
  box.hidden = !box.hidden;
  $("help").setAttribute("aria-expanded", String(!box.hidden));
  localStorage.setItem("guidelines", box.hidden ? "closed" : "open");
  if (!box.hidden && innerWidth <= 900) box.scrollIntoView();
}

const KEYS = {
  Enter: go,
  z: () => enqueue(() => change("undo")),
  Backspace: () => enqueue(() => change("undo")),
  x: () => enqueue(() => change("others", { rating: -1 })),
  a: () => enqueue(() => change("others", { rating: 1 })),
  b: () => end("bad_problem"),
  g: () => end("give_up"),
  p: back,
  e: () => { if (!$("writing").hidden) $("written").focus(); },
  t: () => { $("note-box").open = true; $("note").focus(); },
  ArrowDown: () => move(1), j: () => move(1),
  ArrowUp: () => move(-1), k: () => move(-1),
};

document.addEventListener("keydown", (event) => {
  const isText = event.target instanceof HTMLTextAreaElement;
  if (isText) {
    if (event.key === "Escape") event.target.blur();
    else if (event.key === "Enter" && event.ctrlKey) { event.preventDefault(); go(); }
    return;
  }
  // A desktop and a browser keep combinations for themselves, so none is used here.
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
  if (event.key === "?") return help();
  if (!task) return event.key === "p" ? back() : undefined;
  const isControl = event.target instanceof HTMLElement && event.target.closest("button, a, summary");
  if (isControl && (event.key === "Enter" || event.key === " ")) return;
  const rating = RATINGS.find((each) => each.key === event.key);
  let run = KEYS[event.key];
  // The cursor is read when the act's turn has come: the answer to the one before moves it.
  if (rating) run = () => enqueue(() => {
    const [step, completion] = cursor.split(".").map(Number);
    return change("rate", { step, completion, rating: rating.value });
  });
  else if (/^[1-9]$/.test(event.key)) run = () => enqueue(() => wrongAt(event.key - 1));
  if (!run) return;
  event.preventDefault();
  run();
});

const CLICKS = {
  go, undo: KEYS.z, bad: KEYS.b, "give-up": KEYS.g, "others-wrong": KEYS.x, "others-right": KEYS.a, back, help,
};
for (const [id, run] of Object.entries(CLICKS)) {
  $(id).addEventListener("click", (event) => {
    // A button that was clicked would take the next Enter for itself.
    if (event.detail > 0) event.currentTarget.blur();
    run();
  });
}
for (const name of TEXTS) $(name).addEventListener("input", () => typed(name));

function elapsed() {
  return visible + (document.visibilityState === "visible" ? performance.now() - shown : 0);
}
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") shown = performance.now();
  else visible += performance.now() - shown;
});

// The lead's page.

function table(heads, rows) {
  if (!rows.length) return element("p", "quiet", "Nothing yet. What was finished within the last minute is counted when it is filed.");
  const cells = (kind, values) => element("tr", "", null, ...values.map((value) => element(kind, "", value ?? "–")));
  return element("div", "scroll", null, element("table", "", null, cells("th", heads), ...rows.map((row) => cells("td", row))));
}

const percent = (share) => (share === null || share === undefined ? "–" : `${Math.round(100 * share)}%`);

function ratingChip(value) {
  const rating = RATINGS.find((each) => each.value === value);
  return element("span", `chip ${rating.name}`, rating.name);
}

function dispute(each, opinions) {
  const box = element("div", "dispute", null, element("p", "", `${each.question} Right answer: ${each.answer}`));
  const steps = each.before.map((text, step) => `${step + 1}  ${text}\n`).join("");
  const here = element("span", "here", `${each.step + 1}  ${each.text}${each.completion ? "   (an alternative)" : ""}`);
  box.append(element("pre", "", steps, here));
  for (const opinion of each.opinions) {
    box.append(element("p", "", `${opinion.labeler}: `, ratingChip(opinion.rating), opinion.note ? ` “${opinion.note}”` : ""));
  }
  box.append(element("p", "quiet", each.settled !== null ? "Settled by the majority: "
    : opinions > 1 ? "Not settled: another labeller is given it." : "Not settled: served with --labelers 2, another labeller is given it.",
    ...(each.settled === null ? [] : [ratingChip(each.settled)])));
  return box;
}

async function lead() {
  const content = await ask("/api/lead", {});
  $("lead").hidden = false;
  $("help").hidden = true;
  $("progress").textContent = "";
  $("who").textContent = content.name;
  $("to-lead").hidden = false;
  $("to-lead").textContent = "Rate";
  $("to-lead").href = "/";
  const parts = [element("h2", "", "Labellers"), table(
    ["name", "lead", "invited", "finished", "last act", "refused"],
    content.labelers.map((each) => [each.name, each.is_lead ? "lead" : "", each.invited.slice(0, 10), each.finished ?? 0,
      each.touched ? new Date(1000 * each.touched).toLocaleString("sv", { dateStyle: "short", timeStyle: "short" }) : "–", each.refused ?? 0]))];
  for (const round of content.rounds) {
    if (!round.quality.length) {
      parts.push(element("h2", "", round.round), table([], []));
      continue;
    }
    const open = round.disagreements.filter((each) => each.settled === null).length;
    parts.push(element("h2", "", `${round.round}: quality`), table(
      ["labeller", "ratings", "gold ratings", "agreement with gold", "with others", "used"],
      round.quality.map((each) => [each.labeler, each.ratings, each.gold_ratings, percent(each.gold_agreement),
        percent(each.peer_agreement), each.excluded ? "left out" : "yes"])));
    parts.push(element("h2", "", `${round.round}: agreement by day`), table(
      ["day", "ratings", "rated by several", "agreement", "Krippendorff's alpha"],
      round.agreement.map((each) => [each.day, each.ratings, each.shared, percent(each.agreement),
        each.alpha === null ? "–" : each.alpha.toFixed(2)])));
    parts.push(element("h2", "", `${round.round}: ${round.disagreements.length} disagreements, ${open} not settled`));
    parts.push(...round.disagreements.slice(0, 200).map((each) => dispute(each, content.opinions)));
  }
  $("lead").replaceChildren(...parts);
}

// The start: the token of an invitation, what a closed tab left to be sent, and the first task.

async function start() {
  $("progress").textContent = "Loading…";
  const token = location.hash.slice(1);
  if (token) {
    await ask("/api/join", { token });
    history.replaceState(null, "", location.pathname);
  }
  if (location.pathname === "/lead") return lead();
  const left = localStorage.getItem("act");
  if (left) {
    // Refused, it was answered before the tab was closed, or the task is in the round no more.
    try { await ask("/api/act", JSON.parse(left)); } catch (error) { if (!(error instanceof Refused)) throw error; }
    localStorage.removeItem("act");
  }
  await next();
  if (task) { await flush(); loadAhead(); }
}
enqueue(start);
