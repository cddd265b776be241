import { Trans } from "@lingui/react/macro";

/** A line of the last values, and its sentence: highest, lowest and now. */
export function Plot({ title, values }: { title: string; values: readonly number[] }) {
  const most = Math.max(1, ...values);
  const step = 100 / Math.max(1, values.length - 1);
  const points = values.map((one, index) => `${index * step},${38 - (one / most) * 36}`).join(" ");
  const now = values.at(-1);
  return (
    <figure className="card">
      <figcaption>
        <strong>{title}</strong>
        <p className="quiet small">
          {now === undefined ? (
            <Trans>waiting for numbers</Trans>
          ) : (
            <Trans>
              now {short(now)}, lowest {short(Math.min(...values))}, highest {short(Math.max(...values))}
            </Trans>
          )}
        </p>
      </figcaption>
      <svg className="plot" viewBox="0 0 100 40" preserveAspectRatio="none" aria-hidden="true">
        <line x1="0" x2="100" y1="38" y2="38" />
        <polyline points={points} />
      </svg>
    </figure>
  );
}

const short = (value: number) => (Number.isInteger(value) ? String(value) : value.toFixed(1));
