// The live wall: every provider's week, kept by one live socket alone.
// Frames are applied as docs/live.md says: a delta whose `from` we have not reached is a
// gap, and is healed by subscribing again with `since`.

const TOPICS_MAX = 250;
const $ = (id) => document.getElementById(id);
const views = new Map(); // topic -> {epoch, version, slots: Map(start -> state), row}
let providers = [];
let monday = mondayOf(new Date(Date.now() + 3 * 86400000)); // late in a week: the next
let socket = null;
let attempts = 0;
let changes = 0;
let visit = null; // the slot in the dialog
const waiting = new Map(); // message id -> resolve
let ids = 100;

function mondayOf(date) {
  const day = new Date(Date.UTC(date.getFullYear(), date.getMonth(), date.getDate()));
  day.setUTCDate(day.getUTCDate() - ((day.getUTCDay() + 6) % 7));
  return day;
}

function isoWeek(day) {
  const thursday = new Date(day.getTime() + 3 * 86400000);
  const first = Date.UTC(thursday.getUTCFullYear(), 0, 1);
  const number = Math.floor((thursday - first) / 86400000 / 7) + 1;
  return `${thursday.getUTCFullYear()}-W${String(number).padStart(2, "0")}`;
}

async function loadProviders() {
  let cursor = "";
  do {
    const more = cursor ? `&cursor=${encodeURIComponent(cursor)}` : "";
    const page = await (await fetch(`/v1/providers?limit=100${more}`)).json();
    providers.push(...page.items.filter((p) => p.visit_types.length));
    cursor = page.next_cursor || "";
  } while (cursor && providers.length < TOPICS_MAX);
  providers = providers.slice(0, TOPICS_MAX);
  const clinics = new Map(providers.map((p) => [p.clinic.clinic_id, p.clinic]));
  $("clinic").append(new Option(`all (${clinics.size})`, ""));
  for (const clinic of clinics.values()) {
    $("clinic").append(new Option(`${clinic.name}, ${clinic.city}`, clinic.clinic_id));
  }
}

function shortest(provider) {
  return [...provider.visit_types].sort((a, b) => a.minutes - b.minutes)[0];
}

function build() {
  views.clear();
  const week = isoWeek(monday);
  const sunday = new Date(monday.getTime() + 6 * 86400000);
  const short = { day: "numeric", month: "short", timeZone: "UTC" };
  $("week").textContent =
    `${week}: ${monday.toLocaleDateString("en", short)} – ${sunday.toLocaleDateString("en", short)}`;
  const rows = providers
    .filter((p) => !$("clinic").value || p.clinic.clinic_id === $("clinic").value)
    .map((provider) => {
      const kind = shortest(provider);
      const topic = `slots/${provider.provider_id}/${kind.visit_type}/${week}`;
      const row = document.createElement("section");
      row.className = "row";
      const who = document.createElement("div");
      who.className = "who";
      who.append(
        Object.assign(document.createElement("strong"), { textContent: provider.name }),
        Object.assign(document.createElement("span"), {
          textContent: `${provider.specialty} · ${provider.clinic.city} · ${kind.minutes} min`,
        }),
      );
      const days = document.createElement("div");
      days.className = "days";
      row.append(who, days);
      const zone = provider.clinic.time_zone;
      const names = new Intl.DateTimeFormat("en", { weekday: "short", timeZone: zone });
      const clock = new Intl.DateTimeFormat("en", {
        hour: "2-digit", minute: "2-digit", hour12: false, timeZone: zone, weekday: "long",
      });
      const columns = new Map();
      for (const name of ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]) {
        const day = document.createElement("div");
        day.className = "day";
        day.append(Object.assign(document.createElement("h3"), { textContent: name }));
        days.append(day);
        columns.set(name, day);
      }
      views.set(topic, {
        epoch: 0, version: -1, slots: new Map(), squares: new Map(),
        provider, kind, columns, names, clock,
      });
      return row;
    });
  $("wall").replaceChildren(...rows);
}

function paint(view, start, state, changed) {
  let square = view.squares.get(start);
  if (state === "gone") {
    square?.remove();
    view.squares.delete(start);
    view.slots.delete(start);
    return;
  }
  view.slots.set(start, state);
  if (!square) {
    square = document.createElement("button");
    square.className = "slot";
    square.dataset.start = start;
    square.addEventListener("click", () => openVisit(view, start));
    view.squares.set(start, square);
    const column = view.columns.get(view.names.format(new Date(start)));
    const later = [...column.querySelectorAll(".slot")].find((s) => s.dataset.start > start);
    column.insertBefore(square, later || null);
  }
  square.dataset.state = state;
  square.title = `${view.clock.format(new Date(start))} (${view.provider.clinic.time_zone}): ${state}`;
  square.setAttribute("aria-label", square.title);
  if (changed) {
    changes += 1;
    square.classList.remove("changed");
    void square.offsetWidth; // restarts the animation
    square.classList.add("changed");
  }
}

function apply(frame) {
  const view = views.get(frame.topic);
  if (!view) return;
  if (frame.t === "snapshot") {
    const fresh = new Map(frame.slots);
    for (const start of [...view.squares.keys()]) if (!fresh.has(start)) paint(view, start, "gone");
    for (const [start, state] of fresh) {
      if (view.slots.get(start) !== state) paint(view, start, state, view.version >= 0);
    }
    Object.assign(view, { epoch: frame.epoch, version: frame.version });
  } else if (frame.epoch !== view.epoch || frame.from > view.version) {
    subscribe([frame.topic]);
  } else if (frame.version > view.version) {
    for (const [start, state] of frame.slots) paint(view, start, state, true);
    view.version = frame.version;
  }
  if (visit?.view === view) showVisit();
}

function send(message) {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

function ask(message) {
  return new Promise((resolve) => {
    ids += 1;
    waiting.set(ids, resolve);
    send({ ...message, id: ids });
  });
}

function subscribe(topics) {
  const since = {};
  for (const topic of topics) {
    const view = views.get(topic);
    if (view.version >= 0) since[topic] = [view.epoch, view.version];
  }
  send({ op: "subscribe", id: 1, topics, since });
}

function connect() {
  const scheme = location.protocol === "https:" ? "wss" : "ws";
  socket = new WebSocket(`${scheme}://${location.host}/v1/live`, ["slotcast.v1"]);
  let retry = [500, Math.min(20000, 500 * 2 ** attempts)];
  socket.onopen = () => {
    attempts = 0;
    subscribe([...views.keys()]);
  };
  socket.onmessage = ({ data }) => {
    const frame = JSON.parse(data);
    if (frame.t === "snapshot" || frame.t === "delta") apply(frame);
    else if (frame.t === "bye") retry = frame.retry_ms;
    else if (waiting.has(frame.id)) {
      waiting.get(frame.id)(frame);
      waiting.delete(frame.id);
    }
  };
  socket.onclose = ({ code }) => {
    attempts += 1;
    for (const resolve of waiting.values()) resolve({ t: "error", detail: "The connection broke." });
    waiting.clear();
    if (code >= 4500 && code < 5000) return tell(`closed for good (${code})`);
    setTimeout(connect, retry[0] + Math.random() * (retry[1] - retry[0]));
  };
}

function tell(trouble) {
  const up = socket?.readyState === WebSocket.OPEN;
  let free = 0;
  for (const view of views.values()) for (const s of view.slots.values()) free += s === "free";
  $("line").dataset.up = String(up && !trouble);
  $("line").textContent = trouble || (up
    ? `${free.toLocaleString("en")} free slots · ${changes.toLocaleString("en")} changes seen`
    : "reconnecting …");
}

function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(12))].map((b) => b.toString(16).padStart(2, "0")).join("");
}

// --- one visit: hold with a countdown, book, give back ------------------------------

function openVisit(view, start) {
  visit = { view, start, hold: null, note: "" };
  $("visit").showModal();
  showVisit();
}

function showVisit() {
  const { view, start, hold } = visit;
  const state = view.slots.get(start) || "no longer offered";
  const left = hold ? Math.max(0, Math.ceil((Date.parse(hold.expires_at) - Date.now()) / 1000)) : 0;
  if (hold && left === 0) visit.hold = null;
  $("visit-title").textContent = `${view.provider.name}, ${view.clock.format(new Date(start))}`;
  $("visit-note").textContent = hold && left
    ? `Yours for ${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")} more.`
    : visit.note || `${view.kind.title}, ${view.kind.minutes} minutes: ${state}.`;
  $("hold").hidden = Boolean(visit.hold) || state !== "free";
  $("book").hidden = $("release").hidden = !visit.hold;
  $("token-field").hidden = Boolean(visit.hold);
}

async function act(message, done) {
  const here = visit;
  const token = $("token").value.trim();
  const allowed = await ask({ op: "auth", token });
  const answer = allowed.t === "result" ? await ask({ ...message, key: newKey() }) : allowed;
  here.note = answer.t === "result" ? done(answer.body, here) : answer.detail || answer.code;
  if (visit === here) showVisit();
}

$("hold").addEventListener("click", () => act({
  op: "hold", provider_id: visit.view.provider.provider_id,
  visit_type: visit.view.kind.visit_type, start: visit.start,
}, (body, here) => { here.hold = body; return ""; }));
$("book").addEventListener("click", () => act({ op: "book", hold_id: visit.hold.hold_id },
  (body, here) => { here.hold = null; return `Booked: ${body.booking_id}`; }));
$("release").addEventListener("click", () => act({ op: "release", hold_id: visit.hold.hold_id },
  (_, here) => { here.hold = null; return "Given back."; }));
$("visit").addEventListener("close", () => { visit = null; });

function turn(days) {
  send({ op: "unsubscribe", id: 2, topics: [...views.keys()] });
  monday = new Date(monday.getTime() + days * 86400000);
  build();
  subscribe([...views.keys()]);
}

$("before").addEventListener("click", () => turn(-7));
$("after").addEventListener("click", () => turn(7));
$("clinic").addEventListener("change", () => turn(0));
setInterval(() => { tell(); if (visit) showVisit(); }, 250);

await loadProviders();
build();
$("wall").setAttribute("aria-busy", "false");
connect();
