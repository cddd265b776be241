import { Trans, useLingui } from "@lingui/react/macro";
import { useNavigate } from "@tanstack/react-router";
import { useRef } from "react";
import { sameContext, session, type Context } from "../app/session";
import { useContextOfSession, useFollow } from "../app/shell";
import { homeOf } from "../patient/home";
import { Icon } from "../ui/icons";
import { roleName } from "./roles";

/** The button in the corner, and what it opens: the platform's own popover. */
export function AccountMenu() {
  const { i18n } = useLingui();
  const context = useContextOfSession();
  const follow = useFollow();
  const navigate = useNavigate();
  const menu = useRef<HTMLDivElement>(null);
  if (context === undefined) return null;
  const hide = () => menu.current?.hidePopover();
  const leave = async () => {
    hide();
    await session.leave();
    void navigate({ to: "/" });
  };
  const turn = async (to: Context) => {
    hide();
    const found = await session.turn(to);
    if (found.signed !== undefined) void navigate({ href: homeOf(to) });
  };
  return (
    <>
      <button className="button" type="button" popoverTarget="account-menu">
        <Icon name="person" />
        <Trans>Account</Trans>
      </button>
      <div id="account-menu" className="menu" popover="auto" ref={menu}>
        <p className="small quiet">
          <Trans>You act as: {i18n._(roleName(context.role))}</Trans>
        </p>
        <a
          href="/me/settings"
          onClick={(event) => {
            hide();
            follow(event);
          }}
        >
          <Trans>Settings and devices</Trans>
        </a>
        {session
          .contexts()
          .filter((one) => !sameContext(one, context))
          .map((one) => (
            <button key={`${one.role} ${one.subject}`} type="button" onClick={() => void turn(one)}>
              <Trans>Act as: {i18n._(roleName(one.role))}</Trans>
            </button>
          ))}
        <button type="button" onClick={() => void leave()}>
          <Trans>Sign out</Trans>
        </button>
      </div>
    </>
  );
}
