// @vitest-environment jsdom
import { describe, expect, test } from "vitest";
import type { ProviderItem } from "../app/api";
import { suggestionsOf } from "./suggest";

function doctor(id: string, name: string, specialty: string, clinic: string, city: string): ProviderItem {
  return { provider_id: id, name, specialty, clinic: { name: clinic, city } } as ProviderItem;
}

const DOCTORS = [
  doctor("prv_1", "Dr Ana Müller", "Dermatology", "Harbour Skin", "Bristol"),
  doctor("prv_2", "Dr Bristow Lane", "General practice", "Bristol Central", "Bristol"),
  doctor("prv_3", "Dr Chidi Eze", "General practice", "Hill Practice", "Bath"),
];
const said = (text: string) => suggestionsOf(text, DOCTORS).map((one) => `${one.kind} ${one.text}`);

describe("suggestions", () => {
  test("name what the words begin, each once: specialty, town, clinic, doctor", () => {
    expect(said("bri")).toEqual(["town Bristol", "clinic Bristol Central", "doctor Dr Bristow Lane"]);
    expect(said("general pr")).toEqual(["specialty General practice"]);
  });
  test("every word must be there, in any order, without case and accents", () => {
    expect(said("MULLER ana")).toEqual(["doctor Dr Ana Müller"]);
    expect(said("ana lane")).toEqual([]);
  });
  test("lead to the doctor's page, or to the results of a specialty, a clinic or a town", () => {
    const at = (text: string) => suggestionsOf(text, DOCTORS)[0]?.href;
    expect(at("chidi")).toBe("/p/prv_3");
    expect(at("dermatology")).toBe("/?specialty=Dermatology");
    expect(at("hill")).toBe("/?q=Hill%20Practice");
  });
  test("are at most eight, and four of a kind", () => {
    const many = Array.from({ length: 30 }, (_, n) =>
      doctor(`prv_${n}`, `Dr Ash ${n}`, "Ashtanga", `Ash Clinic ${n}`, `Ashtown ${n}`),
    );
    const kinds = suggestionsOf("ash", many).map((one) => one.kind);
    expect(kinds.length).toBe(8);
    expect(kinds.filter((one) => one === "clinic").length).toBeLessThanOrEqual(4);
  });
});
