import "./symptoms.css";
import { Trans, useLingui } from "@lingui/react/macro";
import { getRouteApi } from "@tanstack/react-router";
import { useEffect, useRef, useState, type FormEvent, type KeyboardEvent, type MouseEvent } from "react";
import { answered, api, Refused, type Schemas } from "../app/api";
import { refusalText } from "../app/refusals";
import { useFollow } from "../app/shell";
import { Icon } from "../ui/icons";

const route = getRouteApi("/");
/** As the server takes it. */
const LETTERS_MAX = 300;

type Answer = Schemas["SymptomsAnswer"];

/**
 * What troubles a person, in their own words, and specialties that may fit. A choice is the
 * person's: nothing is filtered before a chip is tapped. The words go into the body of one
 * request and into no address, no history and no store of the browser.
 */
export function Symptoms({ names }: { names: readonly string[] | undefined }) {
  const { i18n } = useLingui();
  const [isOpen, setOpen] = useState(false);
  const [text, setText] = useState("");
  const [answer, setAnswer] = useState<Answer | Refused>();
  // Only the answer to the last question is shown.
  const last = useRef(0);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const wanted = text.trim();
    if (wanted === "") return;
    const asked = (last.current += 1);
    const found = await ask(wanted, i18n.locale);
    if (asked === last.current) setAnswer(found);
  };
  return (
    <>
    <section className="trouble">
      <button type="button" className="button small quiet" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        <Icon name="health" />
        <Trans>Not sure which doctor? Describe what troubles you</Trans>
      </button>
      {isOpen && (
        <form className="stack" onSubmit={(event) => void submit(event)} autoComplete="off">
          <Field text={text} onChange={setText} />
          <button className="button primary" type="submit">
            <Trans>Suggest specialties</Trans>
          </button>
        </form>
      )}
      {answer instanceof Refused ? (
        <p className="notice bad" role="alert">
          {i18n._(refusalText(answer.code))}
        </p>
      ) : (
        answer?.urgent && <Emergency />
      )}
      <div role="status">
        {answer !== undefined && !(answer instanceof Refused) && (
          <Suggestions answer={answer} onTake={() => setOpen(false)} />
        )}
      </div>
    </section>
    {names !== undefined && <Specialties names={names} />}
    </>
  );
}

function Specialties({ names }: { names: readonly string[] }) {
  const follow = useFollow();
  return (
    <div className="tags">
      {names.map((name) => (
        <a key={name} href={`/?specialty=${encodeURIComponent(name)}`} onClick={follow}>
          <bdi>{name}</bdi>
        </a>
      ))}
    </div>
  );
}

/** Not by the query cache, which would keep the words. */
async function ask(text: string, language: string): Promise<Answer | Refused> {
  try {
    return answered(await api.POST("/v1/symptoms", { body: { text, language } }));
  } catch (error) {
    return error instanceof Refused ? error : new Refused({});
  }
}

function Field({ text, onChange }: { text: string; onChange: (text: string) => void }) {
  const field = useRef<HTMLTextAreaElement>(null);
  useEffect(() => field.current?.focus(), []);
  const enter = (event: KeyboardEvent<HTMLTextAreaElement>) => {
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    event.currentTarget.form?.requestSubmit();
  };
  return (
    <>
      <label htmlFor="trouble">
        <Trans>What troubles you?</Trans>
      </label>
      <textarea
        id="trouble"
        ref={field}
        className="input"
        rows={2}
        maxLength={LETTERS_MAX}
        required
        // Some browsers send what they check to a server of theirs.
        spellCheck={false}
        enterKeyHint="go"
        aria-describedby="trouble-note"
        value={text}
        onChange={(event) => onChange(event.target.value)}
        onKeyDown={enter}
      />
      <p className="small quiet" id="trouble-note">
        <Trans>In your own words, for instance “my knee hurts on the stairs”. What you write is not kept. This is no diagnosis.</Trans>
      </p>
    </>
  );
}

/** Always the same words: what was written does not change them. */
function Emergency() {
  return (
    <div className="notice bad" role="alert">
      <p>
        <strong>
          <Trans>This may be an emergency. Do not wait for a visit.</Trans>
        </strong>
      </p>
      <p>
        <Trans>
          Call <a href="tel:112">112</a>, in Britain <a href="tel:999">999</a>, in North America <a href="tel:911">911</a>. The same
          numbers help at any hour if you no longer want to live.
        </Trans>
      </p>
    </div>
  );
}

function Suggestions({ answer, onTake }: { answer: Answer; onTake: () => void }) {
  const { near, within, specialty } = route.useSearch();
  const follow = useFollow();
  const take = (event: MouseEvent<HTMLAnchorElement>) => {
    follow(event);
    onTake();
  };
  const around = Object.entries({ near, within }).filter((one): one is [string, string] => one[1] !== undefined);
  if (answer.suggestions.length === 0) {
    return (
      <p>
        <Trans>We have no suggestion for this. Try other words; a general practice sees to everything first.</Trans>
      </p>
    );
  }
  return (
    <>
      <p>
        {answer.sure ? (
          <Trans>These specialties may fit. Choose one to see its free times:</Trans>
        ) : (
          <Trans>We are not sure. Perhaps one of these fits:</Trans>
        )}
      </p>
      <ul className={answer.sure ? "kinds" : "kinds unsure"}>
        {answer.suggestions.map(({ specialty: id, title }) => (
          <li key={id}>
            <a
              href={`/?${new URLSearchParams([["specialty", title], ...around])}`}
              aria-current={title === specialty ? "true" : undefined}
              onClick={take}
            >
              <bdi>{title}</bdi>
            </a>
          </li>
        ))}
      </ul>
    </>
  );
}
