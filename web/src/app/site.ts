import { useQuery } from "@tanstack/react-query";
import { answered, api, type Schemas } from "./api";

/** What this site offers: whether it is a demo, and whether there are accounts. */
export function useSite(): Schemas["SiteAnswer"] | undefined {
  return useQuery({
    queryKey: ["site"],
    staleTime: Infinity,
    queryFn: async () => answered(await api.GET("/v1/site")),
  }).data;
}
