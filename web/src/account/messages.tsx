import "./account.css";
import { Trans } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import { Fragment } from "react";
import { answered, api } from "../app/api";
import { HERE, say } from "../app/time";
import { Icon } from "../ui/icons";

/** What a demo site would have sent: it has no mail server. */
export function MessagesPage() {
  const found = useQuery({
    queryKey: ["demo messages"],
    refetchInterval: 3_000,
    queryFn: async () => answered(await api.GET("/v1/auth/demo/messages")).items,
  });
  return (
    <div className="stack medium">
      <h1>
        <Trans>Messages that this demo sent</Trans>
      </h1>
      {found.data?.length === 0 && (
        <p className="card empty">
          <Icon name="visits" size={32} />
          <Trans>No message yet. Make an account, or ask for a new password.</Trans>
        </p>
      )}
      {(found.data ?? []).map((one) => (
        <article key={one.message_id} className="card stack">
          <div>
            <h2>
              <bdi>{one.subject}</bdi>
            </h2>
            <p className="quiet small">
              <bdi>{one.recipient}</bdi> · <bdi>{say(one.created_at, HERE, { timeStyle: "medium" })}</bdi>
              {one.status === "superseded" && (
                <>
                  {" · "}
                  <Trans>not sent, as it no longer holds</Trans>
                </>
              )}
            </p>
          </div>
          <p className="message">
            <Linked text={one.text} />
          </p>
          {one.calendar !== "" && (
            <p>
              <a className="button" download="visit.ics" href={`data:text/calendar;charset=utf-8,${encodeURIComponent(one.calendar)}`}>
                <Trans>Calendar file</Trans>
              </a>
            </p>
          )}
        </article>
      ))}
    </div>
  );
}

/** A text whose links lead there. */
function Linked({ text }: { text: string }) {
  return text.split(/(https?:\/\/\S+)/).map((part, index) => (
    <Fragment key={index}>{part.startsWith("http") ? <a href={part}>{part}</a> : part}</Fragment>
  ));
}
