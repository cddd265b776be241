import "./reviews.css";
import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { useInfiniteQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { answered, api, type Provider, type Schemas } from "../app/api";
import { useSending } from "../app/keys";
import { useContextOfSession } from "../app/shell";
import { say } from "../app/time";
import { enter } from "../i18n";
import { speakOut } from "../ui/spoken";
import { reviewRefusal } from "./refusals";
import { sayRating, Stars } from "./stars";

// Not shown before its sentences are here.
await enter("reviews");

type Shown = Schemas["ReviewAnswer"];

const AT_ONCE = 5;

/** What patients say of a doctor; the clinic answers here. Without a review nothing is shown. */
export function Reviews({ provider }: { provider: Provider }) {
  const context = useContextOfSession();
  const id = provider.provider_id;
  const found = useInfiniteQuery({
    queryKey: ["reviews", id],
    retry: 1,
    initialPageParam: undefined as string | undefined,
    queryFn: async ({ pageParam: cursor }) =>
      answered(
        await api.GET("/v1/providers/{provider_id}/reviews", {
          params: { path: { provider_id: id }, query: { limit: AT_ONCE, ...(cursor === undefined ? {} : { cursor }) } },
        }),
      ),
    getNextPageParam: (page) => page.next_cursor ?? undefined,
  });
  const first = found.data?.pages[0];
  if (first === undefined || first.count === 0 || first.average === null) return null;
  const mayAnswer =
    (context?.role === "doctor" && context.subject === id) ||
    (context?.role === "clinic_admin" && context.subject === provider.clinic.clinic_id);
  return (
    <section className="card stack" aria-labelledby="reviews">
      <div className="reviews-head">
        <h2 id="reviews">
          <Trans>What patients say</Trans>
        </h2>
        <p>
          <Stars rating={first.average} />{" "}
          {/* Stars are whole: five of them may be 4.5. */}
          <strong aria-hidden="true">{sayRating(first.average)}</strong>{" "}
          <span className="quiet">
            <Plural value={first.count} one="# review" other="# reviews" />
          </span>
        </p>
      </div>
      <Bars ratings={first.ratings} count={first.count} />
      <ul className="reviews-list">
        {found.data?.pages.flatMap((page) => page.items).map((one) => (
          <Review key={one.review_id} one={one} provider={id} mayAnswer={mayAnswer} />
        ))}
      </ul>
      {found.hasNextPage && (
        <div>
          <button
            className="button"
            type="button"
            disabled={found.isFetchingNextPage}
            onClick={() => void found.fetchNextPage()}
          >
            <Trans>More reviews</Trans>
          </button>
        </div>
      )}
    </section>
  );
}

function Bars({ ratings, count }: { ratings: number[]; count: number }) {
  const { t } = useLingui();
  return (
    <div className="rating-bars" role="group" aria-label={t`How often each rating was given`}>
      {ratings
        .map((number, index) => ({ number, stars: index + 1 }))
        .reverse()
        .map(({ number, stars }) => (
          <div key={stars} style={{ display: "contents" }}>
            <span>
              <Plural value={stars} one="# star" other="# stars" />
            </span>
            <span className="share" aria-hidden="true">
              <span style={{ inlineSize: `${(100 * number) / count}%` }} />
            </span>
            <span>{number}</span>
          </div>
        ))}
    </div>
  );
}

function Review({ one, provider, mayAnswer }: { one: Shown; provider: string; mayAnswer: boolean }) {
  const [isAnswering, setAnswering] = useState(false);
  const month = say(`${one.visited}-15T12:00:00Z`, "UTC", { month: "long", year: "numeric" });
  return (
    <li>
      <Stars rating={one.rating} />{" "}
      <span className="quiet small">
        <Trans>visited in {month}</Trans>
      </span>
      {one.text !== "" && (
        <p>
          <bdi>{one.text}</bdi>
        </p>
      )}
      {one.reply !== "" && !isAnswering && (
        <div className="reply">
          <strong className="small">
            <Trans>The clinic's answer</Trans>
          </strong>
          <p>
            <bdi>{one.reply}</bdi>
          </p>
        </div>
      )}
      {mayAnswer &&
        (isAnswering ? (
          <Answering one={one} provider={provider} onDone={() => setAnswering(false)} />
        ) : (
          <p>
            <button className="button small" type="button" onClick={() => setAnswering(true)}>
              {one.reply === "" ? <Trans>Answer</Trans> : <Trans>Change the answer</Trans>}
            </button>
          </p>
        ))}
    </li>
  );
}

function Answering({ one, provider, onDone }: { one: Shown; provider: string; onDone: () => void }) {
  const { t, i18n } = useLingui();
  const queries = useQueryClient();
  const { isAsking, send } = useSending();
  const [text, setText] = useState(one.reply);
  const [refused, setRefused] = useState<string>();
  const name = `reply-${one.review_id}`;
  const save = async (event: FormEvent) => {
    event.preventDefault();
    const body = { text };
    const answer = await send({ ...body, review: one.review_id }, (key) =>
      api.POST("/v1/reviews/{review_id}/reply", {
        params: { path: { review_id: one.review_id }, header: { "Idempotency-Key": key } },
        body,
      }),
    );
    if (answer === undefined) return;
    if (answer.data === undefined) return setRefused(i18n._(reviewRefusal(answer.error?.code)));
    speakOut(t`Saved`);
    await queries.invalidateQueries({ queryKey: ["reviews", provider] });
    onDone();
  };
  return (
    <form className="stack" onSubmit={(event) => void save(event)}>
      <div className="field">
        <label htmlFor={name}>
          <Trans>The clinic's answer</Trans>
        </label>
        <textarea
          id={name}
          className="input"
          rows={4}
          maxLength={2000}
          dir="auto"
          value={text}
          onChange={(event) => setText(event.target.value)}
        />
        <p className="quiet small">
          <Trans>It is public. Say nothing that shows who the patient is. Empty: no answer.</Trans>
        </p>
      </div>
      {refused !== undefined && (
        <p className="notice bad" role="alert">
          {refused}
        </p>
      )}
      <div className="row">
        <button className="button primary" type="submit" disabled={isAsking}>
          <Trans>Save</Trans>
        </button>
        <button className="button" type="button" onClick={onDone}>
          <Trans>Cancel</Trans>
        </button>
      </div>
    </form>
  );
}
