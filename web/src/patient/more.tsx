import { Trans } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { providersQuery, type Wanted } from "./home";
import { Result, ResultRoom } from "./result";

/** The next page of the list, when a person asks for it, and so on. */
export function More({ wanted, cursor }: { wanted: Wanted; cursor: string }) {
  const [isAsked, setAsked] = useState(false);
  const { data, isError, refetch } = useQuery({ ...providersQuery(wanted, cursor), enabled: isAsked });
  if (data === undefined) {
    const ask = () => (isError ? void refetch() : setAsked(true));
    return (
      <>
        {isAsked && !isError && Array.from({ length: 2 }, (_, index) => <ResultRoom key={index} />)}
        <li className="more">
          <button className="button" type="button" disabled={isAsked && !isError} onClick={ask}>
            {isError ? <Trans>Try again</Trans> : <Trans>Show more</Trans>}
          </button>
        </li>
      </>
    );
  }
  return (
    <>
      {data.items.map((item) => (
        <Result key={item.provider_id} item={item} />
      ))}
      {data.next_cursor != null && <More key={data.next_cursor} wanted={wanted} cursor={data.next_cursor} />}
    </>
  );
}
