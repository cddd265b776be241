import { Trans, useLingui } from "@lingui/react/macro";
import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { DEMO_PEOPLE } from "../app/demo";
import { session } from "../app/session";
import { Icon } from "../ui/icons";
import { homeOf } from "./home";

/** On a demo site: come in as one of four people, with one click. */
export function DemoPeople() {
  const { i18n } = useLingui();
  const navigate = useNavigate();
  const [isAsking, setAsking] = useState(false);
  const comeIn = async (persona: string) => {
    setAsking(true);
    const found = await session.enterDemo(persona);
    setAsking(false);
    if (found.signed !== undefined) void navigate({ href: homeOf(found.signed.context) });
  };
  return (
    <section className="demo" aria-labelledby="demo">
      <h2 id="demo">
        <Trans>This is a demo. Look at it through four pairs of eyes:</Trans>
      </h2>
      <div className="people">
        {DEMO_PEOPLE.map(({ persona, icon, name, does }) => (
          <button key={persona} type="button" disabled={isAsking} onClick={() => void comeIn(persona)}>
            <Icon name={icon} size={24} />
            <span>
              <strong>{i18n._(name)}</strong>
              <span className="small quiet">{i18n._(does)}</span>
            </span>
          </button>
        ))}
      </div>
    </section>
  );
}
