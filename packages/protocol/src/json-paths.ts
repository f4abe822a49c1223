import type { RawJson } from './json.ts'
import { bytesAt, pickMembers, type Span, stringAt, TWICE } from './json-spans.ts'

/** Finds the value at a path of members; `TWICE` if a member on the way occurs twice. */
function spanOf(json: RawJson, path: readonly string[]): Span | undefined {
  let span: Span | undefined = [0, json.length]
  for (const name of path) {
    span = pickMembers(json, [name], span)?.[0]
    if (span === undefined || span === TWICE) return span
  }
  return span
}

/** Whether two parsers could disagree about the value at a path of members. */
export function isAmbiguous(json: RawJson, path: readonly string[]): boolean {
  return spanOf(json, path) === TWICE
}

/** The bytes of the value at a path of members; `undefined` if it is missing or ambiguous. */
export function valueAt(json: RawJson | undefined, path: readonly string[]): RawJson | undefined {
  const span = json && spanOf(json, path)
  return span === TWICE ? undefined : json && bytesAt(json, span)
}

/** The text at a path of members; `undefined` if it is missing, ambiguous or another type. */
export function textAt(json: RawJson | undefined, path: readonly string[]): string | undefined {
  const bytes = valueAt(json, path)
  return bytes && stringAt(bytes, [0, bytes.length])
}

/** Replaces the value at a path of members and keeps all other bytes; the same bytes if there is no such value. */
export function replaceAt(json: RawJson, path: readonly string[], value: RawJson): RawJson {
  const span = spanOf(json, path)
  if (span === undefined || span === TWICE) return json
  return Buffer.concat([json.subarray(0, span[0]), value, json.subarray(span[1])])
}
