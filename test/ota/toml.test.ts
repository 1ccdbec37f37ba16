import test from "ava";
import fc from "fast-check";
import { parseToml, type TomlDocument, type TomlProblem } from "../../ota/toml.ts";
import { readTable } from "../../ota/toml-reader.ts";

class ProblemError extends Error {
  readonly problem: TomlProblem;
  constructor(problem: TomlProblem, options?: ErrorOptions) {
    super(problem.message, options);
    this.problem = problem;
  }
}

function parse(text: string): Promise<TomlDocument> {
  return parseToml(text, "device.toml", (problem, options) => new ProblemError(problem, options));
}

const EVERYTHING = `# comment
fleet = "demo" # trailing
text = """
one ""quoted""
[not.a.table]
""""
raw = '''
x = 1
'''
"quoted \\u0041" = 1
list = [
  "a", # with ] and }
  [ "b", "c]" ],
  { x = 1, y.z = 2 },
]
when = 1979-05-27 07:32:00
dotted.'in ner'.key = true

[broker]
url = "mqtt://h" ; broken`.replace(" ; broken", "");

const TABLES = `
[[grant]]
module = "acme/*"
[grant.limits]
memory = "1MiB"

[[grant]]
module = "b/*"
  [[grant.port]]
  name = "x"
[grant.limits]
memory = "2MiB"
[a.b.c]
d = 1
[a]
e = 2
`;

test("every key has the line on which it stands, whatever strings and comments lie between", async (t) => {
  const { lineOf } = await parse(EVERYTHING);
  t.is(lineOf(["fleet"]), 2);
  t.is(lineOf(["text"]), 3);
  t.is(lineOf(["raw"]), 7);
  t.is(lineOf(["quoted A"]), 10);
  t.is(lineOf(["list"]), 11);
  t.is(lineOf(["list", 0]), 12);
  t.is(lineOf(["list", 1, 1]), 13);
  t.is(lineOf(["list", 2, "y", "z"]), 14);
  t.is(lineOf(["when"]), 16);
  t.is(lineOf(["dotted", "in ner", "key"]), 17);
  t.is(lineOf(["broker"]), 19);
  t.is(lineOf(["broker", "url"]), 20);
});

test("keys of arrays of tables belong to the element that the header opened", async (t) => {
  const { lineOf } = await parse(TABLES);
  t.is(lineOf(["grant", 0]), 2);
  t.is(lineOf(["grant", 0, "module"]), 3);
  t.is(lineOf(["grant", 0, "limits", "memory"]), 5);
  t.is(lineOf(["grant", 1]), 7);
  t.is(lineOf(["grant", 1, "port", 0, "name"]), 10);
  t.is(lineOf(["grant", 1, "limits", "memory"]), 12);
  t.is(lineOf(["a", "b", "c", "d"]), 14);
  t.is(lineOf(["a"]), 15);
});

test("a key that is not there has the line of the nearest table around it", async (t) => {
  const { lineOf } = await parse(TABLES);
  t.is(lineOf(["grant", 1, "limits", "absent"]), 11);
  t.is(lineOf(["absent"]), 1);
});

test("lines are right for generated documents", async (t) => {
  const key = fc.stringMatching(/^[a-z]{1,5}$/);
  const value = fc.constantFrom('"x"', "'#'", "1", "[1,\n2]", '"""\n"""', "{ a = 1 }", "true # c");
  await fc.assert(
    fc.asyncProperty(
      fc.uniqueArray(fc.tuple(key, value), { selector: ([name]) => name }),
      async (entries) => {
        const { lineOf } = await parse(entries.map(([name, written]) => `${name} = ${written}\n`).join(""));
        let line = 1;
        for (const [name, written] of entries) {
          t.is(lineOf([name]), line);
          line += written.split("\n").length;
        }
      },
    ),
    { numRuns: 60 },
  );
});

test("a syntax error names file and line", async (t) => {
  const error = await t.throwsAsync(parse("a = 1\nb = \n"), { instanceOf: ProblemError });
  t.regex(error?.message ?? "", /^device\.toml:2: not TOML: /);
  t.is(error?.problem.kind, "syntax");
  t.is(error?.message.includes("\n"), false);
});

for (const [name, text] of [
  ["a key defined twice", "a = 1\na = 2\n"],
  ["__proto__ as a key", "[__proto__]\nx = 1\n"],
  ["nesting without end", `a = ${"[".repeat(500)}${"]".repeat(500)}\n`],
  ["a number that JavaScript would round", "a = 9007199254740993\n"],
  ["a file over its bound", `# ${"x".repeat(70_000)}\n`],
] as const) {
  test(`refuses ${name}`, async (t) => {
    await t.throwsAsync(parse(text), { instanceOf: ProblemError });
  });
}

test("the reader gives values in their units and fallbacks for what is absent", async (t) => {
  const document = await parse(
    `name = "x"\nretries = 3\nfast = true\nmemory = "4MiB"\nwindow = "30s"\nports = ["a", "b"]\nbaud = [9600]\nworld = "command"\n[env]\nA = "1"\n[[grant]]\nmodule = "m"\n`,
  );
  const root = readTable(document);
  t.is(root.string("name"), "x");
  t.is(root.string("absent", {}, undefined), undefined);
  t.is(root.integer("retries", { min: 1, max: 3 }), 3);
  t.is(root.boolean("fast"), true);
  t.is(root.sizeBytes("memory"), 4 * 1024 * 1024);
  t.is(root.durationMs("window"), 30_000);
  t.is(root.durationMs("other", {}, 5), 5);
  t.deepEqual(root.strings("ports"), ["a", "b"]);
  t.deepEqual(root.strings("none", {}, []), []);
  t.deepEqual(root.integers("baud"), [9600]);
  t.is(root.oneOf("world", ["command", "reactor"]), "command");
  t.deepEqual(root.table("env").keys(), ["A"]);
  t.is(root.tables("grant")[0]?.string("module"), "m");
  t.deepEqual(root.table("nowhere").keys(), []);
});

async function readProblem(
  t: import("ava").ExecutionContext,
  text: string,
  read: (root: ReturnType<typeof readTable>) => void,
): Promise<string> {
  const document = await parse(text);
  const error = t.throws(() => read(readTable(document)), { instanceOf: ProblemError });
  return error?.message ?? "";
}

test("an unknown key is named with its line, its table and the key it resembles", async (t) => {
  const text = `fleet = "demo"\n\n[[grant]]\nmodule = "a/b"\nsensr = ["ambient"]\n`;
  const message = await readProblem(t, text, (root) => {
    root.string("fleet");
    for (const grant of root.tables("grant")) {
      grant.string("module");
      grant.strings("sensor", {}, []);
    }
    root.finish();
  });
  t.is(message, 'device.toml:5: unknown key "sensr" in [grant]; did you mean "sensor"?');
});

test("all unknown keys are named at once, also in tables that nobody opened", async (t) => {
  const message = await readProblem(t, `a = 1\nb = 2\n[zebra]\nc = 3\n`, (root) => {
    root.integer("a");
    root.finish();
  });
  t.is(message, 'device.toml:2: unknown key "b"\ndevice.toml:3: unknown key "zebra"');
});

test("a missing key beside one that reads like it is reported as mistyped", async (t) => {
  t.is(
    await readProblem(t, `flete = "demo"\n`, (root) => root.string("fleet")),
    'device.toml:1: unknown key "flete"; did you mean "fleet"?',
  );
});

test("a missing table beside one that reads like it is reported as mistyped", async (t) => {
  t.is(
    await readProblem(t, `a = 1\n[brokr]\nurl = "x"\n`, (root) => root.table("broker").string("url")),
    'device.toml:2: unknown key "brokr"; did you mean "broker"?',
  );
});

test("a missing key is reported with the line of its table", async (t) => {
  t.is(
    await readProblem(t, `a = 1\n[broker]\nport = 1\n`, (root) => root.table("broker").string("url")),
    'device.toml:2: "url" in [broker] is missing',
  );
});

for (const [what, written, read, expected] of [
  ["a number for a string", "1", (r) => r.string("k"), '"k" must be a string'],
  ["a string for a number", '"1"', (r) => r.integer("k"), '"k" must be a whole number'],
  ["a fraction for an integer", "1.5", (r) => r.integer("k"), '"k" must be a whole number'],
  ["not a number", "nan", (r) => r.number("k"), '"k" must be a number'],
  ["a number under its bound", "0", (r) => r.integer("k", { min: 1 }), '"k" must be at least 1'],
  ["a size without unit", '"4"', (r) => r.sizeBytes("k"), '"k" must be a size such as'],
  ["a size over its bound", '"4MiB"', (r) => r.sizeBytes("k", { max: 1024 }), '"k" must be at most 1KiB'],
  ["a duration in an unknown unit", '"4 weeks"', (r) => r.durationMs("k"), '"k" must be a duration such as'],
  ["a duration under its bound", '"1ms"', (r) => r.durationMs("k", { min: 1000 }), '"k" must be at least 1s'],
  [
    "a string outside its pattern",
    '"A"',
    (r) => r.string("k", { pattern: /^a$/, expected: "an a" }),
    '"k" must be an a',
  ],
  [
    "an unknown choice",
    '"x"',
    (r) => r.oneOf("k", ["command", "reactor"]),
    '"k" must be one of "command", "reactor"',
  ],
  ["a wrong item of a list", '["a", 1]', (r) => r.strings("k"), '"k", item 2, must be a string'],
  [
    "a list over its bound",
    '["a", "b"]',
    (r) => r.strings("k", { maxItems: 1 }),
    '"k" must have at most 1 items',
  ],
  ["a string for a list", '"a"', (r) => r.strings("k"), '"k" must be a list'],
  ["a date for a table", "1979-05-27", (r) => r.table("k"), '"k" must be a table'],
  ["a string for a boolean", '"true"', (r) => r.boolean("k"), '"k" must be true or false'],
] as const satisfies readonly (readonly [
  string,
  string,
  (r: ReturnType<typeof readTable>) => unknown,
  string,
])[]) {
  test(`refuses ${what}, with its line`, async (t) => {
    const message = await readProblem(t, `\nk = ${written}\n`, read);
    t.true(message.startsWith(`device.toml:2: ${expected}`), message);
  });
}
