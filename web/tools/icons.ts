/** Draws the icons of public/icon.svg as PNG, for systems that install no SVG. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { crc32, deflateSync } from "node:zlib";

type Colour = readonly [red: number, green: number, blue: number];
interface Box {
  x: number;
  y: number;
  width: number;
  height: number;
  radius: number;
  colour: Colour;
  opacity: number;
}

const GROUND: Colour = [0x00, 0x6a, 0x65];
const FREE: Colour = [0xd6, 0xf1, 0xed];
const WHITE: Colour = [0xff, 0xff, 0xff];
/** The grid of public/icon.svg. */
const GRID = 64;
const SAMPLES = 4;

const slot = (x: number, y: number, colour: Colour, opacity: number): Box => ({
  x, y, width: 16, height: 10, radius: 3, colour, opacity,
});
const SLOTS: readonly Box[] = [
  slot(13, 14, FREE, 1),
  slot(35, 14, FREE, 0.45),
  slot(13, 27, FREE, 0.45),
  slot(35, 27, WHITE, 1),
  slot(13, 40, FREE, 1),
  slot(35, 40, FREE, 0.45),
];

/** Write icon-192.png, icon-512.png, icon-maskable.png and apple-touch-icon.png. */
export function drawIcons(folder: string): void {
  const round = { x: 0, y: 0, width: GRID, height: GRID, radius: 14, colour: GROUND, opacity: 1 };
  const full = { ...round, radius: 0 };
  // A maskable icon keeps what it shows within the middle four fifths.
  const inner = SLOTS.map((one) => ({ ...one, x: 32 + (one.x - 32) * 0.8, y: 32 + (one.y - 32) * 0.8, width: one.width * 0.8, height: one.height * 0.8 }));
  for (const [name, size, boxes] of [
    ["icon-192.png", 192, [round, ...SLOTS]],
    ["icon-512.png", 512, [round, ...SLOTS]],
    ["icon-maskable.png", 512, [full, ...inner]],
    ["apple-touch-icon.png", 180, [full, ...inner]],
  ] as const) {
    writeFileSync(join(folder, name), png(size, boxes));
  }
}

function png(size: number, boxes: readonly Box[]): Buffer {
  const rows = Buffer.alloc(size * (1 + size * 4));
  for (let y = 0; y < size; y += 1) {
    for (let x = 0; x < size; x += 1) {
      rows.set(pixel(x, y, GRID / size, boxes), y * (1 + size * 4) + 1 + x * 4);
    }
  }
  const head = Buffer.alloc(13);
  head.writeUInt32BE(size, 0);
  head.writeUInt32BE(size, 4);
  head.set([8, 6, 0, 0, 0], 8);
  const signature = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);
  return Buffer.concat([
    signature,
    chunk("IHDR", head),
    chunk("IDAT", deflateSync(rows, { level: 9 })),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

function chunk(kind: string, body: Buffer): Buffer {
  const data = Buffer.concat([Buffer.from(kind, "latin1"), body]);
  const out = Buffer.alloc(data.length + 8);
  out.writeUInt32BE(body.length, 0);
  out.set(data, 4);
  out.writeUInt32BE(crc32(data), data.length + 4);
  return out;
}

/** Red, green, blue and alpha of a pixel, averaged over samples within it. */
function pixel(x: number, y: number, scale: number, boxes: readonly Box[]): number[] {
  const sum = [0, 0, 0, 0];
  for (let dy = 0; dy < SAMPLES; dy += 1) {
    for (let dx = 0; dx < SAMPLES; dx += 1) {
      const at = sample((x + (dx + 0.5) / SAMPLES) * scale, (y + (dy + 0.5) / SAMPLES) * scale, boxes);
      const alpha = at[3]!;
      for (const index of [0, 1, 2]) sum[index]! += at[index]! * alpha;
      sum[3]! += alpha;
    }
  }
  const alpha = sum[3]!;
  const colours = [0, 1, 2].map((index) => (alpha === 0 ? 0 : Math.round(sum[index]! / alpha)));
  return [...colours, Math.round((alpha / SAMPLES ** 2) * 255)];
}

function sample(x: number, y: number, boxes: readonly Box[]): number[] {
  let found = [0, 0, 0, 0];
  for (const box of boxes) {
    if (!isIn(x, y, box)) continue;
    const { colour, opacity } = box;
    const under = found;
    found = [...colour.map((one, index) => one * opacity + under[index]! * (1 - opacity)), Math.max(under[3]!, opacity)];
  }
  return found;
}

function isIn(x: number, y: number, { x: left, y: top, width, height, radius }: Box): boolean {
  const dx = Math.max(left + radius - x, x - (left + width - radius), 0);
  const dy = Math.max(top + radius - y, y - (top + height - radius), 0);
  const isInside = x >= left && x < left + width && y >= top && y < top + height;
  return isInside && dx * dx + dy * dy <= radius * radius + (radius === 0 ? 1e-9 : 0);
}
