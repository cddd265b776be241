import { Trans } from "@lingui/react/macro";
import { useFollow } from "../app/shell";
import { ToRooms, type OfRoomProps } from "./ofroom";
import { hrefOf } from "./resources";
import { PartsOfVisits } from "./parts";
import { Refusal, Saving, useDraft, useRules, WeekHours, type Place, type Rules } from "./rules";

/** When a room or device can be used. */
export function RoomHours(found: OfRoomProps) {
  const rules = useRules(found.room.resource_id);
  if (rules.isError) {
    return (
      <p className="notice bad" role="alert">
        <Trans>The hours could not be loaded. Load the page again.</Trans>
      </p>
    );
  }
  if (rules.data === undefined) return <div className="card page-room" aria-busy="true" />;
  return <Editor key={rules.data.tag} {...found} rules={rules.data.rules} tag={rules.data.tag} />;
}

const ALL_DAY = [{ opens: "08:00", closes: "18:00" }];

/** What is proposed for a room that has no hours yet. */
const proposed = (zone: string): Place => ({
  location_id: "loc_1",
  name: "",
  time_zone: zone,
  weekly: { monday: ALL_DAY, tuesday: ALL_DAY, wednesday: ALL_DAY, thursday: ALL_DAY, friday: ALL_DAY },
  exceptions: {},
});

function Editor({ room, clinic, rules, tag }: OfRoomProps & { rules: Rules; tag: string }) {
  const follow = useFollow();
  const zone = clinic.time_zone;
  const isNew = rules.locations.length === 0;
  const saving = useDraft(room.resource_id, isNew ? { ...rules, locations: [proposed(zone)] } : rules, tag);
  const { draft, change } = saving;
  return (
    <div className="stack medium">
      <div>
        <ToRooms />
        <div className="row between">
          <h1>
            <Trans>
              Hours of <bdi>{room.name}</bdi>
            </Trans>
          </h1>
          <a className="button small" href={hrefOf(room.resource_id)} onClick={follow}>
            <Trans>Day</Trans>
          </a>
        </div>
      </div>
      {isNew && (
        <p className="notice">
          <Trans>No visit takes it before it has hours. These are a proposal: change them, then save.</Trans>
        </p>
      )}
      <Refusal draft={saving} />
      {draft.locations.map((place, index) => (
        <section key={place.location_id} className="card stack" aria-labelledby={`hours-${place.location_id}`}>
          <div>
            <h2 id={`hours-${place.location_id}`}>{place.name ? <bdi>{place.name}</bdi> : <Trans>Can be used</Trans>}</h2>
            <p className="quiet small">
              <bdi>{place.time_zone}</bdi>
            </p>
          </div>
          <WeekHours place={place} onChange={(next) => change({ locations: draft.locations.with(index, next) })} />
        </section>
      ))}
      <Saving draft={saving}>{(rows) => <PartsOfVisits rows={rows} zone={zone} />}</Saving>
    </div>
  );
}
