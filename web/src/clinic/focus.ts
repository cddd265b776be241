import { useEffect, useRef } from "react";

/**
 * Gives the focus to an element, by its id, when the data next change: the button that was pressed
 * is gone then, and the keyboard would begin at the top of the page.
 */
export function useFocusAfter(data: unknown): (id: string) => void {
  const wanted = useRef<string>(undefined);
  useEffect(() => {
    const id = wanted.current;
    if (id === undefined) return;
    wanted.current = undefined;
    if (document.activeElement === document.body) document.getElementById(id)?.focus();
  }, [data]);
  return (id) => {
    wanted.current = id;
  };
}
