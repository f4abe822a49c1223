import { DEVICE_PATHS, type ErrorCode, isObject, keyWords, thumbprint } from '@bridgekeeper/protocol'
import { AgentError } from '../errors.ts'
import type { EnrolmentEvent } from '../events.ts'
import { publicJwkSchema } from '../keychain/device-key.ts'
import type { Keychain } from '../keychain/keychain.ts'
import type { BridgeRecord, EnrolledRecord, PendingFlow, PendingRecord } from '../keychain/record.ts'
import { pause, type System } from '../system.ts'
import { type Answer, ask, Unreachable } from './ask.ts'
import { BridgeClock } from './bridge-clock.ts'
import { beginFlow, poll } from './device-flow.ts'
import { discover, type ServerMetadata } from './discovery.ts'
import { refusal, refusalCode } from './refusal.ts'
import { keyProof } from './signed.ts'

export interface EnrolParts {
  readonly keychain: Keychain
  readonly system: System
  /**
   * For `enrolment-waiting` it may return a promise that resolves once the receiver itself has approved the
   * machine. The agent then polls at once if the first interval has not passed.
   */
  readonly onEvent: (event: EnrolmentEvent) => void | Promise<void>
}

export interface EnrolOptions {
  /** Address of the bridge, such as `https://bridge.example.com`. */
  readonly bridge: string
  /** Name shown to the user, now and in lists. */
  readonly name: string
  /** Deletes the stored record and key of this bridge first. */
  readonly again?: boolean
}

/** Codes to request, each after the last one expired, before enrolment fails. */
const FLOWS = 3
/** Refusals of an approval that was used or has ended. */
const SPENT: ReadonlySet<ErrorCode> = new Set(['token_invalid', 'token_expired', 'login_revoked'])
const SEND_TRIES = 3
const SEND_AGAIN_MS = 1_000

/**
 * [LINKUP.1] Returns this machine's enrolment at a bridge: the stored one, or a new one that the user
 * approves in a browser. After an interruption it resumes with the same key, and with the code that the user
 * may have approved in between.
 *
 * @throws AgentError on a final refusal; Unreachable; or if the signal aborts
 */
export async function ensureEnrolled(
  parts: EnrolParts,
  options: EnrolOptions,
  signal: AbortSignal,
): Promise<EnrolledRecord> {
  const { keychain, system, onEvent } = parts
  const { bridge } = options
  if (options.again === true) await keychain.remove(bridge)
  const known = await keychain.find(bridge)
  if (known?.state === 'enrolled') return known
  const server = await discover(system, bridge, signal)
  for (let flows = 0; flows < FLOWS; flows++) {
    const pending = await beginOrResume(parts, options, server, signal)
    if (pending.state === 'enrolled') return pending
    const approval = onEvent(waiting(pending, pending.flow, system))
    const record = await awaitApproval(parts, server, pending, approval, signal)
    if (record !== undefined) {
      await onEvent({
        type: 'enrolled',
        bridge,
        deviceId: record.deviceId,
        name: record.name,
        keyStore: record.keyStore,
      })
      return record
    }
  }
  throw new AgentError('enrolment_expired')
}

type BegunRecord = PendingRecord & { readonly flow: PendingFlow }

/** A pending key and code: the stored ones if still valid, else new ones. */
async function beginOrResume(
  { keychain, system }: EnrolParts,
  { bridge, name }: EnrolOptions,
  server: ServerMetadata,
  signal: AbortSignal,
): Promise<BegunRecord | EnrolledRecord> {
  const known = await keychain.find(bridge)
  const stored = known ?? (await keychain.makeKey())
  const fresh = (): PendingRecord => ({
    ...{ version: 1, state: 'pending', bridge, name, madeAtMs: system.nowMs() },
    ...{ keyId: stored.keyId, keyStore: stored.keyStore },
    ...(stored.privateKey !== undefined && { privateKey: stored.privateKey }),
  })
  const record = await keychain.update<BridgeRecord>(bridge, (current) => {
    if (current === undefined) return fresh()
    return current.state === 'enrolled' || current.name === name
      ? current
      : { ...current, name, flow: undefined }
  })
  if (known === undefined && record.keyId !== stored.keyId) await keychain.discard(stored)
  if (record.state === 'enrolled') return record
  const { flow } = record
  if (flow !== undefined && flow.expiresAtMs > system.nowMs()) return { ...record, flow }

  const request = { bridge, server, deviceName: name, deviceKey: record.keyId }
  const newFlow = await beginFlow(system, request, signal)
  const kept = await keychain.update<BridgeRecord>(bridge, (current) =>
    isSame(current, record) ? { ...current, flow: newFlow } : (current ?? { ...record, flow: newFlow }),
  )
  return kept.state === 'enrolled' ? kept : { ...kept, flow: kept.flow ?? newFlow }
}

/**
 * Polls until the user approves. @returns `undefined` if the code expired or was used, so that a new one is
 * needed
 */
async function awaitApproval(
  parts: EnrolParts,
  server: ServerMetadata,
  pending: BegunRecord,
  approval: void | Promise<void>,
  signal: AbortSignal,
): Promise<EnrolledRecord | undefined> {
  const { keychain, system } = parts
  const { bridge, flow } = pending
  let { intervalMs } = flow
  let first = approval
  while (flow.expiresAtMs > system.nowMs()) {
    await pauseUnless(first, system, intervalMs, signal)
    first = undefined
    signal.throwIfAborted()
    // Another process of this user may have finished the enrolment.
    const current = await keychain.find(bridge)
    if (current?.state === 'enrolled') return current
    const polled = await poll(system, { bridge, server }, flow, intervalMs, signal)
    if (polled.is === 'approved') return sendKey(parts, pending, polled.token, signal)
    if (polled.is === 'over') break
    intervalMs = polled.intervalMs
  }
  return forgetFlow(keychain, pending)
}

/** Resolves after the delay, or earlier if the promise resolves. @throws the rejection of the promise */
async function pauseUnless(
  sooner: void | Promise<void>,
  system: System,
  delayMs: number,
  signal: AbortSignal,
): Promise<void> {
  if (sooner === undefined) return pause(system, delayMs, signal)
  const end = new AbortController()
  const delay = pause(system, delayMs, AbortSignal.any([signal, end.signal]))
  try {
    await Promise.race([delay, sooner])
  } finally {
    end.abort()
  }
}

/** Sends our public key with the approval. @returns `undefined` if the approval was used in between */
async function sendKey(
  { keychain, system }: EnrolParts,
  pending: PendingRecord,
  token: string,
  signal: AbortSignal,
): Promise<EnrolledRecord | undefined> {
  const { bridge, name } = pending
  const key = await keychain.key(pending)
  const answer = await untilAnswered(system, signal, () =>
    new BridgeClock(system).ask((nowMs) => {
      const proof = keyProof(key, DEVICE_PATHS.enrol, token, { bridge, nowMs })
      const json = { name, jwk: key.publicJwk, proof }
      return ask(system, bridge + DEVICE_PATHS.enrol, { json, token }, signal)
    }),
  )
  if (answer.status === 200) {
    const record = enrolledRecord(pending, answer)
    return keychain.update(bridge, (current) => (current?.state === 'enrolled' ? current : record))
  }
  const code = refusalCode(answer)
  if (code !== undefined && SPENT.has(code)) return forgetFlow(keychain, pending)
  // The bridge will never accept this key; the next attempt makes a new one.
  if (code === 'device_key_known') await keychain.remove(bridge)
  throw refusal(answer)
}

/** Retries a few times while the bridge is unreachable: the approval is single-use, and a new one needs the user. */
async function untilAnswered(
  system: System,
  signal: AbortSignal,
  send: () => Promise<Answer>,
): Promise<Answer> {
  for (let tries = 1; ; tries++) {
    try {
      return await send()
    } catch (error) {
      if (!(error instanceof Unreachable) || signal.aborted || tries === SEND_TRIES) throw error
      await pause(system, SEND_AGAIN_MS, signal)
    }
  }
}

/**
 * Converts the bridge's answer to a record. Checks that it accepted our key and that its own key matches its
 * id.
 */
function enrolledRecord(pending: PendingRecord, { body }: Answer): EnrolledRecord {
  const { flow: _flow, ...ours } = pending
  const bridgeKey = publicJwkSchema.safeParse(body.bridgeKey)
  const { deviceId, userId, sessionId, name, bridgeKeyId, keyId, generation } = body
  const isReadable =
    [deviceId, userId, sessionId, name].every(
      (text) => typeof text === 'string' && /^[^\p{C}]{1,256}$/u.test(text),
    ) &&
    bridgeKey.success &&
    thumbprint(bridgeKey.data) === bridgeKeyId &&
    keyId === pending.keyId &&
    generation === 1
  if (!isReadable || !isObject(body.bridgeKey) || !bridgeKey.success)
    throw new AgentError('answer_unusable', 'It answered the enrolment with missing or invalid fields.')
  return {
    ...ours,
    state: 'enrolled',
    deviceId: String(deviceId),
    userId: String(userId),
    sessionId: String(sessionId),
    name: String(name),
    generation: 1,
    bridgeKey: bridgeKey.data,
    bridgeKeyId: String(bridgeKeyId),
    previous: '',
  }
}

/** @returns the record of another process that finished the enrolment, if any */
async function forgetFlow(
  keychain: Keychain,
  pending: BegunRecord | PendingRecord,
): Promise<EnrolledRecord | undefined> {
  const { flow, ...rest } = pending
  const kept = await keychain.update<BridgeRecord>(pending.bridge, (current) => {
    if (current === undefined) return rest
    const isOurs = current.state === 'pending' && current.flow?.deviceCode === flow?.deviceCode
    return isOurs ? { ...current, flow: undefined } : current
  })
  return kept.state === 'enrolled' ? kept : undefined
}

function isSame(current: BridgeRecord | undefined, { keyId }: PendingRecord): current is PendingRecord {
  return current?.state === 'pending' && current.keyId === keyId
}

function waiting({ bridge, name, keyId }: PendingRecord, flow: PendingFlow, system: System): EnrolmentEvent {
  return {
    type: 'enrolment-waiting',
    ...{ bridge, name },
    ...{ userCode: flow.userCode, verificationUri: flow.verificationUri },
    ...(flow.verificationUriComplete !== undefined && {
      verificationUriComplete: flow.verificationUriComplete,
    }),
    keyWords: keyWords(keyId) ?? keyId,
    expiresInMs: Math.max(0, Math.round(flow.expiresAtMs - system.nowMs())),
  }
}
