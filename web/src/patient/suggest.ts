/**
 * What the search box suggests. One function is all the box knows: another source of
 * suggestions replaces `suggest` and nothing else.
 */
import { answered, api, type ProviderItem } from "../app/api";

export interface Suggestion {
  kind: "specialty" | "doctor" | "clinic" | "town";
  text: string;
  /** Where a doctor works, in which town a clinic is. */
  detail?: string;
  /** The page that a person who takes it sees. */
  href: string;
}

/** Fewer letters say too little. */
export const LETTERS_MIN = 2;
const ASKED = 30;
const OF_A_KIND = 4;
const SHOWN_MAX = 8;

/** Suggestions for what a person has typed, at most eight. Throws Refused. */
export async function suggest(text: string): Promise<Suggestion[]> {
  const query = { query: text, limit: ASKED, sort: "name" } as const;
  const found = answered(await api.GET("/v1/providers", { params: { query } }));
  return suggestionsOf(found.did_you_mean ?? text, found.items);
}

/** The specialties, doctors, clinics and towns of these doctors that the words name. */
export function suggestionsOf(text: string, items: readonly ProviderItem[]): Suggestion[] {
  const wanted = wordsOf(text);
  const isNamed = (name: string) => {
    const words = wordsOf(name);
    return wanted.every((one) => words.some((word) => word.startsWith(one)));
  };
  const found: Suggestion[] = [];
  const kinds: [Suggestion["kind"], (item: ProviderItem) => Omit<Suggestion, "kind">][] = [
    ["specialty", ({ specialty }) => ({ text: specialty, href: `/?specialty=${encodeURIComponent(specialty)}` })],
    ["town", ({ clinic }) => searched(clinic.city)],
    ["clinic", ({ clinic }) => ({ ...searched(clinic.name), detail: clinic.city })],
    [
      "doctor",
      ({ name, specialty, clinic, provider_id }) => ({
        text: name,
        detail: `${specialty}, ${clinic.city}`,
        href: `/p/${provider_id}`,
      }),
    ],
  ];
  for (const [kind, make] of kinds) {
    const seen = new Set<string>();
    for (const item of items) {
      const one = make(item);
      if (one.text === "" || seen.has(one.href) || !isNamed(one.text)) continue;
      seen.add(one.href);
      found.push({ kind, ...one });
      if (seen.size === OF_A_KIND) break;
    }
  }
  return found.slice(0, SHOWN_MAX);
}

function searched(text: string): { text: string; href: string } {
  return { text, href: `/?q=${encodeURIComponent(text)}` };
}

/** Words as the server compares them: without case and accents. */
function wordsOf(text: string): string[] {
  const plain = text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  return plain.split(/[^\p{L}\p{N}]+/u).filter((word) => word !== "");
}
