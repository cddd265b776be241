/** Passkeys: the browser's own dialog between two calls of the server. */
import { session, type Entered } from "../app/session";

interface Parsing {
  parseRequestOptionsFromJSON(options: unknown): PublicKeyCredentialRequestOptions;
  parseCreationOptionsFromJSON(options: unknown): PublicKeyCredentialCreationOptions;
}
interface Written {
  toJSON(): unknown;
}

const parsing = (globalThis as { PublicKeyCredential?: Partial<Parsing> }).PublicKeyCredential;

/** Whether this browser can use and make passkeys. */
export const CAN_PASSKEY = parsing?.parseRequestOptionsFromJSON !== undefined;

/** A credential for these options; undefined if the person left the browser's dialog. */
export async function usedPasskey(options: unknown): Promise<unknown> {
  return written(() =>
    navigator.credentials.get({ publicKey: (parsing as Parsing).parseRequestOptionsFromJSON(options) }),
  );
}

/** A new credential for these options; undefined if the person left the browser's dialog. */
export async function madePasskey(options: unknown): Promise<unknown> {
  return written(() =>
    navigator.credentials.create({ publicKey: (parsing as Parsing).parseCreationOptionsFromJSON(options) }),
  );
}

async function written(ask: () => Promise<Credential | null>): Promise<unknown> {
  try {
    return ((await ask()) as unknown as Written | null)?.toJSON();
  } catch {
    return undefined;
  }
}

/** Sign in with a passkey, which says whose it is; undefined if the person left the dialog. */
export async function signInByPasskey(): Promise<Entered | undefined> {
  const begun = await session.step("passkey/options", { delivery: "cookie" });
  if (begun.status !== 200) return begun;
  const credential = await usedPasskey(begun.body?.["options"]);
  if (credential === undefined) return undefined;
  return session.step("passkey", { flow: begun.body?.["flow"], credential });
}
