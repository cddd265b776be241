/**
 * One's own visits as this device last knew them, for when there is no line. Kept only on a
 * device that its person called their own, and gone when they leave.
 */
import type { Booking } from "../live/frames";
import type { Provider } from "./api";

export interface KeptVisits {
  /** When they were last known to be so, in milliseconds. */
  at: number;
  rows: readonly Booking[];
  providers: Record<string, Provider>;
  /** Where visits take place, by the name under which a page has it; older copies have none. */
  rooms?: [name: unknown[], where: unknown][];
}

const NAME = "slotcast";
const STORE = "kept";
const VISITS = "visits";
const OWN = "slotcast.own";

export function isOwnDevice(): boolean {
  return localStorage.getItem(OWN) === "yes";
}

/** Remember, or forget, that this is the person's own device. */
export function setOwnDevice(isOwn: boolean): void {
  if (isOwn) localStorage.setItem(OWN, "yes");
  else void forgetVisits();
}

export async function keepVisits(visits: KeptVisits): Promise<void> {
  if (!isOwnDevice()) return;
  const store = await opened("readwrite");
  await done(store.put(visits, VISITS));
  store.transaction.db.close();
}

export async function keptVisits(): Promise<KeptVisits | undefined> {
  if (!isOwnDevice()) return undefined;
  const store = await opened("readonly");
  const found = (await done(store.get(VISITS))) as KeptVisits | undefined;
  store.transaction.db.close();
  return found;
}

export async function forgetVisits(): Promise<void> {
  localStorage.removeItem(OWN);
  await done(indexedDB.deleteDatabase(NAME));
}

async function opened(mode: IDBTransactionMode): Promise<IDBObjectStore> {
  const request = indexedDB.open(NAME, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(STORE);
  return (await done(request)).transaction(STORE, mode).objectStore(STORE);
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((settle, fail) => {
    request.onsuccess = () => settle(request.result);
    request.onerror = () => fail(request.error as Error);
  });
}
