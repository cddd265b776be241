import { Trans, useLingui } from "@lingui/react/macro";
import { getRouteApi } from "@tanstack/react-router";
import type { Provider } from "../app/api";
import { useFollow } from "../app/shell";
import { Desk } from "./desk";
import { Affected } from "./leave";
import { Needs, useNeedsProblem } from "./needs";
import { useResources, type Resource } from "./resources";
import { Refusal, Saving, useDraft, useRules, WeekHours, type Kind, type Place, type Rules } from "./rules";
import { zoneOf } from "./visit";

const route = getRouteApi("/desk/hours/$provider");

/** Opening hours and visit types: changed as a whole, never over another's change. */
export function HoursPage() {
  const { provider } = route.useParams();
  return <Desk provider={provider}>{(found) => <Hours provider={found} />}</Desk>;
}

function Hours({ provider }: { provider: Provider }) {
  const found = useRules(provider.provider_id);
  if (found.data === undefined) return <div className="card page-room" aria-busy="true" />;
  return <Editor key={found.data.tag} provider={provider} rules={found.data.rules} tag={found.data.tag} />;
}

function Editor({ provider, rules, tag }: { provider: Provider; rules: Rules; tag: string }) {
  const { t } = useLingui();
  const follow = useFollow();
  const saving = useDraft(provider.provider_id, rules, tag);
  const resources = useResources(provider.clinic.clinic_id).data;
  const needsProblem = useNeedsProblem();
  const { draft, change } = saving;
  const zone = zoneOf(provider);
  const check = () => {
    const wrong = draft.visit_types.map((kind) => needsProblem(kind)).find((one) => one !== undefined);
    saving.setWrong(wrong);
    return wrong === undefined;
  };
  return (
    <div className="stack medium">
      <div className="row between">
        <h1>
          <Trans>Hours and visits</Trans>
        </h1>
        <a className="button small" href={`/desk/entry/${provider.provider_id}`} onClick={follow}>
          <Trans>Prices, languages, about</Trans>
        </a>
      </div>
      <Refusal draft={saving} />
      {draft.locations.map((place, index) => (
        <PlaceHours
          key={place.location_id}
          place={place}
          onChange={(next) => change({ locations: draft.locations.with(index, next) })}
          onRemove={
            draft.locations.length > 1 && isIdle(place)
              ? () => change({ locations: draft.locations.filter((_, at) => at !== index) })
              : undefined
          }
        />
      ))}
      <div>
        <button
          className="button"
          type="button"
          onClick={() => change({ locations: [...draft.locations, newPlace(draft.locations, zone)] })}
        >
          <Trans>Add a place</Trans>
        </button>
      </div>
      <section className="card stack" aria-labelledby="kinds">
        <h2 id="kinds">
          <Trans>Visits that can be booked</Trans>
        </h2>
        {draft.visit_types.map((kind, index) => (
          <KindRow
            key={index}
            kind={kind}
            index={index}
            resources={resources}
            onChange={(next) => change({ visit_types: draft.visit_types.with(index, next) })}
          />
        ))}
        <button
          className="button"
          type="button"
          onClick={() => change({ visit_types: [...draft.visit_types, newKind(draft.visit_types, t`New visit`)] })}
        >
          <Trans>Add a visit</Trans>
        </button>
        <Count
          id="lanes"
          label={<Trans>Visits at one time, with overbooking</Trans>}
          value={draft.lanes ?? 1}
          most={9}
          onChange={(lanes) => change({ lanes })}
        />
      </section>
      <Saving draft={saving} onLook={check}>
        {(rows) => <Affected rows={rows} provider={provider.provider_id} zone={zone} />}
      </Saving>
    </div>
  );
}

function newKind(known: readonly Kind[], title: string): Kind {
  let number = known.length + 1;
  while (known.some((one) => one.visit_type === `visit${number}`)) number += 1;
  return {
    ...(known[0] ?? {
      buffer_before: 0,
      buffer_after: 0,
      alignment: 15,
      notice_minutes: 60,
      horizon_days: 90,
      locations: [],
      alignment_from: "opening",
    }),
    visit_type: `visit${number}`,
    title,
    minutes: 30,
    active: true,
    needs: [],
  } as Kind;
}

/** Another place where the doctor works; its hours are empty at first. */
function newPlace(known: readonly Place[], zone: string): Place {
  let number = known.length + 1;
  while (known.some((one) => one.location_id === `loc_${number}`)) number += 1;
  return { location_id: `loc_${number}`, name: "", time_zone: known[0]?.time_zone ?? zone, weekly: {}, exceptions: {} };
}

/** Only a place without any hours: where there are some, visits may be booked. */
const isIdle = ({ weekly, exceptions }: Place) =>
  Object.values(weekly).every((hours) => hours.length === 0) && Object.keys(exceptions ?? {}).length === 0;

function PlaceHours(props: { place: Place; onChange: (next: Place) => void; onRemove: (() => void) | undefined }) {
  const { place, onChange, onRemove } = props;
  return (
    <section className="card stack" aria-label={place.name || place.location_id}>
      <div className="row between">
        <div>
          <h2>
            <bdi>{place.name || place.location_id}</bdi>
          </h2>
          <p className="quiet small">
            <bdi>{place.time_zone}</bdi>
          </p>
        </div>
        {onRemove !== undefined && (
          <button className="button small" type="button" onClick={onRemove}>
            <Trans>Remove the place</Trans>
          </button>
        )}
      </div>
      <div className="field">
        <label htmlFor={`place-${place.location_id}`}>
          <Trans>What patients call the place</Trans>
        </label>
        <input
          id={`place-${place.location_id}`}
          className="input"
          value={place.name ?? ""}
          maxLength={200}
          onChange={(event) => onChange({ ...place, name: event.target.value })}
        />
      </div>
      <WeekHours place={place} onChange={onChange} />
    </section>
  );
}

interface CountProps {
  id: string;
  label: React.ReactNode;
  value: number;
  most: number;
  onChange: (next: number) => void;
}

function Count({ id, label, value, most, onChange }: CountProps) {
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      <input
        id={id}
        className="input number"
        type="number"
        min={1}
        max={most}
        value={value}
        onChange={(event) => onChange(Number(event.target.value))}
      />
    </div>
  );
}

function KindRow(props: { kind: Kind; index: number; resources: readonly Resource[] | undefined; onChange: (next: Kind) => void }) {
  const { kind, index, resources, onChange } = props;
  const number = (name: "minutes" | "buffer_before" | "buffer_after" | "alignment", label: React.ReactNode, least: number) => (
    <div className="field">
      <label htmlFor={`${name}-${index}`}>{label}</label>
      <input
        id={`${name}-${index}`}
        className="input number"
        type="number"
        min={least}
        max={1440}
        step={5}
        value={kind[name]}
        onChange={(event) => onChange({ ...kind, [name]: Number(event.target.value) })}
      />
    </div>
  );
  return (
    <fieldset className="kind">
      <legend className="hidden">{kind.title}</legend>
      <div className="field grow">
        <label htmlFor={`title-${index}`}>
          <Trans>Name</Trans>
        </label>
        <input
          id={`title-${index}`}
          className="input"
          value={kind.title}
          maxLength={200}
          onChange={(event) => onChange({ ...kind, title: event.target.value })}
        />
      </div>
      {number("minutes", <Trans>Minutes</Trans>, 5)}
      {number("alignment", <Trans>A start every</Trans>, 5)}
      {number("buffer_after", <Trans>Pause after</Trans>, 0)}
      <Count
        id={`capacity-${index}`}
        label={<Trans>Patients together</Trans>}
        value={kind.capacity ?? 1}
        most={500}
        onChange={(capacity) => onChange({ ...kind, capacity })}
      />
      <label className="check">
        <input
          type="checkbox"
          checked={kind.active ?? true}
          onChange={(event) => onChange({ ...kind, active: event.target.checked })}
        />
        <Trans>offered</Trans>
      </label>
      <Needs kind={kind} index={index} resources={resources} onChange={(needs) => onChange({ ...kind, needs })} />
    </fieldset>
  );
}
