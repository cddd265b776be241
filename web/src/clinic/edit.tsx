import { msg } from "@lingui/core/macro";
import type { MessageDescriptor } from "@lingui/core";
import { Trans, useLingui } from "@lingui/react/macro";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { answered, api, type Schemas } from "../app/api";
import { useFollow } from "../app/shell";
import { HERE } from "../app/time";
import { Gate } from "../ui/gate";
import { speakOut } from "../ui/spoken";
import { useEditing, type Kept } from "./editing";
import { AreaField, EditForm, Field, TagsField, TextField } from "./form";
import { Photo } from "./photo";
import { keptOf, partOf, theirsOf, useSaving } from "./saving";
import { ClinicStanding } from "./closing";

const route = getRouteApi("/clinic/$part");

/** What patients read of a clinic: for its administrators, and for operators, who add clinics too. */
export function EditClinicPage() {
  const { clinic } = route.useSearch();
  return (
    <Gate>
      {(context) => {
        const own = context.clinic_id ?? (context.role === "clinic_admin" ? context.subject : undefined);
        if (context.role === "admin") return clinic === undefined ? <NewClinic /> : <Known key={clinic} id={clinic} isOperator />;
        if (context.role !== "clinic_admin" || own == null) return <NotYours />;
        return <Known id={own} isOperator={false} />;
      }}
    </Gate>
  );
}

function NotYours() {
  return (
    <p className="notice bad" role="alert">
      <Trans>Only the clinic's administration edits these data.</Trans>
    </p>
  );
}

/** The record, as it is typed. */
interface Place {
  name: string;
  phone: string;
  address: string;
  postcode: string;
  city: string;
  country: string;
  time_zone: string;
  latitude: string;
  longitude: string;
}

/** What the directory says beside the record. */
interface Said {
  step_free: Schemas["StepFree"];
  access_notes: string;
  website: string;
  insurances: string[];
}

const placeOf = (clinic: Schemas["ClinicBody"]): Place => ({
  name: clinic.name,
  phone: clinic.phone,
  address: clinic.address,
  postcode: clinic.postcode,
  city: clinic.city,
  country: clinic.country,
  time_zone: clinic.time_zone,
  latitude: clinic.latitude === null ? "" : String(clinic.latitude),
  longitude: clinic.longitude === null ? "" : String(clinic.longitude),
});

const numberOf = (text: string) => (text.trim() === "" ? null : Number(text.trim().replace(",", ".")));

function detailsOf(place: Place): Schemas["ClinicDetails"] {
  return { ...place, latitude: numberOf(place.latitude), longitude: numberOf(place.longitude) };
}

const saidOf = (entry: Schemas["ClinicEntryAnswer"]): Said => ({
  step_free: entry.step_free,
  access_notes: entry.access_notes,
  website: entry.website,
  insurances: entry.insurances,
});

const pathOf = (id: string) => ({ path: { clinic_id: id } });

async function readPlace(id: string): Promise<Kept<Place>> {
  const answer = await api.GET("/v1/clinics/{clinic_id}", { params: pathOf(id) });
  return { values: placeOf(answered(answer)), tag: answer.response.headers.get("etag") ?? "" };
}

async function readSaid(id: string): Promise<Kept<Said> & { isRetired: boolean }> {
  const answer = await api.GET("/v1/clinics/{clinic_id}/directory-entry", { params: pathOf(id) });
  const entry = answered(answer);
  return { values: saidOf(entry), tag: answer.response.headers.get("etag") ?? "", isRetired: entry.retired };
}

/** A read that fails leaves the refusal that led to it. */
const orNothing = <T,>(read: Promise<T>) => read.catch(() => undefined);

function Known({ id, isOperator }: { id: string; isOperator: boolean }) {
  const found = useQuery({
    queryKey: ["clinic data", id],
    // What is typed is not replaced behind the person's back: a conflict is told when it is saved.
    staleTime: Infinity,
    gcTime: 0,
    queryFn: async () => ({ place: await readPlace(id), said: await readSaid(id) }),
  });
  if (found.isError) {
    return (
      <p className="notice bad" role="alert">
        <Trans>There is no such clinic, or it could not be loaded.</Trans>
      </p>
    );
  }
  if (found.data === undefined) return <div className="card page-room" aria-busy="true" />;
  return <Edit id={id} isOperator={isOperator} place={found.data.place} said={found.data.said} isRetired={found.data.said.isRetired} />;
}

const NOTHING: Place = {
  name: "",
  phone: "",
  address: "",
  postcode: "",
  city: "",
  country: "",
  time_zone: HERE,
  latitude: "",
  longitude: "",
};

function NewClinic() {
  // Kept over a save that fails half-way: repeated, it is the same clinic.
  const [id] = useState(() => `cln_${crypto.randomUUID().replaceAll("-", "").slice(0, 16)}`);
  const said: Said = { step_free: "", access_notes: "", website: "", insurances: [] };
  return <Edit id={id} isOperator isNew place={{ values: NOTHING, tag: "" }} said={{ values: said, tag: "" }} isRetired={false} />;
}

const STEP_FREE: [Schemas["StepFree"], MessageDescriptor][] = [
  ["", msg`not stated`],
  ["yes", msg`without steps`],
  ["partly", msg`partly without steps`],
  ["no", msg`with steps`],
];

const WORDS: Record<string, MessageDescriptor> = {
  name: msg`Write the clinic's name.`,
  country: msg`Write the country as two letters, as DE or GB.`,
  time_zone: msg`Choose a time zone that exists, as Europe/Berlin. It stays as it is while the clinic has doctors: their days are counted in it.`,
  latitude: msg`The latitude is a number from −90 to 90. Give both numbers, or none.`,
  longitude: msg`The longitude is a number from −180 to 180. Give both numbers, or none.`,
  website: msg`Write the whole address of the website, beginning with https://`,
  access_notes: msg`Shorten how to get in: it has room for 2,000 characters.`,
};

function isZone(name: string): boolean {
  try {
    return name !== "" && Boolean(new Intl.DateTimeFormat("en", { timeZone: name }));
  } catch {
    return false;
  }
}

function checked(place: Place, said: Said): Record<string, MessageDescriptor> {
  const lat = numberOf(place.latitude);
  const lon = numberOf(place.longitude);
  const isOff = (value: number | null, most: number, other: number | null) =>
    value === null ? other !== null : !(Math.abs(value) <= most);
  const wrong: Record<string, boolean> = {
    name: place.name.trim() === "",
    country: !/^([A-Z]{2})?$/.test(place.country),
    time_zone: !isZone(place.time_zone),
    latitude: isOff(lat, 90, lon),
    longitude: isOff(lon, 180, lat),
    website: !/^(https?:\/\/[^\s<>"/?#@]+([/?#][^\s<>"]*)?)?$/.test(said.website),
    access_notes: said.access_notes.length > 2000,
  };
  return Object.fromEntries(Object.entries(WORDS).filter(([name]) => wrong[name] === true));
}

interface EditProps {
  id: string;
  isOperator: boolean;
  isNew?: boolean;
  place: Kept<Place>;
  said: Kept<Said>;
  isRetired: boolean;
}

function Edit({ id, isOperator, isNew = false, place: keptPlace, said: keptSaid, isRetired }: EditProps) {
  const { t, i18n } = useLingui();
  const follow = useFollow();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const place = useEditing(keptPlace);
  const said = useEditing(keptSaid);
  const [isMade, setMade] = useState(false);
  const saving = useSaving(
    [
      partOf(
        place,
        async (values, tag) => {
          const answer = await api.PUT("/v1/clinics/{clinic_id}", {
            params: pathOf(id),
            ...(tag === "" ? {} : { headers: { "If-Match": tag } }),
            body: detailsOf(values),
          });
          return keptOf(answer, placeOf, "");
        },
        () => orNothing(readPlace(id)),
      ),
      partOf(
        said,
        async (values, tag) => {
          const answer = await api.PUT("/v1/clinics/{clinic_id}/directory-entry", {
            params: pathOf(id),
            ...(tag === "" ? {} : { headers: { "If-Match": tag } }),
            body: values,
          });
          return keptOf(answer, saidOf, "");
        },
        () => orNothing(readSaid(id)),
      ),
    ],
    (field) => WORDS[field],
  );
  const save = async () => {
    if (!(await saving.save(checked(place.values, said.values)))) return;
    speakOut(t`The clinic's data are saved.`);
    await Promise.all([["clinic"], ["clinics"]].map((queryKey) => queries.invalidateQueries({ queryKey })));
    if (isNew) setMade(true);
  };
  const sayStep = (value: unknown) => i18n._(STEP_FREE.find(([one]) => one === value)?.[1] ?? msg`not stated`);
  const theirs = {
    ...theirsOf(place, (_, value) => String(value)),
    ...theirsOf(said, (name, value) => (name === "step_free" ? sayStep(value) : Array.isArray(value) ? value.join(", ") : String(value))),
  };
  const text = (name: keyof Place) => ({
    name,
    value: place.values[name],
    onChange: (value: string) => place.set(name, value),
    maxLength: 200,
  });
  // A pair that was copied from a map fills both.
  const paste = (value: string, name: "latitude" | "longitude") => {
    const pair = /^\s*\(?(-?\d+(?:\.\d+)?)[°\s]*[,;\s]\s*(-?\d+(?:\.\d+)?)[°\s]*\)?\s*$/.exec(value);
    if (pair === null) return place.set(name, value);
    place.set("latitude", pair[1]!);
    place.set("longitude", pair[2]!);
  };
  const back = isOperator ? (isNew ? "/clinic" : `/clinic?clinic=${encodeURIComponent(id)}`) : "/clinic";
  const { latitude, longitude, country } = place.values;
  const hasPoint = latitude !== "" && longitude !== "" && Number.isFinite(numberOf(latitude)) && Number.isFinite(numberOf(longitude));
  if (isMade) {
    return (
      <div className="stack medium">
        <h1>
          <bdi>{place.values.name}</bdi>
        </h1>
        <p className="notice good" role="status">
          <Trans>The clinic is added. Invite its administrator next: they find doctors and edit the data.</Trans>
        </p>
        <div className="row">
          <button
            className="button primary"
            type="button"
            onClick={() => void navigate({ href: `/clinic?clinic=${encodeURIComponent(id)}` })}
          >
            <Trans>To the clinic</Trans>
          </button>
        </div>
      </div>
    );
  }
  return (
    <div className="stack medium">
      <div>
        <p>
          <a href={back} onClick={follow}>
            {isNew ? <Trans>All clinics</Trans> : <Trans>Back to the clinic</Trans>}
          </a>
        </p>
        <h1>{isNew ? <Trans>Add a clinic</Trans> : <Trans>The clinic's data</Trans>}</h1>
        <p className="quiet">
          <Trans>This is what patients read, and what the search finds the clinic by.</Trans>
        </p>
      </div>
      {!isNew && (
        <section className="card stack" aria-labelledby="photo-clinic">
          <h2 id="photo-clinic">
            <Trans>Photo</Trans>
          </h2>
          <Photo of={`/v1/clinics/${id}`} name={place.values.name} />
        </section>
      )}
      <EditForm
        wrong={saving.wrong}
        theirs={theirs}
        isBehind={saving.isBehind}
        isChanged={saving.isChanged}
        isBusy={saving.isBusy}
        isSaved={saving.isSaved}
        onSave={() => void save()}
        onDiscard={saving.discard}
      >
        <section className="card stack" aria-labelledby="about-clinic">
          <h2 id="about-clinic">
            <Trans>Name and contact</Trans>
          </h2>
          <div className="fields">
            <TextField {...text("name")} label={<Trans>Name</Trans>} autoComplete="organization" required isWide />
            <TextField {...text("phone")} label={<Trans>Phone</Trans>} type="tel" dir="ltr" autoComplete="off" />
            <TextField
              name="website"
              label={<Trans>Website</Trans>}
              type="url"
              dir="ltr"
              maxLength={300}
              placeholder="https://"
              value={said.values.website}
              onChange={(value) => said.set("website", value.trim())}
            />
          </div>
        </section>
        <section className="card stack" aria-labelledby="where-clinic">
          <h2 id="where-clinic">
            <Trans>Where it is</Trans>
          </h2>
          <div className="fields">
            <TextField {...text("address")} label={<Trans>Street and number</Trans>} isWide autoComplete="off" />
            <TextField {...text("postcode")} label={<Trans>Postcode</Trans>} autoComplete="off" />
            <TextField {...text("city")} label={<Trans>Town</Trans>} autoComplete="off" />
            <TextField
              {...text("country")}
              label={<Trans>Country (two letters)</Trans>}
              hint={<CountryName code={country} />}
              maxLength={2}
              onChange={(value) => place.set("country", value.toUpperCase())}
            />
            <TextField
              {...text("time_zone")}
              label={<Trans>Time zone</Trans>}
              hint={<Trans>Hours and visits are told on this clock.</Trans>}
              list="zones"
              dir="ltr"
              autoComplete="off"
            />
            <TextField
              {...text("latitude")}
              label={<Trans>Latitude</Trans>}
              hint={<Trans>Paste both numbers of a map at once, as 52.5163, 13.3777.</Trans>}
              dir="ltr"
              inputMode="decimal"
              autoComplete="off"
              onChange={(value) => paste(value, "latitude")}
            />
            <TextField
              {...text("longitude")}
              label={<Trans>Longitude</Trans>}
              hint={
                hasPoint ? (
                  <a
                    href={`https://www.openstreetmap.org/?mlat=${numberOf(latitude)}&mlon=${numberOf(longitude)}#map=17/${numberOf(latitude)}/${numberOf(longitude)}`}
                    target="_blank"
                    rel="noreferrer"
                  >
                    <Trans>See the place on a map (another site)</Trans>
                  </a>
                ) : (
                  <Trans>Without them no search by distance finds the clinic.</Trans>
                )
              }
              dir="ltr"
              inputMode="decimal"
              autoComplete="off"
              onChange={(value) => paste(value, "longitude")}
            />
          </div>
          <datalist id="zones">
            {Intl.supportedValuesOf("timeZone").map((zone) => (
              <option key={zone} value={zone} />
            ))}
          </datalist>
        </section>
        <section className="card stack" aria-labelledby="way-clinic">
          <h2 id="way-clinic">
            <Trans>Getting in</Trans>
          </h2>
          <div className="fields">
            <Field name="step_free" label={<Trans>Way to the rooms</Trans>}>
              {(field) => (
                <select
                  className="input"
                  {...field}
                  value={said.values.step_free}
                  onChange={(event) => said.set("step_free", event.target.value as Said["step_free"])}
                >
                  {STEP_FREE.map(([value, words]) => (
                    <option key={value} value={value}>
                      {i18n._(words)}
                    </option>
                  ))}
                </select>
              )}
            </Field>
            <AreaField
              name="access_notes"
              label={<Trans>How to get in</Trans>}
              hint={<Trans>Entrance, lift, bell, parking: what a person should know before they come.</Trans>}
              value={said.values.access_notes}
              max={2000}
              onChange={(value) => said.set("access_notes", value)}
            />
          </div>
        </section>
        <section className="card stack" aria-labelledby="insured-clinic">
          <h2 id="insured-clinic">
            <Trans>Insurances</Trans>
          </h2>
          <TagsField
            name="insurances"
            label={<Trans>Insurances that all doctors here accept</Trans>}
            hint={<Trans>Press Enter after each. Patients search by them.</Trans>}
            value={said.values.insurances}
            max={60}
            onChange={(value) => said.set("insurances", value)}
          />
        </section>
      </EditForm>
      {!isNew && <ClinicStanding id={id} name={place.values.name} zone={place.values.time_zone} isRetired={isRetired} />}
    </div>
  );
}

/** "Germany" under DE: a wrong pair of letters is seen at once. */
function CountryName({ code }: { code: string }) {
  const { i18n } = useLingui();
  if (!/^[A-Z]{2}$/.test(code)) return <Trans>As DE or GB.</Trans>;
  const name = new Intl.DisplayNames([i18n.locale], { type: "region", fallback: "none" }).of(code);
  return name === undefined ? <Trans>No country is called like this.</Trans> : <bdi>{name}</bdi>;
}
