// The operator's page: what /alarms, /current, /summary and /stream say, nothing more.
// Bounded by: MOST_VESSELS cards, one stream, one question for values at a time.
import { ago, clock, key, number, priorityWord, stateWord, words } from "/words.js";

const MOST_VESSELS = 48;
const KEYS = ["TIC-101.PV", "AIC-101.PV", "AIC-102.PV", "AIT-104.PV"];
const VALUES_EVERY = 1000, HEALTH_EVERY = 5000, ALARMS_EVERY = 60000;
const LEAST_SPAN = 0.01; // of the value: what a trend is high at least
const TREND_MS = 3600e3, STEP_MS = 60e3, OLD_S = 15, TRENDS_AT_ONCE = 4;
const UNSEEN = new Set(["unacknowledged", "returned-unacknowledged", "latched-unacknowledged"]);

const $ = (id) => document.getElementById(id);
const alarms = new Map(); // id -> what was said last of an alarm, also of one that is over
const sent = new Map(); // key of an alarm's state -> "" while it is sent, or why not
const shown = new Map(); // full name -> row of a tag that is shown
const cards = new Map(); // vessel -> card
const opened = new Set(); // ids of alarms whose explanation is open
let vessels = [], tags = new Map(), configuration = null;

function make(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else if (value === true) node.setAttribute(key, "");
    else if (value !== false && value != null) node.setAttribute(key, value);
  }
  node.append(...children.filter((child) => child != null));
  return node;
}

async function ask(path, options = {}) {
  const answer = await fetch(path, { ...options, headers: { Accept: "application/json", ...options.headers } });
  const body = await answer.json();
  if (!answer.ok && path !== "/health/ready") throw new Error(body.detail || `HTTP ${answer.status}`);
  return body;
}

const troubles = new Map();
function trouble(of, text) {
  if (text) troubles.set(of, text); else troubles.delete(of);
  $("trouble").textContent = [...new Set(troubles.values())].join(" · ");
  $("trouble").hidden = troubles.size === 0;
}

async function forEver(what, pause, work) {
  for (;;) {
    try { await work(); trouble(what, ""); }
    catch (error) { trouble(what, `${what}: ${error.message}`); }
    await new Promise((go) => setTimeout(go, document.hidden ? 5 * pause : pause));
  }
}

/* alarms ------------------------------------------------------------------- */

function take(said, at) {
  const before = alarms.get(said.alarm);
  if (before && Date.parse(before.at) > Date.parse(at)) return;
  alarms.set(said.alarm, { ...said, at });
}

async function listAlarms() {
  const asked = Date.now();
  const body = await ask("/alarms?limit=500");
  const listed = new Set(body.alarms.map((alarm) => alarm.alarm));
  for (const [id, alarm] of alarms) {
    if (!listed.has(id) && (alarm.heard || 0) < asked - 10000) alarms.delete(id);
  }
  for (const alarm of body.alarms) take(alarm, alarm.last.time);
  drawAlarms();
}

async function acknowledge(alarm) {
  sent.set(key(alarm), "");
  drawAlarms();
  const headers = { "Content-Type": "application/json", "Idempotency-Key": `page ${key(alarm)}` };
  const actor = $("actor").value.trim();
  if (actor && $("actor").validity.valid) headers["X-Fedbatch-Actor"] = actor;
  try {
    await ask(`/alarms/${encodeURIComponent(alarm.alarm)}/acknowledge`, { method: "POST", headers, body: "{}" });
  } catch (error) { sent.set(key(alarm), error.message); }
  drawAlarms();
}

function explanation(alarm) {
  const why = alarm.explanation;
  const moved = why.moved.slice(0, 4).map((tag) =>
    `${tag.tag.replace(`${alarm.vessel}/`, "")} ${number(tag.before)} → ${number(tag.now)} (${Math.abs(tag.sigmas).toFixed(1)} sigma)`);
  const facts = [
    ["check", why.check], ["seen", why.value == null ? "no data" : number(why.value)],
    ["expected", why.expected], ["since", `${clock(why.since)} UTC`],
    ["batch", [alarm.batch, alarm.phase].filter(Boolean).join(", ")],
    ["quality", why.quality], ["also moved", moved.join("; ") || "no other tag of the vessel"],
    ["by", alarm.actor || (alarm.last && alarm.last.actor)],
  ].filter(([, text]) => text);
  return make("dl", {}, ...facts.flatMap(([name, text]) => [make("dt", {}, name), make("dd", {}, text)]),
    make("dt", {}, "trend"), make("dd", {}, make("a", { href: why.trend }, "readings")),
    make("dt", {}, "journal"), make("dd", {}, make("a", { href: `/alarms/${encodeURIComponent(alarm.alarm)}` }, alarm.alarm)));
}

function alarmItem(alarm) {
  const unseen = UNSEEN.has(alarm.state), gone = /^(returned|latched)/.test(alarm.state);
  const notes = [[alarm.simulated, "simulated"], [alarm.advisory, "advisory: a model that still learns"],
    [alarm.detected_late, "late readings"]].filter(([is]) => is);
  const refused = sent.get(key(alarm));
  const waits = refused === "";
  return make("li", { class: `alarm p${alarm.priority}${unseen ? " unseen" : ""}${gone ? " gone" : ""}`, "data-alarm": alarm.alarm },
    make("div", { class: "top" },
      make("span", { class: "badge priority" }, `${alarm.priority} ${priorityWord(alarm.priority)}`),
      make("strong", {}, alarm.vessel),
      ...notes.map(([, text]) => make("span", { class: "badge note" }, text)),
      make("span", { class: "state" }, `${stateWord(alarm.state)} · ${ago(alarm.since)}`)),
    make("p", { class: "what" }, words(alarm)),
    make("p", { class: "advice" }, alarm.explanation.advice),
    make("div", { class: "foot" },
      make("details", { open: opened.has(alarm.alarm), ontoggle: (event) =>
        event.target.open ? opened.add(alarm.alarm) : opened.delete(alarm.alarm) },
        make("summary", {}, "why"), explanation(alarm)),
      unseen ? make("button", { type: "button", disabled: waits, "data-key": key(alarm), onclick: () => acknowledge(alarm),
        "aria-label": `acknowledge ${alarm.vessel} ${words(alarm)}` }, waits ? "acknowledging …" : "Acknowledge") : null),
    refused ? make("p", { class: "refused", role: "alert" }, refused) : null);
}

function drawAlarms() {
  const active = [...alarms.values()].filter((alarm) => alarm.active);
  active.sort((a, b) => a.priority - b.priority || Date.parse(b.since) - Date.parse(a.since));
  const unseen = active.filter((alarm) => UNSEEN.has(alarm.state)).length;
  const focused = document.activeElement?.dataset?.key;
  $("alarm-list").replaceChildren(...active.map(alarmItem));
  if (focused) $("alarm-list").querySelector(`[data-key="${CSS.escape(focused)}"]`)?.focus();
  $("count").textContent = active.length ? `${active.length}, ${unseen} not acknowledged` : "";
  $("no-alarms").hidden = active.length > 0;
  document.title = unseen ? `(${unseen}) fedbatch` : "fedbatch";
  const urgent = new Set(active.filter((a) => a.priority <= 2).map((a) => a.vessel));
  for (const [name, card] of cards) card.classList.toggle("alarmed", urgent.has(name));
}

function listen() {
  const stream = new EventSource("/stream?type=alarm");
  const state = (text, good) => {
    $("live").textContent = text;
    $("live").className = `pill ${good ? "good" : "bad"}`;
  };
  stream.onopen = () => state("alarms live", true);
  stream.onerror = () => {
    state("alarms not live, connecting …", false);
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, 2000);
  };
  stream.addEventListener("alarm", (event) => {
    const said = JSON.parse(event.data);
    take({ ...said, heard: Date.now() }, said.time);
    drawAlarms();
  });
  stream.addEventListener("lost", () => listAlarms().catch(() => {}));
}

/* vessels ------------------------------------------------------------------ */

function chosen(own) {
  const preferred = KEYS.map((name) => own.find((tag) => tag.name.endsWith(`/${name}`))).filter(Boolean);
  if (preferred.length === KEYS.length) return preferred;
  const numbers = own.filter((tag) => tag.type === "number");
  const each = numbers.filter((tag) => tag.report === "each");
  return (each.length ? each : numbers).slice(0, KEYS.length);
}

function tagRow(vessel, tag) {
  const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 100 30");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  const title = document.createElementNS("http://www.w3.org/2000/svg", "title");
  svg.append(title, line);
  const value = make("td", { class: "value" }, "–");
  const row = make("tr", { "data-tag": tag.name },
    make("th", { scope: "row" }, tag.name.replace(`${vessel}/`, "")), value,
    make("td", { class: "trend" }, make("a", { href: `/recorded?tag=${encodeURIComponent(tag.name)}&start=*-1h` }, svg)));
  shown.set(tag.name, { row, value, line, title, unit: tag.unit, points: [], asked: false });
  return row;
}

function vesselCard(vessel) {
  const own = tags.get(vessel.name) || [];
  const card = make("article", { class: "vessel", "data-vessel": vessel.name },
    make("h3", {}, vessel.name, vessel.simulated ? make("span", { class: "badge note" }, "simulated") : null),
    make("p", { class: "doing" }),
    make("table", {}, make("tbody", {}, ...chosen(own).map((tag) => tagRow(vessel.name, tag)))),
    make("a", { href: `/current?vessel=${encodeURIComponent(vessel.name)}` }, own.length === 1 ? "its tag" : `all ${own.length} tags`));
  cards.set(vessel.name, card);
  return card;
}

function drawVessels() {
  const wanted = $("filter").value.trim().toLowerCase();
  const found = vessels.filter((vessel) => vessel.name.toLowerCase().includes(wanted));
  shown.clear();
  cards.clear();
  $("vessel-list").replaceChildren(...found.slice(0, MOST_VESSELS).map(vesselCard));
  $("vessel-count").textContent = vessels.length ? `${vessels.length}` : "";
  $("filter").hidden = vessels.length < 8;
  $("more").hidden = found.length <= MOST_VESSELS;
  $("more").textContent = `${found.length - MOST_VESSELS} more: type a part of their name above.`;
  drawAlarms();
}

async function choose() {
  const [about, all] = await Promise.all([ask("/vessels"), ask("/tags")]);
  vessels = about.vessels.filter((vessel) => !vessel.retired);
  tags = new Map();
  for (const tag of all.tags.filter((each) => !each.retired)) {
    tags.set(tag.vessel, [...(tags.get(tag.vessel) || []), tag]);
  }
  configuration = about.configuration;
  drawVessels();
}

async function values() {
  if (configuration === null) await choose();
  const here = vessels.filter((vessel) => cards.has(vessel.name));
  const names = [...shown.keys(), ...here.flatMap((v) => [v.batch_tag, v.phase_tag, v.state_tag]).filter(Boolean)];
  if (!names.length) return;
  const query = names.map((name) => `tag=${encodeURIComponent(name)}`).join("&");
  const body = await ask(`/current?rows=true&${query}`);
  if (body.configuration !== configuration) { configuration = null; return; }
  const rows = new Map(body.rows.map((row) => [row.tag, row]));
  for (const [name, tag] of shown) drawValue(tag, rows.get(name));
  for (const vessel of here) {
    const text = (tag) => (tag ? rows.get(tag)?.text ?? rows.get(tag)?.value : null);
    const state = text(vessel.state_tag);
    const doing = [text(vessel.batch_tag), text(vessel.phase_tag), state === "Running" ? "" : state]
      .filter((part) => part != null && part !== "");
    cards.get(vessel.name).querySelector(".doing").textContent = doing.join(" · ");
  }
}

function drawValue(tag, row) {
  const known = row && row.value != null;
  tag.value.replaceChildren(known ? number(row.value) : "–", " ", make("span", { class: "unit" }, tag.unit || ""));
  const old = !row || row.age_s == null || row.age_s > OLD_S;
  tag.row.classList.toggle("old", old);
  tag.value.title = !row || row.age_s == null ? "no reading yet" : `${clock(row.time)} UTC, ${Math.round(row.age_s)} s old`;
  if (!known) return;
  const step = Math.floor(Date.parse(row.time) / STEP_MS) * STEP_MS;
  tag.points = tag.points.filter(([at]) => at !== step).concat([[step, row.value]]);
  drawTrend(tag);
}

function drawTrend(tag) {
  const newest = Math.max(...tag.points.map(([at]) => at));
  tag.points = tag.points.filter(([at]) => at > newest - TREND_MS).sort((a, b) => a[0] - b[0]);
  const heights = tag.points.map(([, value]) => value);
  const low = Math.min(...heights), high = Math.max(...heights), middle = (low + high) / 2;
  const span = Math.max(high - low, LEAST_SPAN * Math.abs(middle), 1e-9); // noise stays small
  const x = (at) => (100 * (1 - (newest - at) / TREND_MS)).toFixed(2);
  const y = (value) => (15 - (26 * (value - middle)) / span).toFixed(2);
  tag.line.setAttribute("points", tag.points.map(([at, value]) => `${x(at)},${y(value)}`).join(" "));
  tag.title.textContent = `last hour: ${number(low)} to ${number(high)} ${tag.unit || ""}`;
}

async function trends() {
  const waiting = [...shown].filter(([, tag]) => !tag.asked);
  await Promise.all(Array.from({ length: TRENDS_AT_ONCE }, async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const [name, tag] = next;
      tag.asked = true;
      const body = await ask(`/summary?tag=${encodeURIComponent(name)}&start=*-1h&interval=1m&type=average`);
      const mean = body.average.value, times = body.time.map((time) => Math.floor(Date.parse(time) / STEP_MS) * STEP_MS);
      const known = new Set(tag.points.map(([at]) => at));
      tag.points.push(...times.map((at, n) => [at, mean[n]]).filter(([at, value]) => value != null && !known.has(at)));
      if (tag.points.length) drawTrend(tag);
    }
  }));
}

async function health() {
  const body = await ask("/health/ready");
  const ready = body.status === "ready";
  $("health").textContent = ready ? "ready" : `not ready: ${body.red.join(", ")}`;
  $("health").className = `pill ${ready ? "good" : "bad"}`;
  $("health").title = body.checks.filter((check) => !check.ok).map((check) => `${check.name}: ${check.detail}`).join("\n");
}

$("actor").value = localStorage.getItem("actor") || "";
$("actor").addEventListener("change", () => localStorage.setItem("actor", $("actor").value.trim()));
$("filter").addEventListener("input", drawVessels);
listen();
forEver("alarms", ALARMS_EVERY, listAlarms);
forEver("values", VALUES_EVERY, values);
forEver("trends", VALUES_EVERY, trends);
forEver("health", HEALTH_EVERY, health);
setInterval(() => { $("clock").textContent = `${new Date().toISOString().slice(0, 19).replace("T", " ")} UTC`; }, 1000);
