/**
 * One live socket for the whole page: subscriptions with `since`, commands whose keys survive a
 * broken line, half-open lines found within seconds. React reads it through hooks.ts.
 */
import type { Frame, SlotState } from "./frames";
import { emptyView, positionOf, reduce, type View } from "./reduce";

export type Link = "connecting" | "live" | "interrupted" | "closed";

export interface Answer {
  status: number;
  body: unknown;
  code?: string;
  detail?: string;
}

interface Topic {
  view: View;
  watchers: Set<() => void>;
  cells: Map<string, Set<() => void>>;
  leaving: number | undefined;
  /** Why there is no subscription, if the server refused it. */
  refused: string | undefined;
}

interface Pending {
  message: Record<string, unknown>;
  done: (answer: Answer) => void;
}

/** A heartbeat comes every 20 s; after this long without a frame the line is dead. */
const SILENT_MS = 25_000;
/** How long a ping may stay unanswered after the page was away or a person acted. */
const PONG_MS = 3_000;
/** Unsubscribing waits, so that going back costs no snapshot. */
const LEAVE_MS = 5_000;
const TOPICS_AT_ONCE = 100;

/** Whether a topic is watched without a sign-in. */
const isPublic = (name: string) => /^(slots|search)\//.test(name);

function waitOf({ retry_ms }: Frame): [number, number] | undefined {
  if (typeof retry_ms === "number") return [retry_ms / 2, retry_ms / 2];
  return retry_ms && [retry_ms[0], Math.max(0, retry_ms[1] - retry_ms[0])];
}

export class LiveSocket {
  private socket: WebSocket | undefined;
  private readonly topics = new Map<string, Topic>();
  private readonly pending = new Map<number, Pending>();
  private readonly linkWatchers = new Set<() => void>();
  private token: string | undefined;
  private signedIn = false;
  private nextId = 1;
  private attempts = 0;
  private silence: number | undefined;
  private pong: number | undefined;
  private retry: number | undefined;
  private lastFrameAt = 0;
  /** When the server that leaves wants this page back: least, and a range after it. */
  private invited: [least: number, range: number] | undefined;
  link: Link = "connecting";
  /** Server's clock minus this device's, in milliseconds. */
  clockOffset = 0;

  constructor(private readonly url: string) {
    addEventListener("offline", () => this.interrupt());
    for (const name of ["online", "pageshow"]) addEventListener(name, () => this.check());
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "visible") this.check();
    });
    this.connect();
  }

  /** Called when the server takes the token no longer: a fresh one is needed. */
  onExpired: (() => void) | undefined;

  /** Sign in, renew the token, or (undefined) sign out on the living socket. */
  authenticate(token: string | undefined): void {
    if (token === this.token) return;
    this.token = token;
    this.signedIn = false;
    if (!this.isOpen()) return;
    if (token === undefined) this.send({ op: "logout", id: this.nextId++ });
    else this.signIn();
  }

  /** Forget what only the person who leaves may see, and the commands they sent. */
  forget(): void {
    for (const [name, topic] of this.topics) {
      if (isPublic(name)) continue;
      topic.view = emptyView();
      topic.watchers.forEach((tell) => tell());
    }
    const waiting = [...this.pending.values()];
    this.pending.clear();
    for (const { done } of waiting) done({ status: 401, body: undefined, code: "unauthenticated" });
  }

  /** Watch a topic until the returned function is called. */
  watch(name: string, changed: () => void): () => void {
    const topic = this.topicOf(name);
    topic.watchers.add(changed);
    return () => {
      topic.watchers.delete(changed);
      if (topic.watchers.size > 0) return;
      topic.leaving = window.setTimeout(() => this.leave(name), LEAVE_MS);
    };
  }

  /** Watch one slot of a topic. */
  watchSlot(name: string, start: string, changed: () => void): () => void {
    const cells = this.topicOf(name).cells;
    const found = cells.get(start) ?? new Set();
    cells.set(start, found.add(changed));
    return () => found.delete(changed);
  }

  watchLink(changed: () => void): () => void {
    this.linkWatchers.add(changed);
    return () => this.linkWatchers.delete(changed);
  }

  view(name: string): View | undefined {
    return this.topics.get(name)?.view;
  }

  /** The first free start of a topic. */
  freeOf(name: string): string | undefined {
    const view = this.view(name);
    return view?.starts.find((start) => view.slots.get(start) === "free");
  }

  refusal(name: string): string | undefined {
    return this.topics.get(name)?.refused;
  }

  /** The state of a slot; unknown while the line is interrupted, so that nothing stale is free. */
  slot(name: string, start: string): SlotState | "unknown" | undefined {
    const state = this.topics.get(name)?.view.slots.get(start);
    return state !== undefined && this.link !== "live" ? "unknown" : state;
  }

  /** Send a command; the same key is sent again over a new line until it is answered. */
  command(op: string, fields: Record<string, unknown>, key: string): Promise<Answer> {
    this.check();
    return new Promise((done) => {
      const id = this.nextId++;
      const message = { op, id, key, ...fields };
      this.pending.set(id, { message, done });
      if (this.signedIn) this.send(message);
    });
  }

  /** Find out soon whether the line still lives: a person is about to rely on it. */
  check(): void {
    if (this.link === "closed") return;
    if (!this.isOpen()) {
      if (this.link !== "connecting") this.reconnectNow();
    } else if (Date.now() - this.lastFrameAt > 8_000 && this.pong === undefined) {
      this.send({ op: "ping", id: this.nextId++ });
      this.pong = window.setTimeout(() => this.interrupt(), PONG_MS);
    }
  }

  private topicOf(name: string): Topic {
    let topic = this.topics.get(name);
    if (topic === undefined) {
      topic = {
        view: emptyView(),
        watchers: new Set(),
        cells: new Map(),
        leaving: undefined,
        refused: undefined,
      };
      this.topics.set(name, topic);
      if (this.canAsk(name)) this.subscribe([name]);
    }
    clearTimeout(topic.leaving);
    topic.leaving = undefined;
    return topic;
  }

  private canAsk(name: string): boolean {
    return this.isOpen() && (isPublic(name) || this.signedIn);
  }

  private leave(name: string): void {
    const topic = this.topics.get(name);
    if (topic === undefined || topic.watchers.size > 0) return;
    this.topics.delete(name);
    if (this.isOpen()) this.send({ op: "unsubscribe", id: this.nextId++, topics: [name] });
  }

  private connect(): void {
    const socket = new WebSocket(this.url, "slotcast.v1");
    this.socket = socket;
    socket.onopen = () => this.opened();
    socket.onmessage = (event: MessageEvent<string>) => this.heard(JSON.parse(event.data) as Frame);
    socket.onclose = (event) => this.lost(event.code);
    this.listenForSilence();
  }

  private opened(): void {
    this.setLink("live");
    const open = [...this.topics.keys()].filter(isPublic);
    for (let at = 0; at < open.length; at += TOPICS_AT_ONCE) {
      this.subscribe(open.slice(at, at + TOPICS_AT_ONCE));
    }
    if (this.token !== undefined) this.signIn();
  }

  private signIn(): void {
    const id = this.nextId++;
    this.pending.set(id, { message: {}, done: (answer) => this.afterSignIn(answer) });
    this.send({ op: "auth", id, token: this.token });
  }

  private afterSignIn(answer: Answer): void {
    if (answer.status >= 300) {
      if (answer.status === 401) this.onExpired?.();
      return;
    }
    this.signedIn = true;
    const own = [...this.topics.keys()].filter((name) => !isPublic(name));
    if (own.length > 0) this.subscribe(own);
    for (const { message } of this.pending.values()) {
      if ("op" in message) this.send(message);
    }
  }

  private subscribe(names: string[]): void {
    const since: Record<string, unknown> = {};
    for (const name of names) {
      const topic = this.topics.get(name);
      const position = topic && positionOf(topic.view);
      if (position) since[name] = position;
    }
    this.send({ op: "subscribe", id: this.nextId++, topics: names, since });
  }

  private heard(frame: Frame): void {
    this.lastFrameAt = Date.now();
    clearTimeout(this.pong);
    this.pong = undefined;
    this.listenForSilence();
    if (this.attempts > 0 && frame.t !== "bye") this.attempts = 0;
    if (frame.t === "snapshot" || frame.t === "delta") this.apply(frame);
    else if (frame.t === "heartbeat") this.compare(frame);
    else if (frame.t === "bye") this.invited = waitOf(frame);
    else if (frame.t === "result" || frame.t === "error") this.answered(frame);
  }

  private apply(frame: Frame): void {
    const name = frame.topic ?? "";
    const topic = this.topics.get(name);
    if (topic === undefined) return;
    topic.refused = undefined;
    const step = reduce(topic.view, frame);
    if (step.kind === "gap") this.subscribe([name]);
    if (step.kind !== "applied") return;
    for (const start of step.changed) topic.cells.get(start)?.forEach((tell) => tell());
    if (step.shape || topic.cells.size === 0) topic.watchers.forEach((tell) => tell());
    else if (step.changed.length > 0) topic.watchers.forEach((tell) => tell());
  }

  private compare(frame: Frame): void {
    if (frame.now !== undefined) this.clockOffset = Date.parse(frame.now) - Date.now();
    for (const [name, [epoch, version]] of Object.entries(frame.positions ?? {})) {
      const view = this.topics.get(name)?.view;
      if (view && (view.epoch !== epoch || view.version < version)) this.subscribe([name]);
    }
  }

  private answered(frame: Frame): void {
    const topic = frame.topic === undefined ? undefined : this.topics.get(frame.topic);
    if (frame.t === "error" && topic !== undefined) {
      topic.refused = frame.code;
      topic.watchers.forEach((tell) => tell());
    }
    const waiting = typeof frame.id === "number" ? this.pending.get(frame.id) : undefined;
    if (waiting === undefined) return;
    this.pending.delete(frame.id as number);
    const answer: Answer = { status: frame.status ?? 0, body: frame.body ?? frame };
    if (frame.code !== undefined) answer.code = frame.code;
    if (frame.detail !== undefined) answer.detail = frame.detail;
    waiting.done(answer);
  }

  private listenForSilence(): void {
    clearTimeout(this.silence);
    this.silence = window.setTimeout(() => this.interrupt(), SILENT_MS);
  }

  /** Give the line up. A half-open socket fires no close event for a minute: drop it. */
  private interrupt(): void {
    this.drop();
    this.lost(0);
  }

  private drop(): void {
    const socket = this.socket;
    this.socket = undefined;
    if (socket === undefined) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  private lost(code: number): void {
    clearTimeout(this.silence);
    clearTimeout(this.pong);
    this.pong = undefined;
    this.socket = undefined;
    this.signedIn = false;
    if (code >= 4500 && code < 5000 && code !== 4501) {
      this.setLink("closed");
      return;
    }
    // The session was ended elsewhere: whether this page still has one is asked first.
    if (code === 4501) this.onExpired?.();
    this.setLink("interrupted");
    const most = Math.min(20_000, 500 * 2 ** Math.min(this.attempts, 6));
    const [least, range] = this.invited ?? [250, most];
    this.invited = undefined;
    this.attempts += 1;
    clearTimeout(this.retry);
    this.retry = window.setTimeout(() => this.connect(), least + Math.random() * range);
  }

  private reconnectNow(): void {
    clearTimeout(this.retry);
    this.drop();
    this.connect();
  }

  private setLink(link: Link): void {
    if (link === this.link) return;
    this.link = link;
    this.linkWatchers.forEach((tell) => tell());
    for (const topic of this.topics.values()) {
      topic.watchers.forEach((tell) => tell());
      for (const cells of topic.cells.values()) cells.forEach((tell) => tell());
    }
  }

  private isOpen(): boolean {
    return this.socket?.readyState === WebSocket.OPEN;
  }

  private send(message: object): void {
    if (this.isOpen()) this.socket!.send(JSON.stringify(message));
  }
}
