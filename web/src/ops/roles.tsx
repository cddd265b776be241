import "./ops.css";
import { Trans } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import { answered, api } from "../app/api";
import { Gate } from "../ui/gate";

/** All roles, and what each may do: the table that the server itself asks. */
export function RolesPage() {
  return <Gate>{({ role }) => <Roles role={role} />}</Gate>;
}

function Roles({ role }: { role: string }) {
  const found = useQuery({
    queryKey: ["roles", role],
    queryFn: async () => answered(await api.GET("/v1/roles")).items,
  });
  if (found.data === undefined) return <div className="card page-room" aria-busy="true" />;
  return (
    <div className="stack medium">
      <h1>
        <Trans>Roles and rights</Trans>
      </h1>
      <p className="quiet">
        <Trans>What each role may do is fixed. Roles are given to people by memberships.</Trans>
      </p>
      {found.data.map((one) => (
        <details key={one.role} className="card">
          <summary>
            <strong>
              <bdi>{one.role}</bdi>
            </strong>
            : <bdi lang="en">{one.description}</bdi>
          </summary>
          <table>
            <thead>
              <tr>
                <th scope="col">
                  <Trans>Action</Trans>
                </th>
                <th scope="col">
                  <Trans>on what is its own</Trans>
                </th>
                <th scope="col">
                  <Trans>on anything else</Trans>
                </th>
              </tr>
            </thead>
            <tbody>
              {one.rights.map((right) => (
                <tr key={right.action}>
                  <th scope="row">
                    <bdi lang="en">{right.action.replaceAll("_", " ")}</bdi>
                  </th>
                  <td lang="en">{right.own}</td>
                  <td lang="en">{right.other}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </details>
      ))}
    </div>
  );
}
