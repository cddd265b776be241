import { msg } from "@lingui/core/macro";
import type { MessageDescriptor } from "@lingui/core";
import { Trans, useLingui } from "@lingui/react/macro";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { answered, api, type Provider, type Schemas } from "../app/api";
import { useContextOfSession, useFollow } from "../app/shell";
import { Desk } from "../desk/desk";
import { zoneOf } from "../desk/visit";
import { speakOut } from "../ui/spoken";
import { RetireDoctor } from "./closing";
import { useEditing, type Kept } from "./editing";
import { AreaField, EditForm, Meanwhile, TagsField, TextField } from "./form";
import { amountOf, priceOf } from "./money";
import { Photo } from "./photo";
import { keptOf, partOf, theirsOf, useSaving } from "./saving";
import { Standing } from "./standing";

const route = getRouteApi("/desk/entry/$provider");

/** What patients read of a doctor: for the doctor, the clinic's administration, and operators. */
export function EntryPage() {
  const { provider } = route.useParams();
  return <Desk provider={provider}>{(found) => <Entry provider={found} />}</Desk>;
}

/** What the calendar says of a doctor. */
interface Profile {
  name: string;
  specialty: string;
  languages: string[];
  about: string;
}

/** A visit's price, as it is typed. */
interface Priced {
  amount: string;
  currency: string;
  remote: boolean;
}

/** Each visit is a field of its own: two people may price two visits at once. */
type Service = `service-${string}`;
interface Said {
  accepts_new: boolean;
  insurances: string[];
  [kind: Service]: Priced;
}
const serviceOf = (kind: string): Service => `service-${kind}`;

const profileOf = ({ name, specialty, languages, about }: Schemas["ProfileAnswer"]): Profile => ({ name, specialty, languages, about });

const saidOf = (entry: Schemas["ProviderEntryAnswer"]): Said => ({
  accepts_new: entry.accepts_new,
  insurances: entry.insurances,
  ...Object.fromEntries(
    entry.services.map(({ visit_type, price, currency, remote }) => [
      serviceOf(visit_type),
      { amount: price === null ? "" : amountOf(price, currency), currency, remote },
    ]),
  ),
});

const pricesOf = (said: Said): [string, Priced][] =>
  (Object.keys(said) as (keyof Said)[])
    .filter((name): name is Service => name.startsWith("service-"))
    .map((name) => [name.slice("service-".length), said[name]!]);

function bodyOf(said: Said): Schemas["ProviderEntryBody"] {
  const { accepts_new, insurances } = said;
  const rows = pricesOf(said).map(([visit_type, { amount, currency, remote }]) => {
    const price = amount.trim() === "" ? undefined : priceOf(amount, currency);
    return { visit_type, price: price ?? null, currency: price === undefined ? "" : currency, remote };
  });
  return { accepts_new, insurances, services: rows.filter((one) => one.remote || one.price !== null) };
}

const pathOf = (id: string) => ({ path: { provider_id: id } });

async function readProfile(id: string): Promise<Kept<Profile>> {
  const answer = await api.GET("/v1/providers/{provider_id}/profile", { params: pathOf(id) });
  return { values: profileOf(answered(answer)), tag: answer.response.headers.get("etag") ?? "*" };
}

async function readSaid(id: string): Promise<Kept<Said>> {
  const answer = await api.GET("/v1/providers/{provider_id}/directory-entry", { params: pathOf(id) });
  return { values: saidOf(answered(answer)), tag: answer.response.headers.get("etag") ?? "*" };
}

const orNothing = <T,>(read: Promise<T>) => read.catch(() => undefined);

function Entry({ provider }: { provider: Provider }) {
  const id = provider.provider_id;
  const found = useQuery({
    queryKey: ["entry", id],
    staleTime: Infinity,
    gcTime: 0,
    queryFn: async () => {
      const [profile, said] = await Promise.all([readProfile(id), readSaid(id)]);
      return { profile, said };
    },
  });
  if (found.isError) {
    return (
      <p className="notice bad" role="alert">
        <Trans>The entry could not be loaded. Load the page again.</Trans>
      </p>
    );
  }
  if (found.data === undefined) return <div className="card page-room" aria-busy="true" />;
  return <Edit provider={provider} profile={found.data.profile} said={found.data.said} />;
}

const WORDS: Record<string, MessageDescriptor> = {
  name: msg`Write the doctor's name.`,
  specialty: msg`Write the specialty, as Dermatology.`,
  about: msg`Shorten the text: it has room for 4,000 characters.`,
  languages: msg`Choose a language from the list.`,
};
const PRICE = msg`Write a price as a number, as 65 or 65.50, with its currency.`;

/** Languages that are offered; others can be typed as their tags. */
const LANGUAGES =
  "am ar bg bn cs da de el en es et fa fi fr gu he hi hr hu hy id it ja ka km ko ku lt lv mk ml mr ms my nl no pa pl ps pt ro ru sk sl so sq sr sv sw ta te th ti tl tr uk ur uz vi yo zh zu".split(
    " ",
  );
const CURRENCIES = "AED AUD BRL CAD CHF CNY CZK DKK EGP EUR GBP HUF INR JPY KES KWD NGN NOK NZD PLN RON SAR SEK TRY USD ZAR".split(" ");

function checked(profile: Profile, said: Said): Record<string, MessageDescriptor> {
  const wrong: Record<string, MessageDescriptor> = {};
  if (profile.name.trim() === "") wrong["name"] = WORDS["name"]!;
  if (profile.specialty.trim() === "") wrong["specialty"] = WORDS["specialty"]!;
  if (profile.about.length > 4000) wrong["about"] = WORDS["about"]!;
  for (const [kind, { amount, currency }] of pricesOf(said)) {
    if (amount.trim() === "") continue;
    if (!/^[A-Z]{3}$/.test(currency) || priceOf(amount, currency) === undefined) wrong[serviceOf(kind)] = PRICE;
  }
  return wrong;
}

function Edit({ provider, profile: keptProfile, said: keptSaid }: { provider: Provider; profile: Kept<Profile>; said: Kept<Said> }) {
  const { t, i18n } = useLingui();
  const follow = useFollow();
  const queries = useQueryClient();
  const role = useContextOfSession()?.role ?? "";
  const id = provider.provider_id;
  const profile = useEditing(keptProfile);
  const said = useEditing(keptSaid);
  const saving = useSaving(
    [
      partOf(
        profile,
        async (values, tag) => {
          const answer = await api.PUT("/v1/providers/{provider_id}/profile", {
            params: pathOf(id),
            headers: { "If-Match": tag },
            body: values,
          });
          return keptOf(answer, profileOf, "*");
        },
        () => orNothing(readProfile(id)),
      ),
      partOf(
        said,
        async (values, tag) => {
          const answer = await api.PUT("/v1/providers/{provider_id}/directory-entry", {
            params: pathOf(id),
            headers: { "If-Match": tag },
            body: bodyOf(values),
          });
          return keptOf(answer, saidOf, "*");
        },
        () => orNothing(readSaid(id)),
      ),
    ],
    (field) => WORDS[field],
  );
  if (role === "staff") {
    return (
      <p className="notice bad" role="alert">
        <Trans>Only the doctor and the clinic's administration edit this entry.</Trans>
      </p>
    );
  }
  const save = async () => {
    if (!(await saving.save(checked(profile.values, said.values)))) return;
    speakOut(t`The entry is saved.`);
    await Promise.all([["provider", id], ["doctors"]].map((queryKey) => queries.invalidateQueries({ queryKey })));
  };
  const isAdmin = role === "clinic_admin" || role === "admin";
  const names = new Intl.DisplayNames([i18n.locale], { type: "language" });
  const sayLanguage = (tag: string) => {
    try {
      return names.of(tag) ?? tag;
    } catch {
      return tag;
    }
  };
  const sayPrice = ({ amount, currency, remote }: Priced) =>
    [amount, amount && currency, remote && t`by video or telephone`].filter(Boolean).join(" ");
  const theirs = {
    ...theirsOf(profile, (name, value) => (name === "languages" ? (value as string[]).map(sayLanguage).join(", ") : String(value))),
    ...theirsOf(said, (_, value) =>
      typeof value === "boolean" ? (value ? t`yes` : t`no`) : Array.isArray(value) ? value.join(", ") : sayPrice(value as Priced),
    ),
  };
  return (
    <div className="stack medium">
      <div>
        {isAdmin && (
          <p>
            <a href={role === "admin" ? `/clinic?clinic=${encodeURIComponent(provider.clinic.clinic_id)}` : "/clinic"} onClick={follow}>
              <Trans>Back to the clinic</Trans>
            </a>
          </p>
        )}
        <h1>
          <Trans>What patients read</Trans>
        </h1>
        <p className="quiet">
          <Trans>
            <bdi>{provider.name}</bdi>, <bdi>{provider.clinic.name}</bdi>. The search finds doctors by all of this.
          </Trans>{" "}
          <a href={`/p/${id}`} onClick={follow}>
            <Trans>See the page</Trans>
          </a>
        </p>
      </div>
      <section className="card stack" aria-labelledby="photo-person">
        <h2 id="photo-person">
          <Trans>Photo</Trans>
        </h2>
        <Photo of={`/v1/providers/${id}`} name={provider.name} />
      </section>
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
        <section className="card stack" aria-labelledby="person">
          <h2 id="person">
            <Trans>The person</Trans>
          </h2>
          <div className="fields">
            <TextField
              name="name"
              label={<Trans>Name</Trans>}
              hint={isAdmin ? undefined : <Trans>The clinic's administration changes it.</Trans>}
              readOnly={!isAdmin}
              required
              maxLength={200}
              autoComplete="off"
              value={profile.values.name}
              onChange={(value) => profile.set("name", value)}
            />
            <Specialty value={profile.values.specialty} isOpen={isAdmin} onChange={(value) => profile.set("specialty", value)} />
            <TagsField
              name="languages"
              label={<Trans>Languages that are spoken</Trans>}
              hint={<Trans>Choose one after the other.</Trans>}
              value={profile.values.languages}
              max={32}
              say={sayLanguage}
              offered={LANGUAGES.map((tag) => [tag, sayLanguage(tag)] as const)}
              accepts={isLanguage}
              onChange={(value) => profile.set("languages", value)}
            />
            <AreaField
              name="about"
              label={<Trans>About</Trans>}
              hint={<Trans>In a few sentences: what for, how, for whom. No promises of healing.</Trans>}
              value={profile.values.about}
              max={4000}
              rows={6}
              onChange={(value) => profile.set("about", value)}
            />
          </div>
        </section>
        <section className="card stack" aria-labelledby="patients">
          <h2 id="patients">
            <Trans>Patients</Trans>
          </h2>
          <label className="check">
            <input
              type="checkbox"
              checked={said.values.accepts_new}
              onChange={(event) => said.set("accepts_new", event.target.checked)}
            />
            <span>
              <Trans>New patients are accepted</Trans>
              <span className="quiet small below">
                <Trans>Patients search by it. It does not keep anyone from booking.</Trans>
              </span>
            </span>
          </label>
          <Meanwhile name="accepts_new" />
          <TagsField
            name="insurances"
            label={<Trans>Insurances, beside those of the clinic</Trans>}
            hint={<Trans>Press Enter after each. Patients search by them.</Trans>}
            value={said.values.insurances}
            max={60}
            onChange={(value) => said.set("insurances", value)}
          />
        </section>
        <Services provider={provider} isDesk={role !== "admin"} said={said.values} onChange={(kind, one) => said.set(serviceOf(kind), one)} />
      </EditForm>
      {isAdmin && (
        <section className="card stack" aria-labelledby="works">
          <h2 id="works">
            <Trans>Working here</Trans>
          </h2>
          <p>
            {provider.retired || provider.suspended ? (
              <Trans>Patients do not find this doctor, and nothing can be booked. Visits that were booked stay.</Trans>
            ) : (
              <Trans>A doctor who leaves is retired: found no longer, nothing more is booked. Visits ahead stay until each is moved or cancelled.</Trans>
            )}
          </p>
          <div className="row">
            <Standing
              doctor={{ provider_id: id, name: provider.name, specialty: provider.specialty, retired: provider.retired, suspended: provider.suspended }}
              zone={zoneOf(provider)}
            />
            <RetireDoctor doctor={provider} zone={zoneOf(provider)} canMove={role === "clinic_admin"} />
          </div>
        </section>
      )}
    </div>
  );
}

/** Whether it is the tag of a language that has a name: a misspelt name could be a tag too. */
function isLanguage(tag: string): boolean {
  try {
    const names = new Intl.DisplayNames(["en"], { type: "language", fallback: "none" });
    return /^[a-z]{2,3}(-[\w-]+)?$/i.test(tag) && tag.length <= 35 && names.of(tag) !== undefined;
  } catch {
    return false;
  }
}

/** Free text; the titles that the search knows are offered. */
function Specialty({ value, isOpen, onChange }: { value: string; isOpen: boolean; onChange: (value: string) => void }) {
  const { i18n } = useLingui();
  const found = useQuery({
    queryKey: ["specialties", i18n.locale],
    enabled: isOpen,
    queryFn: async () => answered(await api.GET("/v1/specialties", { params: { query: { language: i18n.locale } } })).items,
  });
  return (
    <>
      <TextField
        name="specialty"
        label={<Trans>Specialty</Trans>}
        hint={isOpen ? undefined : <Trans>The clinic's administration changes it.</Trans>}
        readOnly={!isOpen}
        required
        maxLength={200}
        autoComplete="off"
        list="specialties"
        value={value}
        onChange={onChange}
      />
      <datalist id="specialties">
        {(found.data ?? []).map((one) => (
          <option key={one.specialty} value={one.title} />
        ))}
      </datalist>
    </>
  );
}

/** Prices, visit by visit. How long each takes is part of the hours. */
function Services(props: { provider: Provider; isDesk: boolean; said: Said; onChange: (kind: string, one: Priced) => void }) {
  const { provider, isDesk, said, onChange } = props;
  const follow = useFollow();
  const currency = pricesOf(said).find(([, one]) => one.currency !== "")?.[1].currency ?? currencyOf(provider.clinic.country);
  return (
    <section className="card stack" aria-labelledby="services">
      <div>
        <h2 id="services">
          <Trans>Visits and prices</Trans>
        </h2>
        <p className="quiet small">
          <Trans>Leave a price empty if it is not stated.</Trans>{" "}
          {isDesk && (
            <a href={`/desk/hours/${provider.provider_id}`} onClick={follow}>
              <Trans>Change names and lengths under Hours</Trans>
            </a>
          )}
        </p>
      </div>
      {provider.visit_types.length === 0 && (
        <p>
          <Trans>No visit can be booked yet: add visits under Hours first.</Trans>
        </p>
      )}
      {provider.visit_types.map(({ visit_type, title, minutes, resource_kinds: kinds = [] }) => {
        const one = said[serviceOf(visit_type)] ?? { amount: "", currency, remote: false };
        const set = (next: Partial<Priced>) => onChange(visit_type, { ...one, ...next });
        return (
          <fieldset key={visit_type} className="service">
            <legend>
              <bdi>{title}</bdi>{" "}
              <span className="quiet small">
                <Trans>{minutes} minutes</Trans>
              </span>{" "}
              {kinds.includes("room") && (
                <span className="chip plain">
                  <Trans>takes a room</Trans>
                </span>
              )}{" "}
              {kinds.includes("equipment") && (
                <span className="chip plain">
                  <Trans>takes equipment</Trans>
                </span>
              )}
            </legend>
            <TextField
              name={serviceOf(visit_type)}
              label={<Trans>Price</Trans>}
              inputMode="decimal"
              dir="ltr"
              maxLength={12}
              autoComplete="off"
              value={one.amount}
              onChange={(amount) => set({ amount, currency: one.currency || currency })}
            />
            <TextField
              name={`currency-${visit_type}`}
              label={<Trans>Currency</Trans>}
              list="currencies"
              dir="ltr"
              maxLength={3}
              autoComplete="off"
              value={one.currency || currency}
              onChange={(value) => set({ currency: value.toUpperCase() })}
            />
            <label className="check">
              <input type="checkbox" checked={one.remote} onChange={(event) => set({ remote: event.target.checked })} />
              <span>
                <Trans>By video or telephone</Trans>
              </span>
            </label>
          </fieldset>
        );
      })}
      <datalist id="currencies">
        {CURRENCIES.map((one) => (
          <option key={one} value={one} />
        ))}
      </datalist>
    </section>
  );
}

const OF_COUNTRY: Record<string, string> = { GB: "GBP", US: "USD", CH: "CHF", KE: "KES", EG: "EGP", AE: "AED", SA: "SAR", IN: "INR", PL: "PLN", JP: "JPY" };

/** What prices of a country are mostly in: only what an empty form begins with. */
const currencyOf = (country: string) => OF_COUNTRY[country] ?? "EUR";
