import "./ops.css";
import { Trans, useLingui } from "@lingui/react/macro";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { answered, api } from "../app/api";
import { HERE, say } from "../app/time";
import { LOCALES, type Locale } from "../i18n";
import { Gate } from "../ui/gate";
import { speakOut } from "../ui/spoken";

/** What people are told: every text as they read it, and what could not be delivered. */
export function NoticesPage() {
  return (
    <Gate>
      <div className="stack medium">
        <h1>
          <Trans>What people are told</Trans>
        </h1>
        <DeadLetters />
        <Samples />
      </div>
    </Gate>
  );
}

/** Only for sessions that proved two factors; else the section is not shown. */
function DeadLetters() {
  const { t } = useLingui();
  const queries = useQueryClient();
  const found = useQuery({
    queryKey: ["dead notices"],
    retry: false,
    queryFn: async () =>
      answered(await api.GET("/v1/jobs/dead", { params: { query: { kind: "notices", limit: 200 } } })),
  });
  const [isBusy, setBusy] = useState(false);
  const resend = async (ids: number[]) => {
    setBusy(true);
    const { data } = await api.POST("/v1/jobs/resend", { body: { ids } });
    setBusy(false);
    if (data !== undefined) speakOut(t`Sent again: they are tried at once.`);
    await queries.invalidateQueries({ queryKey: ["dead notices"] });
  };
  if (found.data === undefined) return null;
  const letters = found.data.items;
  return (
    <section className="card stack" aria-labelledby="dead">
      <h2 id="dead">
        <Trans>Not delivered</Trans>
      </h2>
      {letters.length === 0 ? (
        <p className="quiet">
          <Trans>Nothing was given up.</Trans>
        </p>
      ) : (
        <>
          <div className="scroll">
            <table>
              <thead>
                <tr>
                  <th scope="col">
                    <Trans>Kind</Trans>
                  </th>
                  <th scope="col">
                    <Trans>Given up</Trans>
                  </th>
                  <th scope="col">
                    <Trans>Attempts</Trans>
                  </th>
                  <th scope="col">
                    <Trans>Why</Trans>
                  </th>
                  <td />
                </tr>
              </thead>
              <tbody>
                {letters.map((one) => (
                  <tr key={one.id}>
                    <th scope="row">
                      <bdi lang="en">{one.kind}</bdi>
                    </th>
                    <td>{say(one.dead_at, HERE, { dateStyle: "medium", timeStyle: "short" })}</td>
                    <td>{one.attempts}</td>
                    <td>
                      <bdi lang="en">{one.error}</bdi>
                    </td>
                    <td>
                      <button
                        type="button"
                        className="button small"
                        disabled={isBusy}
                        onClick={() => void resend([one.id])}
                      >
                        <Trans>Send again</Trans>
                      </button>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
          <div>
            <button
              type="button"
              className="button"
              disabled={isBusy}
              onClick={() => void resend(letters.map((one) => one.id))}
            >
              <Trans>Send all of these again</Trans>
            </button>
          </div>
        </>
      )}
    </section>
  );
}

/** Texts of an invented visit, in the forms that people get. */
function Samples() {
  const { t, i18n } = useLingui();
  const [language, setLanguage] = useState(i18n.locale as Locale);
  const found = useQuery({
    queryKey: ["samples", language],
    queryFn: async () => answered(await api.GET("/v1/samples/notices", { params: { query: { language } } })),
  });
  return (
    <section className="card stack" aria-labelledby="samples">
      <h2 id="samples">
        <Trans>Texts of messages</Trans>
      </h2>
      <p className="quiet">
        <Trans>Of an invented visit. Nothing is sent.</Trans>
      </p>
      <div className="field">
        <label htmlFor="sample-language">
          <Trans>Language</Trans>
        </label>
        <select
          id="sample-language"
          className="input"
          value={language}
          onChange={(event) => setLanguage(event.target.value as Locale)}
        >
          {Object.entries(LOCALES).map(([locale, name]) => (
            <option key={locale} value={locale} lang={locale}>
              {name}
            </option>
          ))}
        </select>
      </div>
      {found.data?.items.map((one) => (
        <details key={`${one.kind} ${one.language}`}>
          <summary>
            <strong>
              <bdi lang={one.language}>{one.subject}</bdi>
            </strong>
          </summary>
          <div className="stack">
            <pre className="sample" lang={one.language} dir="auto">
              {one.text}
            </pre>
            <pre className="sample" lang={one.language} dir="auto" aria-label={t`To phones`}>
              {one.short}
            </pre>
            <div>
              <a
                className="button small"
                href={`/v1/samples/notices/${one.kind}/${one.language}`}
                target="_blank"
                rel="noopener"
              >
                <Trans>See the page of the mail</Trans>
              </a>
            </div>
          </div>
        </details>
      ))}
    </section>
  );
}
