import type { IncomingMessage } from 'node:http'
import { allow, deny, type Verdict } from '@bridgekeeper/bridge'
import { isObject, parseJson, readText } from '@bridgekeeper/protocol'

/** The fields of a form, each at most once. */
export type Form = ReadonlyMap<string, string>

/** Larger than any of our forms; a passkey's answer is a few KiB. */
export const MAX_BODY_BYTES = 65_536
const FORM_TYPE = 'application/x-www-form-urlencoded'

/** Reads a posted form. Rejects if the client disconnects. */
export async function readForm(request: IncomingMessage): Promise<Verdict<Form>> {
  if (mediaType(request) !== FORM_TYPE) return deny('form_invalid')
  const body = await readSmallBody(request)
  if (body === undefined) return deny('body_too_large')
  const fields = [...new URLSearchParams(body)]
  const form = new Map(fields)
  return form.size === fields.length ? allow(form) : deny('form_invalid')
}

/** Reads a posted JSON object. Rejects if the client disconnects. */
export async function readJson(
  request: IncomingMessage,
): Promise<Verdict<Readonly<Record<string, unknown>>>> {
  if (mediaType(request) !== 'application/json') return deny('form_invalid')
  const body = await readSmallBody(request)
  if (body === undefined) return deny('body_too_large')
  const value = parseJson(body)?.value
  return isObject(value) ? allow(value) : deny('form_invalid')
}

export function mediaType(request: IncomingMessage): string | undefined {
  return request.headers['content-type']?.split(';')[0]?.trim().toLowerCase()
}

/** Reads a body of at most 64 KiB. Rejects if the client disconnects. @returns `undefined` if it is too large */
export function readSmallBody(request: IncomingMessage): Promise<string | undefined> {
  return readText(request, MAX_BODY_BYTES)
}
