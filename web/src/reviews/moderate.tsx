import "./reviews.css";
import { Trans, useLingui } from "@lingui/react/macro";
import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { answered, api, type Schemas } from "../app/api";
import { useSending } from "../app/keys";
import { useFollow } from "../app/shell";
import { HERE, say } from "../app/time";
import { Dialog } from "../ui/dialog";
import { Gate } from "../ui/gate";
import { speakOut } from "../ui/spoken";
import { isUnproved, Unproved } from "../ui/unproved";
import { reviewRefusal } from "./refusals";
import { Stars } from "./stars";

type One = Schemas["ModeratedAnswer"];
type State = One["state"];

/** Reviews that wait for a look, and those that are shown or hidden. */
export function ReviewsPage() {
  return <Gate>{({ role }) => (role === "admin" ? <Moderating /> : <NotYours />)}</Gate>;
}

function NotYours() {
  return (
    <p className="notice bad" role="alert">
      <Trans>Only the platform's operators look at reviews.</Trans>
    </p>
  );
}

function Moderating() {
  const { t } = useLingui();
  const [state, setState] = useState<State>("pending");
  const found = useInfiniteQuery({
    queryKey: ["moderated", state],
    retry: false,
    initialPageParam: undefined as string | undefined,
    queryFn: async ({ pageParam: cursor }) =>
      answered(await api.GET("/v1/reviews", { params: { query: { state, ...(cursor === undefined ? {} : { cursor }) } } })),
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
  const items = found.data?.pages.flatMap((page) => page.items);
  return (
    <div className="stack medium">
      <h1>
        <Trans>Reviews</Trans>
      </h1>
      <p className="quiet">
        <Trans>Publish what speaks of the visit. Hide what names a person, insults, or advertises; its author reads your reason.</Trans>
      </p>
      <div className="segments" role="group" aria-label={t`Which reviews`}>
        {(["pending", "published", "hidden"] as const).map((one) => (
          <button key={one} type="button" aria-pressed={state === one} onClick={() => setState(one)}>
            {one === "pending" && <Trans>To look at</Trans>}
            {one === "published" && <Trans>Published</Trans>}
            {one === "hidden" && <Trans>Hidden</Trans>}
          </button>
        ))}
      </div>
      {found.isError &&
        (isUnproved(found.error) ? (
          <Unproved error={found.error} onAgain={found.refetch} />
        ) : (
          <p className="notice bad" role="alert">
            <Trans>The reviews could not be loaded. Load the page again.</Trans>
          </p>
        ))}
      {items?.length === 0 && (
        <p className="card quiet">
          <Trans>There is nothing here.</Trans>
        </p>
      )}
      {items?.map((one) => <Row key={one.review_id} one={one} />)}
      {found.hasNextPage && (
        <div>
          <button className="button" type="button" disabled={found.isFetchingNextPage} onClick={() => void found.fetchNextPage()}>
            <Trans>More</Trans>
          </button>
        </div>
      )}
    </div>
  );
}

function Row({ one }: { one: One }) {
  const { t, i18n } = useLingui();
  const follow = useFollow();
  const queries = useQueryClient();
  const { isAsking, send } = useSending();
  const [isHiding, setHiding] = useState(false);
  const [refused, setRefused] = useState<string>();
  const done = async (said: string) => {
    speakOut(said);
    setRefused(undefined);
    setHiding(false);
    await queries.invalidateQueries({ queryKey: ["moderated"] });
  };
  const publish = async () => {
    const answer = await send({ publish: one.review_id }, (key) =>
      api.POST("/v1/reviews/{review_id}/publish", {
        params: { path: { review_id: one.review_id }, header: { "Idempotency-Key": key } },
      }),
    );
    if (answer === undefined) return;
    if (answer.data === undefined) return setRefused(i18n._(reviewRefusal(answer.error?.code)));
    await done(t`Published`);
  };
  const written = say(one.written_at, HERE, { dateStyle: "medium", timeStyle: "short" });
  return (
    <article className="card stack">
      <div>
        <Stars rating={one.rating} />{" "}
        <span className="quiet small">
          <Trans>written {written}</Trans> ·{" "}
          <a href={`/p/${one.provider_id}`} onClick={follow}>
            <Trans>the doctor's page</Trans>
          </a>
        </span>
      </div>
      {one.text !== "" ? (
        <p className="lines">
          <bdi>{one.text}</bdi>
        </p>
      ) : (
        <p className="quiet">
          <Trans>Stars only.</Trans>
        </p>
      )}
      {one.reason !== "" && (
        <p className="small">
          <Trans>Hidden because:</Trans> <bdi>{one.reason}</bdi>
        </p>
      )}
      {refused !== undefined && (
        <p className="notice bad" role="alert">
          {refused}
        </p>
      )}
      <div className="row">
        {one.state !== "published" && (
          <button className="button primary" type="button" disabled={isAsking} onClick={() => void publish()}>
            <Trans>Publish</Trans>
          </button>
        )}
        {one.state !== "hidden" && (
          <button className="button" type="button" aria-haspopup="dialog" onClick={() => setHiding(true)}>
            <Trans>Hide …</Trans>
          </button>
        )}
      </div>
      {isHiding && <HideDialog one={one} onClose={() => setHiding(false)} onHidden={() => void done(t`Hidden`)} />}
    </article>
  );
}

function HideDialog({ one, onClose, onHidden }: { one: One; onClose: () => void; onHidden: () => void }) {
  const { t, i18n } = useLingui();
  const { isAsking, send } = useSending();
  const [reason, setReason] = useState("");
  const [refused, setRefused] = useState<string>();
  const hide = async (event: FormEvent) => {
    event.preventDefault();
    const body = { reason };
    const answer = await send({ ...body, hide: one.review_id }, (key) =>
      api.POST("/v1/reviews/{review_id}/hide", {
        params: { path: { review_id: one.review_id }, header: { "Idempotency-Key": key } },
        body,
      }),
    );
    if (answer === undefined) return;
    if (answer.data === undefined) return setRefused(i18n._(reviewRefusal(answer.error?.code)));
    onHidden();
  };
  return (
    <Dialog title={t`Hide this review`} onClose={onClose}>
      <form className="stack" onSubmit={(event) => void hide(event)}>
        <div className="field">
          <label htmlFor="why">
            <Trans>Why (its author reads it)</Trans>
          </label>
          <input
            id="why"
            className="input"
            required
            maxLength={500}
            dir="auto"
            value={reason}
            onChange={(event) => setReason(event.target.value)}
          />
        </div>
        {refused !== undefined && (
          <p className="notice bad" role="alert">
            {refused}
          </p>
        )}
        <div className="row">
          <button className="button primary" type="submit" disabled={isAsking}>
            <Trans>Hide</Trans>
          </button>
          <button className="button" type="button" onClick={onClose}>
            <Trans>Cancel</Trans>
          </button>
        </div>
      </form>
    </Dialog>
  );
}
