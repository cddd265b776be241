import "./documents.css";
import { Trans, useLingui } from "@lingui/react/macro";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useId, useRef, useState } from "react";
import { answered, api, Refused } from "../app/api";
import { HERE, say } from "../app/time";
import { Dialog } from "../ui/dialog";
import { speakOut } from "../ui/spoken";
import { documentRefusal, faultText } from "./refusals";
import { againAfter, handIn, interrupted, save, Unsent, type Doc } from "./sending";

/** What the server takes; a phone that keeps another kind then sends a JPEG. */
const KINDS = "application/pdf,image/jpeg,image/png,image/webp";

export interface Opened {
  booking: string;
  isSmall?: boolean;
}

/** Opens the documents of a visit. */
export function DocumentsButton({ booking, isSmall = false }: Opened) {
  const [isOpen, setOpen] = useState(false);
  return (
    <>
      <button className={isSmall ? "button small" : "button"} type="button" onClick={() => setOpen(true)}>
        <Trans>Documents</Trans>
      </button>
      {isOpen && <DocumentsDialog booking={booking} onClose={() => setOpen(false)} />}
    </>
  );
}

export function DocumentsDialog({ booking, onClose }: { booking: string; onClose: () => void }) {
  const { t, i18n } = useLingui();
  const queries = useQueryClient();
  const queryKey = ["documents", booking];
  const [share, setShare] = useState<number>();
  const [wrong, setWrong] = useState<string>();
  const field = useRef<HTMLInputElement>(null);
  const found = useQuery({
    queryKey,
    staleTime: 0,
    queryFn: async () =>
      answered(await api.GET("/v1/documents", { params: { query: { booking_id: booking } } })).items,
    refetchInterval: ({ state }) =>
      state.data?.some((one) => one.state === "quarantined") ? againAfter(state.dataUpdateCount) : false,
  });
  const docs = found.data ?? [];
  const refused = found.error instanceof Refused ? found.error.code : found.isError ? "unreachable" : undefined;
  const again = () => queries.invalidateQueries({ queryKey });
  const onFile = async (file: File) => {
    setWrong(undefined);
    setShare(0);
    try {
      await handIn({ booking, file, begun: await interrupted(docs, file), onShare: setShare });
      speakOut(t`The document has arrived and is being checked.`);
    } catch (error) {
      setWrong(error instanceof Unsent ? error.code : "unreachable");
    }
    setShare(undefined);
    await again();
  };
  const onRemove = async (doc: Doc) => {
    setWrong(undefined);
    const { error } = await api.DELETE("/v1/documents/{document_id}", {
      params: { path: { document_id: doc.document_id } },
    });
    if (error !== undefined) setWrong(error.code);
    else speakOut(t`The document is removed.`);
    await again();
    field.current?.focus();
  };
  const onSave = async (doc: Doc) => setWrong(await save(doc));
  return (
    <Dialog title={t`Documents of this visit`} onClose={onClose}>
      {found.isPending && <div className="card page-room" aria-busy="true" />}
      {found.data?.length === 0 && (
        <p className="quiet">
          <Trans>There are none yet.</Trans>
        </p>
      )}
      {docs.length > 0 && (
        <ul className="plain-list documents">
          {docs.map((one) => (
            <Item key={one.document_id} doc={one} isSending={share !== undefined} onSave={onSave} onRemove={onRemove} />
          ))}
        </ul>
      )}
      <Add field={field} share={share} onFile={(file) => void onFile(file)} />
      {(wrong ?? refused) !== undefined && (
        <p className="notice bad" role="alert">
          {i18n._(documentRefusal(wrong ?? refused ?? ""))}
        </p>
      )}
      <div className="row">
        <button className="button" type="button" onClick={onClose}>
          <Trans>Close</Trans>
        </button>
      </div>
    </Dialog>
  );
}

interface Adding {
  field: React.RefObject<HTMLInputElement | null>;
  /** How much of a file has arrived, while one is sent. */
  share: number | undefined;
  onFile: (file: File) => void;
}

function Add({ field, share, onFile }: Adding) {
  const { t, i18n } = useLingui();
  const id = useId();
  const take = (input: HTMLInputElement) => {
    const file = input.files?.[0];
    input.value = ""; // the same file may be chosen again
    if (file !== undefined) onFile(file);
  };
  const part = i18n.number(share ?? 0, { style: "percent" });
  return (
    <div className="stack">
      <div className="field">
        <label htmlFor={id}>
          <Trans>Add a document</Trans>
        </label>
        <input
          id={id}
          ref={field}
          className="input"
          type="file"
          accept={KINDS}
          aria-describedby={`${id}-hint`}
          disabled={share !== undefined}
          onChange={(event) => take(event.target)}
        />
        <span className="quiet small" id={`${id}-hint`}>
          <Trans>
            A PDF, or a picture (JPEG, PNG or WebP), at most 20 MB. Where a picture was taken is removed. The patient
            and the clinic of this visit can read it.
          </Trans>
        </span>
      </div>
      <div className="field camera">
        <label htmlFor={`${id}-camera`}>
          <Trans>Or take a photo of it</Trans>
        </label>
        <input
          id={`${id}-camera`}
          className="input"
          type="file"
          accept="image/jpeg"
          capture="environment"
          disabled={share !== undefined}
          onChange={(event) => take(event.target)}
        />
      </div>
      {share !== undefined && (
        <div role="status">
          <Trans>Sending: {part}</Trans>
          <progress value={share} aria-label={t`How much has been sent`} />
        </div>
      )}
    </div>
  );
}

interface Shown {
  doc: Doc;
  isSending: boolean;
  onSave: (doc: Doc) => Promise<void>;
  onRemove: (doc: Doc) => Promise<void>;
}

function Item({ doc, isSending, onSave, onRemove }: Shown) {
  const { t, i18n } = useLingui();
  const name = doc.name;
  const size = i18n.number(Math.max(doc.size / 1_000_000, 0.1), { maximumFractionDigits: 1 });
  const at = say(doc.made_at, HERE, { dateStyle: "medium", timeStyle: "short" });
  const canRemove = doc.can_remove && !(isSending && doc.state === "receiving");
  return (
    <li>
      <div className="of">
        <strong>
          <bdi>{name}</bdi>
        </strong>
        <p className="quiet small">
          {doc.of_clinic ? <Trans>from the clinic</Trans> : <Trans>from the patient</Trans>} · <bdi>{at}</bdi> ·{" "}
          <Trans>{size} MB</Trans>
        </p>
        <State doc={doc} isSending={isSending} />
      </div>
      <span className="row">
        {doc.state === "available" && (
          <button
            className="button small"
            type="button"
            aria-label={t`Download ${name}`}
            onClick={() => void onSave(doc)}
          >
            <Trans>Download</Trans>
          </button>
        )}
        {canRemove && (
          <button
            className="button small danger"
            type="button"
            aria-label={t`Remove ${name}`}
            onClick={() => void onRemove(doc)}
          >
            <Trans>Remove</Trans>
          </button>
        )}
      </span>
    </li>
  );
}

function State({ doc, isSending }: { doc: Doc; isSending: boolean }) {
  const { i18n } = useLingui();
  switch (doc.state) {
    case "quarantined":
      return (
        <span className="chip plain">
          <Trans>Being checked</Trans>
        </span>
      );
    case "refused":
      return <span className="chip warn">{i18n._(faultText(doc.fault ?? ""))}</span>;
    case "receiving":
      return isSending ? null : (
        <span className="chip warn">
          <Trans>Not sent to its end: choose the same file again</Trans>
        </span>
      );
    default:
      return null;
  }
}
