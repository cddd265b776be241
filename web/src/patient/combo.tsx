import "./combo.css";
import { plural } from "@lingui/core/macro";
import { Trans, useLingui } from "@lingui/react/macro";
import { useQuery } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useCombobox } from "downshift";
import { useEffect, useLayoutEffect, useState, type ReactNode } from "react";
import { Icon, type IconName } from "../ui/icons";
import { speakOut } from "../ui/spoken";
import { LETTERS_MIN, suggest, type Suggestion } from "./suggest";

export interface BoxProps {
  text: string;
  /** The caret's place, if the field that this one replaces had the focus. */
  focus: readonly [number, number] | undefined;
}

/** Asked so long after the last letter. */
const PAUSE_MS = 150;
const ICONS: Record<Suggestion["kind"], IconName> = {
  specialty: "health",
  doctor: "doctor",
  clinic: "clinic",
  town: "near",
};

/** The search field with suggestions under it; Enter without a choice searches for the words. */
export function Combo({ text, focus }: BoxProps) {
  const { t } = useLingui();
  const navigate = useNavigate();
  const [typed, setTyped] = useState(text);
  const asked = useLate(typed.trim());
  const { data: items = [], isSuccess } = useQuery({
    queryKey: ["suggest", asked],
    queryFn: () => suggest(asked),
    enabled: asked.length >= LETTERS_MIN,
    placeholderData: (before: Suggestion[] | undefined) => before,
  });
  const shown = typed.trim().length >= LETTERS_MIN ? items : [];
  const box = useCombobox<Suggestion>({
    items: shown,
    inputId: "q",
    itemToString: (item) => item?.text ?? "",
    initialInputValue: text,
    scrollIntoView: (element) => element?.scrollIntoView({ block: "nearest" }),
    onInputValueChange: ({ inputValue }) => setTyped(inputValue),
    stateReducer: (before, { type, changes }) =>
      // Who leaves the field has chosen nothing.
      type === useCombobox.stateChangeTypes.InputBlur
        ? { ...before, isOpen: false, highlightedIndex: -1 }
        : changes,
    onSelectedItemChange: ({ selectedItem }) => selectedItem !== null && void navigate({ href: selectedItem.href }),
  });
  useLayoutEffect(() => {
    if (focus === undefined) return;
    const field = document.getElementById("q") as HTMLInputElement;
    field.focus();
    field.setSelectionRange(...focus);
  }, [focus]);
  const isOpen = box.isOpen && shown.length > 0;
  const isCounted = box.isOpen && isSuccess && asked === typed.trim() && asked.length >= LETTERS_MIN;
  const count = shown.length;
  useEffect(() => {
    if (!isCounted) return;
    speakOut(
      count === 0
        ? t`No suggestions`
        : t`${plural(count, { one: "# suggestion", other: "# suggestions" })}`,
    );
  }, [isCounted, asked, count, t]);
  return (
    <>
      <input
        {...box.getInputProps({
          name: "q",
          type: "search",
          enterKeyHint: "search",
          "aria-labelledby": undefined,
          "aria-expanded": isOpen,
          onKeyDown: (event) => {
            if (event.key !== "Enter" || (isOpen && box.highlightedIndex >= 0)) return;
            // The form's own Enter: search for the words as they are.
            (event.nativeEvent as { preventDownshiftDefault?: boolean }).preventDownshiftDefault = true;
            box.closeMenu();
          },
        })}
      />
      <ul
        className="suggestions"
        hidden={!isOpen}
        {...box.getMenuProps({ "aria-labelledby": undefined, "aria-label": t`Suggestions` })}
      >
        {isOpen &&
          shown.map((item, index) => (
            <li
              key={item.kind + item.href}
              {...box.getItemProps({ item, index })}
              data-at={index === box.highlightedIndex ? "yes" : undefined}
            >
              <Icon name={ICONS[item.kind]} />
              <span>
                <bdi>{item.text}</bdi>
                {item.detail !== undefined && (
                  <span className="quiet small">
                    {" "}
                    <bdi>{item.detail}</bdi>
                  </span>
                )}
              </span>
              <span className="quiet small">{KIND[item.kind]}</span>
            </li>
          ))}
      </ul>
    </>
  );
}

const KIND: Record<Suggestion["kind"], ReactNode> = {
  specialty: <Trans>Specialty</Trans>,
  doctor: <Trans>Doctor</Trans>,
  clinic: <Trans>Clinic</Trans>,
  town: <Trans>Town</Trans>,
};

/** The text as it was when typing paused. */
function useLate(text: string): string {
  const [late, setLate] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setLate(text), PAUSE_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return late;
}
