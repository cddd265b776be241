import { useCallback, useSyncExternalStore } from "react";
import type { Frame } from "../live/frames";
import { useLive } from "../live/hooks";

/** The last frame of `me` that spoke of the inbox: its changed notices, and how many of all are unread. */
export function useInbox(): Frame | undefined {
  const live = useLive();
  const subscribe = useCallback((tell: () => void) => live.watch("me", tell), [live]);
  return useSyncExternalStore(subscribe, () => live.view("me")?.inbox);
}
