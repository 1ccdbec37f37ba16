/**
 * Whether a component means what this host means by the interfaces that it names: function by function, before anything of it runs.
 *
 * A host that matches versions by semver has to look at the types as well: an interface of a later patch version may have more functions, and a
 * component may say anything under a known name. Functions and value types have to be equal, labels included (Component Model,
 * Explainer.md "Type Checking"); a resource is whatever the interface that owns it says. What a component does not import is not looked at.
 *
 * A package's signatures are loaded when a component names it, and not kept in a worker that runs a component which was staged.
 */

import type { ComponentDefinition } from "../component/ast.ts";
import { ComponentError } from "../component/errors.ts";
import { MAX_VALIDATION_STEPS } from "../component/limits.ts";
import { typeOfComponent } from "../component/validate.ts";
import { Matcher } from "../component/validation/match.ts";
import type { Extern } from "../component/validation/static-types.ts";
import { StepBudget, Violation } from "../component/validation/violation.ts";
import { exportedInterface, hostInterface } from "../imports.ts";
import type { InterfaceSignature } from "./notation.ts";

/** One function that the host does not have, or has with another type. */
export interface Misfit {
  readonly kind: "import-unknown" | "import-type-mismatch" | "export-type-mismatch";
  /** The import or export as the component has it, with its version. */
  readonly name: string;
  /** For a person: which function, what is expected and what was found, and what to do. */
  readonly message: string;
}

type Signatures = Readonly<Record<string, InterfaceSignature>>;

const PACKAGES: Readonly<Record<string, () => Promise<Signatures>>> = {
  "skerry:device": async () => (await import("./skerry-device.ts")).skerryDevice,
  "skerry:module": async () => (await import("./skerry-module.ts")).skerryModule,
  "wasi:cli": async () => (await import("./wasi-cli.ts")).wasiCli,
  "wasi:clocks": async () => (await import("./wasi-clocks.ts")).wasiClocks,
  "wasi:config": async () => (await import("./wasi-proposals.ts")).wasiProposals,
  "wasi:filesystem": async () => (await import("./wasi-filesystem.ts")).wasiFilesystem,
  "wasi:http": async () => (await import("./wasi-http.ts")).wasiHttp,
  "wasi:io": async () => (await import("./wasi-io.ts")).wasiIo,
  "wasi:keyvalue": async () => (await import("./wasi-proposals.ts")).wasiProposals,
  "wasi:logging": async () => (await import("./wasi-proposals.ts")).wasiProposals,
  "wasi:random": async () => (await import("./wasi-random.ts")).wasiRandom,
  "wasi:sockets": async () => (await import("./wasi-sockets.ts")).wasiSockets,
};

/** What is written down of an interface, by its name without a version. */
async function signatureOf(name: string | undefined): Promise<InterfaceSignature | undefined> {
  if (name === undefined) return undefined;
  const load = own(PACKAGES, name.slice(0, name.indexOf("/")));
  const signatures = await load?.();
  return signatures && own(signatures, name);
}

/**
 * Every function that a component imports from, or exports to, this host with another type than the host's. Interfaces that the host does not
 * know are left out: planImports names them.
 *
 * @throws ComponentError as `typeOfComponent`, and "component/limit-exceeded" for types that take too long to compare
 */
export async function findMisfits(component: ComponentDefinition): Promise<readonly Misfit[]> {
  const { imports, exports, importedResources } = typeOfComponent(component);
  const steps = new StepBudget(MAX_VALIDATION_STEPS);
  const misfits: Misfit[] = [];
  // One matcher for all: an interface uses the resources of those before it.
  const matcher = new Matcher(importedResources, steps);
  for (const [name, extern] of imports) {
    const signature = await signatureOf(hostInterface(name));
    if (signature === undefined) continue;
    for (const { member, fault } of withinBudget(() => compare(extern, signature, matcher))) {
      misfits.push(fault === undefined ? unknown(name, member) : mismatch("import", name, member, fault));
    }
  }
  for (const [name, extern] of exports) {
    const signature = await signatureOf(exportedInterface(name));
    if (signature === undefined) continue;
    for (const { member, fault } of withinBudget(() => compare(extern, signature, new Matcher([], steps)))) {
      // More than the host calls may be exported.
      if (fault !== undefined) misfits.push(mismatch("export", name, member, fault));
    }
  }
  return misfits;
}

/** What is wrong with one member of an interface; without a fault the host has none of that name. */
interface MemberFault {
  readonly member: string;
  readonly fault: string | undefined;
}

function compare(found: Extern, signature: InterfaceSignature, matcher: Matcher): readonly MemberFault[] {
  if (found.sort !== "instance") return [{ member: "", fault: `expected an interface, found ${found.sort}` }];
  const faults: MemberFault[] = [];
  for (const [member, extern] of found.type.exports) {
    if (extern.sort === "type") {
      const resource = own(signature.resources, member);
      // Of other types, and of resources that no function of the host's takes or gives, only the use matters.
      if (extern.type.sort !== "resource" || resource === undefined) continue;
      const fault = matcher.extern({ sort: "type", type: resource }, extern);
      if (fault !== undefined) faults.push({ member, fault });
    } else {
      const wanted = own(signature.functions, member);
      const fault = wanted && matcher.extern(extern, { sort: "func", type: wanted });
      if (wanted === undefined || fault !== undefined) faults.push({ member, fault });
    }
  }
  return faults;
}

/** A name that a component chose must not find what every object has. */
function own<T>(record: Readonly<Record<string, T>>, key: string): T | undefined {
  return Object.hasOwn(record, key) ? record[key] : undefined;
}

function unknown(name: string, member: string): Misfit {
  const message = `imports ${member} of ${name}, which this agent does not have; build the module without it`;
  return { kind: "import-unknown", name, message };
}

function mismatch(direction: "import" | "export", name: string, member: string, fault: string): Misfit {
  const what = member === "" ? name : `${member} of ${name}`;
  const message = `${direction}s ${what} with another type than this agent has: ${fault}; build the module against the interface's own WIT`;
  return { kind: `${direction}-type-mismatch`, name, message };
}

function withinBudget<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (error instanceof Violation) throw new ComponentError(error.code, error.message, { cause: error });
    throw error;
  }
}
