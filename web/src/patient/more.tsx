import { Trans } from "@lingui/react/macro";
import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useState } from "react";
import type { ProviderItem } from "../app/api";
import { providersQuery, type Wanted } from "./home";
import { Result, ResultRoom } from "./result";

/**
 * The next page of the list, when a person asks for it, and so on. Its beginning moves with the
 * members above; one that is above already is not shown twice.
 */
export function More({ wanted, cursor, above }: { wanted: Wanted; cursor: string; above: readonly ProviderItem[] }) {
  const [isAsked, setAsked] = useState(false);
  const { data, isError, refetch } = useQuery({
    ...providersQuery(wanted, cursor),
    enabled: isAsked,
    placeholderData: keepPreviousData,
  });
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
  const items = data.items.filter((item) => above.every((one) => one.provider_id !== item.provider_id));
  return (
    <>
      {items.map((item) => (
        <Result key={item.provider_id} item={item} />
      ))}
      {data.next_cursor != null && (
        <More wanted={wanted} cursor={data.next_cursor} above={[...above, ...items]} />
      )}
    </>
  );
}
