import "../waiting/waiting.css";
import "./list.css";
import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useEffect, useRef, useState, type DragEvent, type FormEvent } from "react";
import { answered, api, Refused, type Provider, type Schemas } from "../app/api";
import { refusalText } from "../app/refusals";
import { say, sayStart } from "../app/time";
import { useLink, useLive, useNow } from "../live/hooks";
import { Dialog } from "../ui/dialog";
import { Icon } from "../ui/icons";
import { speakOut } from "../ui/spoken";
import { WishBits } from "../waiting/entry";
import { amount, clockOf } from "../waiting/waiting";
import { Desk } from "./desk";
import { ProviderName } from "./names";
import { nearestPlace, placesOf } from "./order";
import { useSending } from "../app/keys";
import { useMinutes, zoneOf } from "./visit";

type Row = Schemas["RankedAnswer"];
type Offer = Row["offers"][number];

/** The offer that a patient has not answered yet; its countdown says when it is over. */
const openOffer = (row: Row): Offer | undefined =>
  row.offers.find(({ status }) => status === "asked" || status === "offered");

const route = getRouteApi("/desk/list/$provider");
/** There is no topic of the list: it is read again this often, and when a visit changes. Each look is audited. */
const EVERY_MS = 60_000;

/** Who waits for a time, in which order and why, and what is offered to whom. */
export function ListPage() {
  const { provider } = route.useParams();
  return <Desk provider={provider}>{(found) => <List provider={found} />}</Desk>;
}

function useList(provider_id: string) {
  const live = useLive();
  const queries = useQueryClient();
  useEffect(
    () => live.watch(`schedule/${provider_id}`, () => void queries.invalidateQueries({ queryKey: ["list", provider_id] })),
    [live, queries, provider_id],
  );
  return useQuery({
    queryKey: ["list", provider_id],
    staleTime: 0,
    refetchInterval: EVERY_MS,
    queryFn: async () =>
      answered(await api.GET("/v1/providers/{provider_id}/waiting", { params: { path: { provider_id } } })),
  });
}

interface Moving {
  row: Row;
  place: number;
}

function List({ provider }: { provider: Provider }) {
  const { t, i18n } = useLingui();
  const queries = useQueryClient();
  const link = useLink();
  const found = useList(provider.provider_id);
  const [moving, setMoving] = useState<Moving>();
  const [removing, setRemoving] = useState<Row>();
  const [dragged, setDragged] = useState<Row>();
  const heading = useRef<HTMLHeadingElement>(null);
  const follow = useFocusOnRow(found.data);
  const rows = found.data?.items ?? [];
  const again = () => queries.invalidateQueries({ queryKey: ["list"] });
  const begin = (row: Row, wanted: number) => {
    const place = nearestPlace(rows, row, wanted);
    if (place === undefined) speakOut(t`There is no other place in this direction.`);
    else setMoving({ row, place });
  };
  return (
    <div className="stack desk medium">
      <div>
        <h1 tabIndex={-1} ref={heading}>
          <Trans>Waiting list</Trans>
        </h1>
        <p className="quiet">
          <bdi>{provider.name}</bdi>
        </p>
      </div>
      <p className="quiet">
        <Trans>
          A time that frees is offered to the first whom it suits, for half an hour, then to the next. More urgent patients
          come first, then those who have waited longer.
        </Trans>
      </p>
      {link === "interrupted" && (
        <p className="notice" role="status">
          <Trans>You have no connection. This is how the list was last known.</Trans>
        </p>
      )}
      {found.isError && (
        <p className="notice bad" role="alert">
          {i18n._(refusalText(found.error instanceof Refused ? found.error.code : undefined))}{" "}
          <button className="button small" type="button" onClick={() => void found.refetch()}>
            <Trans>Try again</Trans>
          </button>
        </p>
      )}
      {found.isPending && <div className="card page-room" aria-busy="true" />}
      {found.data !== undefined && rows.length === 0 && (
        <p className="card empty">
          <Icon name="hours" size={32} />
          <Trans>No patient waits for a time here. What is cancelled is free for all at once.</Trans>
        </p>
      )}
      <ol className="plain-list stack">
        {rows.map((row, index) => (
          <Waiter
            key={row.entry_id}
            row={row}
            zone={zoneOf(provider)}
            isDragging={dragged !== undefined && dragged.entry_id !== row.entry_id}
            canRise={nearestPlace(rows, row, index) !== undefined}
            canFall={nearestPlace(rows, row, index + 2) !== undefined}
            onDrag={setDragged}
            onDrop={() => {
              setDragged(undefined);
              if (dragged !== undefined && dragged.entry_id !== row.entry_id) begin(dragged, index + 1);
            }}
            onMove={(step) => begin(row, index + 1 + step)}
            onRemove={() => setRemoving(row)}
          />
        ))}
      </ol>
      {(found.data?.others ?? 0) > 0 && (
        <p className="quiet">
          <Plural
            value={found.data?.others ?? 0}
            one="# more patient waits for any doctor of the specialty, and is on this list by the time of waiting."
            other="# more patients wait for any doctor of the specialty, and are on this list by the time of waiting."
          />
        </p>
      )}
      {moving !== undefined && (
        <MoveDialog
          provider={provider.provider_id}
          rows={rows}
          moving={moving}
          onClose={() => setMoving(undefined)}
          onDone={() => {
            follow(moving.row.entry_id);
            setMoving(undefined);
            void again();
            speakOut(t`Moved.`);
          }}
        />
      )}
      {removing !== undefined && (
        <RemoveDialog
          provider={provider.provider_id}
          row={removing}
          onClose={() => setRemoving(undefined)}
          onDone={() => {
            setRemoving(undefined);
            speakOut(t`Taken off the list.`);
            // The dialog gives the focus back to the row, which then goes.
            void again().then(() => heading.current?.focus());
          }}
        />
      )}
    </div>
  );
}

interface WaiterProps {
  row: Row;
  zone: string;
  /** Whether another row is dragged over the list. */
  isDragging: boolean;
  canRise: boolean;
  canFall: boolean;
  onDrag: (row: Row | undefined) => void;
  onDrop: () => void;
  onMove: (step: -1 | 1) => void;
  onRemove: () => void;
}

function Waiter(props: WaiterProps) {
  const { row, zone, isDragging, canRise, canFall, onDrag, onDrop, onMove, onRemove } = props;
  const now = useMinutes();
  const [isTarget, setTarget] = useState(false);
  const { entry_id: id, rank, paused, scope } = row;
  const offer = openOffer(row);
  const waits = amount(Math.max(1, Math.floor((now - Date.parse(row.since)) / 60_000)));
  const since = say(row.since, zone, { dateStyle: "medium", timeStyle: "short" });
  const name = `waiter-${id}`;
  const labelled = (what: string) => ({ id: `${what}-${id}`, "aria-labelledby": `${what}-${id} ${name}` });
  const drag = {
    draggable: true,
    onDragStart: (event: DragEvent) => {
      event.dataTransfer.effectAllowed = "move";
      onDrag(row);
    },
    onDragEnd: () => onDrag(undefined),
    onDragOver: (event: DragEvent) => {
      if (isDragging) event.preventDefault();
      setTarget(isDragging);
    },
    onDragLeave: () => setTarget(false),
    onDrop: (event: DragEvent) => {
      event.preventDefault();
      setTarget(false);
      onDrop();
    },
  };
  const look = ["card queue", paused && "paused", isTarget && "target"].filter(Boolean).join(" ");
  return (
    <li className={look} data-entry={id} tabIndex={-1} aria-labelledby={name} {...drag}>
      <span className="rank" aria-hidden="true">
        {rank}
      </span>
      <div className="stack tight">
        <div className="row between">
          <h2 id={name}>
            <span className="hidden">{rank}. </span>
            <bdi>{row.name || row.patient_id}</bdi>
          </h2>
          {paused && (
            <span className="chip warn">
              <Trans>Paused by the patient</Trans>
            </span>
          )}
          {offer !== undefined && <Offered offer={offer} zone={zone} />}
        </div>
        <p className="small">
          {row.booking_id !== null ? (
            <Trans>Wants an earlier time than the visit that is booked</Trans>
          ) : scope === "clinic" ? (
            <Trans>Any doctor of the clinic</Trans>
          ) : (
            <Trans>This doctor</Trans>
          )}
          {" · "}
          <Trans>
            waits {waits}, since <bdi>{since}</bdi>
          </Trans>
        </p>
        <WishBits wishes={row} />
        <Reason row={row} zone={zone} />
      </div>
      <div className="row actions">
        <button className="button small" type="button" {...labelled("up")} aria-disabled={!canRise} onClick={() => onMove(-1)}>
          <Trans>Up …</Trans>
        </button>
        <button className="button small" type="button" {...labelled("down")} aria-disabled={!canFall} onClick={() => onMove(1)}>
          <Trans>Down …</Trans>
        </button>
        <button className="button small danger" type="button" {...labelled("off")} onClick={onRemove}>
          <Trans>Take off …</Trans>
        </button>
      </div>
    </li>
  );
}

/** Why an entry stands where it does. */
function Reason({ row, zone }: { row: Row; zone: string }) {
  const moves = row.moves.toReversed();
  if (moves.length === 0) {
    return (
      <p className="quiet small">
        <Trans>By the time of waiting</Trans>
      </p>
    );
  }
  return (
    <div className="why small">
      {moves.map((one) => (
        <p key={one.at}>
          {one.after > one.before ? <Trans>Moved up</Trans> : one.after < one.before ? <Trans>Moved down</Trans> : <Trans>Left there</Trans>}
          {", "}
          <bdi>{say(one.at, zone, { dateStyle: "medium", timeStyle: "short" })}</bdi>: <bdi>{one.reason}</bdi>
        </p>
      ))}
    </div>
  );
}

function Offered({ offer, zone }: { offer: Offer; zone: string }) {
  const now = useNow();
  const left = Math.max(0, Math.ceil((Date.parse(offer.until) - now) / 1000));
  if (left === 0) return null;
  return (
    <span className="left small">
      <span>
        <Trans>
          Asked: <bdi>{sayStart(offer.start, zone, now)}</bdi>, <ProviderName id={offer.provider_id} />
        </Trans>
      </span>
      <strong role="timer" aria-live="off">
        <bdi>{clockOf(left)}</bdi>
      </strong>
    </span>
  );
}

interface DialogProps {
  provider: string;
  onClose: () => void;
  onDone: () => void;
}

type Ask = (key: string) => Promise<{ error?: { code?: string } | undefined; response: Response }>;

/** Sends a reason with what is done; its refusal, if it was not. */
function useReasoned(onDone: () => void) {
  const { t, i18n } = useLingui();
  const { isAsking: isBusy, send: sendOnce } = useSending();
  const [wrong, setWrong] = useState<string>();
  const send = async (
    event: FormEvent<HTMLFormElement>,
    ask: (form: FormData, reason: string) => { wanted: object; by: Ask },
  ) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const reason = String(form.get("reason") ?? "").trim();
    if (reason.length < 3) return setWrong(t`Write the reason: it stays with the list.`);
    const { wanted, by } = ask(form, reason);
    const answer = await sendOnce(wanted, by);
    if (answer === undefined) return;
    if (answer.error === undefined) return onDone();
    setWrong(i18n._(refusalText(answer.error.code)));
  };
  return { isBusy, wrong, send };
}

function MoveDialog(props: DialogProps & { rows: readonly Row[]; moving: Moving }) {
  const { provider, rows, moving, onClose, onDone } = props;
  const { t } = useLingui();
  const { row } = moving;
  const [places] = useState(() => placesOf(rows, row));
  const now = rows.findIndex((one) => one.entry_id === row.entry_id) + 1;
  const { isBusy, wrong, send } = useReasoned(onDone);
  const ask = (form: FormData, reason: string) => {
    const priority = Number(form.get("priority"));
    const body = { priority, reason };
    const path = { provider_id: provider, entry_id: row.entry_id };
    const by: Ask = (key) =>
      api.PUT("/v1/providers/{provider_id}/waiting/{entry_id}/priority", {
        params: { path, header: { "Idempotency-Key": key } },
        body,
      });
    return { wanted: { ...path, ...body }, by };
  };
  const all = rows.length;
  return (
    <Dialog title={t`Another place in the list`} onClose={onClose}>
      <form className="stack" onSubmit={(event) => void send(event, ask)} noValidate>
        <p>
          <strong>
            <bdi>{row.name || row.patient_id}</bdi>
          </strong>
          {", "}
          <Trans>
            now {now} of {all}
          </Trans>
        </p>
        <div className="field">
          <label htmlFor="place">
            <Trans>New place</Trans>
          </label>
          <select id="place" name="priority" className="input" defaultValue={places.get(moving.place)} aria-describedby="place-hint">
            {[...places]
              .filter(([place]) => place !== now)
              .map(([place, priority]) => (
                <option key={place} value={priority}>
                  {t`${place} of ${all}`}
                </option>
              ))}
          </select>
          <span className="quiet small" id="place-hint">
            <Trans>Among equally urgent patients those who have waited longer stay first, so not every place can be had.</Trans>
          </span>
        </div>
        <ReasonField />
        <Refusal text={wrong} />
        <Buttons isBusy={isBusy} onClose={onClose} isDanger={false} />
      </form>
    </Dialog>
  );
}

function RemoveDialog({ provider, row, onClose, onDone }: DialogProps & { row: Row }) {
  const { t } = useLingui();
  const { isBusy, wrong, send } = useReasoned(onDone);
  const ask = (_: FormData, reason: string) => {
    const path = { provider_id: provider, entry_id: row.entry_id };
    const by: Ask = (key) =>
      api.POST("/v1/providers/{provider_id}/waiting/{entry_id}/remove", {
        params: { path, header: { "Idempotency-Key": key } },
        body: { reason },
      });
    return { wanted: { ...path, reason }, by };
  };
  return (
    <Dialog title={t`Take off the list?`} onClose={onClose}>
      <form className="stack" onSubmit={(event) => void send(event, ask)} noValidate>
        <p>
          <strong>
            <bdi>{row.name || row.patient_id}</bdi>
          </strong>
        </p>
        <ul className="says">
          <li>
            <Trans>The place is lost. The patient sees that the entry is gone, but is not told why: tell them if they should know.</Trans>
          </li>
          {row.scope === "clinic" && (
            <li>
              <Trans>They wait for any doctor of the clinic, and leave the lists of all of them.</Trans>
            </li>
          )}
          {openOffer(row) !== undefined && (
            <li>
              <Trans>What is offered to them now stays theirs until its end.</Trans>
            </li>
          )}
        </ul>
        <ReasonField />
        <Refusal text={wrong} />
        <Buttons isBusy={isBusy} onClose={onClose} isDanger />
      </form>
    </Dialog>
  );
}

function ReasonField() {
  return (
    <div className="field">
      <label htmlFor="reason">
        <Trans>Reason (it stays with the list; staff read it)</Trans>
      </label>
      <textarea id="reason" name="reason" className="input" rows={2} maxLength={500} required />
    </div>
  );
}

function Refusal({ text }: { text: string | undefined }) {
  if (text === undefined) return null;
  return (
    <p className="notice bad" role="alert">
      {text}
    </p>
  );
}

function Buttons({ isBusy, isDanger, onClose }: { isBusy: boolean; isDanger: boolean; onClose: () => void }) {
  return (
    <div className="row">
      <button className={isDanger ? "button danger" : "button primary"} type="submit" aria-disabled={isBusy}>
        {isBusy ? <Trans>One moment …</Trans> : isDanger ? <Trans>Take off the list</Trans> : <Trans>Move</Trans>}
      </button>
      <button className="button" type="button" onClick={onClose}>
        <Trans>Leave it as it is</Trans>
      </button>
    </div>
  );
}

/** A row that was moved takes the focus along: the list is drawn in another order. */
function useFocusOnRow(list: Schemas["WaitingListAnswer"] | undefined) {
  const moved = useRef<string>(undefined);
  useEffect(() => {
    const id = moved.current;
    if (id === undefined) return;
    moved.current = undefined;
    document.querySelector<HTMLElement>(`[data-entry="${CSS.escape(id)}"]`)?.focus();
  }, [list]);
  return (id: string) => {
    moved.current = id;
  };
}
