import { Plural, Trans } from "@lingui/react/macro";
import { sayStart } from "../app/time";
import { useBookings } from "../live/hooks";
import { useClinicName, useProvider, wishesOf, zoneOf, type Entry, type Wishes } from "./waiting";

type Named = Pick<Entry, "scope" | "subject" | "booking_id">;

/** What an entry waits for, in words. */
export function Subject({ entry }: { entry: Named }) {
  const { scope, subject, booking_id: id } = entry;
  const provider = useProvider(scope === "provider" ? subject : undefined);
  const clinic = useClinicName(scope === "clinic" ? subject : undefined);
  const visit = useBookings("me")?.find((one) => one.booking_id === id);
  if (scope === "clinic") {
    return (
      <Trans>
        Any doctor of <bdi>{clinic ?? "…"}</bdi>
      </Trans>
    );
  }
  if (scope === "specialty") {
    return (
      <Trans>
        Any doctor for <bdi>{subject}</bdi>
      </Trans>
    );
  }
  const name = provider?.name ?? "…";
  if (id == null) {
    return (
      <Trans>
        A time with <bdi>{name}</bdi>
      </Trans>
    );
  }
  if (visit === undefined) {
    return (
      <Trans>
        An earlier time with <bdi>{name}</bdi>
      </Trans>
    );
  }
  return (
    <Trans>
      Earlier than <bdi>{sayStart(visit.start, zoneOf(provider))}</bdi> with <bdi>{name}</bdi>
    </Trans>
  );
}

/** The visit that an earlier time with another doctor would take the place of. */
export function Instead({ entry }: { entry: Named }) {
  const visit = useBookings("me")?.find((one) => one.booking_id === entry.booking_id);
  const provider = useProvider(visit?.provider_id);
  if (entry.scope === "provider" || visit === undefined) return null;
  return (
    <p className="small">
      <Trans>
        Earlier than <bdi>{sayStart(visit.start, zoneOf(provider))}</bdi> with <bdi>{provider?.name ?? "…"}</bdi>
      </Trans>
    </p>
  );
}

/** Days, times and notice, each a short part. */
export function WishBits({ wishes }: { wishes: Wishes }) {
  return (
    <ul className="bits">
      {wishesOf(wishes).map((one) => (
        <li key={one}>
          <bdi>{one}</bdi>
        </li>
      ))}
    </ul>
  );
}

/** Where an entry stands, as far as that can honestly be said. */
export function Place({ entry }: { entry: Entry }) {
  const { ahead, scope } = entry;
  if (ahead != null) {
    return (
      <>
        <Plural
          value={ahead}
          _0="You are the first: a time that suits you is offered to you before all others."
          one="# patient is before you. A time that does not suit them is offered to you."
          other="# patients are before you. A time that does not suit them is offered to you."
        />{" "}
        <Trans>The clinic may put urgent patients first.</Trans>
      </>
    );
  }
  if (scope === "provider") return <Trans>Your place is not known just now.</Trans>;
  return (
    <Trans>Each doctor has a list of their own, and you are on all of them: those who have waited longer come first.</Trans>
  );
}
