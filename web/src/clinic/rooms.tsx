import "./clinic.css";
import { msg } from "@lingui/core/macro";
import type { MessageDescriptor } from "@lingui/core";
import { Trans, useLingui } from "@lingui/react/macro";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, useNavigate } from "@tanstack/react-router";
import { useState, type FormEvent, type ReactNode } from "react";
import { answered, api, type Problem, type Schemas } from "../app/api";
import { useContextOfSession, useFollow } from "../app/shell";
import { clinicOf, hrefOf, KINDS, useResources, type Resource, type ResourceKind } from "../desk/resources";
import { Tags } from "../desk/ofroom";
import { Gate } from "../ui/gate";
import { Dialog } from "../ui/dialog";
import { speakOut } from "../ui/spoken";
import { useSending } from "../app/keys";
import { Unproved } from "../ui/unproved";
import { FindClinic } from "./find";
import { staffRefusal } from "./refusals";
import { RoomStanding } from "./roomstanding";

const route = getRouteApi("/clinic/$part");

/** A clinic's rooms and equipment: what its visits may take, with hours and days. */
export function RoomsPage() {
  const named = route.useSearch().clinic;
  return (
    <Gate>
      {(context) => {
        const id = clinicOf(context, named);
        if (id !== undefined) return <Rooms key={id} id={id} />;
        if (context.role === "admin") return <FindClinic />;
        return (
          <p className="notice bad" role="alert">
            <Trans>Only a clinic’s own people see its rooms.</Trans>
          </p>
        );
      }}
    </Gate>
  );
}

function Rooms({ id }: { id: string }) {
  const follow = useFollow();
  const role = useContextOfSession()?.role ?? "";
  const [isAdding, setAdding] = useState(false);
  const found = useResources(id);
  const clinic = useQuery({
    queryKey: ["clinic", id],
    queryFn: async () => answered(await api.GET("/v1/clinics/{clinic_id}", { params: { path: { clinic_id: id } } })),
  });
  const mayChange = role === "clinic_admin" || role === "admin";
  const back = role === "admin" ? `/clinic?clinic=${encodeURIComponent(id)}` : "/clinic";
  const rooms = (found.data ?? []).filter((one) => one.kind === "room");
  const devices = (found.data ?? []).filter((one) => one.kind === "equipment");
  const shown = (rows: readonly Resource[]) => (
    <ul className="plain-list stack">
      {rows.map((one) => (
        <RoomRow key={one.resource_id} room={one} clinic={id} zone={clinic.data?.time_zone ?? "UTC"} mayChange={mayChange} role={role} />
      ))}
    </ul>
  );
  return (
    <div className="stack">
      <div>
        {role !== "doctor" && (
          <p>
            <a href={back} onClick={follow}>
              {clinic.data === undefined ? <Trans>Clinic</Trans> : <bdi>{clinic.data.name}</bdi>}
            </a>
          </p>
        )}
        <div className="row between">
          <div className="grow">
            <h1>
              <Trans>Rooms and equipment</Trans>
            </h1>
            <p className="quiet">
              <Trans>A visit that needs some is offered only where enough of them are free. Patients read their names at the visit; no search shows them.</Trans>
            </p>
          </div>
          {mayChange && (
            <button className="button primary" type="button" aria-haspopup="dialog" onClick={() => setAdding(true)}>
              <Trans>Add a room or a device</Trans>
            </button>
          )}
        </div>
      </div>
      <Unproved error={found.error} onAgain={() => found.refetch()} />
      {found.isError && (
        <p className="notice bad" role="alert">
          <Trans>The rooms could not be loaded. Load the page again.</Trans>
        </p>
      )}
      {found.isPending && <div className="card page-room" aria-busy="true" />}
      {found.data?.length === 0 && (
        <p className="card empty">
          <Trans>No room and no device yet. Add those that are booked with a visit.</Trans>
        </p>
      )}
      {rooms.length > 0 && (
        <section className="stack" aria-labelledby="rooms">
          <h2 id="rooms">
            <Trans>Rooms</Trans>
          </h2>
          {shown(rooms)}
        </section>
      )}
      {devices.length > 0 && (
        <section className="stack" aria-labelledby="devices">
          <h2 id="devices">
            <Trans>Equipment</Trans>
          </h2>
          {shown(devices)}
        </section>
      )}
      {isAdding && <AddDialog clinic={id} hasHours={role === "clinic_admin"} onClose={() => setAdding(false)} />}
    </div>
  );
}

interface RowProps {
  room: Resource;
  clinic: string;
  zone: string;
  mayChange: boolean;
  role: string;
}

function RoomRow({ room, clinic, zone, mayChange, role }: RowProps) {
  const { t } = useLingui();
  const follow = useFollow();
  const [isRenaming, setRenaming] = useState(false);
  const { name, resource_id } = room;
  return (
    <li className="card staffrow roomrow" data-resource={resource_id}>
      <div>
        <h3>
          <bdi>{name}</bdi>{" "}
          {room.retired && (
            <span className="chip plain">
              <Trans>retired</Trans>
            </span>
          )}
        </h3>
        {room.tags.length > 0 && (
          <p className="row tags-of">
            <Tags tags={room.tags} />
          </p>
        )}
      </div>
      <div className="row">
        {(role === "clinic_admin" || role === "staff") && (
          <a className="button small" href={hrefOf(resource_id)} onClick={follow} aria-label={t`Day of ${name}`}>
            <Trans>Day</Trans>
          </a>
        )}
        {(role === "clinic_admin" || role === "staff") && (
          <a className="button small" href={`/desk/room/${resource_id}/hours`} onClick={follow} aria-label={t`Hours of ${name}`}>
            <Trans>Hours</Trans>
          </a>
        )}
        {mayChange && (
          <>
            <button className="button small" type="button" aria-haspopup="dialog" aria-label={t`Rename ${name} …`} onClick={() => setRenaming(true)}>
              <Trans>Rename …</Trans>
            </button>
            <RoomStanding room={room} zone={zone} isDesk={role === "clinic_admin"} />
          </>
        )}
      </div>
      {isRenaming && <RenameDialog clinic={clinic} room={room} onClose={() => setRenaming(false)} />}
    </li>
  );
}

/** What is typed of a room: what it is fit for is words between commas. */
interface Typed {
  name: string;
  tags: string[];
}

const typedIn = (form: HTMLFormElement): Typed => {
  const values = new FormData(form);
  const tags = String(values.get("tags") ?? "").split(/[,،;\n]/);
  return { name: String(values.get("name") ?? "").trim(), tags: [...new Set(tags.map((one) => one.trim()).filter(Boolean))] };
};

const MOST_TAGS = 16;
const LONGEST_TAG = 40;

function checked({ name, tags }: Typed): MessageDescriptor | undefined {
  if (name === "") return msg`Write a name, as “Room 2”.`;
  if (tags.length > MOST_TAGS) return msg`It is fit for too much: 16 words are the most.`;
  if (tags.some((one) => one.length > LONGEST_TAG)) return msg`One of the words is too long: 40 characters are the most.`;
  return undefined;
}

/** In words what the server does not take. */
function refused({ code, errors }: Partial<Problem>): MessageDescriptor {
  const fields = (errors ?? []).map((one) => one.field.split(/[.[]/)[0]);
  if (fields.includes("name")) return msg`This name cannot be used. It has 1 to 200 characters on one line.`;
  if (fields.includes("tags")) return msg`These words cannot be used. Each has 1 to 40 characters on one line.`;
  if (code === "invalid_request") return msg`The clinic has as many rooms and devices as are possible. Rename one that is retired, and use it again.`;
  if (code === "version_behind") return msg`Another person changed it meanwhile. Close this, look at it, then change it.`;
  return staffRefusal(code);
}

interface FormProps {
  room?: Resource;
  send: (typed: Typed, form: HTMLFormElement) => Promise<Partial<Problem> | undefined>;
  submit: ReactNode;
  onClose: () => void;
  children?: ReactNode;
}

function RoomForm({ room, send, submit, onClose, children }: FormProps) {
  const { i18n } = useLingui();
  const [wrong, setWrong] = useState<MessageDescriptor>();
  const [isBusy, setBusy] = useState(false);
  const ask = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (isBusy) return;
    const form = event.currentTarget;
    const typed = typedIn(form);
    const problem = checked(typed);
    setWrong(problem);
    if (problem !== undefined) return form.querySelector<HTMLInputElement>('[name="name"]')?.focus();
    setBusy(true);
    const error = await send(typed, form);
    setBusy(false);
    if (error !== undefined) setWrong(refused(error));
  };
  return (
    <form className="stack" noValidate onSubmit={(event) => void ask(event)}>
      {wrong !== undefined && (
        <p className="notice bad" role="alert">
          {i18n._(wrong)}
        </p>
      )}
      {children}
      <div className="field">
        <label htmlFor="room-name">
          <Trans>Name</Trans>
        </label>
        <span className="quiet small" id="room-name-hint">
          <Trans>As it is written on the door: patients look for it.</Trans>
        </span>
        <input
          id="room-name"
          name="name"
          className="input"
          dir="auto"
          maxLength={200}
          required
          autoComplete="off"
          aria-describedby="room-name-hint"
          defaultValue={room?.name}
        />
      </div>
      <div className="field">
        <label htmlFor="room-tags">
          <Trans>Fit for (optional)</Trans>
        </label>
        <span className="quiet small" id="room-tags-hint">
          <Trans>Words between commas, as “ultrasound, children”. A visit can ask for one of them.</Trans>
        </span>
        <input
          id="room-tags"
          name="tags"
          className="input"
          dir="auto"
          autoComplete="off"
          aria-describedby="room-tags-hint"
          defaultValue={room?.tags.join(", ")}
        />
      </div>
      <div className="row">
        <button className="button primary" type="submit" aria-disabled={isBusy}>
          {isBusy ? <Trans>One moment …</Trans> : submit}
        </button>
        <button className="button" type="button" onClick={onClose}>
          <Trans>Leave it as it is</Trans>
        </button>
      </div>
    </form>
  );
}

function AddDialog({ clinic, hasHours, onClose }: { clinic: string; hasHours: boolean; onClose: () => void }) {
  const { t, i18n } = useLingui();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const sending = useSending();
  const send = async ({ name, tags }: Typed, form: HTMLFormElement) => {
    const kind = String(new FormData(form).get("kind")) as ResourceKind;
    const body: Schemas["NewResourceBody"] = { kind, name, tags };
    const path = { clinic_id: clinic };
    const answer = await sending.send(body, (key) =>
      api.POST("/v1/clinics/{clinic_id}/resources", { params: { path, header: { "Idempotency-Key": key } }, body }),
    );
    const made = answer?.data;
    if (made === undefined) return answer?.error ?? {};
    // The page of its hours looks it up among those that are known.
    queries.setQueryData<Resource[]>(["resources", clinic], (old) => [...(old ?? []), made]);
    await queries.invalidateQueries({ queryKey: ["resources", clinic] });
    speakOut(t`${name} is added.`);
    if (hasHours) await navigate({ to: "/desk/room/$room/$view", params: { room: made.resource_id, view: "hours" } });
    else onClose();
    return undefined;
  };
  return (
    <Dialog title={t`Add a room or a device`} onClose={onClose}>
      <RoomForm send={send} submit={hasHours ? <Trans>Add, then set the hours</Trans> : <Trans>Add</Trans>} onClose={onClose}>
        <fieldset className="row">
          <legend>
            <Trans>What it is</Trans>
          </legend>
          {(Object.keys(KINDS) as ResourceKind[]).map((one, index) => (
            <label key={one} className="check">
              <input type="radio" name="kind" value={one} defaultChecked={index === 0} />
              {i18n._(KINDS[one])}
            </label>
          ))}
        </fieldset>
      </RoomForm>
    </Dialog>
  );
}

function RenameDialog({ clinic, room, onClose }: { clinic: string; room: Resource; onClose: () => void }) {
  const { t } = useLingui();
  const queries = useQueryClient();
  const sending = useSending();
  const send = async (typed: Typed) => {
    const path = { clinic_id: clinic, resource_id: room.resource_id };
    const answer = await sending.send(typed, () =>
      api.PUT("/v1/clinics/{clinic_id}/resources/{resource_id}", { params: { path }, body: typed }),
    );
    const data = answer?.data;
    if (data === undefined) return answer?.error ?? {};
    await queries.invalidateQueries({ queryKey: ["resources", clinic] });
    const { name } = data;
    speakOut(t`${name} is saved.`);
    onClose();
    return undefined;
  };
  const { name } = room;
  return (
    <Dialog title={t`Rename ${name}`} onClose={onClose}>
      <RoomForm room={room} send={send} submit={<Trans>Save</Trans>} onClose={onClose} />
    </Dialog>
  );
}
