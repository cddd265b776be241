import { useEffect, useState } from "react";

type Tell = (text: string) => void;
let tell: Tell | undefined;

/** Say a sentence to people who listen to the page. */
export function speakOut(text: string): void {
  tell?.(text);
}

/** The polite region that `speakOut` fills. */
export function Spoken() {
  const [text, setText] = useState("");
  useEffect(() => {
    tell = setText;
    return () => {
      tell = undefined;
    };
  }, []);
  return (
    <p className="hidden" role="status" aria-live="polite">
      {text}
    </p>
  );
}
