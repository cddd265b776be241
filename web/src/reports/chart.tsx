import { isNumber } from "./bounds";

export interface Bar {
  name: string;
  value: number | null | undefined;
  before: number | null | undefined;
  shown: string;
}

const WIDTH = 600;
const HEIGHT = 200;
const NAMED_MAX = 8;

/** The next round number: 1, 2 or 5 times a power of ten. */
export function roundUp(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((one) => one >= value) ?? value;
}

/**
 * Columns in the order of their rows, each beside that of the compared period. The table below says
 * the same: the drawing is hidden from screen readers.
 */
export function Columns({ bars, most, says }: { bars: readonly Bar[]; most: string; says: (value: number) => string }) {
  const values = bars.flatMap((bar) => [bar.value, bar.before]).filter(isNumber);
  const top = roundUp(Math.max(0, ...values));
  const room = WIDTH / Math.max(1, bars.length);
  const hasBefore = bars.some((bar) => isNumber(bar.before));
  const width = Math.min(48, room * 0.7) / (hasBefore ? 2 : 1);
  const isRtl = document.documentElement.dir === "rtl";
  const placed = (at: number) => (isRtl ? WIDTH - at : at);
  const every = Math.ceil(bars.length / NAMED_MAX);
  const one = (value: number | null | undefined, at: number, kind: string) => {
    if (!isNumber(value)) return null;
    const height = (Math.max(0, value) / top) * HEIGHT;
    return <rect className={kind} x={placed(at) - width / 2} y={HEIGHT - height} width={width} height={height} rx={Math.min(3, width / 3)} />;
  };
  return (
    <div className="columns" aria-hidden="true" data-most={most}>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none">
        {[0, 0.5, 1].map((part) => (
          <line key={part} x1={0} x2={WIDTH} y1={HEIGHT * (1 - part)} y2={HEIGHT * (1 - part)} />
        ))}
        {bars.map((bar, index) => {
          const middle = room * (index + 0.5);
          return (
            <g key={index}>
              <title>{`${bar.name}: ${bar.shown}`}</title>
              {one(bar.before, middle - width / 2, "before")}
              {one(bar.value, hasBefore ? middle + width / 2 : middle, "now")}
            </g>
          );
        })}
      </svg>
      <div className="scale">
        <span>{says(top)}</span>
        <span>{says(top / 2)}</span>
        <span>{says(0)}</span>
      </div>
      <ol className="names">
        {bars.map((bar, index) => (
          <li key={index}>{index % every === 0 ? bar.name : ""}</li>
        ))}
      </ol>
    </div>
  );
}
