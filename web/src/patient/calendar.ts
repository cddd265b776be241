/** A visit as a calendar file (RFC 5545), made on this device: nothing is sent anywhere. */
export interface Event {
  id: string;
  start: string;
  end: string;
  title: string;
  place: string;
}

const FOLD = 73;

/** The file's text. `now` is the instant at which it is made. */
export function calendarFile(event: Event, now: string): string {
  const lines = [
    "BEGIN:VCALENDAR",
    "VERSION:2.0",
    "PRODID:-//Slotcast//Web//EN",
    "BEGIN:VEVENT",
    `UID:${event.id}@slotcast`,
    `DTSTAMP:${stamp(now)}`,
    `DTSTART:${stamp(event.start)}`,
    `DTEND:${stamp(event.end)}`,
    `SUMMARY:${escaped(event.title)}`,
    `LOCATION:${escaped(event.place)}`,
    "END:VEVENT",
    "END:VCALENDAR",
  ];
  return lines.map(folded).join("\r\n") + "\r\n";
}

/** Offer the file as a download. */
export function download(event: Event): void {
  const text = calendarFile(event, new Date().toISOString());
  const url = URL.createObjectURL(new Blob([text], { type: "text/calendar;charset=utf-8" }));
  const link = document.createElement("a");
  link.href = url;
  link.download = `${event.start.slice(0, 10)}.ics`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

function stamp(instant: string): string {
  return new Date(instant).toISOString().replace(/[-:]|\.\d+/g, "");
}

function escaped(text: string): string {
  return text.replace(/[\\;,]/g, (one) => `\\${one}`).replace(/\r?\n/g, "\\n");
}

/** Lines of at most 75 octets; characters are never cut in two. */
function folded(line: string): string {
  const encoder = new TextEncoder();
  let length = 0;
  let out = "";
  for (const character of line) {
    const size = encoder.encode(character).length;
    if (length + size > FOLD) {
      out += "\r\n ";
      length = 1;
    }
    out += character;
    length += size;
  }
  return out;
}
