/** Names in the place of ids, as far as the reader may know them. */
import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { answered, api } from "../app/api";

export const nameOf = (one: { given_name: string; family_name: string }) =>
  [one.given_name, one.family_name].filter(Boolean).join(" ");

interface Known {
  id: string | undefined;
  /** Instead of the id where there is no name, or it may not be read. */
  without?: ReactNode;
}

/** A patient's name; their id where there is no profile, or it may not be read. */
export function PatientName({ id, without = id }: Known) {
  const found = useQuery({
    queryKey: ["patient", id],
    enabled: id !== undefined,
    staleTime: Infinity,
    retry: false,
    queryFn: async () => {
      const { data } = await api.GET("/v1/patients/{patient_id}", { params: { path: { patient_id: id! } } });
      return data === undefined ? "" : nameOf(data);
    },
  });
  return <Name name={found.data} isComing={found.isLoading} without={without} />;
}

/** The name of a calendar's provider. */
export function ProviderName({ id, without = id }: Known) {
  const found = useQuery({
    queryKey: ["provider", id],
    enabled: id !== undefined,
    retry: false,
    queryFn: async () =>
      answered(await api.GET("/v1/providers/{provider_id}", { params: { path: { provider_id: id! } } })),
  });
  return <Name name={found.data?.name} isComing={found.isLoading} without={without} />;
}

/** What is known of a clinic to everyone. */
export function useClinic(id: string) {
  return useQuery({
    queryKey: ["clinic-known", id],
    retry: false,
    staleTime: Infinity,
    queryFn: async () => answered(await api.GET("/v1/clinics/{clinic_id}", { params: { path: { clinic_id: id } } })),
  });
}

export function ClinicName({ id }: { id: string }) {
  const found = useClinic(id);
  return <Name name={found.data?.name} isComing={found.isLoading} without={id} />;
}

/** While a name may still come there is no id in its place: it would be read, and then jump. */
function Name({ name, isComing, without }: { name: string | undefined; isComing: boolean; without: ReactNode }) {
  return <bdi>{isComing ? "…" : name || without}</bdi>;
}
