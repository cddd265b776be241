/** Loads a part of a page, again while the line is cut: the rest of the page stays as it is meanwhile. */
export const patiently =
  <T>(load: () => Promise<T>) =>
  async (): Promise<T> => {
    for (;;) {
      try {
        return await load();
      } catch {
        await new Promise((done) => setTimeout(done, 2_000));
      }
    }
  };
