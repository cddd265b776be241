import { Plural, Trans, useLingui } from "@lingui/react/macro";
import type { Schemas } from "../app/api";
import { KINDS, type Resource, type ResourceKind } from "./resources";
import type { Kind } from "./rules";

type Need = Schemas["NeedBody"];

/** Rooms and pieces of equipment of one visit, at most. */
const MOST = 6;

/** As the server's defaults complete it. */
const whole = ({ kind, tag = "", count = 1 }: Need) => ({ kind, tag, count });

/** Why a visit's needs cannot be saved, in words; undefined if they can. */
export function useNeedsProblem() {
  const { t } = useLingui();
  return ({ title, needs = [], capacity = 1 }: Kind): string | undefined => {
    if (needs.length === 0) return undefined;
    const all = needs.map(whole);
    if (capacity > 1) {
      return t`${title}: patients who come together share no room of their own. Set “Patients together” to 1, or remove what the visit takes.`;
    }
    if (all.some(({ count }) => !(count >= 1))) return t`${title}: say how many rooms or devices it takes, from 1 on.`;
    if (all.reduce((sum, { count }) => sum + count, 0) > MOST) {
      return t`${title}: a visit takes at most ${MOST} rooms and devices.`;
    }
    if (new Set(all.map(({ kind, tag }) => `${kind} ${tag}`)).size < all.length) {
      return t`${title}: two lines ask for the same. Make it one line, and say how many.`;
    }
    return undefined;
  };
}

/** What a visit takes, in words: "1 room, 1 device for ultrasound". */
export function NeedsInWords({ needs }: { needs: readonly Need[] }) {
  return needs.map(whole).map(({ kind, tag, count }, index) => {
    // Isolated: a word of another script keeps its place in the sentence.
    const what = `\u2068${tag}\u2069`;
    return (
      <span key={`${kind} ${tag}`}>
        {index > 0 && ", "}
        {tag === "" ? (
          kind === "room" ? (
            <Plural value={count} one="# room" other="# rooms" />
          ) : (
            <Plural value={count} one="# device" other="# devices" />
          )
        ) : kind === "room" ? (
          <Plural value={count} one={`# room for ${what}`} other={`# rooms for ${what}`} />
        ) : (
          <Plural value={count} one={`# device for ${what}`} other={`# devices for ${what}`} />
        )}
      </span>
    );
  });
}

interface Props {
  kind: Kind;
  index: number;
  /** The clinic's, once they are known. */
  resources: readonly Resource[] | undefined;
  onChange: (needs: Need[]) => void;
}

/** What a visit takes besides the doctor: rooms and devices of the clinic, by what they are fit for. */
export function Needs({ kind, index, resources, onChange }: Props) {
  const { t } = useLingui();
  const needs = (kind.needs ?? []).map(whole);
  const set = (at: number, next: Partial<Need>) => onChange(needs.with(at, { ...needs[at]!, ...next }));
  const { title } = kind;
  const add = () => {
    const next: ResourceKind = needs.some((one) => one.kind === "room") ? "equipment" : "room";
    onChange([...needs, { kind: next, tag: "", count: 1 }]);
  };
  return (
    <div className="needs" role="group" aria-label={t`What ${title} takes`} data-needs={kind.visit_type}>
      <p className="small">
        {needs.length === 0 ? (
          <span className="quiet">
            <Trans>Takes no room and no device.</Trans>
          </span>
        ) : (
          <Trans>
            Takes <strong><NeedsInWords needs={needs} /></strong>
          </Trans>
        )}
      </p>
      {needs.map((need, at) => (
        <NeedRow
          key={at}
          id={`need-${index}-${at}`}
          need={need}
          resources={resources}
          onChange={(next) => set(at, next)}
          onRemove={() => onChange(needs.filter((_, place) => place !== at))}
        />
      ))}
      <div>
        <button className="button small" type="button" aria-label={t`${title}: add a room or a device`} onClick={add}>
          <Trans>Add a room or a device</Trans>
        </button>
      </div>
    </div>
  );
}

interface RowProps {
  id: string;
  need: Required<Need>;
  resources: readonly Resource[] | undefined;
  onChange: (next: Partial<Need>) => void;
  onRemove: () => void;
}

function NeedRow({ id, need, resources, onChange, onRemove }: RowProps) {
  const { t, i18n } = useLingui();
  const own = (resources ?? []).filter((one) => one.kind === need.kind && !one.retired);
  const tags = [...new Set([...own.flatMap((one) => one.tags), ...(need.tag === "" ? [] : [need.tag])])].sort();
  const fit = own.filter((one) => need.tag === "" || one.tags.includes(need.tag)).length;
  return (
    <div className="need">
      <div className="field">
        <label htmlFor={`${id}-count`}>
          <Trans>How many</Trans>
        </label>
        <input
          id={`${id}-count`}
          className="input number"
          type="number"
          min={1}
          max={MOST}
          value={need.count}
          onChange={(event) => onChange({ count: Number(event.target.value) })}
        />
      </div>
      <div className="field">
        <label htmlFor={`${id}-kind`}>
          <Trans>Of what</Trans>
        </label>
        <select
          id={`${id}-kind`}
          className="input"
          value={need.kind}
          onChange={(event) => onChange({ kind: event.target.value as ResourceKind, tag: "" })}
        >
          {(Object.keys(KINDS) as ResourceKind[]).map((one) => (
            <option key={one} value={one}>
              {i18n._(KINDS[one])}
            </option>
          ))}
        </select>
      </div>
      <div className="field grow">
        <label htmlFor={`${id}-tag`}>
          <Trans>Fit for</Trans>
        </label>
        <select id={`${id}-tag`} className="input" value={need.tag} onChange={(event) => onChange({ tag: event.target.value })}>
          <option value="">{t`anything`}</option>
          {tags.map((one) => (
            <option key={one} value={one}>
              {one}
            </option>
          ))}
        </select>
      </div>
      <button className="button small" type="button" onClick={onRemove}>
        <Trans>Remove</Trans>
      </button>
      {resources !== undefined && fit < need.count && (
        <p className="small chip warn">
          <Plural
            value={fit}
            _0="The clinic has none: this visit is not offered."
            one="The clinic has only #: this visit is not offered."
            other="The clinic has only #: this visit is not offered."
          />
        </p>
      )}
    </div>
  );
}
