import { msg } from "@lingui/core/macro";
import { Trans, useLingui } from "@lingui/react/macro";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import { answered, api, newKey, Refused } from "../app/api";
import { refusalText } from "../app/refusals";
import { useContextOfSession, useIsReady } from "../app/shell";
import { HERE, say } from "../app/time";
import { PleaseSignIn } from "../ui/please";
import { speakOut } from "../ui/spoken";
import { isUnproved, Unproved } from "../ui/unproved";

const route = getRouteApi("/clinics/$clinic/glass");
const VERDICTS: Record<string, ReturnType<typeof msg>> = {
  justified: msg`justified`,
  unjustified: msg`not justified`,
};

/** Emergency access to patients' data, for another person to review: mails link to it. */
export function GlassPage() {
  const { clinic } = route.useParams();
  const context = useContextOfSession();
  const isReady = useIsReady();
  if (!isReady) return <div className="card page-room" aria-busy="true" />;
  if (context === undefined) return <PleaseSignIn />;
  return <Glasses key={context.subject} clinic={clinic} />;
}

function Glasses({ clinic }: { clinic: string }) {
  const { t, i18n } = useLingui();
  const queries = useQueryClient();
  const [wrong, setWrong] = useState<string>();
  const found = useQuery({
    queryKey: ["glass", clinic],
    retry: false,
    queryFn: async () =>
      answered(await api.GET("/v1/clinics/{clinic_id}/glass", { params: { path: { clinic_id: clinic } } })).items,
  });
  const review = async (glass_id: string, verdict: "justified" | "unjustified") => {
    const { error } = await api.POST("/v1/clinics/{clinic_id}/glass/{glass_id}/review", {
      params: { path: { clinic_id: clinic, glass_id }, header: { "Idempotency-Key": newKey() } },
      body: { verdict },
    });
    setWrong(error && i18n._(refusalText(error.code)));
    if (error === undefined) speakOut(t`The review is saved.`);
    await queries.invalidateQueries({ queryKey: ["glass"] });
  };
  const time = (at: string) => say(at, HERE, { dateStyle: "medium", timeStyle: "short" });
  return (
    <div className="stack medium">
      <h1>
        <Trans>Emergency access to patients' data</Trans>
      </h1>
      <p className="quiet">
        <Trans>Each access is reviewed by another person than the one who took it.</Trans>
      </p>
      <Unproved error={found.error} onAgain={() => found.refetch()} />
      {(wrong !== undefined || (found.isError && !isUnproved(found.error))) && (
        <p className="notice bad" role="alert">
          {wrong ?? i18n._(refusalText(found.error instanceof Refused ? found.error.code : undefined))}
        </p>
      )}
      {found.data?.length === 0 && (
        <p className="card">
          <Trans>Nothing was opened in an emergency.</Trans>
        </p>
      )}
      <ul className="plain-list stack" aria-busy={found.isPending}>
        {(found.data ?? []).map((one) => (
          <li key={one.glass_id} className="card stack tight">
            <h2>
              <bdi>{time(one.opened_at)}</bdi> – <bdi>{time(one.until)}</bdi>
            </h2>
            <p>
              <Trans>
                <bdi>{one.account_id}</bdi> opened the data of <bdi>{one.patient_id}</bdi>.
              </Trans>
            </p>
            <p>
              <Trans>Reason:</Trans> <bdi>{one.reason}</bdi>
            </p>
            {one.verdict === null ? (
              <div className="row">
                <button className="button primary" type="button" onClick={() => void review(one.glass_id, "justified")}>
                  <Trans>It was justified</Trans>
                </button>
                <button className="button danger" type="button" onClick={() => void review(one.glass_id, "unjustified")}>
                  <Trans>It was not justified</Trans>
                </button>
              </div>
            ) : (
              <p>
                <span className="chip plain">{i18n._(VERDICTS[one.verdict ?? ""] ?? msg`reviewed`)}</span>{" "}
                {one.reviewed_at !== null && <bdi className="quiet small">{time(one.reviewed_at)}</bdi>}
              </p>
            )}
          </li>
        ))}
      </ul>
    </div>
  );
}
