import { useRef, useState } from "react";
import { newKey } from "./api";

/**
 * Idempotency keys by wish: the same wish is done once, however often it is sent. Once it has an
 * outcome it is forgotten, for the next attempt is a wish of its own.
 */
export function useKeys() {
  return useState(() => {
    const keys = new Map<string, string>();
    return {
      of(wanted: object): string {
        const text = JSON.stringify(wanted);
        const key = keys.get(text) ?? newKey();
        keys.set(text, key);
        return key;
      },
      forget(wanted: object): void {
        keys.delete(JSON.stringify(wanted));
      },
    };
  })[0];
}

interface Answered {
  data?: unknown;
  error?: { code?: string } | undefined;
  response: { status: number };
}

/** The answer that did not come. */
interface Lost {
  data?: undefined;
  error: { code: string };
  response: { status: number };
}

const LOST: Lost = { error: { code: "unreachable" }, response: { status: 0 } };
/** A page says so after this long without an answer; what was sent may still be carried out. */
const ANSWER_MS = 30_000;
/** Refusals that are outcomes, which the server keeps under the key; others say nothing of what became of it. */
const OUTCOMES: ReadonlySet<number> = new Set([404, 409, 410, 412]);

/** Whether an answer says what became of a wish. */
export const isOutcome = ({ status }: { status: number }) => (status >= 200 && status < 300) || OUTCOMES.has(status);

/**
 * Sends what a dialog asks for, one request at a time. Its buttons work again whatever comes of it,
 * and a wish whose outcome is not known keeps its key: sent again, it is done once.
 *
 * `send` is undefined at once while another request is under way.
 */
export function useSending() {
  const keys = useKeys();
  const isSending = useRef(false);
  const [isAsking, setAsking] = useState(false);
  const send = async <A extends Answered>(wanted: object, ask: (key: string) => Promise<A>): Promise<A | Lost | undefined> => {
    if (isSending.current) return undefined;
    isSending.current = true;
    setAsking(true);
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      const late = new Promise<Lost>((done) => {
        timer = setTimeout(() => done(LOST), ANSWER_MS);
      });
      const answer = await Promise.race([ask(keys.of(wanted)), late]);
      if (isOutcome(answer.response)) keys.forget(wanted);
      return answer;
    } catch {
      return LOST;
    } finally {
      clearTimeout(timer);
      isSending.current = false;
      setAsking(false);
    }
  };
  return { isAsking, send };
}
