import { Trans, useLingui } from "@lingui/react/macro";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { api } from "../app/api";
import { linkToken } from "../app/links";
import { session } from "../app/session";
import { Gate } from "../ui/gate";
import { wrongOf, type Wrong } from "./form";

/** The link of an invitation: the signed-in account takes the role that is offered. */
export function InvitationPage() {
  return (
    <Gate>
      <Invitation />
    </Gate>
  );
}

function Invitation() {
  const { i18n } = useLingui();
  const navigate = useNavigate();
  const [wrong, setWrong] = useState<Wrong>();
  const accept = async () => {
    const { error } = await api.POST("/v1/invitations/accept", { body: { token: linkToken() ?? "-".repeat(16) } });
    if (error !== undefined) return setWrong(wrongOf(error.code, error));
    await session.refresh();
    void navigate({ to: "/me/settings" });
  };
  return (
    <div className="narrow stack card signing">
      <h1>
        <Trans>An invitation</Trans>
      </h1>
      <p>
        <Trans>Accept it with the account that you are signed in with? You then choose in the account's menu as what you act.</Trans>
      </p>
      {wrong?.whole !== undefined && (
        <p className="notice bad" role="alert">
          {i18n._(wrong.whole)}
        </p>
      )}
      <button className="button primary" type="button" onClick={() => void accept()}>
        <Trans>Accept</Trans>
      </button>
    </div>
  );
}
