/** What the desk's dialogs choose from: visit types, and times of a day. */
import "../patient/slots.css";
import { Trans } from "@lingui/react/macro";
import type { Provider } from "../app/api";
import { localOf } from "../app/time";

interface TypeProps {
  id: string;
  types: Provider["visit_types"];
  value: string;
  onChange: (type: string) => void;
}

/** The choice of a visit type. */
export function TypeChoice({ id, types, value, onChange }: TypeProps) {
  return (
    <div className="field">
      <label htmlFor={id}>
        <Trans>Visit</Trans>
      </label>
      <select id={id} className="input" value={value} onChange={(event) => onChange(event.target.value)}>
        {types.map((one) => (
          <option key={one.visit_type} value={one.visit_type}>
            {one.title}
          </option>
        ))}
      </select>
    </div>
  );
}

interface TimeProps {
  starts: readonly string[];
  /** The start that is chosen, null if none is yet; without it a click acts at once. */
  chosen?: string | null;
  zone: string;
  label?: string;
  onPick: (start: string) => void;
}

/** Times of one day as buttons, on the clinic's clock. */
export function TimeChoice({ starts, chosen, zone, label, onPick }: TimeProps) {
  return (
    <div className="times" role={label && "group"} aria-label={label}>
      {starts.map((one) => (
        <button
          key={one}
          className="slot"
          data-state={one === chosen ? "mine" : "free"}
          data-start={one}
          type="button"
          aria-pressed={chosen === undefined ? undefined : one === chosen}
          onClick={() => onPick(one)}
        >
          <bdi>{localOf(one, zone).time}</bdi>
        </button>
      ))}
    </div>
  );
}
