import { msg } from "@lingui/core/macro";
import { useLingui } from "@lingui/react";
import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useLayoutEffect, useRef } from "react";
import { answered, api, type ProviderItem, type ProviderList } from "../app/api";
import { sayStart } from "../app/time";
import { useLive } from "../live/hooks";
import type { View } from "../live/reduce";
import type { LiveSocket } from "../live/socket";
import { speakOut } from "../ui/spoken";
import { providersQuery, type Wanted } from "./home";
import { More } from "./more";
import { moved, rememberPlaces, type Places } from "./moving";

/** Sentences about the list come no faster than they can be listened to. */
const SAID_MS = 5_000;
/** Where the rest begins is followed this slowly: the next page is read again for it. */
const CURSOR_MS = 2_000;

type List = Pick<ProviderList, "items" | "next_cursor" | "live" | "total">;

interface Props {
  wanted: Wanted;
  /** The list as it is shown. */
  found: ProviderList;
}

/** Keeps the list of a search as the server has it, and offers the next page, at its end. */
export function Following({ wanted, found }: Props) {
  const { i18n } = useLingui();
  const live = useLive();
  const queries = useQueryClient();
  const list = useRef(providersQuery(wanted).queryKey);
  const before = useRef<Places>(undefined);
  useLayoutEffect(() => {
    moved(before.current);
    before.current = undefined;
  }, [found]);
  useEffect(() => {
    const tell = (told: List) => {
      before.current = rememberPlaces();
      queries.setQueryData(list.current, (read) => read && { ...read, ...told });
    };
    let hasLeft = false;
    let end = () => {};
    const asked = list.current[1] as { sort: string };
    const isSoonest = asked.sort === "soonest";
    const say = ({ name, next_free, clinic }: ProviderItem) => {
      if (!isSoonest || !next_free) return;
      speakOut(`${i18n._(msg`Free soonest`)}: ${name}, ${sayStart(next_free, clinic.time_zone)}`);
    };
    void topicOf(asked).then((topic) => {
      if (topic === undefined || hasLeft) return;
      end = follow(live, topic, tell, say);
    });
    return () => {
      hasLeft = true;
      end();
    };
  }, [live, queries, i18n]);
  const { next_cursor: cursor, items } = found;
  return cursor == null ? null : <More wanted={wanted} cursor={cursor} above={items} />;
}

/** The topic of a search; undefined if the list stays as it was read. */
async function topicOf(asked: object): Promise<string | undefined> {
  try {
    return answered(await api.POST("/v1/searches", { body: asked as never })).topic;
  } catch {
    return undefined;
  }
}

/** Show a list's changes, once a frame of the screen; returns how to stop. */
function follow(
  live: LiveSocket,
  topic: string,
  tell: (list: List) => void,
  say: (first: ProviderItem) => void,
): () => void {
  const cursorOf = slowly(CURSOR_MS);
  const leads = slowly(SAID_MS);
  let frame = 0;
  let again = 0;
  let isPressed = false;
  const soon = () => {
    frame ||= requestAnimationFrame(show);
  };
  const later = (wait: number) => {
    clearTimeout(again);
    again = window.setTimeout(soon, wait);
  };
  function show() {
    frame = 0;
    const view = live.view(topic);
    // Nothing moves away under a finger.
    if (view?.list === undefined || isPressed) return;
    const cursor = cursorOf(view.list.next_cursor ?? null);
    const list = listOf(view, cursor.value, live.refusal(topic) === undefined);
    tell(list);
    const first = leads(list.items[0]?.provider_id);
    if (first.isNews && list.items[0] !== undefined) say(list.items[0]);
    const wait = Math.max(cursor.wait, first.wait);
    if (wait > 0) later(wait);
  }
  const press = (is: boolean) => () => {
    isPressed = is;
    // The click comes first: what was pressed is what is opened.
    if (!is) later(0);
  };
  const ends = [
    live.watch(topic, soon),
    listen("pointerdown", press(true)),
    listen("pointerup", press(false)),
    listen("pointercancel", press(false)),
  ];
  soon();
  return () => {
    cancelAnimationFrame(frame);
    clearTimeout(again);
    ends.forEach((end) => end());
  };
}

/** A value that changes at most so often; `wait`: how long until it may be the present one. */
function slowly(least: number) {
  let value: string | null | undefined;
  let at = -Infinity;
  let isFirst = true;
  return (present: string | null | undefined) => {
    const wait = isFirst ? 0 : at + least - performance.now();
    if (present === value || wait > 0) return { value, wait: present === value ? 0 : wait, isNews: false };
    const isNews = !isFirst;
    value = present;
    at = performance.now();
    isFirst = false;
    return { value, wait: 0, isNews };
  };
}

function listOf(view: View, next_cursor: string | null | undefined, isKept: boolean): List {
  const { order = [], live = true, total = null } = view.list ?? {};
  const items = order.map((id) => view.members.get(id)).filter((one) => one !== undefined);
  return { items, live: live && isKept, total, next_cursor: next_cursor ?? null };
}

function listen(name: "pointerdown" | "pointerup" | "pointercancel", heard: () => void): () => void {
  addEventListener(name, heard, true);
  return () => removeEventListener(name, heard, true);
}
