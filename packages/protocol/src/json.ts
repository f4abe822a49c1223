/** A JSON value that came from outside and was not looked into. */
export type Json = unknown

/** A JSON value as the UTF-8 bytes it arrived in. */
export type RawJson = Buffer

/** The same as a text, for values that are kept for long. */
export type JsonText = string

/** Matches text that JSON writes without escapes. */
const PLAIN = /^[ !#-[\]-~]*$/

/**
 * Whether the text appears unchanged inside the quotes of a JSON string: ASCII without control characters and
 * escapes.
 */
export function isPlain(text: string): boolean {
  return PLAIN.test(text)
}

/** Parses, or `undefined` when the text is not JSON. */
export function parseJson(text: string): { readonly value: Json } | undefined {
  try {
    return { value: JSON.parse(text) }
  } catch {
    return undefined
  }
}

/** A value as the bytes of its JSON text. */
export function toJson(value: Json): RawJson {
  return Buffer.from(JSON.stringify(value))
}

/** Whether a value is an object, and neither `null` nor an array. */
export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * JSON with the keys of every object in code-unit order and no white space: equal values give equal
 * text, so that a hash of it pins a definition. Source: RFC 8785 section 3.2.3 (key order).
 */
export function canonicalJson(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (!isObject(value)) return JSON.stringify(value)
  const members = Object.keys(value)
    .sort()
    .map((key) => `${JSON.stringify(key)}:${canonicalJson(value[key])}`)
  return `{${members.join(',')}}`
}
