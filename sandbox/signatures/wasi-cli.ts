/** wasi:cli 0.2, with what its patch versions up to 0.2.12 added: what its interfaces have (notation.ts). */

import {
  func,
  type InterfaceSignature,
  list,
  none,
  option,
  own,
  resource,
  result,
  string,
  tuple,
  u8,
} from "./notation.ts";
import { inputStream, outputStream } from "./wasi-io.ts";

const terminalInput = resource("terminal-input");
const terminalOutput = resource("terminal-output");

export const wasiCli = {
  "wasi:cli/environment": {
    resources: {},
    functions: {
      "get-environment": func({}, list(tuple(string, string))),
      "get-arguments": func({}, list(string)),
      "initial-cwd": func({}, option(string)),
    },
  },
  "wasi:cli/exit": {
    resources: {},
    functions: {
      exit: func({ status: result(none, none) }),
      "exit-with-code": func({ "status-code": u8 }),
    },
  },
  "wasi:cli/stdin": {
    resources: { "input-stream": inputStream },
    functions: {
      "get-stdin": func({}, own(inputStream)),
    },
  },
  "wasi:cli/stdout": {
    resources: { "output-stream": outputStream },
    functions: {
      "get-stdout": func({}, own(outputStream)),
    },
  },
  "wasi:cli/stderr": {
    resources: { "output-stream": outputStream },
    functions: {
      "get-stderr": func({}, own(outputStream)),
    },
  },
  "wasi:cli/terminal-input": {
    resources: { "terminal-input": terminalInput },
    functions: {},
  },
  "wasi:cli/terminal-output": {
    resources: { "terminal-output": terminalOutput },
    functions: {},
  },
  "wasi:cli/terminal-stdin": {
    resources: { "terminal-input": terminalInput },
    functions: {
      "get-terminal-stdin": func({}, option(own(terminalInput))),
    },
  },
  "wasi:cli/terminal-stdout": {
    resources: { "terminal-output": terminalOutput },
    functions: {
      "get-terminal-stdout": func({}, option(own(terminalOutput))),
    },
  },
  "wasi:cli/terminal-stderr": {
    resources: { "terminal-output": terminalOutput },
    functions: {
      "get-terminal-stderr": func({}, option(own(terminalOutput))),
    },
  },
  "wasi:cli/run": {
    resources: {},
    functions: {
      run: func({}, result(none, none)),
    },
  },
} satisfies Readonly<Record<string, InterfaceSignature>>;
