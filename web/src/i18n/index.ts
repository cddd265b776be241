/** Languages, and the catalogues of the rooms that this page has entered. */
import { i18n, type Messages } from "@lingui/core";

export const LOCALES = { en: "English", de: "Deutsch", ar: "العربية" } as const;
export type Locale = keyof typeof LOCALES;
export type Room = "patient" | "later" | "about" | "account" | "waiting" | "documents" | "desk" | "clinic" | "reports" | "ops" | "reviews";

const KEPT = "slotcast.locale";
const catalogues = import.meta.glob<{ messages: Messages }>("./{patient,later,about}/*.po");
const rooms = new Set<Room>(["patient"]);

export function preferred(): Locale {
  const wanted = [localStorage.getItem(KEPT), ...navigator.languages];
  for (const one of wanted) {
    const language = one?.slice(0, 2);
    if (language !== undefined && language in LOCALES) return language as Locale;
  }
  return "en";
}

/** Load a language and turn the page to it. */
export async function speak(locale: Locale): Promise<void> {
  const parts = await Promise.all([...rooms].map((room) => load(room, locale)));
  i18n.loadAndActivate({ locale, messages: Object.assign({}, ...parts) as Messages });
  document.documentElement.lang = locale;
  document.documentElement.dir = locale === "ar" ? "rtl" : "ltr";
  localStorage.setItem(KEPT, locale);
}

/** Load the sentences of a room before its pages are shown. */
export async function enter(room: Room): Promise<void> {
  if (rooms.has(room)) return;
  const { locale } = i18n;
  const messages = await load(room, locale as Locale);
  rooms.add(room);
  if (i18n.locale === locale) i18n.load(locale, messages);
  else await speak(i18n.locale as Locale);
}

async function load(room: Room, locale: Locale): Promise<Messages> {
  const name = `./${room}/${locale}.po`;
  // The list of the others is long, and no first paint needs it.
  const found = catalogues[name] ?? (await import("./others")).catalogues[name];
  return (await found!()).messages;
}
