/**
 * Links of mails: `/#/reset-password?token=…`. The secret stands behind the #, so that no server
 * logs it; it is taken out of the address at once and kept for the page that uses it.
 */
let token: string | undefined;

/** Turn the page's address to the one that the link means. Call before the router starts. */
export function openLink(): void {
  if (!location.hash.startsWith("#/")) return;
  const meant = new URL(location.hash.slice(1), location.origin);
  token = meant.searchParams.get("token") ?? undefined;
  meant.searchParams.delete("token");
  history.replaceState(null, "", meant.pathname + meant.search);
}

// The app may be open already when a link of it is followed.
addEventListener("hashchange", () => {
  if (location.hash.startsWith("#/")) location.reload();
});

export function linkToken(): string | undefined {
  return token;
}
