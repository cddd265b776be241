/** Icons: strokes on a 24 px grid, in the text's colour; words always stand beside them. */
const PATHS = {
  search: "M11 4a7 7 0 1 0 0 14 7 7 0 0 0 0-14Zm5.2 12.2L20 20",
  visits: "M5 6h14v14H5zM5 10h14M9 3v4M15 3v4",
  person: "M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8Zm-7 8c.6-4 3.300-6 7-6s6.400 2 7 6",
  doctor: "M7 4v5a4 4 0 0 0 8 0V4M11 13v2a4 4 0 0 0 8 0v-2M19 11a1 1 0 1 0 0 2 1 1 0 0 0 0-2Z",
  clinic: "M4 20V8l8-4 8 4v12M9 20v-5h6v5M12 8v4M10 10h4",
  health: "M3 12h4l3-7 4 14 3-7h4",
  hours: "M12 4a8 8 0 1 0 0 16 8 8 0 0 0 0-16Zm0 3.500V12l3 2",
  list: "M9 6h11M9 12h11M9 18h11M4.500 6h.01M4.500 12h.01M4.500 18h.01",
  leave: "M4 17h16M6 17a6 6 0 0 1 12 0M12 4v4M4.500 8.500l2 2M19.500 8.500l-2 2M8 20h8",
  near: "M12 21s-6-5.400-6-11a6 6 0 0 1 12 0c0 5.600-6 11-6 11Zm0-9a2 2 0 1 0 0-4 2 2 0 0 0 0 4Z",
  back: "M15 5l-7 7 7 7",
  on: "M9 5l7 7-7 7",
  shield: "M12 3l7 3v6c0 4.500-3 7.500-7 9-4-1.500-7-4.500-7-9V6z",
  bolt: "M13 3L5 14h6l-1 7 8-11h-6z",
  check: "M5 12.500l4.500 4.500L19 7.500",
} as const;

export type IconName = keyof typeof PATHS;

export function Icon({ name, size = 20 }: { name: IconName; size?: number }) {
  return (
    <svg className={`icon icon-${name}`} viewBox="0 0 24 24" width={size} height={size} aria-hidden="true">
      <path d={PATHS[name]} fill="none" stroke="currentColor" strokeWidth="1.8" strokeLinecap="round" strokeLinejoin="round" />
    </svg>
  );
}
