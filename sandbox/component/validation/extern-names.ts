/**
 * Names of imports and exports: their grammar, their uniqueness, and what an annotated name says about its function.
 *
 * Component Model, Explainer.md "Import and Export Definitions" and "Name Uniqueness", Binary.md "Import and Export
 * Definitions". Nested namespaces and projections are not accepted; versions are semver 2.0.0 or canonical ones.
 */

import { withArticle } from "../article.ts";
import type { ExternName } from "../ast.ts";
import type { Extern, FunctionType, ResourceType, ValueType } from "./static-types.ts";
import { violation } from "./violation.ts";

// Written so that no text matches in two ways: names come from outside, and backtracking would be exponential.
const LABEL =
  /^(?:[a-z][0-9a-z]*|[A-Z][0-9A-Z]*)(?:-(?:[0-9]+(?:[a-z][0-9a-z]*|[A-Z][0-9A-Z]*)?|[a-z][0-9a-z]*|[A-Z][0-9A-Z]*))*$/;
const WORDS = /^[a-z][0-9a-z]*(?:-[0-9a-z]+)*$/;
const CANONICAL_VERSION = /^(?:[1-9][0-9]*|0\.[1-9][0-9]*|0\.0\.[1-9][0-9]*|0\.0\.0)$/;
const SEMVER_NUMBER = "(?:0|[1-9][0-9]*)";
const SEMVER_PRERELEASE = `(?:${SEMVER_NUMBER}|[0-9]*[A-Za-z-][0-9A-Za-z-]*)`;
const SEMVER = new RegExp(
  `^${SEMVER_NUMBER}(?:\\.${SEMVER_NUMBER}){2}` +
    `(?:-${SEMVER_PRERELEASE}(?:\\.${SEMVER_PRERELEASE})*)?` +
    "(?:\\+[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*)?$",
);

/** An extern name, taken apart. */
type ParsedName =
  | { readonly kind: "label"; readonly label: string }
  | { readonly kind: "constructor"; readonly resource: string }
  | { readonly kind: "method" | "static"; readonly resource: string; readonly label: string }
  | { readonly kind: "interface"; readonly version: string | undefined };

/** The names of one scope's imports, or of its exports. */
export interface NameScope {
  /** Canonicalised name to the name itself. */
  readonly taken: Map<string, string>;
  /** Labels of the resources in this scope, by the type that the label introduced. */
  readonly resources: Map<ResourceType, string>;
  /** The same labels in lower case. */
  readonly resourceLabels: Set<string>;
}

export function newNameScope(): NameScope {
  return { taken: new Map(), resources: new Map(), resourceLabels: new Set() };
}

/** Refuses labels (of fields, cases, flags, parameters …) that are not kebab-case or not strongly unique. */
export function checkLabels(labels: Iterable<string>, what: string): void {
  const taken = new Map<string, string>();
  for (const label of labels) {
    if (!LABEL.test(label)) throw violation(`the ${what} name "${label}" is not in kebab case`);
    const canonical = label.toLowerCase();
    const before = taken.get(canonical);
    if (before !== undefined) throw violation(`the ${what} name "${label}" conflicts with "${before}"`);
    taken.set(canonical, label);
  }
}

/** Parses an extern name; refuses what the grammar does not have. */
function parseExternName(name: string): ParsedName {
  const annotation = /^\[(constructor|method|static)\](.*)$/s.exec(name);
  if (annotation === null)
    return name.includes(":") ? parseInterfaceName(name) : { kind: "label", label: label(name, name) };
  const [, kind, rest = ""] = annotation;
  if (kind === "constructor") return { kind, resource: label(rest, name) };
  const dot = rest.indexOf(".");
  if (dot < 0) throw violation(`the name "${name}" has no "." between its resource and its function`);
  const resource = label(rest.slice(0, dot), name);
  return { kind: kind === "method" ? "method" : "static", resource, label: label(rest.slice(dot + 1), name) };
}

function label(text: string, name: string): string {
  if (!LABEL.test(text)) throw violation(`"${text}" in the name "${name}" is not in kebab case`);
  return text;
}

function parseInterfaceName(name: string): ParsedName {
  const parts = /^([^:/@]*):([^:/@]*)\/([^:/@]*)(?:@(.*))?$/s.exec(name);
  if (parts === null)
    throw violation(`"${name}" is not a valid interface name (namespace:package/interface@version)`);
  const [, namespace = "", packageName = "", projection = "", version] = parts;
  for (const words of [namespace, packageName]) {
    if (!WORDS.test(words)) throw violation(`"${words}" in the name "${name}" is not in lower kebab case`);
  }
  label(projection, name);
  if (version !== undefined && !SEMVER.test(version) && !CANONICAL_VERSION.test(version)) {
    throw violation(`"${version}" in the name "${name}" is not a semantic version`);
  }
  return { kind: "interface", version };
}

/** Names that differ in this form are strongly unique. */
function canonicalise(name: string, parsed: ParsedName): string {
  switch (parsed.kind) {
    case "method":
    case "static": {
      const { resource, label: member } = parsed;
      const canonical = `${resource}.${member}`.toLowerCase();
      return resource.toLowerCase() === member.toLowerCase() ? resource.toLowerCase() : canonical;
    }
    default:
      return name.toLowerCase();
  }
}

/**
 * Adds an import's or export's name to its scope.
 *
 * @throws Violation if the name is malformed or taken, its attributes are wrong, or its annotation does not fit `extern`.
 */
export function declareName(name: ExternName, extern: Extern, scope: NameScope): void {
  const parsed = parseExternName(name.name);
  checkAttributes(name, parsed, extern);
  const canonical = canonicalise(name.name, parsed);
  const before = scope.taken.get(canonical);
  if (before !== undefined) throw violation(`the name "${name.name}" conflicts with the name "${before}"`);
  scope.taken.set(canonical, name.name);
  checkAnnotation(name.name, parsed, extern, scope);
}

/** Lets later names of the scope be annotated with the resource that was just imported or exported. */
export function nameResource(name: ExternName, extern: Extern, scope: NameScope): void {
  if (extern.sort !== "type" || extern.type.sort !== "resource" || !LABEL.test(name.name)) return;
  scope.resources.set(extern.type, name.name);
  scope.resourceLabels.add(name.name.toLowerCase());
}

function checkAnnotation(name: string, parsed: ParsedName, extern: Extern, scope: NameScope): void {
  if (parsed.kind === "label" || parsed.kind === "interface") return;
  if (extern.sort !== "func")
    throw violation(`"${name}" is ${withArticle(extern.sort)}, but its name is a function's`);
  switch (parsed.kind) {
    case "constructor":
      expectResource(name, parsed.resource, constructedResource(name, extern.type), scope);
      return;
    case "method":
      expectResource(name, parsed.resource, methodResource(name, extern.type), scope);
      return;
    case "static":
      if (scope.resourceLabels.has(parsed.resource.toLowerCase())) return;
      throw violation(`"${name}" belongs to the resource "${parsed.resource}", which has no such name here`);
  }
}

function expectResource(name: string, expected: string, found: ResourceType, scope: NameScope): void {
  const known = scope.resources.get(found);
  if (known === undefined) throw violation(`the resource of "${name}" has no name of its own here`);
  if (!sameLabel(known, expected)) throw violation(`"${name}" is a function of the resource "${known}"`);
}

function sameLabel(left: string, right: string): boolean {
  return left.toLowerCase() === right.toLowerCase();
}

function constructedResource(name: string, type: FunctionType): ResourceType {
  const owned = (part: ValueType | undefined) =>
    part?.shape.kind === "own" ? part.shape.resource : undefined;
  const { result } = type;
  const resource = owned(result) ?? (result?.shape.kind === "result" ? owned(result.shape.ok) : undefined);
  if (resource === undefined)
    throw violation(`"${name}" has to return the resource as own, or a result of it`);
  return resource;
}

function methodResource(name: string, type: FunctionType): ResourceType {
  const [self] = type.parameters;
  if (self === undefined || self.label !== "self") throw violation(`"${name}" has to take "self" first`);
  if (self.type.shape.kind !== "borrow")
    throw violation(`"${name}" has to take "self" as a borrow of its resource`);
  return self.type.shape.resource;
}

function checkAttributes(name: ExternName, parsed: ParsedName, extern: Extern): void {
  const kinds = new Set<string>();
  for (const { kind, value } of name.attributes ?? []) {
    if (kinds.has(kind)) throw violation(`the name "${name.name}" has two ${kind} attributes`);
    kinds.add(kind);
    if (kind === "implements") checkImplements(name.name, value, parsed, extern);
    if (kind === "version-suffix") checkVersionSuffix(name.name, value, parsed);
  }
}

function checkImplements(name: string, implemented: string, parsed: ParsedName, extern: Extern): void {
  if (parseExternName(implemented).kind !== "interface") {
    throw violation(`"${name}" implements "${implemented}", which is not an interface`);
  }
  if (extern.sort !== "instance")
    throw violation(`"${name}" is ${withArticle(extern.sort)}; only instances implement interfaces`);
  if (parsed.kind !== "label")
    throw violation(`"${name}" is no plain name, so it cannot implement an interface`);
}

function checkVersionSuffix(name: string, suffix: string, parsed: ParsedName): void {
  const version = parsed.kind === "interface" ? parsed.version : undefined;
  if (version === undefined || !CANONICAL_VERSION.test(version)) {
    throw violation(`"${name}" has a version suffix, but no canonical version`);
  }
  if (!SEMVER.test(version + suffix))
    throw violation(`"${version}${suffix}" of "${name}" is not a semantic version`);
}
