import { msg } from "@lingui/core/macro";
import { Trans, useLingui } from "@lingui/react/macro";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type FormEvent } from "react";
import { answered, api, newKey, type Schemas } from "../app/api";
import { refusalText } from "../app/refusals";
import { HERE, say } from "../app/time";
import { speakOut } from "../ui/spoken";

const ROLES = {
  doctor: msg`doctor`,
  staff: msg`reception`,
  clinic_admin: msg`administration`,
} as const;
type Role = keyof typeof ROLES;

const STATUS: Record<string, ReturnType<typeof msg>> = {
  open: msg`open`,
  accepted: msg`accepted`,
  revoked: msg`taken back`,
  expired: msg`expired`,
};

/** Who works at a clinic, and who is invited. */
export function Members({ clinic, doctors }: { clinic: string; doctors: readonly Schemas["CalendarAnswer"][] }) {
  const { t, i18n } = useLingui();
  const queries = useQueryClient();
  const path = { clinic_id: clinic };
  const [wrong, setWrong] = useState<string>();
  const [role, setRole] = useState<Role>("staff");
  const members = useQuery({
    queryKey: ["members", clinic],
    retry: false,
    queryFn: async () =>
      answered(await api.GET("/v1/clinics/{clinic_id}/members", { params: { path } })).items,
  });
  const invited = useQuery({
    queryKey: ["invitations", clinic],
    retry: false,
    queryFn: async () =>
      answered(await api.GET("/v1/clinics/{clinic_id}/invitations", { params: { path } })).items,
  });
  const renew = () =>
    Promise.all([
      queries.invalidateQueries({ queryKey: ["members"] }),
      queries.invalidateQueries({ queryKey: ["invitations"] }),
    ]);
  const settle = async (error: { code: string } | undefined, said: string) => {
    setWrong(error && i18n._(refusalText(error.code)));
    if (error === undefined) speakOut(said);
    await renew();
  };
  const invite = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = event.currentTarget;
    const values = new FormData(form);
    const { error } = await api.POST("/v1/clinics/{clinic_id}/invitations", {
      params: { path, header: { "Idempotency-Key": newKey() } },
      body: {
        email: String(values.get("email") ?? ""),
        role,
        provider_id: role === "doctor" ? String(values.get("provider") ?? "") : "",
      },
    });
    if (error === undefined) form.reset();
    await settle(error, t`The invitation is sent.`);
  };
  const remove = async (membership_id: string) => {
    const { error } = await api.DELETE("/v1/clinics/{clinic_id}/members/{membership_id}", {
      params: { path: { ...path, membership_id } },
    });
    await settle(error, t`Removed.`);
  };
  const revoke = async (invitation_id: string) => {
    const { error } = await api.DELETE("/v1/clinics/{clinic_id}/invitations/{invitation_id}", {
      params: { path: { ...path, invitation_id } },
    });
    await settle(error, t`The invitation is taken back.`);
  };
  if (members.isError) return null;
  return (
    <section className="card stack" aria-labelledby="members">
      <h2 id="members">
        <Trans>Staff and invitations</Trans>
      </h2>
      {wrong !== undefined && (
        <p className="notice bad" role="alert">
          {wrong}
        </p>
      )}
      <ul className="plain-list" aria-busy={members.isPending}>
        {(members.data ?? []).map((one) => (
          <li key={one.membership_id} className="memberrow">
            <span>
              <bdi>{one.email}</bdi> <span className="chip plain">{i18n._(ROLES[one.role])}</span>
            </span>
            <button className="button small" type="button" onClick={() => void remove(one.membership_id)}>
              <Trans>Remove</Trans>
            </button>
          </li>
        ))}
        {(invited.data ?? []).map((one) => (
          <li key={one.invitation_id} className="memberrow">
            <span>
              <bdi>{one.email}</bdi>{" "}
              <span className="chip warn">
                <Trans>invited</Trans>: {i18n._(STATUS[one.status]!)}
              </span>{" "}
              <span className="quiet small">{say(one.created_at, HERE, { dateStyle: "medium" })}</span>
            </span>
            {one.status === "open" && (
              <button className="button small" type="button" onClick={() => void revoke(one.invitation_id)}>
                <Trans>Take back</Trans>
              </button>
            )}
          </li>
        ))}
      </ul>
      <form className="row ends" onSubmit={(event) => void invite(event)}>
        <div className="field">
          <label htmlFor="invite-email">
            <Trans>E-mail address</Trans>
          </label>
          <input id="invite-email" name="email" type="email" required className="input" autoComplete="off" />
        </div>
        <div className="field">
          <label htmlFor="invite-role">
            <Trans>Role</Trans>
          </label>
          <select id="invite-role" className="input" value={role} onChange={(event) => setRole(event.target.value as Role)}>
            {Object.entries(ROLES).map(([name, words]) => (
              <option key={name} value={name}>
                {i18n._(words)}
              </option>
            ))}
          </select>
        </div>
        {role === "doctor" && (
          <div className="field">
            <label htmlFor="invite-provider">
              <Trans>Calendar</Trans>
            </label>
            <select id="invite-provider" name="provider" className="input">
              {doctors.map((one) => (
                <option key={one.provider_id} value={one.provider_id}>
                  {one.name}
                </option>
              ))}
            </select>
          </div>
        )}
        <button className="button primary" type="submit">
          <Trans>Invite</Trans>
        </button>
      </form>
    </section>
  );
}
