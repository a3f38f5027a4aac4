// Plays a backward pass over the graph that the page carries. Nothing is computed here: every number, equation and
// layout comes with the page (the JSON in #data); this shows what belongs to the chosen step.

const data = JSON.parse(document.getElementById("data").textContent);
const last = data.steps.length;

let step = 0; // steps taken so far; the step being shown is data.steps[step - 1]
let chosen = null; // id of the box whose details are shown
let folded = false; // whether they are those of the fold that is drawn under that id
let layout = data.start;
let nodes = new Map(); // what is drawn: box id -> SVG group
let edges = new Map(); // "source>target" -> SVG groups, in the order of the arguments
let timer = null;

const stepOf = new Map(data.steps.map((s, i) => [s.box, i + 1]));
const users = new Map();
for (const [id, box] of Object.entries(data.boxes))
  for (const [, source] of box.inputs) users.set(source, [...(users.get(source) ?? []), id]);

/** An element with attributes and children; text is always text. */
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes))
    if (name === "onclick") element.addEventListener("click", value);
    else element.setAttribute(name, value);
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Lines of MathML, which the page's writer has made and escaped. */
function mathematics(...lines) {
  const block = make("div", { class: "equation", tabindex: "0", role: "group", "aria-label": "Equation" });
  block.innerHTML = lines.filter(Boolean).map((line) => `<math display="block"><mrow>${line}</mrow></math>`).join("");
  return block;
}

/** Break equations that are wider than their place, which MathML does not: before operators and after commas. */
function wrap(section) {
  for (const block of section.querySelectorAll(".equation"))
    for (const math of [...block.children].filter((line) => line.getBoundingClientRect().width > block.clientWidth)) {
      const pieces = [[]];
      for (const part of flat(math)) {
        const sign = part.localName === "mo" ? part.textContent : part.localName;
        if (["=", "+", "−", "·", "⊙", "mspace"].includes(sign) && pieces.at(-1).length) pieces.push([]);
        pieces.at(-1).push(part);
        if (sign === ",") pieces.push([]);
      }
      const row = make("div", { class: "broken" });
      for (const piece of pieces.filter((each) => each.length)) {
        const one = document.createElementNS(math.namespaceURI, "math");
        one.setAttribute("displaystyle", "true");
        one.append(...piece);
        row.append(one);
      }
      math.replaceWith(row);
    }
}

const flat = (row) => [...row.children].flatMap((child) => (child.localName === "mrow" ? flat(child) : [child]));

function written(described) {
  const block = make("div", { class: "value" }, described.lines.join("\n"));
  if (described.alarm) block.append(make("span", { class: "alarm" }, (described.lines.length ? "\n" : "") + described.alarm));
  return block;
}

const titleOf = (id) => data.boxes[id]?.title ?? id;
const link = (id) => make("button", { class: "link", type: "button", onclick: () => choose(id, true) }, titleOf(id));

// ---------------------------------------------------------------- what has arrived after a number of steps

/** Gradients by box, values by edge, and how many terms each box has had. */
function arrivals(count) {
  const found = { totals: new Map(data.seeds), terms: new Map(), counts: new Map(), visited: new Set() };
  for (const { box, terms } of data.steps.slice(0, count)) {
    found.visited.add(box);
    for (const term of terms) {
      found.totals.set(term.to, term.total);
      found.terms.set(`${term.to}>${box}>${term.edge}`, term.value);
      found.counts.set(term.to, (found.counts.get(term.to) ?? 0) + 1);
    }
  }
  return found;
}

const expected = new Map();
for (const { terms } of data.steps) for (const { to } of terms) expected.set(to, (expected.get(to) ?? 0) + 1);

// ---------------------------------------------------------------- the drawing

const drawings = new Map(); // layout -> what is drawn, as it came; the first one stands in its place already
for (const template of document.querySelectorAll("template")) drawings.set(Number(template.id.slice(7)), template.content);
const first = document.createDocumentFragment();
first.append(...at("stage").children);
drawings.set(data.start, first);

const standing = (id) => data.layouts[layout]?.stands[id] ?? id;

function draw(index) {
  layout = index;
  const stage = at("stage");
  stage.replaceChildren(drawings.get(index).cloneNode(true));
  const svg = stage.querySelector("svg");
  nodes = new Map();
  edges = new Map();
  for (const item of stage.querySelectorAll("button[data-box]")) {
    nodes.set(item.dataset.box, item);
    item.addEventListener("click", () => choose(item.dataset.box));
  }
  if (!svg) return;
  svg.removeAttribute("width");
  svg.removeAttribute("height");
  svg.setAttribute("role", "group");
  svg.setAttribute("aria-label", "Graph: boxes are buttons that show details");
  svg.querySelector("g.graph > title")?.remove();
  for (const group of svg.querySelectorAll("g.node")) dress(group);
  const numberOf = (group) => Number(group.id.replace("edge", ""));
  for (const group of [...svg.querySelectorAll("g.edge")].sort((a, b) => numberOf(a) - numberOf(b))) {
    const name = group.querySelector("title").textContent.replace(/^(n\d+)(_n\d+)?->/, "$1>"); // from a copy: as from the box
    group.querySelector("title").remove();
    group.setAttribute("aria-hidden", "true");
    edges.set(name, [...(edges.get(name) ?? []), group]);
  }
  svg.querySelectorAll("g.cluster").forEach((group, i) => {
    const call = data.layouts[layout].calls[i];
    const closing = call && data.layouts.findIndex((l, k) => l.depth === call.depth && k < layout);
    group.querySelector("title").textContent = call && closing >= 0 ? `Close ${call.title}` : "";
    if (!call || closing < 0) return;
    group.classList.add("closes");
    group.addEventListener("click", () => unlessDragged(() => choose_layout(closing)));
  });
  frame = null;
  fit();
  const size = stageSize();
  if (size.width / frame.w < 0.42) {
    zoom((0.75 * frame.w) / size.width); // too small to be read as a whole: begin near the result
    reveal(data.result);
  }
}

function dress(group) {
  const title = group.querySelector("title");
  const id = title.textContent.replace(/_.*/, "");
  const box = data.layouts[layout].folds[id] ?? data.boxes[id];
  if (group.classList.contains("copy")) { // a small box where an arrow would reach too far
    title.textContent = box?.title ?? id;
    group.setAttribute("aria-hidden", "true");
    group.addEventListener("click", () => unlessDragged(() => choose(id, true)));
    return;
  }
  nodes.set(id, group);
  if (!box) return;
  title.textContent = box.title;
  group.dataset.box = id;
  group.classList.add(box.kind);
  group.setAttribute("tabindex", "0");
  group.setAttribute("role", "button");
  group.setAttribute("aria-label", `${box.title}, ${box.kind}${box.shape ? `, ${box.shape}` : ""}`);
  for (const text of group.querySelectorAll('text[fill="#b45309"]')) text.dataset.final = text.textContent;
  group.addEventListener("click", () => unlessDragged(() => pick(id)));
}

/** Light up what this step does, and write the gradients that have arrived. */
function paint() {
  const { totals, terms, visited } = arrivals(step);
  const current = step ? data.steps[step - 1] : null;
  const done = new Set([...visited].map(standing));
  for (const [id, group] of nodes) {
    group.classList.toggle("done", done.has(id));
    group.classList.toggle("now", current !== null && standing(current.box) === id);
    group.classList.toggle("selected", chosen !== null && standing(chosen) === id);
    if (last) writeGradient(group, totals.get(id));
  }
  const values = new Map();
  for (const [key, value] of terms) {
    const [source, target, k] = key.split(">");
    values.set(`${standing(source)}>${standing(target)}>${k}`, value);
  }
  for (const [name, groups] of edges)
    groups.forEach((group, k) => {
      const passed = groups.length > 1 ? values.get(`${name}>${k}`) : anyOf(values, name);
      const now = current?.terms.some(
        (t) => `${standing(t.to)}>${standing(current.box)}` === name && (groups.length === 1 || t.edge === k),
      );
      group.classList.toggle("done", passed !== undefined);
      group.classList.toggle("now", Boolean(now));
      for (const text of group.querySelectorAll("text"))
        if (last) text.textContent = passed?.lines.length === 1 ? passed.lines[0] : "";
    });
}

function anyOf(values, name) {
  for (let k = 0; k < 8; k++) if (values.has(`${name}>${k}`)) return values.get(`${name}>${k}`);
  for (const [key, value] of values) if (key.startsWith(`${name}>`)) return value;
  return undefined;
}

function writeGradient(group, total) {
  group.querySelectorAll('text[fill="#b45309"]').forEach((text, i) => {
    text.classList.toggle("pending", total === undefined);
    if (total?.lines[i] !== undefined) text.textContent = (i ? "" : "grad ") + total.lines[i].replaceAll("−", "-"); // as wide as the box was made for
  });
}

// ---------------------------------------------------------------- the panel

function showStep() {
  const section = at("step");
  if (step === 0) {
    section.replaceChildren(...introduction());
    wrap(section);
    return;
  }
  const { box, name, arrived, terms } = data.steps[step - 1];
  const facts = arrivals(step);
  const parts = [
    make("p", { class: "kicker" }, `Step ${step} of ${last}`),
    make("h2", {}, titleOf(box)),
    make("h3", {}, terms.length ? "Arrives here" : "The gradient"),
    mathematics(arrived.lines.length === 1 ? `${name}<mo>=</mo>${arrived.math}` : name),
    arrived.lines.length > 1 || arrived.alarm ? written(arrived) : null,
  ];
  if (terms.length) parts.push(make("h3", {}, terms.length > 1 ? "Sent on, to each input" : "Sent on"));
  for (const term of terms) {
    const { left, right, long } = data.equations[term.equation];
    const many = expected.get(term.to), so_far = facts.counts.get(term.to);
    const card = make("div", { class: "card" }, mathematics(`${left}<mo>=</mo>${right}`, ...term.numbers.map((line) => `<mo>=</mo>${line}`)));
    if (long) card.append(make("p", { class: "note" }, "This rule is too long for a formula; it is named, with what it uses."));
    if (!term.numbers.length) card.append(written(term.value));
    const then = make("p", { class: "then" }, "to ", link(term.to));
    if (many > 1)
      then.append(` · term ${so_far} of ${many}${term.total.lines.length === 1 ? `, in all ${term.total.lines[0]}` : ""}`);
    card.append(then);
    parts.push(card);
  }
  if (step === last) parts.push(...summary(facts));
  section.replaceChildren(...parts.filter(Boolean));
  wrap(section);
}

function introduction() {
  const parts = [make("p", { class: "kicker" }, last ? `${last} steps` : "Structure"), make("h2", {}, "The backward pass")];
  for (const note of data.notes) parts.push(make("p", { class: "note" }, note));
  if (!last) return parts;
  parts.push(
    make("p", {}, "From the result back to the leaves, each operation turns the gradient of its output into the gradients of its inputs."),
    mathematics(data.beginning),
    make("p", { class: "note" }, make("kbd", {}, "→"), " ", make("kbd", {}, "←"), " step · ", make("kbd", {}, "Home"), " ",
      make("kbd", {}, "End"), " · ", make("kbd", {}, "space"), " plays · ", make("kbd", {}, "/"), " finds · ",
      make("kbd", {}, "+"), " ", make("kbd", {}, "−"), " ", make("kbd", {}, "0"), " zoom. Click a box for its values."),
  );
  return parts;
}

/** Gradients of the leaves, once all have arrived. */
function summary(facts) {
  const rows = Object.entries(data.boxes)
    .filter(([id, box]) => box.kind === "leaf" && facts.totals.has(id))
    .slice(0, 200)
    .map(([id]) => make("tr", {}, make("th", { scope: "row" }, link(id)), make("td", {}, facts.totals.get(id).lines.join(" "))));
  return [make("h3", {}, "Gradients of the leaves"), make("table", {}, make("tbody", {}, ...rows))];
}

function showDetail() {
  const section = at("detail");
  section.hidden = chosen === null;
  if (chosen === null) return;
  const fold = folded && data.layouts[layout]?.folds[chosen];
  const parts = fold ? detailsOfFold(fold) : detailsOfBox(chosen);
  const close = make("button", { class: "close", type: "button", "aria-label": "Close details", onclick: () => choose(null) }, "✕");
  section.replaceChildren(close, ...parts.filter(Boolean));
}

function detailsOfFold(fold) {
  const opening = data.layouts.findIndex((l, i) => i > layout && l.folds[chosen]?.title !== fold.title);
  return [
    make("p", { class: "kicker" }, "folded"),
    make("h2", {}, fold.title),
    make("p", {}, `Stands for ${fold.count.toLocaleString("en")} operation${fold.count === 1 ? "" : "s"}.`),
    opening >= 0 ? make("button", { type: "button", onclick: () => choose_layout(opening) }, `Unfold: ${data.layouts[opening].name}`) : null,
  ];
}

function detailsOfBox(id) {
  const box = data.boxes[id];
  if (!box) return [make("h2", {}, id), make("p", { class: "note" }, "Left out of this page, which has a limit.")];
  const parts = [make("p", { class: "kicker" }, box.kind), make("h2", {}, box.title)];
  const total = arrivals(step).totals.get(id);
  const rows = [];
  const row = (name, ...value) => rows.push(make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, ...value)));
  if (box.shape) row("Shape, dtype", make("code", {}, box.shape));
  if (box.place) row("Recorded at", make("code", {}, box.place));
  if (box.modules.length) row("In", box.modules.join(" › "));
  for (const [name, text] of box.memory) row(name, text);
  if (box.inputs.length) row("Inputs", ...listed(box.inputs.map(([argument, source]) => [argument && `${argument}: `, source])));
  if (users.has(id)) row("Used by", ...listed([...new Set(users.get(id))].map((user) => ["", user])));
  if (stepOf.has(id))
    row("Visited", make("button", { class: "link", type: "button", onclick: () => go(stepOf.get(id)) }, `at step ${stepOf.get(id)}`));
  const section = (name, described) => described && parts.push(make("h3", {}, name), written(described));
  section("Value", box.value);
  section(`Gradient after step ${step}`, total);
  section("In .grad", box.grad);
  parts.push(make("h3", {}, "About"), make("table", {}, make("tbody", {}, ...rows)));
  if (box.saved.length) {
    parts.push(make("h3", {}, "Saved for its rule"));
    const saved = box.saved.map(([name, kind, bytes, described]) =>
      make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, make("code", {}, kind), described ? written(described) : null), make("td", { class: "bytes" }, bytes)));
    parts.push(make("table", {}, make("tbody", {}, ...saved)));
  }
  if (box.released) parts.push(make("p", { class: "note" }, "What it had saved was released by a backward pass; keep it with backward(retain_graph=True)."));
  return parts;
}

function listed(items) {
  return items.slice(0, 12).flatMap(([before, id], i) => [i ? ", " : "", before ?? "", link(id)])
    .concat(items.length > 12 ? [` and ${items.length - 12} more`] : []);
}

// ---------------------------------------------------------------- what can be done

function go(count) {
  step = Math.min(Math.max(count, 0), last);
  if (step === last) stop();
  at("slider").value = step;
  at("slider").setAttribute("aria-valuetext", step ? `${step} of ${last}: ${titleOf(data.steps[step - 1].box)}` : "start");
  at("count").textContent = last ? `${step} of ${last}` : "no steps";
  for (const id of ["start", "back"]) at(id).disabled = step === 0;
  for (const id of ["forward", "end"]) at(id).disabled = step === last;
  at("play").disabled = last === 0;
  showStep();
  showDetail();
  paint();
  if (step) reveal(data.steps[step - 1].box);
  at("spoken").textContent = step ? data.steps[step - 1].spoken : "";
}

/** What a click on a drawn box does. */
const pick = (id) => choose(id, false, id in (data.layouts[layout]?.folds ?? {}));

function choose(id, show = false, fold = false) {
  chosen = id;
  folded = fold;
  showDetail();
  paint();
  if (id === null) return;
  if (show) reveal(id);
  at("detail").scrollIntoView({ block: "nearest" });
}

function choose_layout(index) {
  at("depth").value = index;
  draw(index);
  showDetail();
  paint();
  if (chosen) reveal(chosen);
}

function stop() {
  clearInterval(timer);
  timer = null;
  at("play").setAttribute("aria-pressed", "false");
}

function play() {
  if (timer !== null) return stop();
  if (!last) return undefined;
  if (step === last) go(0);
  at("play").setAttribute("aria-pressed", "true");
  timer = setInterval(() => go(step + 1), 1100);
  return undefined;
}

let hits = [];
let hit = -1;

function find(text) {
  const wanted = text.trim().toLowerCase();
  hits = wanted ? Object.keys(data.boxes).filter((id) => data.boxes[id].words.includes(wanted)) : [];
  hit = -1;
  const drawn = new Set(hits.map(standing));
  at("stage").classList.toggle("searching", wanted !== "");
  for (const [id, group] of nodes) group.classList.toggle("hit", drawn.has(id));
  at("found").textContent = wanted ? `${hits.length} found` : "";
}

function nextHit(direction) {
  if (!hits.length) return;
  hit = (hit + direction + hits.length) % hits.length;
  at("found").textContent = `${hit + 1} of ${hits.length}`;
  choose(hits[hit], true);
}

at("search").addEventListener("input", (event) => find(event.target.value));
at("search").addEventListener("keydown", (event) => {
  if (event.key === "Enter") nextHit(event.shiftKey ? -1 : 1);
  if (event.key === "Escape") { event.target.value = ""; find(""); event.target.blur(); }
});
addEventListener("resize", showStep); // equations are broken anew
at("slider").addEventListener("input", (event) => go(Number(event.target.value)));
at("depth").addEventListener("change", (event) => choose_layout(Number(event.target.value)));
at("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});
const actions = {
  start: () => go(0), back: () => go(step - 1), play, forward: () => go(step + 1), end: () => go(last),
  nearer: () => zoom(1.35), farther: () => zoom(1 / 1.35), fit,
};
for (const [id, action] of Object.entries(actions)) at(id).addEventListener("click", action);

const keys = {
  ArrowRight: "forward", ArrowLeft: "back", ArrowDown: "forward", ArrowUp: "back", Home: "start", End: "end",
  " ": "play", "+": "nearer", "=": "nearer", "-": "farther", "0": "fit",
};
addEventListener("keydown", (event) => {
  const on = event.target;
  if (event.ctrlKey || event.metaKey || event.altKey || on.matches("input, select, textarea")) return;
  if (event.key === "/") { event.preventDefault(); at("search").focus(); return; }
  if (event.key === "Escape") { choose(null); return; }
  const box = on.closest?.("[data-box]")?.dataset.box;
  if (box && (event.key === "Enter" || event.key === " ")) { event.preventDefault(); pick(box); return; }
  if (event.key === " " && on.matches("button")) return;
  if (on.matches(".equation") && ["ArrowLeft", "ArrowRight"].includes(event.key) && on.scrollWidth > on.clientWidth) return;
  if (keys[event.key]) { event.preventDefault(); actions[keys[event.key]](); }
});

at("slider").max = last;
at("slider").disabled = last === 0;
data.layouts.forEach((each, i) => at("depth").append(make("option", { value: i }, each.name)));
at("depths").hidden = data.layouts.length < 2;
at("depth").value = layout;
draw(layout);
go(0);
