import "./ops.css";
import { msg } from "@lingui/core/macro";
import { Plural, Trans, useLingui } from "@lingui/react/macro";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi } from "@tanstack/react-router";
import { useState } from "react";
import { answered, api, type Schemas } from "../app/api";
import { refusalText } from "../app/refusals";
import { useFollow } from "../app/shell";
import { useEditing, type Kept } from "../clinic/editing";
import { EditForm, TagsField, TextField } from "../clinic/form";
import { partOf, theirsOf, useSaving } from "../clinic/saving";
import { LOCALES } from "../i18n";
import { Dialog } from "../ui/dialog";
import { Gate } from "../ui/gate";
import { speakOut } from "../ui/spoken";

const route = getRouteApi("/ops/specialties");
const NEW = "new";
type Specialty = Schemas["SpecialtyAnswer"];

/** What specialties are called, in every language: the search finds their doctors by all of it. */
export function SpecialtiesPage() {
  return <Gate>{({ role }) => (role === "admin" ? <Specialties /> : <NotYours />)}</Gate>;
}

function NotYours() {
  return (
    <p className="notice bad" role="alert">
      <Trans>Only the platform's operators edit specialties.</Trans>
    </p>
  );
}

async function readAll(language: string): Promise<Specialty[]> {
  return answered(await api.GET("/v1/specialties", { params: { query: { language } } })).items;
}

function Specialties() {
  const { i18n, t } = useLingui();
  const follow = useFollow();
  const chosen = route.useSearch().specialty;
  const [words, setWords] = useState("");
  const found = useQuery({ queryKey: ["specialties", i18n.locale], queryFn: () => readAll(i18n.locale) });
  if (found.isError) {
    return (
      <p className="notice bad" role="alert">
        <Trans>The specialties could not be loaded. Load the page again.</Trans>
      </p>
    );
  }
  if (found.data === undefined) return <div className="card page-room" aria-busy="true" />;
  if (chosen !== undefined) {
    return <Edit key={chosen} one={found.data.find((one) => one.specialty === chosen)} known={found.data} />;
  }
  const wanted = words.trim().toLocaleLowerCase();
  const shown = found.data.filter((one) =>
    [one.title, ...Object.values(one.names).flatMap(({ title, synonyms }) => [title, ...synonyms])].some((text) =>
      text.toLocaleLowerCase().includes(wanted),
    ),
  );
  return (
    <div className="stack medium">
      <div className="row between">
        <h1>
          <Trans>Specialties</Trans>
        </h1>
        <a className="button primary" href={`/ops/specialties?specialty=${NEW}`} onClick={follow}>
          <Trans>Add a specialty</Trans>
        </a>
      </div>
      <p className="quiet">
        <Trans>A patient who types any of these words, in any language, finds the doctors of the specialty.</Trans>
      </p>
      <div className="field card" role="search">
        <label htmlFor="specialty-words">
          <Trans>Title or synonym</Trans>
        </label>
        <input id="specialty-words" className="input" type="search" value={words} onChange={(event) => setWords(event.target.value)} />
        <span className="quiet small" role="status">
          <Plural value={shown.length} one="# specialty" other="# specialties" />
        </span>
      </div>
      <ul className="plain-list stack" aria-label={t`Specialties`}>
        {shown.map((one) => (
          <li key={one.specialty}>
            <a
              className="card clinicrow"
              href={`/ops/specialties?specialty=${encodeURIComponent(one.specialty)}`}
              onClick={follow}
            >
              <strong>
                <bdi>{one.title}</bdi>{" "}
                {!one.built_in && (
                  <span className="chip plain">
                    <Trans>this site's</Trans>
                  </span>
                )}
              </strong>
              <span className="quiet small">
                <bdi>{Object.keys(one.names).join(" · ")}</bdi>
              </span>
            </a>
          </li>
        ))}
      </ul>
    </div>
  );
}

/** Titles and synonyms by language; each a field of its own. */
type Title = `title-${string}`;
type Synonyms = `synonyms-${string}`;
interface Names {
  [title: Title]: string;
  [synonyms: Synonyms]: string[];
}

function namesOf(one: Specialty | undefined): Names {
  const names: Names = {};
  for (const language of Object.keys({ ...LOCALES, ...one?.names })) {
    names[`title-${language}`] = one?.names[language]?.title ?? "";
    names[`synonyms-${language}`] = one?.names[language]?.synonyms ?? [];
  }
  return names;
}

const languagesOf = (names: Names) =>
  Object.keys(names)
    .filter((key) => key.startsWith("title-"))
    .map((key) => key.slice("title-".length));

function bodyOf(names: Names): Schemas["SpecialtyBody"] {
  const said = languagesOf(names).filter((language) => names[`title-${language}`]!.trim() !== "");
  return {
    names: Object.fromEntries(
      said.map((language) => [language, { title: names[`title-${language}`]!, synonyms: names[`synonyms-${language}`]! }]),
    ),
  };
}

/** "sports-medicine" of "Sports medicine"; what has no latin letters gets a number. */
export function idOf(title: string, known: readonly string[]): string {
  const plain = title.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const base = plain.replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "").slice(0, 60) || "specialty";
  let id = base;
  for (let number = 2; known.includes(id) || id === NEW; number += 1) id = `${base}-${number}`;
  return id;
}

const EMPTY = msg`Write a title in at least one language.`;
const UNTITLED = msg`Write a title for the language, or remove its synonyms.`;

function Edit({ one, known }: { one: Specialty | undefined; known: readonly Specialty[] }) {
  const { t, i18n } = useLingui();
  const follow = useFollow();
  const queries = useQueryClient();
  const [id, setId] = useState(one?.specialty);
  const [isOwn, setOwn] = useState(one !== undefined && !one.built_in);
  const names = useEditing<Names>({ values: namesOf(one), tag: one?.tag ?? "" });
  const saving = useSaving(
    [
      partOf(
        names,
        async (values, tag) => {
          const body = bodyOf(values);
          const first = body.names["en"] ?? Object.values(body.names)[0]!;
          const made = id ?? idOf(first.title, known.map((other) => other.specialty));
          const answer = await api.PUT("/v1/specialties/{specialty}", {
            params: { path: { specialty: made } },
            ...(tag === "" ? {} : { headers: { "If-Match": tag } }),
            body,
          });
          if (answer.data === undefined) return { error: answer.error };
          setId(made);
          setOwn(true);
          return { kept: { values: namesOf(answer.data), tag: answer.data.tag } };
        },
        async (): Promise<Kept<Names> | undefined> => {
          const all = await readAll(i18n.locale).catch(() => []);
          const latest = all.find((other) => other.specialty === id);
          return latest === undefined ? undefined : { values: namesOf(latest), tag: latest.tag };
        },
      ),
    ],
    () => undefined,
  );
  const save = async () => {
    const wrong: Record<string, ReturnType<typeof msg>> = {};
    const languages = languagesOf(names.values);
    for (const language of languages) {
      if (names.values[`title-${language}`]!.trim() === "" && names.values[`synonyms-${language}`]!.length > 0) {
        wrong[`title-${language}`] = UNTITLED;
      }
    }
    if (languages.every((language) => names.values[`title-${language}`]!.trim() === "")) wrong["title-en"] = EMPTY;
    if (!(await saving.save(wrong))) return;
    speakOut(t`The specialty is saved.`);
    await queries.invalidateQueries({ queryKey: ["specialties"] });
  };
  const display = new Intl.DisplayNames([i18n.locale], { type: "language" });
  const theirs = theirsOf(names, (_, value) => (Array.isArray(value) ? value.join(", ") : String(value)));
  return (
    <div className="stack medium">
      <div>
        <p>
          <a href="/ops/specialties" onClick={follow}>
            <Trans>All specialties</Trans>
          </a>
        </p>
        <h1>{one === undefined ? <Trans>Add a specialty</Trans> : <bdi>{one.title}</bdi>}</h1>
        <p className="quiet">
          <Trans>Titles are shown; synonyms are found too: spellings, short forms, what people call it.</Trans>
        </p>
      </div>
      <EditForm
        wrong={saving.wrong}
        theirs={theirs}
        isBehind={saving.isBehind}
        isChanged={saving.isChanged}
        isBusy={saving.isBusy}
        isSaved={saving.isSaved}
        onSave={() => void save()}
        onDiscard={saving.discard}
      >
        {languagesOf(names.values).map((language) => (
          <section key={language} className="card stack" aria-labelledby={`in-${language}`}>
            <h2 id={`in-${language}`}>
              <bdi>{display.of(language) ?? language}</bdi>
            </h2>
            <TextField
              name={`title-${language}`}
              label={<Trans>Title</Trans>}
              lang={language}
              dir="auto"
              maxLength={100}
              autoComplete="off"
              value={names.values[`title-${language}`]!}
              onChange={(value) => names.set(`title-${language}`, value)}
            />
            <TagsField
              name={`synonyms-${language}`}
              label={<Trans>Synonyms</Trans>}
              hint={<Trans>Press Enter after each.</Trans>}
              value={names.values[`synonyms-${language}`]!}
              max={60}
              length={100}
              onChange={(value) => names.set(`synonyms-${language}`, value)}
            />
          </section>
        ))}
      </EditForm>
      {id !== undefined && isOwn && <TakeBack id={id} isBuiltIn={one?.built_in === true} />}
    </div>
  );
}

/** Drops what this site said; a specialty that every site knows is then as it was. */
function TakeBack({ id, isBuiltIn }: { id: string; isBuiltIn: boolean }) {
  const { t, i18n } = useLingui();
  const queries = useQueryClient();
  const navigate = route.useNavigate();
  const [isOpen, setOpen] = useState(false);
  const [wrong, setWrong] = useState<string>();
  const drop = async () => {
    const { error } = await api.DELETE("/v1/specialties/{specialty}", { params: { path: { specialty: id } } });
    if (error !== undefined) return setWrong(i18n._(refusalText(error.code)));
    speakOut(t`What this site said is taken back.`);
    await queries.invalidateQueries({ queryKey: ["specialties"] });
    void navigate({ search: {}, ignoreBlocker: true });
  };
  return (
    <section className="card stack" aria-labelledby="take-back">
      <h2 id="take-back">
        <Trans>Take this site's words back</Trans>
      </h2>
      <p>
        <Trans>A specialty that every site knows is then as it was; one that only this site has is gone. Doctors keep what their entries say.</Trans>
      </p>
      <div>
        <button className="button danger" type="button" aria-haspopup="dialog" onClick={() => setOpen(true)}>
          <Trans>Take back …</Trans>
        </button>
      </div>
      {isOpen && (
        <Dialog title={t`Take this site's words back?`} onClose={() => setOpen(false)}>
          <p>
            {isBuiltIn ? (
              <Trans>The specialty is as every site knows it again.</Trans>
            ) : (
              <Trans>What was written here is lost, in every language.</Trans>
            )}
          </p>
          {wrong !== undefined && (
            <p className="notice bad" role="alert">
              {wrong}
            </p>
          )}
          <div className="row">
            <button className="button danger" type="button" onClick={() => void drop()}>
              <Trans>Take back</Trans>
            </button>
            <button className="button" type="button" onClick={() => setOpen(false)}>
              <Trans>Leave it as it is</Trans>
            </button>
          </div>
        </Dialog>
      )}
    </section>
  );
}
