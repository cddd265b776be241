/** Who is behind a role: the person's name, and where the role is played. */
import { useQuery } from "@tanstack/react-query";
import { answered, api } from "../app/api";
import { sameContext, session, type Context } from "../app/session";

export interface Named {
  name?: string;
  place?: string;
}

const KEPT_MS = 5 * 60_000;

/** The name behind one of the account's roles; undefined until it is known. */
export function useNamed(context: Context, isWanted = true): Named | undefined {
  return useQuery({
    queryKey: ["named", context.role, context.subject],
    queryFn: () => named(context),
    enabled: isWanted,
    retry: false,
    staleTime: KEPT_MS,
  }).data;
}

async function named({ role, subject, clinic_id }: Context): Promise<Named> {
  const isMine = sameContext(session.context()!, { role, subject });
  if (role === "patient") {
    if (!isMine) return {};
    const { data } = await api.GET("/v1/me/profile");
    // Who has just registered has told no name yet.
    return { name: (data && whole(data)) || (await email()) };
  }
  if (role === "guardian") {
    const token = isMine ? session.token() : await session.tokenOf({ role, subject });
    const answer = await fetch(`/v1/patients/${encodeURIComponent(subject)}`, {
      headers: { Authorization: `Bearer ${token ?? ""}` },
    });
    return answer.ok ? { name: whole((await answer.json()) as Person) } : {};
  }
  if (role === "doctor") {
    const params = { path: { provider_id: subject } };
    const { name, clinic } = answered(await api.GET("/v1/providers/{provider_id}", { params }));
    return { name, place: clinic.name };
  }
  const person = isMine ? { name: await email() } : {};
  if (role !== "clinic_admin" && role !== "staff") return person;
  const params = { path: { clinic_id: clinic_id ?? subject } };
  const { name } = answered(await api.GET("/v1/clinics/{clinic_id}", { params }));
  return { ...person, place: name };
}

async function email(): Promise<string> {
  return answered(await api.GET("/v1/me")).email;
}

interface Person {
  given_name: string;
  family_name: string;
}

function whole({ given_name, family_name }: Person): string {
  return `${given_name} ${family_name}`.trim();
}
