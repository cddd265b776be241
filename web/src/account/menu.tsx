import { msg } from "@lingui/core/macro";
import type { MessageDescriptor } from "@lingui/core";
import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { useNavigate } from "@tanstack/react-router";
import { useEffect, useRef, useState, type MouseEvent } from "react";
import { sameContext, session, type Context } from "../app/session";
import { useContextOfSession, useFollow } from "../app/shell";
import { homeOf } from "../patient/home";
import { initials } from "../patient/result";
import { Icon } from "../ui/icons";
import { speakOut } from "../ui/spoken";
import { useInbox } from "./inbox";
import { useNamed } from "./named";
import { roleName } from "./roles";
import { enter } from "../i18n";

// Not shown before its sentences are here.
await enter("account");

/** Loaded when it is needed: most people have one role. */
const prove = async (code: string) => (await import("./proof")).prove(code);

interface Way {
  href: string;
  name: MessageDescriptor;
}

const HAS_INBOX: ReadonlySet<string> = new Set(["patient", "guardian"]);
/** More unread notices are only said to be more: the badge has room for two digits. */
const MOST_SHOWN = 99;

/** What a role has beside the places of the bar. */
function waysOf({ role, subject }: Context): Way[] {
  switch (role) {
    case "patient":
      return [
        { href: "/me/notices", name: msg`Notices` },
        { href: "/me/feeds", name: msg`My visits in a calendar program` },
        { href: "/me/settings#dependants", name: msg`People I care for` },
        { href: "/me/settings#seen", name: msg`Who saw my data` },
        { href: "/me/settings#export", name: msg`All my data` },
      ];
    case "doctor":
      return [
        { href: `/p/${subject}`, name: msg`My page as patients see it` },
        { href: `/desk/entry/${subject}`, name: msg`Edit what patients read` },
        { href: "/me/feeds", name: msg`My visits in a calendar program` },
        { href: "/me/applications", name: msg`Work at another clinic` },
      ];
    case "admin":
      return [
        { href: "/ops/specialties", name: msg`Specialties` },
        { href: "/ops/reviews", name: msg`Reviews` },
        { href: "/ops/notices", name: msg`What people are told` },
        { href: "/ops/roles", name: msg`What each role may do` },
      ];
    default:
      return [];
  }
}

/** The button in the corner, who it says is here, and what it opens: the platform's own popover. */
export default function AccountMenu() {
  const context = useContextOfSession();
  return context === undefined ? null : <Menu key={`${context.role} ${context.subject}`} context={context} />;
}

function Menu({ context }: { context: Context }) {
  const { t, i18n } = useLingui();
  const follow = useFollow();
  const navigate = useNavigate();
  const menu = useRef<HTMLDivElement>(null);
  const [isOpen, setOpen] = useState(false);
  const who = useNamed(context);
  const role = i18n._(roleName(context.role));
  const name = who?.name || who?.place || role;
  const hide = () => menu.current?.hidePopover();
  const leave = async () => {
    hide();
    await session.leave();
    void navigate({ to: "/" });
  };
  const turn = async (to: Context) => {
    hide();
    let found = await session.turn(to);
    // A role that sees patients' data needs a second step, which this session has not proved.
    if (found.code === "second_factor_required" && (await prove(found.code))) found = await session.turn(to);
    if (found.signed !== undefined) void navigate({ href: homeOf(to) });
  };
  const go = (event: MouseEvent<HTMLAnchorElement>) => {
    hide();
    follow(event);
  };
  const others = session.contexts().filter((one) => !sameContext(one, context));
  return (
    <>
      <button className="account" type="button" popoverTarget="account-menu">
        <span className="hidden">{t`Account: ${name}, ${role}`}</span>
        {HAS_INBOX.has(context.role) && <Unread />}
        <span className="avatar small-avatar" aria-hidden="true">
          {who === undefined ? <Icon name="person" /> : initials(name).toUpperCase()}
        </span>
        <span className="account-words" aria-hidden="true">
          <strong>
            <bdi>{name}</bdi>
          </strong>
          <span className="small quiet">{role}</span>
        </span>
      </button>
      <div
        id="account-menu"
        className="menu"
        popover="auto"
        ref={menu}
        onToggle={(event) => setOpen(event.newState === "open")}
      >
        <p>
          <strong>
            <bdi>{name}</bdi>
          </strong>
          <br />
          <span className="small quiet">
            {role}
            {who?.place !== undefined && who.place !== name && (
              <>
                , <bdi>{who.place}</bdi>
              </>
            )}
          </span>
        </p>
        {waysOf(context).map(({ href, name: words }) => (
          <a key={href} href={href} onClick={go}>
            {i18n._(words)}
          </a>
        ))}
        <a href="/me/settings" onClick={go}>
          <Trans>Settings and devices</Trans>
        </a>
        {others.length > 0 && (
          <div role="group" aria-label={t`Your other roles`}>
            {others.map((one) => (
              <Other key={`${one.role} ${one.subject}`} context={one} isOpen={isOpen} onTurn={() => void turn(one)} />
            ))}
          </div>
        )}
        <button type="button" onClick={() => void leave()}>
          <Trans>Sign out</Trans>
        </button>
      </div>
    </>
  );
}

/** How many notices are unread, as it changes. */
function Unread() {
  const { t } = useLingui();
  const unread = useInbox()?.unread;
  const before = useRef(unread);
  useEffect(() => {
    const was = before.current;
    before.current = unread;
    if (was !== undefined && unread !== undefined && unread > was) speakOut(t`You have a new notice.`);
  }, [unread, t]);
  if (unread === undefined || unread === 0) return null;
  return (
    <span className="unread">
      <span className="hidden">
        , <Plural value={unread} one="# unread notice" other="# unread notices" />
      </span>
      <span aria-hidden="true">{unread > MOST_SHOWN ? `${MOST_SHOWN}+` : unread}</span>
    </span>
  );
}

/** Another role of the account: of several clinics, of several children, each by its name. */
function Other(props: { context: Context; isOpen: boolean; onTurn: () => void }) {
  const { i18n } = useLingui();
  const { context, isOpen, onTurn } = props;
  // Names are asked for when the menu is opened: most visits never need them.
  const who = useNamed(context, isOpen);
  return (
    <button type="button" onClick={onTurn}>
      <span>
        {context.role === "guardian" ? (
          who?.name ? (
            <Trans>
              Act for <bdi>{who.name}</bdi>
            </Trans>
          ) : (
            <Trans>Act for another person</Trans>
          )
        ) : (
          <Trans>Act as: {i18n._(roleName(context.role))}</Trans>
        )}
        {who?.place !== undefined && (
          <>
            <br />
            <bdi className="small quiet">{who.place}</bdi>
          </>
        )}
      </span>
    </button>
  );
}
