/** Asks for a fresh proof of identity where a refusal can be answered with one. */
import { session } from "./session";

/** Refusals after which a person can prove who they are, and the same is asked again. */
const NEEDS_PROOF = /^(reauthentication|second_factor)_required$/;

let declinedAt = -Infinity;

/**
 * Whether a refusal asked for a proof, and the person gave it. Fails if the dialog cannot load.
 *
 * A page reads by itself, and again when time has passed: after a proof was declined, a read asks
 * for one only once the person has done something.
 */
export async function isProved(refused: Response, method: string): Promise<boolean> {
  const { code } = (await refused.clone().json().catch(() => ({}))) as { code?: string };
  if (code === undefined || !NEEDS_PROOF.test(code)) return false;
  const isRead = method === "GET";
  if (isRead && session.activeAt <= declinedAt) return false;
  const { prove } = await import("../account/proof");
  const proved = await prove(code, isRead);
  if (!proved) declinedAt = Date.now();
  return proved;
}
