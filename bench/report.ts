/** What a benchmark prints: figures with their goals, as a table for people or one JSON object a line. */

export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** The goal as a person reads it, `"≤ 28"`; a figure without one is there for comparison. */
  readonly goal?: string;
  readonly holds?: boolean;
  /** What the figure was measured against, in the same run. */
  readonly against?: string;
}

/** A figure that must be at most `limit`. */
export function atMost(name: string, value: number, limit: number, unit: string, against?: string): Figure {
  return withAgainst({ name, value, unit, goal: `≤ ${limit}`, holds: value <= limit }, against);
}

/** A figure that must be at least `limit`. */
export function atLeast(name: string, value: number, limit: number, unit: string, against?: string): Figure {
  return withAgainst({ name, value, unit, goal: `≥ ${limit}`, holds: value >= limit }, against);
}

/** A figure that is shown beside the others and has no goal of its own. */
export function plain(name: string, value: number, unit: string, against?: string): Figure {
  return withAgainst({ name, value, unit }, against);
}

function withAgainst(figure: Figure, against: string | undefined): Figure {
  return against === undefined ? figure : { ...figure, against };
}

/** Prints the figures and returns the exit code: 1 if a goal does not hold. */
export function report(figures: readonly Figure[], json: boolean): number {
  const rounded = figures.map((figure) => ({ ...figure, value: Number(figure.value.toFixed(2)) }));
  if (json) for (const figure of rounded) process.stdout.write(`${JSON.stringify(figure)}\n`);
  else process.stdout.write(`${table(rounded)}\n`);
  return figures.some((figure) => figure.holds === false) ? 1 : 0;
}

function table(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => [
    figure.name,
    figure.value.toString(),
    figure.unit,
    figure.goal ?? "",
    figure.holds === undefined ? "" : figure.holds ? "holds" : "DOES NOT HOLD",
    figure.against ?? "",
  ]);
  const all = [["figure", "value", "unit", "goal", "", "against"], ...rows];
  const widths = (all[0] ?? []).map((_, column) => Math.max(...all.map((row) => (row[column] ?? "").length)));
  return all
    .map((row) =>
      row
        .map((cell, column) =>
          column === 1 ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
        )
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}
