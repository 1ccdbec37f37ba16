/**
 * Limits of the canonical ABI: what CanonicalABI.md fixes, and nothing of ours on top.
 */

/** Flat core parameters of one call; more are passed through memory. */
export const MAX_FLAT_PARAMETERS = 16;
/** Flat core results of one call; more are passed through memory. */
export const MAX_FLAT_RESULTS = 1;
/** Bytes of one string in a guest's memory. */
export const MAX_STRING_BYTES = 2 ** 28 - 1;
/** Bytes of one list's elements in a guest's memory. */
export const MAX_LIST_BYTES = 2 ** 28 - 1;
/** Entries in the handle table of one component instance. */
export const MAX_HANDLES = 2 ** 28 - 1;
