/**
 * Limits of the canonical ABI: what CanonicalABI.md fixes, but for the size of handle tables.
 */

/** Flat core parameters of one call; more are passed through memory. */
export const MAX_FLAT_PARAMETERS = 16;
/** Flat core results of one call; more are passed through memory. */
export const MAX_FLAT_RESULTS = 1;
/** Bytes of one string in a guest's memory. */
export const MAX_STRING_BYTES = 2 ** 28 - 1;
/** Bytes of one list's elements in a guest's memory. */
export const MAX_LIST_BYTES = 2 ** 28 - 1;
/**
 * Handles that one component instance may hold at once. The specification allows 2^28 − 1; they live in the host's
 * memory, not in the guest's, and this many take about 6 MiB of it.
 */
export const MAX_HANDLES = 65_536;
/**
 * Bytes of the strings and lists of one call's arguments, or of its result, where they overlap in the guest's memory: lists of
 * numbers lie outside the worker's heap and its limit. What does not overlap may have as many as the memory.
 */
export const MAX_OVERLAPPING_BYTES = 4 * 1024 * 1024;
