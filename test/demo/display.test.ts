import test from "ava";
import { fold } from "../../demo/display.ts";

test("a text that fits is one line", (t) => {
  t.deepEqual(fold("1.0.0 was staged", 16), ["1.0.0 was staged"]);
  t.deepEqual(fold("", 16), [""]);
});

test("a long text breaks behind spaces and commas, and no line is longer than asked for", (t) => {
  t.deepEqual(fold("trapped: divide by zero", 10), ["trapped:", "divide by", "zero"]);
  t.deepEqual(fold("divide by zero", 9), ["divide by", "zero"]);
  t.deepEqual(fold('{"value":21.9,"unit":"Cel"}', 20), ['{"value":21.9,', '"unit":"Cel"}']);
  t.deepEqual(fold("ab,cd", 3), ["ab,", "cd"]);
});

test("what has no place to break is cut at the width, and a width of nothing still ends", (t) => {
  t.deepEqual(fold("abcdefgh", 3), ["abc", "def", "gh"]);
  t.deepEqual(fold("abc", 0), ["a", "b", "c"]);
});
