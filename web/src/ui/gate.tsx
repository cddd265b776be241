import type { ReactNode } from "react";
import type { Context } from "../app/session";
import { useContextOfSession, useIsReady } from "../app/shell";
import { PleaseSignIn } from "./please";

/** A page that needs a person: an empty room until it is known who is here, then the page or the way in. */
export function Gate({ children }: { children: ReactNode | ((context: Context) => ReactNode) }) {
  const context = useContextOfSession();
  const isReady = useIsReady();
  if (!isReady) return <div className="card page-room" aria-busy="true" />;
  if (context === undefined) return <PleaseSignIn />;
  return typeof children === "function" ? children(context) : children;
}
