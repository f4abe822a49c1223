import { isObject, parseJson, thumbprintSchema } from '@bridgekeeper/protocol'
import { z } from 'zod'
import { privateJwkSchema, publicJwkSchema } from './device-key.ts'

const VERSION = 1
const text = z.string().min(1).max(256)
const stamp = z.number().nonnegative()

/** Location of a private key: the key store of the operating system, or the record. */
const keyStore = z.enum(['os', 'file'])

const storedKey = { keyId: thumbprintSchema, keyStore, privateKey: privateJwkSchema.optional() }

/** A pending device flow (RFC 8628), so that another process can resume it without asking the user again. */
const flow = z.strictObject({
  deviceCode: z.string().min(1).max(4_096),
  userCode: text,
  verificationUri: z.string().min(1).max(2_048),
  verificationUriComplete: z.string().min(1).max(2_048).optional(),
  intervalMs: stamp,
  expiresAtMs: stamp,
})
export type PendingFlow = z.infer<typeof flow>

/** A key exists, and the bridge has not confirmed its enrolment. */
const pending = z.strictObject({
  version: z.literal(VERSION),
  state: z.literal('pending'),
  bridge: text,
  name: text,
  ...storedKey,
  madeAtMs: stamp,
  flow: flow.optional(),
})
export type PendingRecord = z.infer<typeof pending>

const enrolled = z.strictObject({
  version: z.literal(VERSION),
  state: z.literal('enrolled'),
  /** The bridge, as it is dialled: `https://bridge.example.com`. */
  bridge: text,
  deviceId: text,
  userId: text,
  sessionId: text,
  name: text,
  ...storedKey,
  generation: z.int().positive(),
  /** When this key was made, on the wall clock. */
  madeAtMs: stamp,
  /** The bridge's own key, pinned when the device was enrolled. */
  bridgeKey: publicJwkSchema,
  bridgeKeyId: thumbprintSchema,
  /** The last connection that was verified; empty before the first. */
  previous: z.string().max(256),
  /** The key that replaces this one once the bridge accepts it. */
  next: z.strictObject(storedKey).optional(),
})
/** The record of one bridge at which this machine is enrolled. */
export type EnrolledRecord = z.infer<typeof enrolled>

const record = z.discriminatedUnion('state', [pending, enrolled])
export type BridgeRecord = z.infer<typeof record>

/** Why a record cannot be used. */
export type RecordProblem = 'corrupt' | 'newer'

/** Parses a record. An unknown member means a foreign file or a newer program. */
export function parseRecord(content: string): BridgeRecord | RecordProblem {
  const value = parseJson(content)?.value
  if (isObject(value) && typeof value.version === 'number' && value.version > VERSION) return 'newer'
  const parsed = record.safeParse(value)
  if (!parsed.success) return 'corrupt'
  return keysOf(parsed.data).every(isWhole) ? parsed.data : 'corrupt'
}

export function recordText(value: BridgeRecord): string {
  return `${JSON.stringify(value, undefined, 2)}\n`
}

/** A key of this machine, and where its private half is. */
export type StoredKey = Pick<BridgeRecord, 'keyId' | 'keyStore' | 'privateKey'>

/** Lists the keys that a record names. */
export function keysOf(value: BridgeRecord): readonly StoredKey[] {
  return value.state === 'enrolled' && value.next !== undefined ? [value, value.next] : [value]
}

/** Whether the private key is in the record exactly when `keyStore` says so. */
function isWhole({ keyStore: store, privateKey }: StoredKey): boolean {
  return (store === 'file') === (privateKey !== undefined)
}
