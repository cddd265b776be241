import { msg } from "@lingui/core/macro";
import { Trans, useLingui } from "@lingui/react/macro";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState, type FormEvent } from "react";
import { answered, api, newKey, type Schemas } from "../app/api";
import { staffRefusal } from "./refusals";
import { HERE, say } from "../app/time";
import { speakOut } from "../ui/spoken";
import { isUnproved, Unproved } from "../ui/unproved";
import { useFocusAfter } from "./focus";

type Application = Schemas["ApplicationAnswer"];

const STATUS: Record<Application["status"], ReturnType<typeof msg>> = {
  submitted: msg`to be decided`,
  approved: msg`approved`,
  rejected: msg`rejected`,
  withdrawn: msg`withdrawn`,
};

/** Doctors who want to work at a clinic: approved, they have a calendar and are found at once. */
export function Applications({ clinic }: { clinic: string }) {
  const { t, i18n } = useLingui();
  const queries = useQueryClient();
  const [wrong, setWrong] = useState<string>();
  const found = useQuery({
    queryKey: ["applications", clinic],
    retry: false,
    queryFn: async () =>
      answered(await api.GET("/v1/clinics/{clinic_id}/applications", { params: { path: { clinic_id: clinic } } })).items,
  });
  const focusAfter = useFocusAfter(found.data);
  const settle = async (id: string, error: { code: string } | undefined, said: string) => {
    focusAfter(id);
    setWrong(
      error?.code === "application_decided"
        ? t`This was decided or withdrawn meanwhile.`
        : error && i18n._(staffRefusal(error.code)),
    );
    if (error === undefined) speakOut(said);
    await Promise.all(
      ["applications", "members", "doctors"].map((one) => queries.invalidateQueries({ queryKey: [one] })),
    );
  };
  const asked = (one: Application) => ({
    path: { clinic_id: clinic, application_id: one.application_id },
    header: { "Idempotency-Key": newKey() },
  });
  const approve = async (one: Application) => {
    const path = "/v1/clinics/{clinic_id}/applications/{application_id}/approve";
    const { error } = await api.POST(path, { params: asked(one) });
    await settle(one.application_id, error, t`Approved. Set the hours next.`);
  };
  const reject = async (one: Application, reason: string) => {
    const path = "/v1/clinics/{clinic_id}/applications/{application_id}/reject";
    const { error } = await api.POST(path, { params: asked(one), body: { reason } });
    await settle(one.application_id, error, t`Rejected.`);
  };
  if (found.isError && !isUnproved(found.error)) return null;
  return (
    <section className="card stack" aria-labelledby="applications">
      <h2 id="applications">
        <Trans>Applications of doctors</Trans>
      </h2>
      {wrong !== undefined && (
        <p className="notice bad" role="alert">
          {wrong}
        </p>
      )}
      <Unproved error={found.error} onAgain={() => found.refetch()} />
      {found.data?.length === 0 && (
        <p className="quiet">
          <Trans>No doctor has applied. A doctor with an account applies in the settings.</Trans>
        </p>
      )}
      <ul className="plain-list stack" aria-busy={found.isPending}>
        {(found.data ?? []).map((one) => (
          <li key={one.application_id} id={one.application_id} className="stack tight" tabIndex={-1}>
            <h3>
              <bdi>{one.name}</bdi> <span className="chip plain">{i18n._(STATUS[one.status])}</span>
            </h3>
            <p>
              <bdi>{one.specialty}</bdi> · <Trans>Licence</Trans>{" "}
              <bdi>{[one.country, one.registry, one.licence].filter(Boolean).join(" · ")}</bdi>
            </p>
            <p className="quiet small">
              <Trans>
                Applied on <bdi>{say(one.submitted_at, HERE, { dateStyle: "medium" })}</bdi>
              </Trans>
            </p>
            {one.documents.length > 0 && (
              <ul className="small">
                {one.documents.map((document) => (
                  <li key={document}>
                    <bdi>{document}</bdi>
                  </li>
                ))}
              </ul>
            )}
            {one.reason !== "" && (
              <p>
                <Trans>Reason:</Trans> <bdi>{one.reason}</bdi>
              </p>
            )}
            {one.status === "submitted" && (
              <Decision name={one.name} onApprove={() => void approve(one)} onReject={(why) => void reject(one, why)} />
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

interface DecisionProps {
  name: string;
  onApprove: () => void;
  onReject: (reason: string) => void;
}

function Decision({ name, onApprove, onReject }: DecisionProps) {
  const { t } = useLingui();
  const [isRejecting, setRejecting] = useState<boolean>();
  const input = useRef<HTMLInputElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    // What was pressed is gone: the focus goes to what stands in its place.
    if (isRejecting !== undefined) (isRejecting ? input : button).current?.focus();
  }, [isRejecting]);
  const send = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    onReject(String(new FormData(event.currentTarget).get("reason") ?? ""));
  };
  if (isRejecting === true) {
    return (
      <form className="row ends" onSubmit={send}>
        <div className="field grow">
          <label htmlFor={`reason-${name}`}>
            <Trans>Why? The doctor reads it.</Trans>
          </label>
          <input ref={input} id={`reason-${name}`} name="reason" className="input" required minLength={3} maxLength={1000} />
        </div>
        <button className="button danger" type="submit">
          <Trans>Reject</Trans>
        </button>
        <button className="button" type="button" onClick={() => setRejecting(false)}>
          <Trans>Close</Trans>
        </button>
      </form>
    );
  }
  return (
    <div className="row">
      <button className="button primary" type="button" aria-label={t`Approve ${name}`} onClick={onApprove}>
        <Trans>Approve</Trans>
      </button>
      <button ref={button} className="button" type="button" aria-label={t`Reject ${name}`} onClick={() => setRejecting(true)}>
        <Trans>Reject</Trans>
      </button>
    </div>
  );
}
