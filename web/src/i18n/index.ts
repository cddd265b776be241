import { i18n } from "@lingui/core";

export const LOCALES = { en: "English", de: "Deutsch", ar: "العربية" } as const;
export type Locale = keyof typeof LOCALES;

const KEPT = "slotcast.locale";

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
  const { messages } = await load(locale);
  i18n.loadAndActivate({ locale, messages });
  document.documentElement.lang = locale;
  document.documentElement.dir = locale === "ar" ? "rtl" : "ltr";
  localStorage.setItem(KEPT, locale);
}

function load(locale: Locale) {
  switch (locale) {
    case "de":
      return import("./de.po");
    case "ar":
      return import("./ar.po");
    default:
      return import("./en.po");
  }
}
