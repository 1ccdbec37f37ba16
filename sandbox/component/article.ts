/** Nouns in messages. */

/** "a memory", "an instance". */
export function withArticle(noun: string): string {
  return `${/^[aeio]/.test(noun) ? "an" : "a"} ${noun}`;
}
