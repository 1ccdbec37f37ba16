/** Sizes for messages, as people write them. */

/** "64KiB", "1.5MiB": rounded to one decimal of the larger unit that fits. */
export function formatSize(bytes: number): string {
  const inMiB = bytes >= 1024 ** 2;
  return `${Math.round((bytes / (inMiB ? 1024 ** 2 : 1024)) * 10) / 10}${inMiB ? "MiB" : "KiB"}`;
}
