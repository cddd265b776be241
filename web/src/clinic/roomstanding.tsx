import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { answered, api, type Schemas } from "../app/api";
import { useSending } from "../app/keys";
import { addDays, today } from "../app/time";
import { PartsOfVisits } from "../desk/parts";
import type { Resource } from "../desk/resources";
import { Dialog } from "../ui/dialog";
import { speakOut } from "../ui/spoken";
import { staffRefusal } from "./refusals";

interface Props {
  room: Resource;
  zone: string;
  /** Whether the person reads the days of rooms. */
  isDesk: boolean;
}

/** Retires a room or device, or lets it be used again. */
export function RoomStanding(props: Props) {
  const { t } = useLingui();
  const [isOpen, setOpen] = useState(false);
  const { name, retired } = props.room;
  // One button for both, so that the focus comes back to it from the dialog.
  return (
    <>
      <button
        className={retired ? "button small" : "button small danger"}
        type="button"
        aria-haspopup="dialog"
        aria-label={retired ? t`Use ${name} again …` : t`Retire ${name} …`}
        onClick={() => setOpen(true)}
      >
        {retired ? <Trans>Use again …</Trans> : <Trans>Retire …</Trans>}
      </button>
      {isOpen && <StandingDialog {...props} onClose={() => setOpen(false)} />}
    </>
  );
}

/** As far ahead as one read of a schedule goes. */
const DAYS_AHEAD = 60;

/** How many visits have a room in the days ahead, before anything is decided. */
function useAhead(id: string, zone: string, isWanted: boolean) {
  return useQuery({
    queryKey: ["ahead", id],
    enabled: isWanted,
    gcTime: 0,
    retry: 1,
    queryFn: async () => {
      const first = today(zone);
      const { bookings } = answered(
        await api.GET("/v1/providers/{provider_id}/schedule", {
          params: { path: { provider_id: id }, query: { from: first, to: addDays(first, DAYS_AHEAD) } },
        }),
      );
      return bookings.filter((one) => one.status === "booked" && Date.parse(one.start) > Date.now()).length;
    },
  }).data;
}

function StandingDialog({ room, zone, isDesk, onClose }: Props & { onClose: () => void }) {
  const { t, i18n } = useLingui();
  const queries = useQueryClient();
  const { resource_id: id, name } = room;
  // What it was when the dialog was opened: the answer changes the list behind it.
  const [wasRetired] = useState(room.retired);
  const { isAsking: isBusy, send: sendOnce } = useSending();
  const [wrong, setWrong] = useState<string>();
  const [affected, setAffected] = useState<readonly Schemas["BookingBody"][]>();
  const ahead = useAhead(id, zone, isDesk && !wasRetired);
  const send = async () => {
    setWrong(undefined);
    const path = wasRetired ? "/v1/providers/{provider_id}/reinstate" : "/v1/providers/{provider_id}/retire";
    const answer = await sendOnce({ path }, (key) =>
      api.POST(path, { params: { path: { provider_id: id }, header: { "Idempotency-Key": key } } }),
    );
    if (answer === undefined) return;
    const { data, error } = answer;
    if (data === undefined) return setWrong(i18n._(staffRefusal(error?.code)));
    speakOut(wasRetired ? t`${name} is used again.` : t`${name} is retired.`);
    await queries.invalidateQueries({ queryKey: ["resources"] });
    if (wasRetired || data.affected.length === 0) return onClose();
    setAffected(data.affected);
  };
  const title = affected !== undefined ? t`${name} is retired` : wasRetired ? t`Use ${name} again` : t`Retire ${name}`;
  if (affected !== undefined) {
    return (
      <Dialog title={title} onClose={onClose}>
        <p>
          <Plural
            value={affected.length}
            one="# visit still has it. Move it: at its new time it gets another one."
            other="# visits still have it. Move each: at its new time it gets another one."
          />
        </p>
        {isDesk && (
          <div className="stays">
            <PartsOfVisits rows={affected} zone={zone} />
          </div>
        )}
        <button className="button primary" type="button" onClick={onClose}>
          <Trans>Close</Trans>
        </button>
      </Dialog>
    );
  }
  return (
    <Dialog title={title} onClose={onClose}>
      {wasRetired ? (
        <p>
          <Trans>Visits that need it are offered again at once, in the hours that are set.</Trans>
        </p>
      ) : (
        <ul className="says">
          <li>
            <Trans>No visit takes it any more, at once. Visits for which no other is left are not offered.</Trans>
          </li>
          <li>
            <Trans>Visits that have it stay booked with it, and their patients are not told. You see next which they are.</Trans>
            {ahead !== undefined && (
              <>
                {" "}
                <strong>
                  <Plural
                    value={ahead}
                    _0="In the next two months no visit has it."
                    one="In the next two months # visit has it."
                    other="In the next two months # visits have it."
                  />
                </strong>
              </>
            )}
          </li>
          <li>
            <Trans>It can be used again at any time.</Trans>
          </li>
        </ul>
      )}
      {wrong !== undefined && (
        <p className="notice bad" role="alert">
          {wrong}
        </p>
      )}
      <div className="row">
        <button className={wasRetired ? "button primary" : "button danger"} type="button" aria-disabled={isBusy} onClick={() => void send()}>
          {isBusy ? <Trans>One moment …</Trans> : wasRetired ? <Trans>Use again</Trans> : <Trans>Retire</Trans>}
        </button>
        <button className="button" type="button" onClick={onClose}>
          <Trans>Leave it as it is</Trans>
        </button>
      </div>
    </Dialog>
  );
}
