import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto'
import { canonicalJson, isObject, objectMembers, parseJson, type RawJson } from '@bridgekeeper/protocol'
import type { ExchangeFacts } from '../exchanges/exchange.ts'
import { RETRY_MEMBERS } from './client-2026.ts'

const ALGORITHM = 'aes-256-gcm'
const KEY_BYTES = 32
const IV_BYTES = 12
const TAG_BYTES = 16
/** Length of our own; a longer one is not tried. */
const MAX_STATE_CHARS = 256
/** Members of parameters that may differ from one round to the next. */
const UNBOUND: readonly string[] = ['_meta', ...RETRY_MEMBERS]

/** Values that mean the same as an absent member. */
const EMPTY: readonly string[] = ['null', '[]', '{}']
const NULL = Buffer.from('null')

/** A round of a call: which call, and which of its rounds. */
export interface RoundId {
  readonly call: string
  readonly round: number
}

/**
 * [ERA.9] Seals the rounds of calls into `requestState`, with a key that lives as long as the agent. A state opens
 * only for the client, the server, the method and the parameters that it was made for.
 */
export class RequestStates {
  readonly #key = randomBytes(KEY_BYTES)

  seal({ call, round }: RoundId, facts: ExchangeFacts): string {
    const iv = randomBytes(IV_BYTES)
    const cipher = createCipheriv(ALGORITHM, this.#key, iv).setAAD(bound(facts))
    const sealed = Buffer.concat([cipher.update(JSON.stringify([call, round])), cipher.final()])
    return Buffer.concat([iv, cipher.getAuthTag(), sealed]).toString('base64url')
  }

  /** @returns `undefined` if it was not sealed here, or for another request */
  open(state: string, facts: ExchangeFacts): RoundId | undefined {
    if (state.length > MAX_STATE_CHARS) return undefined
    const bytes = Buffer.from(state, 'base64url')
    // Other spellings of the same bytes are no states of ours.
    if (bytes.toString('base64url') !== state || bytes.length < IV_BYTES + TAG_BYTES) return undefined
    const [iv, tag] = [bytes.subarray(0, IV_BYTES), bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES)]
    try {
      const decipher = createDecipheriv(ALGORITHM, this.#key, iv).setAAD(bound(facts)).setAuthTag(tag)
      const opened = Buffer.concat([decipher.update(bytes.subarray(IV_BYTES + TAG_BYTES)), decipher.final()])
      const [call, round] = JSON.parse(opened.toString('utf8')) as [string, number]
      return { call, round }
    } catch {
      return undefined
    }
  }
}

/** Hash of everything that must stay the same from round to round. */
function bound({ client, serverName, method, params }: ExchangeFacts): Buffer {
  const hash = createHash('sha256').update(JSON.stringify([client, serverName, method]))
  for (const [name, bytes] of sortedMembers(params)) {
    hash.update(JSON.stringify([name, bytes.length])).update(bytes)
  }
  return hash.digest()
}

function sortedMembers(params: RawJson | undefined): readonly (readonly [string, Buffer])[] {
  const members = [...((params && objectMembers(params)) ?? [])]
  return members
    .filter(([name]) => !UNBOUND.includes(name))
    .map(([name, [start, end]]) => [name, canonical((params as RawJson).subarray(start, end))] as const)
    .filter(([, bytes]) => !EMPTY.includes(bytes.toString('latin1')))
    .sort(([one], [other]) => (one < other ? -1 : 1))
}

/** Clients may write the same value in another way when they call again. */
export function canonical(json: RawJson): Buffer {
  try {
    return Buffer.from(canonicalJson(parseJson(json.toString('utf8'))?.value))
  } catch (error) {
    // A value that is nested deeper than the stack.
    if (!(error instanceof RangeError)) throw error
    return json
  }
}

/** The client's answers by their keys. @returns `undefined` if they are not objects */
export function readAnswers(responses: RawJson | undefined): ReadonlyMap<string, RawJson> | undefined {
  if (responses === undefined || responses.equals(NULL)) return new Map()
  const members = objectMembers(responses)
  if (members === undefined) return undefined
  const answers = [...members].map(([key, [start, end]]) => [key, responses.subarray(start, end)] as const)
  const areObjects = answers.every(([, bytes]) => isObject(parseJson(bytes.toString('utf8'))?.value))
  return areObjects ? new Map(answers) : undefined
}
