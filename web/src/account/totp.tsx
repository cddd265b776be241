import { Trans, useLingui } from "@lingui/react/macro";
import { useState } from "react";
import { Field, Form, type Wrong } from "./form";

export interface StartedTotp {
  factor_id: string;
  secret: string;
  uri: string;
  qr_svg: string;
}

/** The key for an authenticator app, as a picture and as text, and the code that proves it. */
export function TotpKey(props: { started: StartedTotp; wrong: Wrong | undefined; onCode: (code: string) => void }) {
  const { started, wrong, onCode } = props;
  const { t } = useLingui();
  return (
    <div className="stack">
      <p>
        <Trans>Scan this with your authenticator app, then type the code that it shows.</Trans>
      </p>
      <img
        className="qr"
        width="200"
        height="200"
        alt={t`The key as a picture; the same key as text stands below it.`}
        src={`data:image/svg+xml,${encodeURIComponent(started.qr_svg)}`}
      />
      <p className="small">
        <a href={started.uri}>
          <Trans>Open the app on this device</Trans>
        </a>
        {" · "}
        <code data-key={started.secret}>{started.secret}</code>
      </p>
      <Form
        wrong={wrong}
        isBusy={false}
        submit={<Trans>Go on</Trans>}
        onSubmit={(values) => onCode((values["code"] ?? "").replaceAll(" ", ""))}
      >
        <Field
          name="code"
          inputMode="numeric"
          autoComplete="one-time-code"
          label={<Trans>Code of your authenticator app</Trans>}
          wrong={wrong}
        />
      </Form>
    </div>
  );
}

/** Recovery codes, which are shown only now. */
export function CodesOnce({ codes, onDone }: { codes: readonly string[]; onDone: () => void }) {
  const [isKept, setKept] = useState(codes.length === 0);
  return (
    <div className="stack">
      {codes.length > 0 && (
        <>
          <h3>
            <Trans>Your recovery codes</Trans>
          </h3>
          <p>
            <Trans>Each opens your account once, if you lose your phone. They are shown only now: print or copy them.</Trans>
          </p>
          <ul className="codes" dir="ltr">
            {codes.map((one) => (
              <li key={one}>
                <code>{one}</code>
              </li>
            ))}
          </ul>
          <label className="check">
            <input type="checkbox" checked={isKept} onChange={(event) => setKept(event.target.checked)} />
            <span>
              <Trans>I have kept them in a safe place.</Trans>
            </span>
          </label>
        </>
      )}
      <button className="button primary" type="button" disabled={!isKept} onClick={onDone}>
        <Trans>Go on</Trans>
      </button>
    </div>
  );
}
