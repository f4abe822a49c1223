import { isObject, type Json, parseJson, type RawJson, valueAt } from '@bridgekeeper/protocol'

/** Nesting of declarations that is followed. */
const MAX_DEPTH = 32
const BASE64 = /^=\?base64\?(.*)\?=$/s
const BASE64_BODY = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/
const DECIMAL = /^-?\d+(?:\.\d+)?$/

/** An argument that a header must repeat. */
interface Declaration {
  readonly header: string
  readonly path: readonly string[]
  readonly isNumber: boolean
}

/**
 * Compares headers `Mcp-Param-*` with the arguments that a tool's schema declares for them by `x-mcp-header`
 * (MCP 2026-07-28, Streamable HTTP, SEP-2243).
 *
 * @param schema of the tool's arguments; `undefined` for an unknown tool
 * @param headers by the rest of their name, in lower case
 * @returns the first difference, for a person
 */
export function paramHeaderFault(
  schema: Json,
  params: RawJson | undefined,
  headers: Readonly<Record<string, string>>,
): string | undefined {
  const declarations = declarationsIn(schema, [])
  if (declarations.length === 0) return undefined
  const args = parseJson(valueAt(params, ['arguments'])?.toString('utf8') ?? 'null')?.value
  for (const declaration of declarations) {
    const fault = faultOf(declaration, args, headers)
    if (fault !== undefined) return `The headers and the arguments disagree: ${fault}`
  }
  return undefined
}

/** Only a chain of `properties` can declare headers. */
function declarationsIn(schema: Json, path: readonly string[]): readonly Declaration[] {
  if (!isObject(schema) || path.length > MAX_DEPTH) return []
  const header = schema['x-mcp-header']
  const isNumber = schema.type === 'integer' || schema.type === 'number'
  const own = typeof header === 'string' && path.length > 0 ? [{ header, path, isNumber }] : []
  const members = isObject(schema.properties) ? Object.entries(schema.properties) : []
  return [...own, ...members.flatMap(([key, child]) => declarationsIn(child, [...path, key]))]
}

function faultOf(
  { header, path, isNumber }: Declaration,
  args: Json,
  headers: Readonly<Record<string, string>>,
): string | undefined {
  const value = path.reduce<Json>((node, key) => (isObject(node) ? node[key] : undefined), args)
  if (typeof value !== 'string' && typeof value !== 'number' && typeof value !== 'boolean') return undefined
  // A large integer has no exact text.
  if (Number.isInteger(value) && !Number.isSafeInteger(value)) return undefined
  const [name, argument] = [`Mcp-Param-${header}`, path.join('.')]
  const written = Object.hasOwn(headers, header.toLowerCase()) ? headers[header.toLowerCase()] : undefined
  if (written === undefined) return `the argument ${argument} needs the header ${name}.`
  const decoded = decode(written)
  if (decoded === undefined) return `the header ${name} is not valid Base64.`
  const isEqual =
    isNumber && typeof value === 'number' && DECIMAL.test(decoded)
      ? Number(decoded) === value
      : decoded === String(value)
  return isEqual ? undefined : `the header ${name} differs from the argument ${argument}.`
}

/** Decodes a header value; `undefined` if its Base64 is not valid. */
function decode(written: string): string | undefined {
  const body = BASE64.exec(written)?.[1]
  if (body === undefined) return written
  if (!BASE64_BODY.test(body)) return undefined
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.from(body, 'base64'))
  } catch {
    return undefined
  }
}
