/** "Did you mean …?": the known name that a mistyped one most resembles, by Damerau's optimal string alignment. */

/** Longer names are not compared: what is written there is no slip of the finger, and the time is quadratic. */
const MAX_COMPARED_CHARACTERS = 64;

/** The known name within two slips of `name` (one for up to four characters, none for up to two), or undefined. */
export function nearestName(name: string, known: Iterable<string>): string | undefined {
  let nearest: string | undefined;
  let smallest = name.length <= 2 ? 1 : name.length <= 4 ? 2 : 3;
  for (const candidate of known) {
    if (Math.max(name.length, candidate.length) > MAX_COMPARED_CHARACTERS) {
      continue;
    }
    const distance = editDistance(name, candidate);
    if (distance < smallest) {
      nearest = candidate;
      smallest = distance;
    }
  }
  return nearest;
}

/** Insertions, deletions, substitutions and swaps of neighbours that turn one string into the other. */
function editDistance(from: string, to: string): number {
  let beforePrevious: number[] = [];
  let previous = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let row = 1; row <= from.length; row++) {
    const current = [row];
    for (let column = 1; column <= to.length; column++) {
      const substitution = from[row - 1] === to[column - 1] ? 0 : 1;
      let cost = Math.min(
        (previous[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (previous[column - 1] ?? 0) + substitution,
      );
      if (row > 1 && column > 1 && from[row - 1] === to[column - 2] && from[row - 2] === to[column - 1]) {
        cost = Math.min(cost, (beforePrevious[column - 2] ?? 0) + 1);
      }
      current.push(cost);
    }
    beforePrevious = previous;
    previous = current;
  }
  return previous[to.length] ?? 0;
}
