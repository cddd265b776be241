/**
 * Who is signed in on this page. The access token is kept in memory only; the refresh token is
 * in a cookie that this script cannot read. All tabs are one session: one of them refreshes at a
 * time, and tells the others what it got, and that a person has left.
 */
export interface Context {
  role: string;
  subject: string;
  clinic_id?: string | null;
}

export interface SignedIn {
  access_token: string;
  expires_at: string;
  context: Context;
  contexts: Context[];
  /** From the answer to the token's end, by the server's clock: this device's may be wrong. */
  life_ms: number;
}

type Told = { kind: "in"; signed: SignedIn } | { kind: "out" } | { kind: "active"; at: number };
type Watcher = () => void;

/** Asked again so long after a refresh that the line lost. */
const AGAIN_MS = 5_000;
const ACTIVE_EVERY_MS = 10_000;
const LOCK = "slotcast.session";
const CONTEXT = "slotcast.context";
/** That this browser has a session, without whose: a first visit asks the server nothing. */
const HERE = "slotcast.here";
/** That this tab went to an identity provider. */
const AWAY = "slotcast.away";

export const sameContext = (a: Context, b: Context) => a.role === b.role && a.subject === b.subject;
const nameOf = (one: Context) => `${one.role} ${one.subject}`;

class Session {
  private current: SignedIn | undefined;
  private readonly watchers = new Set<Watcher>();
  private readonly leaving = new Set<Watcher>();
  private readonly channel = new BroadcastChannel(LOCK);
  private timer: number | undefined;
  private refreshedAt = 0;
  private toldAt = 0;
  /** When a person last did something on any page of this site. */
  activeAt = Date.now();
  /** Whether the first refresh has been answered: until then it is not known who is here. */
  ready = false;

  constructor() {
    this.channel.onmessage = ({ data }: MessageEvent<Told>) => {
      if (data.kind === "active") this.activeAt = Math.max(this.activeAt, data.at);
      else if (data.kind === "out") this.take(undefined, false);
      else if (this.isMine(data.signed)) this.take(data.signed, false);
    };
    for (const name of ["pointerdown", "keydown", "wheel", "touchstart"]) {
      addEventListener(name, () => this.touched(), { passive: true, capture: true });
    }
  }

  token(): string | undefined {
    return this.current?.access_token;
  }

  context(): Context | undefined {
    return this.current?.context;
  }

  contexts(): readonly Context[] {
    return this.current?.contexts ?? [];
  }

  watch(tell: Watcher): () => void {
    this.watchers.add(tell);
    return () => this.watchers.delete(tell);
  }

  /** Fulfilled once it is known who is here. */
  known(): Promise<void> {
    if (this.ready) return Promise.resolve();
    return new Promise((done) => {
      const stop = this.watch(() => {
        stop();
        done();
      });
    });
  }

  /** The browser goes to an identity provider: when it comes back, ask who is here. */
  leaveFor(): void {
    localStorage.setItem(HERE, "yes");
    sessionStorage.setItem(AWAY, "yes");
  }

  /** Whether this page is where the browser came back to; true once. */
  cameBack(): boolean {
    const isBack = sessionStorage.getItem(AWAY) !== null;
    sessionStorage.removeItem(AWAY);
    return isBack;
  }

  /** Called whenever a person is no longer here: forget what was theirs. */
  onLeave(forget: Watcher): void {
    this.leaving.add(forget);
  }

  /** At the start of a page: who is here, if this browser has a session at all. */
  async begin(): Promise<void> {
    if (localStorage.getItem(HERE) !== null) return this.refresh();
    // The person may have left while this page slept: what was theirs goes now.
    this.take(undefined, false);
  }

  /** Ask with the cookie for a fresh access token. */
  async refresh(): Promise<void> {
    const before = this.current;
    await navigator.locks.request(LOCK, async () => {
      // Another page's answer may have come while this one waited.
      if (before !== this.current && this.current !== undefined) return;
      const active = this.activeAt >= this.refreshedAt;
      const context = this.current === undefined ? sessionStorage.getItem(CONTEXT) : nameOf(this.current.context);
      const found = await ask("/v1/auth/refresh", { active, ...(context === null ? {} : { context }) });
      if (found.status === 403 && context !== null) sessionStorage.removeItem(CONTEXT);
      this.refreshedAt = Date.now();
      if (found.signed !== undefined || (found.status >= 400 && found.status < 500)) {
        this.take(found.signed, found.signed !== undefined);
      } else this.wait();
    });
  }

  /** Sign in with a password. `code` is the refusal's, undefined if the person is in. */
  async enter(email: string, password: string, remember: boolean): Promise<Entered> {
    return this.entered("/v1/auth/login", { email, password, remember, delivery: "cookie" });
  }

  /** A demo site signs people in with one click. */
  async enterDemo(persona: string): Promise<Entered> {
    return this.entered("/v1/auth/demo", { persona, delivery: "cookie" });
  }

  /** Prove again who is here, for what asks for it. */
  async prove(password: string): Promise<Entered> {
    return this.entered("/v1/auth/reauthenticate", { password });
  }

  /** Act in another of the account's roles. */
  async turn(context: Context): Promise<Entered> {
    return this.entered("/v1/auth/context", { context: nameOf(context) });
  }

  /** A token of another of the account's roles; this page stays in its own. */
  async tokenOf(context: Context): Promise<string | undefined> {
    const found = await ask("/v1/auth/context", { context: nameOf(context) }, this.token());
    return found.signed?.access_token;
  }

  /** A step of signing in, or of proving who is here, by other ways than a password. */
  async step(path: string, body: object = {}): Promise<Entered> {
    return this.entered(`/v1/auth/${path}`, body);
  }

  async leave(everywhere = false): Promise<void> {
    await ask("/v1/auth/logout", { everywhere }, this.token());
    this.take(undefined, true);
  }

  private async entered(path: string, body: object): Promise<Entered> {
    const found = await ask(path, body, this.token());
    if (found.signed !== undefined) this.take(found.signed, true);
    return found;
  }

  /** Another tab's answer counts here, unless it is of another role of the same account. */
  private isMine({ context, contexts }: SignedIn): boolean {
    const mine = this.current?.context;
    if (mine === undefined || sameContext(mine, context)) return true;
    return !contexts.some((one) => sameContext(one, mine));
  }

  private take(found: SignedIn | undefined, tell: boolean): void {
    const before = this.current?.context;
    const isOther = found === undefined || (before !== undefined && !sameContext(before, found.context));
    if (isOther) {
      sessionStorage.removeItem(CONTEXT);
      this.leaving.forEach((forget) => forget());
    }
    this.current = found;
    this.ready = true;
    if (found === undefined) localStorage.removeItem(HERE);
    else localStorage.setItem(HERE, "yes");
    clearTimeout(this.timer);
    if (found !== undefined) {
      sessionStorage.setItem(CONTEXT, nameOf(found.context));
      // Not a number without the answer's date.
      this.timer = window.setTimeout(() => void this.refresh(), Math.max(AGAIN_MS, found.life_ms * 0.8 || 0));
    }
    if (tell) this.channel.postMessage(found === undefined ? { kind: "out" } : { kind: "in", signed: found });
    this.watchers.forEach((one) => one());
  }

  /** The line is down: who is here stays here, and is asked for again. */
  private wait(): void {
    if (!this.ready) {
      this.ready = true;
      this.watchers.forEach((one) => one());
    }
    clearTimeout(this.timer);
    this.timer = window.setTimeout(() => void this.refresh(), AGAIN_MS);
  }

  private touched(): void {
    this.activeAt = Date.now();
    if (this.activeAt - this.toldAt < ACTIVE_EVERY_MS) return;
    this.toldAt = this.activeAt;
    this.channel.postMessage({ kind: "active", at: this.activeAt });
  }
}

export interface Entered {
  /** 0: the server could not be reached. */
  status: number;
  signed?: SignedIn;
  code?: string;
  body?: Record<string, unknown>;
}

async function ask(path: string, body: object, token?: string): Promise<Entered> {
  try {
    const answer = await fetch(path, {
      method: "POST",
      headers: {
        "Content-Type": "application/json",
        ...(token === undefined ? {} : { Authorization: `Bearer ${token}` }),
      },
      body: JSON.stringify(body),
    });
    if (answer.status === 204) return { status: 204 };
    const found = (await answer.json()) as Record<string, unknown>;
    const told: Entered = { status: answer.status, body: found };
    if (typeof found["code"] === "string") told.code = found["code"];
    if (typeof found["access_token"] === "string") {
      const signed = found as unknown as SignedIn;
      signed.life_ms = Date.parse(signed.expires_at) - Date.parse(answer.headers.get("date")!);
      told.signed = signed;
    }
    return told;
  } catch {
    return { status: 0 };
  }
}

export const session = new Session();
