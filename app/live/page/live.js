// The live page: reads /v1/live as server-sent events, over fetch since an EventSource can send no key, and shows each.
"use strict";

const SILENT_MS = 5000; // a snapshot or a comment comes every two seconds
const LONGEST_PAUSE_MS = 10000;
const byId = (id) => document.getElementById(id);
const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en-US", { maximumFractionDigits: 1 });
const seconds = new Map(); // the curve: trades by second
let chart = null;
let heardAt = 0;
let keptS = 0; // as many as the first snapshot has

// ---------------------------------------------------------------- the connection

async function listen() {
  let pauseMs = 500;
  for (;;) {
    try {
      if (await readEvents()) pauseMs = 500;
    } catch (error) {
      lost(error.name === "TypeError" || error.name === "AbortError" ? "The engine does not answer" : error.message);
    }
    await new Promise((go) => setTimeout(go, pauseMs));
    pauseMs = Math.min(2 * pauseMs, LONGEST_PAUSE_MS);
  }
}

async function readEvents() {
  const key = sessionStorage.getItem("key");
  const stop = new AbortController();
  const headers = { Accept: "text/event-stream", ...(key ? { Authorization: `Bearer ${key}` } : {}) };
  heardAt = Date.now();
  const watch = setInterval(() => Date.now() - heardAt > SILENT_MS && stop.abort(), 1000);
  try {
    const answer = await fetch("/v1/live", { headers, signal: stop.signal, cache: "no-store" });
    if (answer.status === 401 || answer.status === 403) return await askForKey(answer);
    if (!answer.ok) throw new Error((await answer.json()).detail);
    byId("key-form").hidden = true;
    await each(answer.body.pipeThrough(new TextDecoderStream()).getReader());
    return true;
  } finally {
    clearInterval(watch);
  }
}

async function each(reader) {
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    heardAt = Date.now();
    text += value;
    const events = text.split("\n\n");
    text = events.pop();
    for (const event of events) if (event.startsWith("data: ")) show(JSON.parse(event.slice(6)));
  }
}

async function askForKey(answer) {
  const problem = await answer.json();
  byId("key-problem").textContent = sessionStorage.getItem("key") ? `Not this one: ${problem.detail}.` : "";
  byId("key-form").hidden = false;
  byId("panels").hidden = true;
  lost("A key is needed");
  await new Promise((given) => (byId("key-form").onsubmit = (event) => given(event.preventDefault())));
  sessionStorage.setItem("key", byId("key").value);
  byId("key").value = "";
  return true;
}

function lost(why) {
  byId("state").className = "lost";
  byId("state").textContent = byId("panels").hidden ? `${why}.` : `${why}; this is how it was at ${byId("state").dataset.at}.`;
}

// ---------------------------------------------------------------- what is shown

function show(live) {
  byId("panels").hidden = false;
  byId("realm").textContent = live.realm;
  byId("state").className = "live";
  byId("state").dataset.at = clock(live.at);
  byId("state").textContent = `live, ${clock(live.at)} UTC`;
  fill("missing", Object.values(live.missing).map((words) => element("li", words)));
  showHeadlines(live);
  showCurve(live.seconds);
  byId("sampled").textContent =
    live.looked_at_percent < 100 ? `Estimated: of so many events ${live.looked_at_percent} % are looked at.` : "";
  showRefused(live.refused);
  fill("stages", live.stages.map(stageRow));
  fill("trades", live.trades.map(tradeRow));
  fill("prices", live.prices.map(priceRow), 5, "No item was sold for gold alone in the last five minutes.");
  showOffers(live);
  showReport(live.report, live.at);
}

function showHeadlines(live) {
  for (const second of live.seconds) seconds.set(second.at, second);
  const last = [...seconds.values()].slice(-10);
  const trades = last.reduce((sum, each) => sum + each.accepted + each.refused, 0);
  byId("rate").textContent = short.format(trades / Math.max(1, last.length));
  byId("sequence").textContent = whole.format(live.sequence);
  const minute = [...seconds.values()].slice(-60);
  const refused = minute.reduce((sum, each) => sum + each.refused, 0);
  const all = refused + minute.reduce((sum, each) => sum + each.accepted, 0);
  byId("refused-share").textContent = all ? `${short.format((100 * refused) / all)} %` : "no trades";
  const ages = live.stages.filter((stage) => stage.stage !== "report").map((stage) => stage.seconds);
  byId("behind").textContent = ages.includes(null) ? "not known" : `${short.format(ages.reduce((a, b) => a + b, 0))} s`;
  showAudit(live.audit, live.at);
}

function showAudit(audit, now) {
  byId("audit").textContent = audit ? (audit.ok ? "exact" : "WRONG") : "none yet";
  byId("audit").className = audit ? (audit.ok ? "good" : "bad") : "";
  const found = audit && !audit.ok ? `: ${Object.entries(audit.notes).map((note) => note.join(", ")).join("; ")}` : "";
  byId("audit-detail").textContent = audit
    ? `up to event ${whole.format(audit.sequence)}, ${age(now, audit.at)} ago${found}`
    : "`haggle audit` makes one";
}

function showCurve(newest) {
  keptS = Math.max(keptS, newest.length);
  for (const second of newest) seconds.set(second.at, second);
  const kept = [...seconds.keys()].sort((a, b) => a - b).slice(-keptS);
  for (const at of seconds.keys()) if (at < kept[0]) seconds.delete(at);
  const data = [kept, kept.map((at) => seconds.get(at).accepted), kept.map((at) => seconds.get(at).refused)];
  if (chart) chart.setData(data);
  else chart = drawCurve(data);
}

function drawCurve(data) {
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const axis = { stroke: () => colour("--quiet"), grid: { stroke: () => colour("--line"), width: 1 } };
  const times = { ...axis, space: 70, values: (_chart, marks) => marks.map((at) => clock(new Date(at * 1000).toISOString())) };
  const line = (label, name) => ({ label, stroke: () => colour(name), width: 2, points: { show: false } });
  const options = {
    width: byId("curve").clientWidth,
    height: 220,
    series: [{ label: "at (UTC)", value: (_chart, at) => (at === null ? "" : clock(new Date(at * 1000).toISOString())) }, line("accepted", "--ink"), line("refused", "--accent")],
    axes: [times, { ...axis, size: 46 }],
    scales: { y: { range: (_chart, _least, most) => [0, Math.max(1, most * 1.1)] } },
  };
  return new uPlot(options, data, byId("curve"));
}

function showRefused(refused) {
  const reasons = Object.entries(refused);
  const most = Math.max(1, ...reasons.map(([, number]) => number));
  const rows = reasons.map(([reason, number]) => {
    const bar = element("progress");
    bar.max = most;
    bar.value = number;
    bar.setAttribute("aria-label", `${reason}: ${number}`);
    return element("li", element("span", words(reason)), bar, element("span", whole.format(number)));
  });
  fill("refused", rows.length ? rows : [element("li", element("span", "none"))]);
}

function stageRow(stage) {
  const known = stage.events !== null;
  const bound = stage.bound_events ? `${whole.format(stage.bound_events)} events` : stage.bound_seconds ? span(stage.bound_seconds) : "";
  return row(stage.stage, number(known ? whole.format(stage.events) : "not known"), number(known ? span(stage.seconds) : ""), number(bound));
}

function tradeRow(trade) {
  const decision = element("td", trade.reason ? words(trade.reason) : "accepted");
  decision.className = trade.reason ? "bad" : "good";
  return row(number(whole.format(trade.sequence)), clock(trade.occurred_at), number(trade.player_1), trade.gave_1, number(trade.player_2), trade.gave_2, decision);
}

function priceRow(price) {
  const figures = [whole.format(price.sales), short.format(price.last), short.format(price.median)];
  return row(price.name, ...figures.map(number), number(price.value === null ? "" : whole.format(price.value)));
}

function showOffers(live) {
  const counts = Object.entries(live.offers).map(([status, count]) => `${whole.format(count)} ${words(status)}`);
  byId("offer-counts").textContent = `In the last minute: ${counts.join(", ") || "none"}.`;
  const rows = live.newest_offers.map((offer) =>
    row(number(whole.format(offer.sequence)), words(offer.status), number(offer.player_1), offer.gives, number(offer.player_2), offer.wants));
  fill("offers", rows, 6, "No offer was made lately.");
}

function showReport(report, now) {
  const notes = report ? Object.entries(report.notes) : [];
  fill("holders", notes.flatMap(([topic, text]) => [element("dt", topic), element("dd", text)]));
  byId("report-age").textContent = report
    ? `From the report of ${age(now, report.at)} ago, which has all up to event ${whole.format(report.sequence)}.`
    : "The lake knows, and a report asks it: there was none yet (`haggle report` makes one).";
}

// ---------------------------------------------------------------- elements and words

function element(tag, ...content) {
  const made = document.createElement(tag);
  made.append(...content);
  return made;
}

function number(content) {
  const cell = element("td", String(content));
  cell.className = "number";
  return cell;
}

function row(...cells) {
  return element("tr", ...cells.map((cell) => (cell instanceof Node ? cell : element("td", String(cell)))));
}

function fill(id, children, columns = 0, otherwise = "") {
  if (!children.length && columns) {
    const cell = element("td", otherwise);
    cell.colSpan = columns;
    children = [element("tr", cell)];
  }
  byId(id).replaceChildren(...children);
}

const words = (name) => name.replaceAll("_", " ");
const clock = (time) => time.slice(11, 19);
const age = (now, then) => span((Date.parse(now) - Date.parse(then)) / 1000);

function span(s) {
  if (s < 120) return `${short.format(Math.max(0, s))} s`;
  if (s < 7200) return `${whole.format(s / 60)} min`;
  return s < 172800 ? `${whole.format(s / 3600)} h` : `${whole.format(s / 86400)} days`;
}

addEventListener("resize", () => chart?.setSize({ width: byId("curve").clientWidth, height: 220 }));
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => chart?.redraw());
listen();
