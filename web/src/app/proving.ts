/** Asks for a fresh proof of identity where a refusal can be answered with one. */

/** Refusals after which a person can prove who they are, and the same is asked again. */
const NEEDS_PROOF = /^(reauthentication|second_factor)_required$/;

/** Whether a refusal asked for a proof, and the person gave it. Fails if the dialog cannot load. */
export async function isProved(refused: Response): Promise<boolean> {
  const { code } = (await refused.clone().json().catch(() => ({}))) as { code?: string };
  if (code === undefined || !NEEDS_PROOF.test(code)) return false;
  const { prove } = await import("../account/proof");
  return prove(code);
}
