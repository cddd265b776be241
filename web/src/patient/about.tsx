import "./about.css";
import { Trans, useLingui } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, type ReactNode } from "react";
import { answered, api, type Provider, type Schemas } from "../app/api";
import { useContextOfSession } from "../app/shell";
import { enter } from "../i18n";
import { RepeatWay } from "../series/ways";
import { patiently } from "../app/patiently";

// Not shown before its sentences are here.
await enter("about");

const Reviews = lazy(patiently(async () => ({ default: (await import("../reviews/shown")).Reviews })));
const AskProvider = lazy(patiently(async () => ({ default: (await import("../waiting/ask")).AskProvider })));

/** How many seats a group visit has left. */
const SeatsLeft = lazy(
  patiently(async () => {
    const [found] = await Promise.all([import("./seats"), enter("account")]);
    return { default: found.SeatsLeft };
  }),
);

/** What stands under a doctor's times, and is loaded after them. */
export default function Under({ provider }: { provider: Provider }) {
  return (
    <>
      {provider.visit_types.some((one) => (one.capacity ?? 1) > 1) && (
        <Suspense fallback={null}>
          <SeatsLeft provider={provider} />
        </Suspense>
      )}
      <Suspense fallback={<div className="card ask-room" aria-hidden="true" />}>
        <AskProvider provider={provider} />
      </Suspense>
      <About provider={provider} />
      <Suspense fallback={null}>
        <Reviews provider={provider} />
      </Suspense>
    </>
  );
}

/** What a doctor and their clinic say of themselves. */
function About({ provider }: { provider: Provider }) {
  const { t } = useLingui();
  const { provider_id, clinic, visit_types: types } = provider;
  const role = useContextOfSession()?.role;
  const mayBook = (role === "patient" || role === "guardian") && types[0] !== undefined;
  // The times do not wait for it, and a failure leaves out what it would add.
  const found = useQuery({
    queryKey: ["about", provider_id],
    retry: 1,
    queryFn: async () => {
      const [entry, place] = await Promise.all([
        api.GET("/v1/providers/{provider_id}/directory-entry", { params: { path: { provider_id } } }),
        api.GET("/v1/clinics/{clinic_id}/directory-entry", { params: { path: { clinic_id: clinic.clinic_id } } }),
      ]);
      return { entry: answered(entry), place: answered(place) };
    },
  });
  const { entry, place } = found.data ?? {};
  const insurances = [...new Set([...(entry?.insurances ?? []), ...(place?.insurances ?? [])])];
  const address = [clinic.address, [clinic.postcode, clinic.city].filter(Boolean).join(" ")].filter(Boolean).join(", ");
  return (
    <section className="card stack" aria-labelledby="about">
      <h2 id="about">
        <Trans>About</Trans>
      </h2>
      <div className="about">
        {provider.about !== "" && (
          <p className="lines wide">
            <bdi>{provider.about}</bdi>
          </p>
        )}
        <Prices provider={provider} services={entry?.services ?? []} />
        {provider.languages.length > 0 && (
          <Part title={<Trans>Languages</Trans>}>
            <Languages tags={provider.languages} />
          </Part>
        )}
        {insurances.length > 0 && (
          <Part title={<Trans>Insurances</Trans>}>
            {insurances.map((one, index) => (
              <span key={one}>
                {index > 0 && t`, `}
                <bdi>{one}</bdi>
              </span>
            ))}
          </Part>
        )}
        {entry !== undefined && (
          <Part title={<Trans>New patients</Trans>}>
            {entry.accepts_new ? <Trans>are accepted</Trans> : <Trans>are not accepted just now</Trans>}
          </Part>
        )}
        {place?.photo_large && (
          <img className="wide place" src={place.photo_large} alt={clinic.name} width="640" height="360" loading="lazy" />
        )}
        <Part title={<bdi>{clinic.name}</bdi>}>
          <bdi>{address}</bdi>
          {clinic.phone !== "" && (
            <>
              <br />
              <a href={`tel:${clinic.phone.replace(/[^\d+]/g, "")}`}>
                <bdi dir="ltr">{clinic.phone}</bdi>
              </a>
            </>
          )}
          {place !== undefined && /^https?:\/\//.test(place.website) && (
            <>
              <br />
              <a href={place.website} rel="noreferrer nofollow" target="_blank">
                <bdi dir="ltr">{place.website.replace(/^https?:\/\/|\/$/g, "")}</bdi>
              </a>
            </>
          )}
        </Part>
        {place !== undefined && (place.step_free !== "" || place.access_notes !== "") && (
          <Part title={<Trans>Getting in</Trans>}>
            {place.step_free === "yes" && <Trans>Without steps.</Trans>}
            {place.step_free === "partly" && <Trans>Partly without steps.</Trans>}
            {place.step_free === "no" && <Trans>There are steps.</Trans>}
            {place.access_notes !== "" && (
              <span className="lines">
                {place.step_free !== "" && "\n"}
                <bdi>{place.access_notes}</bdi>
              </span>
            )}
          </Part>
        )}
      </div>
      {mayBook && (
        <Suspense fallback={null}>
          <RepeatWay
            provider={provider}
            zone={provider.locations[0]?.time_zone ?? clinic.time_zone}
            type={types[0]!.visit_type}
            start={types[0]!.next_free ?? undefined}
          />
        </Suspense>
      )}
    </section>
  );
}

function Part({ title, children }: { title: ReactNode; children: ReactNode }) {
  return (
    <div>
      <h3>{title}</h3>
      <p>{children}</p>
    </div>
  );
}

function Languages({ tags }: { tags: readonly string[] }) {
  const { i18n } = useLingui();
  const names = new Intl.DisplayNames([i18n.locale], { type: "language" });
  const say = (tag: string) => {
    try {
      return names.of(tag) ?? tag;
    } catch {
      return tag;
    }
  };
  return <bdi>{new Intl.ListFormat(i18n.locale, { type: "unit", style: "short" }).format(tags.map(say))}</bdi>;
}

/** What visits cost, and which are remote; those of which neither is stated are left out. */
function Prices({ provider, services }: { provider: Provider; services: readonly Schemas["ServiceAnswer"][] }) {
  const { i18n } = useLingui();
  const rows = provider.visit_types.flatMap(({ visit_type, title }) => {
    const one = services.find((service) => service.visit_type === visit_type);
    return one === undefined || (one.price === null && !one.remote) ? [] : [{ title, ...one }];
  });
  if (rows.length === 0) return null;
  const money = (price: number, currency: string) => {
    const format = new Intl.NumberFormat(i18n.locale, { style: "currency", currency });
    return format.format(price / 10 ** (format.resolvedOptions().maximumFractionDigits ?? 2));
  };
  return (
    <div className="wide">
      <h3>
        <Trans>Visits</Trans>
      </h3>
      <ul className="plain-list prices">
        {rows.map((one) => (
          <li key={one.visit_type}>
            <span>
              <bdi>{one.title}</bdi>{" "}
              {one.remote && (
                <span className="chip plain">
                  <Trans>by video or telephone</Trans>
                </span>
              )}
            </span>
            {one.price !== null && <bdi>{money(one.price, one.currency)}</bdi>}
          </li>
        ))}
      </ul>
    </div>
  );
}
