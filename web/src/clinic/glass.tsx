import "./clinic.css";
import { msg } from "@lingui/core/macro";
import { Trans, useLingui } from "@lingui/react/macro";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import { answered, api, newKey, Refused, type Schemas } from "../app/api";
import { staffRefusal } from "./refusals";
import { cityOf, HERE, say } from "../app/time";
import { PatientName, ProviderName, useClinic } from "../desk/names";
import { Icon } from "../ui/icons";
import { Gate } from "../ui/gate";
import { speakOut } from "../ui/spoken";
import { isUnproved, Unproved } from "../ui/unproved";
import { useFocusAfter } from "./focus";

type Glass = Schemas["GlassAnswer"];

const route = getRouteApi("/clinics/$clinic/glass");
const VERDICTS: Record<string, ReturnType<typeof msg>> = {
  justified: msg`justified`,
  unjustified: msg`not justified`,
};

const ROLES: Record<string, ReturnType<typeof msg>> = {
  doctor: msg`doctor`,
  clinic_admin: msg`administration`,
  admin: msg`operator`,
};

/** Emergency access to patients' data, for another person to review: mails link to it. */
export function GlassPage() {
  const { clinic } = route.useParams();
  return <Gate>{({ subject }) => <Glasses key={subject} clinic={clinic} />}</Gate>;
}

function Glasses({ clinic }: { clinic: string }) {
  const { t, i18n } = useLingui();
  const queries = useQueryClient();
  const [wrong, setWrong] = useState<string>();
  const known = useClinic(clinic);
  const found = useQuery({
    queryKey: ["glass", clinic],
    retry: false,
    queryFn: async () =>
      answered(await api.GET("/v1/clinics/{clinic_id}/glass", { params: { path: { clinic_id: clinic } } })).items,
  });
  const focusAfter = useFocusAfter(found.data);
  const review = async (glass_id: string, verdict: "justified" | "unjustified") => {
    const { error } = await api.POST("/v1/clinics/{clinic_id}/glass/{glass_id}/review", {
      params: { path: { clinic_id: clinic, glass_id }, header: { "Idempotency-Key": newKey() } },
      body: { verdict },
    });
    setWrong(error && i18n._(staffRefusal(error.code)));
    if (error === undefined) speakOut(t`The review is saved.`);
    focusAfter(glass_id);
    await queries.invalidateQueries({ queryKey: ["glass"] });
  };
  // The platform's own accesses belong to no clinic: they are told on the reader's clock.
  const zone = known.data?.time_zone ?? HERE;
  const city = cityOf(zone);
  return (
    <div className="stack medium">
      <div>
        <h1>
          <Trans>Emergency access to patients' data</Trans>
        </h1>
        {known.data !== undefined && (
          <p className="quiet">
            <bdi>{known.data.name}</bdi>
          </p>
        )}
      </div>
      <p className="quiet">
        <Trans>Each access is reviewed by another person than the one who took it.</Trans>{" "}
        <Trans>
          Times are those of <bdi>{city}</bdi>.
        </Trans>
      </p>
      <Unproved error={found.error} onAgain={() => found.refetch()} />
      {(wrong !== undefined || (found.isError && !isUnproved(found.error))) && (
        <p className="notice bad" role="alert">
          {wrong ?? i18n._(staffRefusal(found.error instanceof Refused ? found.error.code : undefined))}
        </p>
      )}
      {found.data?.length === 0 && (
        <p className="card empty">
          <Icon name="shield" size={32} />
          <Trans>Nothing was opened in an emergency.</Trans>
        </p>
      )}
      {!known.isLoading && (
        <ul className="plain-list stack" aria-busy={found.isPending}>
          {(found.data ?? []).map((one) => (
            <Access key={one.glass_id} glass={one} zone={zone} onReview={(verdict) => void review(one.glass_id, verdict)} />
          ))}
        </ul>
      )}
    </div>
  );
}

interface AccessProps {
  glass: Glass;
  zone: string;
  onReview: (verdict: "justified" | "unjustified") => void;
}

function Access({ glass, zone, onReview }: AccessProps) {
  const { i18n } = useLingui();
  const time = (at: string, options: Intl.DateTimeFormatOptions) => <bdi>{say(at, zone, options)}</bdi>;
  const whole = { dateStyle: "medium", timeStyle: "short" } as const;
  const heading = `${glass.glass_id}-heading`;
  const isOpen = glass.verdict === null;
  return (
    <li id={glass.glass_id} className="card stack tight" tabIndex={-1} aria-labelledby={heading}>
      <div className="row between">
        <h2 id={heading}>
          <Trans>
            <Taker glass={glass} /> opened the data of <Opened id={glass.patient_id} />
          </Trans>
        </h2>
        {isOpen ? (
          <span className="chip warn">
            <Trans>to be reviewed</Trans>
          </span>
        ) : (
          <span className="chip plain">{i18n._(VERDICTS[glass.verdict ?? ""] ?? msg`reviewed`)}</span>
        )}
      </div>
      <p className="quiet small">
        {time(glass.opened_at, whole)} – {time(glass.until, { timeStyle: "short" })}
        {glass.email !== "" && (
          <>
            {" · "}
            <bdi>{glass.email}</bdi>
          </>
        )}
        {ROLES[glass.role] !== undefined && <> · {i18n._(ROLES[glass.role]!)}</>}
      </p>
      <blockquote>
        <span className="hidden">
          <Trans>Reason:</Trans>
        </span>{" "}
        <bdi>{glass.reason}</bdi>
      </blockquote>
      {isOpen ? (
        <div className="row">
          <button className="button primary" type="button" aria-describedby={heading} onClick={() => onReview("justified")}>
            <Trans>It was justified</Trans>
          </button>
          <button className="button danger" type="button" aria-describedby={heading} onClick={() => onReview("unjustified")}>
            <Trans>It was not justified</Trans>
          </button>
        </div>
      ) : (
        glass.reviewed_at !== null && (
          <p className="quiet small">
            {glass.reviewer_email === null ? (
              <Trans>Reviewed at {time(glass.reviewed_at, whole)}</Trans>
            ) : (
              <Trans>
                Reviewed by <bdi>{glass.reviewer_email}</bdi>, {time(glass.reviewed_at, whole)}
              </Trans>
            )}
          </p>
        )
      )}
    </li>
  );
}

/** A doctor by the name that patients read; others by their address. */
function Taker({ glass }: { glass: Glass }) {
  const { t } = useLingui();
  const address = glass.email || t`An account that was erased`;
  if (glass.role === "doctor") return <ProviderName id={glass.subject} without={address} />;
  return <bdi>{address}</bdi>;
}

/** The clinic may not know the patient: that is what emergency access is for. */
function Opened({ id }: { id: string }) {
  return (
    <PatientName
      id={id}
      without={
        <Trans>
          a patient whom the clinic does not know <bdi className="quiet small">{id}</bdi>
        </Trans>
      }
    />
  );
}
