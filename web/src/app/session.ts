/**
 * Who is signed in on this page. The access token is kept in memory only; the refresh token is
 * in a cookie that this script cannot read.
 */
export interface Context {
  role: string;
  subject: string;
  name?: string;
}

export interface SignedIn {
  access_token: string;
  expires_at: string;
  context: Context;
}

type Watcher = () => void;

class Session {
  private current: SignedIn | undefined;
  private readonly watchers = new Set<Watcher>();
  private timer: number | undefined;
  /** Whether the first refresh has been answered: until then nobody knows who is here. */
  ready = false;

  token(): string | undefined {
    return this.current?.access_token;
  }

  context(): Context | undefined {
    return this.current?.context;
  }

  watch(tell: Watcher): () => void {
    this.watchers.add(tell);
    return () => this.watchers.delete(tell);
  }

  /** Ask with the cookie for a fresh access token, as at the start of a page. */
  async refresh(): Promise<void> {
    const found = await post("/v1/auth/refresh", { active: true });
    if (found !== undefined || !this.ready) this.take(found);
  }

  /** A demo site signs people in with one click. */
  async enterDemo(persona: string): Promise<boolean> {
    const found = await post("/v1/auth/demo", { persona, delivery: "cookie" });
    if (found === undefined) return false;
    this.take(found);
    return true;
  }

  async leave(): Promise<void> {
    await post("/v1/auth/logout", {});
    this.take(undefined);
  }

  private take(found: SignedIn | undefined): void {
    this.current = found;
    this.ready = true;
    clearTimeout(this.timer);
    if (found !== undefined) {
      const life = Date.parse(found.expires_at) - Date.now();
      this.timer = window.setTimeout(() => void this.refresh(), Math.max(5_000, life * 0.8));
    }
    this.watchers.forEach((tell) => tell());
  }
}

async function post(path: string, body: object): Promise<SignedIn | undefined> {
  try {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    if (!answer.ok || answer.status === 204) return undefined;
    const found = (await answer.json()) as Partial<SignedIn>;
    return found.access_token === undefined ? undefined : (found as SignedIn);
  } catch {
    return undefined;
  }
}

export const session = new Session();
