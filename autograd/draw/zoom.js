"use strict";

// Zoom and pan of the drawing, by wheel, pointer and fingers: the SVG's viewBox. Comes before page.js, which draws.

const at = (id) => document.getElementById(id);

let frame = null; // {x, y, w, h} in the drawing's units
let whole = null;

const stageSize = () => at("stage").getBoundingClientRect();

function apply() {
  at("stage").querySelector("svg")?.setAttribute("viewBox", `${frame.x} ${frame.y} ${frame.w} ${frame.h}`);
}

function fit() {
  const svg = at("stage").querySelector("svg");
  if (!svg) return;
  if (frame === null) {
    const [x, y, w, h] = svg.getAttribute("viewBox").split(/\s+/).map(Number);
    whole = { x, y, w, h };
  }
  const size = stageSize();
  const scale = Math.min(size.width / whole.w, (size.height - 40) / whole.h, 2.2) || 1;
  const w = size.width / scale, h = size.height / scale;
  frame = { x: whole.x + (whole.w - w) / 2, y: whole.y + (whole.h - h) / 2 + 16 / scale, w, h };
  apply();
}

/** Zoom by a factor about a point of the screen, by default the middle. */
function zoom(factor, clientX, clientY) {
  if (!frame) return;
  const size = stageSize();
  const u = clientX === undefined ? 0.5 : (clientX - size.left) / size.width;
  const v = clientY === undefined ? 0.5 : (clientY - size.top) / size.height;
  const limited = Math.min(Math.max(frame.w / factor, whole.w / 400, 20), Math.max(whole.w, whole.h) * 8) / frame.w;
  frame.x += u * frame.w * (1 - limited);
  frame.y += v * frame.h * (1 - limited);
  frame.w *= limited;
  frame.h *= limited;
  apply();
}

/** Bring a box into view, if it is not. */
function reveal(id) {
  const group = nodes.get(standing(id));
  if (!frame) group?.scrollIntoView({ block: "nearest" });
  if (!group || !frame) return;
  const box = group.getBBox(), { x, y } = offset();
  const middle = { x: box.x + box.width / 2 + x, y: box.y + box.height / 2 + y };
  if (!middle.x && !middle.y) return;
  const left = box.x + x, top = box.y + y;
  const across = left >= frame.x && left + box.width <= frame.x + frame.w;
  if (across && top >= frame.y && top + box.height <= frame.y + frame.h) return;
  const clamped = (value, low, span, full) =>
    span < full ? Math.min(Math.max(value, low), low + full - span) : low - (span - full) / 2;
  frame.x = clamped(middle.x - frame.w / 2, whole.x, frame.w, whole.w);
  frame.y = clamped(middle.y - frame.h / 2, whole.y, frame.h, whole.h + (40 * frame.h) / stageSize().height);
  apply();
}

/** The translation that Graphviz puts on the whole drawing. */
function offset() {
  const matrix = at("stage").querySelector("svg > g").transform.baseVal.consolidate()?.matrix;
  return { x: matrix?.e ?? 0, y: matrix?.f ?? 0 };
}

const pointers = new Map();
let moved = 0;

const unlessDragged = (action) => (moved < 6 ? action() : undefined);

at("stage").addEventListener("wheel", (event) => {
  if (!frame) return;
  event.preventDefault();
  zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0016)), event.clientX, event.clientY);
}, { passive: false });
at("stage").addEventListener("pointerdown", (event) => {
  if (!frame) return;
  pointers.set(event.pointerId, event);
  moved = 0;
});
addEventListener("pointermove", (event) => {
  const before = pointers.get(event.pointerId);
  if (!before) return;
  const size = stageSize();
  moved += Math.abs(event.clientX - before.clientX) + Math.abs(event.clientY - before.clientY);
  if (pointers.size === 2) {
    const [other] = [...pointers.values()].filter((p) => p.pointerId !== event.pointerId);
    const distance = (p) => Math.hypot(p.clientX - other.clientX, p.clientY - other.clientY);
    zoom(distance(event) / (distance(before) || 1), (event.clientX + other.clientX) / 2, (event.clientY + other.clientY) / 2);
  } else if (moved >= 6) {
    at("stage").classList.add("held");
    frame.x -= ((event.clientX - before.clientX) * frame.w) / size.width;
    frame.y -= ((event.clientY - before.clientY) * frame.h) / size.height;
    apply();
  }
  pointers.set(event.pointerId, event);
});
for (const kind of ["pointerup", "pointercancel"])
  addEventListener(kind, (event) => {
    pointers.delete(event.pointerId);
    at("stage").classList.remove("held");
  });
addEventListener("resize", fit);

