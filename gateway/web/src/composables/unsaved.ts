// Whether somewhere on the page something is filled in that is not saved: leaving would lose it.

const forms = new Set<() => boolean>();

export const unsaved = {
  /** Counts a form in, until the returned function is called. */
  watch(isDirty: () => boolean): () => void {
    forms.add(isDirty);
    return () => forms.delete(isDirty);
  },

  exists: (): boolean => [...forms].some((isDirty) => isDirty()),
};
