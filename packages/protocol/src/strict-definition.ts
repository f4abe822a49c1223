import type { ToolDefinition } from './catalog.ts'
import { isObject, parseJson, type RawJson, toJson } from './json.ts'
import { eachMember } from './json-spans.ts'

/** A tool definition that strict clients accept. */
export interface StrictDefinition {
  readonly definition: ToolDefinition
  /** Members that were changed or dropped. */
  readonly changed: readonly string[]
}

/** Keeps a value, changes it, or drops it by `undefined`. */
type Repair = (value: unknown) => unknown

const HINTS = ['readOnlyHint', 'destructiveHint', 'idempotentHint', 'openWorldHint'] as const
const TASK_SUPPORT: readonly unknown[] = ['forbidden', 'optional', 'required']

/** Optional members of a tool definition that clients check (MCP 2025-11-25, schema, Tool). */
const OPTIONAL: Readonly<Record<string, Repair>> = {
  title: text,
  description: text,
  outputSchema: objectSchema,
  annotations: (value) =>
    members(value, { title: text, ...Object.fromEntries(HINTS.map((hint) => [hint, flag])) }),
  execution: (value) =>
    members(value, { taskSupport: (support) => (TASK_SUPPORT.includes(support) ? support : undefined) }),
  icons: (value) => (Array.isArray(value) && value.every(isIcon) ? value : undefined),
}

/**
 * Repairs a definition for clients that refuse a whole list because of one odd tool. Members of the wrong
 * type are dropped, and a schema without a type becomes that of an object, since arguments are always
 * objects.
 *
 * @returns `undefined` if the arguments could not be an object; the same object if nothing is odd
 */
export function strictDefinition(tool: ToolDefinition): StrictDefinition | undefined {
  const inputSchema = objectSchema(tool.inputSchema)
  if (inputSchema === undefined) return undefined
  const { name } = tool
  const definition: ToolDefinition = { ...(members(tool, OPTIONAL) as object), name, inputSchema }
  const changed = Object.keys(tool).filter((member) => definition[member] !== tool[member])
  return changed.length === 0 ? { definition: tool, changed } : { definition, changed }
}

const OPEN = Buffer.from('{')
const COLON = Buffer.from(':')
const SEPARATOR = Buffer.from(',')
const CLOSE = Buffer.from('}')

/**
 * Writes a repaired value. Everything that was not repaired keeps its bytes.
 * @param json the value as it was written @param before the same, parsed @param after repaired
 */
export function repairedJson(json: RawJson, before: unknown, after: unknown): RawJson {
  if (before === after) return json
  if (!isObject(before) || !isObject(after)) return toJson(after)
  const added = Object.keys(after).filter((name) => !Object.hasOwn(before, name))
  const parts = added.map((name) => Buffer.concat([toJson(name), COLON, toJson(after[name])]))
  eachMember(json, [0, json.length], (keyStart, keyEnd, start, end) => {
    const name = String(parseJson(json.toString('utf8', keyStart - 1, keyEnd + 1))?.value)
    if (!Object.hasOwn(after, name)) return true
    const value = repairedJson(json.subarray(start, end), before[name], after[name])
    parts.push(Buffer.concat([json.subarray(keyStart - 1, start), value]))
    return true
  })
  const members = parts.flatMap((part, at) => (at === 0 ? [part] : [SEPARATOR, part]))
  return Buffer.concat([OPEN, ...members, CLOSE])
}

/** Repairs the members of an object. An object that needs no repair is returned as it is. */
function members(value: unknown, repairs: Readonly<Record<string, Repair>>): unknown {
  if (!isObject(value)) return undefined
  const odd = Object.keys(repairs).filter(
    (name) => Object.hasOwn(value, name) && repairs[name]?.(value[name]) !== value[name],
  )
  if (odd.length === 0) return value
  const kept = Object.entries(value).map(([name, each]) => [
    name,
    odd.includes(name) ? repairs[name]?.(each) : each,
  ])
  return Object.fromEntries(kept.filter(([, each]) => each !== undefined))
}

function objectSchema(value: unknown): Record<string, unknown> | undefined {
  const schema = members(value, { type: objectType, properties, required: names })
  if (!isObject(schema)) return undefined
  if (schema.type === 'object') return schema
  const isUntyped = !isObject(value) || value.type === undefined || value.type === null
  return isUntyped ? { ...schema, type: 'object' } : undefined
}

function objectType(type: unknown): unknown {
  return type === 'object' || (Array.isArray(type) && type.includes('object')) ? 'object' : undefined
}

/** A schema may be a boolean (JSON Schema 2020-12, 4.3.2); some clients refuse that. */
function properties(value: unknown): unknown {
  if (!isObject(value)) return undefined
  const all = Object.entries(value)
  if (all.every(([, schema]) => isObject(schema))) return value
  return Object.fromEntries(
    all.map(([name, schema]) => [name, isObject(schema) ? schema : schema === false ? { not: {} } : {}]),
  )
}

function names(value: unknown): unknown {
  return Array.isArray(value) && value.every((name) => typeof name === 'string') ? value : undefined
}

function isIcon(value: unknown): boolean {
  if (!isObject(value) || typeof value.src !== 'string') return false
  const { mimeType, sizes, theme } = value
  const hasType = mimeType === undefined || typeof mimeType === 'string'
  const hasTheme = theme === undefined || theme === 'light' || theme === 'dark'
  return hasType && hasTheme && (sizes === undefined || names(sizes) !== undefined)
}

function text(value: unknown): unknown {
  return typeof value === 'string' ? value : undefined
}

function flag(value: unknown): unknown {
  return typeof value === 'boolean' ? value : undefined
}
