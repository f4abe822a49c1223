import { createHash, generateKeyPairSync } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { makeKey, prove, TestDevice } from '../../../test/support/devices.ts'
import type { Message } from '../../../test/support/peer.ts'
import { allow, deny } from '../src/gates/verdict.ts'
import { CALL_TIMEOUT_MS, type HandProofs, type RealPeer, World } from './support/connections-world.ts'

/**
 * Compares any order of events over sockets of a few devices, which prove themselves, renew and change
 * tokens, with a model.
 */

const URL = 'https://bridge.example.com'
const KEY = generateKeyPairSync('ed25519').privateKey
const RENEWAL_MS = 600_000
const CHALLENGE_MS = 30_000
const STRANGERS_KEY = makeKey()
const DEVICES = ['laptop', 'desktop'].map(
  (name) =>
    new TestDevice({ userId: 'ann', sessionId: `s-${name}`, deviceId: name }, `first-${name}`, makeKey()),
)

interface ModelSocket {
  readonly real: RealPeer & { readonly proofs: HandProofs }
  readonly device: TestDevice
  state: 'challenging' | 'ready' | 'closed'
  closedWith: string | undefined
  deadAtMs: number
  renewAtMs: number
  proveByMs: number
  renewal: 'none' | 'open' | 'open for a token'
  stale: number
  token: string
  next: { readonly token: string; readonly deadAtMs: number } | undefined
  strikesAtMs: number[]
  verifiedAs: number
}

interface ModelCall {
  readonly target: ModelSocket | undefined
  readonly deadlineAtMs: number
  readonly outcomes: string[]
  expected: string | undefined
  id: string
}

type Op =
  | { do: 'connect'; device: number; lifetime: number }
  | {
      do: 'prove'
      socket: number
      how: 'right' | 'other key' | 'other token' | 'other purpose'
      copied: boolean
    }
  | { do: 'token'; socket: number; good: boolean; lifetime: number }
  /** A token that crosses the challenge of a renewal on the way. */
  | { do: 'cross'; socket: number; good: boolean; lifetime: number }
  | { do: 'call' }
  | { do: 'result'; call: number }
  | { do: 'peer-gone' | 'revoke' | 'echo' | 'ping'; socket: number }
  | { do: 'store-revokes'; socket: number }
  | { do: 'advance'; ms: number }

const socket = fc.nat({ max: 7 })
const lifetime = fc.integer({ min: 60, max: 2_000 })
const weighed = <T>(weight: number, arbitrary: fc.Arbitrary<T>) => ({ weight, arbitrary })
const op: fc.Arbitrary<Op> = fc.oneof(
  weighed(3, fc.record({ do: fc.constant('connect' as const), device: fc.nat({ max: 1 }), lifetime })),
  weighed(
    10,
    fc.record({
      do: fc.constant('prove' as const),
      socket,
      how: fc.oneof(
        weighed(8, fc.constant('right' as const)),
        weighed(1, fc.constantFrom('other key', 'other token', 'other purpose')),
      ),
      copied: fc.oneof(weighed(9, fc.constant(false)), weighed(1, fc.constant(true))),
    }) as fc.Arbitrary<Op>,
  ),
  weighed(5, fc.record({ do: fc.constant('token' as const), socket, good: fc.boolean(), lifetime })),
  weighed(4, fc.record({ do: fc.constant('cross' as const), socket, good: fc.boolean(), lifetime })),
  weighed(3, fc.constant({ do: 'call' as const })),
  weighed(2, fc.record({ do: fc.constant('result' as const), call: fc.nat({ max: 20 }) })),
  weighed(
    2,
    fc.record({
      do: fc.constantFrom('peer-gone', 'revoke', 'echo', 'ping', 'store-revokes'),
      socket,
    }) as fc.Arbitrary<Op>,
  ),
  weighed(3, fc.record({ do: fc.constant('advance' as const), ms: fc.nat({ max: 40_000 }) })),
  weighed(
    2,
    fc.record({ do: fc.constant('advance' as const), ms: fc.integer({ min: 500_000, max: 640_000 }) }),
  ),
)

class Model {
  readonly world = new World()
  readonly sockets: ModelSocket[] = []
  readonly calls: ModelCall[] = []
  #nowMs = 0
  #verified = 0
  #tokens = 0

  async run(event: Op): Promise<void> {
    const at = <T>(list: readonly T[], place: number): T | undefined => list[place % (list.length || 1)]
    const found = 'socket' in event ? at(this.sockets, event.socket) : undefined
    if (event.do === 'connect') this.#connect(DEVICES[event.device] as TestDevice, event.lifetime)
    else if (event.do === 'advance') await this.#advance(event.ms)
    else if (event.do === 'call') this.#call()
    else if (event.do === 'result') this.#result(at(this.calls, event.call))
    else if (found === undefined) return
    else if (event.do === 'prove') await this.#prove(found, event.how, event.copied)
    else if (event.do === 'token') await this.#token(found, event.good, event.lifetime)
    else if (event.do === 'cross') {
      const leftMs = Math.ceil(found.renewAtMs - this.#nowMs)
      if (found.state === 'ready' && leftMs > 0 && leftMs <= RENEWAL_MS) await this.#advance(leftMs)
      await this.#token(found, event.good, event.lifetime)
    } else await this.#simple(event.do, found)
    this.check()
  }

  check(): void {
    for (const { real, state, closedWith } of this.sockets) {
      expect(this.world.ready.has(real.connection)).toBe(state === 'ready')
      expect(real.socket.closedWith).toBe(closedWith)
    }
    for (const { outcomes, expected } of this.calls)
      expect(outcomes).toEqual(expected === undefined ? [] : [expected])
    const open = this.sockets.filter(({ state }) => state !== 'closed')
    expect(this.world.system.armed).toBeLessThanOrEqual(2 * open.length)
  }

  async end(): Promise<void> {
    for (const one of this.sockets) await this.#simple('peer-gone', one)
    this.check()
    expect(this.world.ready.size).toBe(0)
    expect(this.world.system.armed).toBe(0)
  }

  #connect(device: TestDevice, lifetimeSeconds: number): void {
    const lifetimeMs = lifetimeSeconds * 1_000 + 0.25
    const expiresAtMs = this.world.system.nowMs() + lifetimeMs
    this.sockets.push({
      real: this.world.connectDevice(device, KEY, URL, expiresAtMs),
      device,
      state: 'challenging',
      closedWith: undefined,
      deadAtMs: this.#nowMs + lifetimeMs,
      renewAtMs: Number.POSITIVE_INFINITY,
      proveByMs: this.#nowMs + CHALLENGE_MS,
      renewal: 'none',
      stale: 0,
      token: device.accessToken,
      next: undefined,
      strikesAtMs: [],
      verifiedAs: 0,
    })
  }

  async #prove(one: ModelSocket, how: string, copied: boolean): Promise<void> {
    const challenge = one.real.socket.sent.findLast(({ type }) => type === 'challenge') as unknown as Message
    const token = one.renewal === 'open for a token' ? one.next?.token : one.token
    const isFirst = (one.state === 'challenging') !== (how === 'other purpose')
    const me = Object.assign(one.device.copy(), how === 'other key' && { key: STRANGERS_KEY })
    const { proof } = prove(me, challenge, URL, {
      purpose: isFirst ? 'connect' : 'renew',
      keyId: one.device.key.public.keyId,
      tokenHash: createHash('sha256')
        .update(how === 'other token' ? 'x' : (token ?? ''))
        .digest(),
    })
    this.world.confirmed = copied ? deny('device_key_copied') : allow(undefined)
    this.#receive(one, { type: 'challenge_response', proof })
    await settle()
    if (one.state === 'challenging') this.#firstProof(one, how === 'right', copied)
    else if (one.state === 'ready') this.#laterProof(one, how === 'right')
  }

  #firstProof(one: ModelSocket, isRight: boolean, copied: boolean): void {
    if (!isRight) return this.#close(one, '1008 proof_failed')
    if (copied) return this.#close(one, '4510 device_key_copied')
    one.state = 'ready'
    one.strikesAtMs = []
    one.verifiedAs = ++this.#verified
    this.#proven(one)
    for (const other of this.sockets)
      if (other !== one && other.state === 'ready' && other.device === one.device)
        this.#close(other, '4509 connection_replaced')
  }

  #laterProof(one: ModelSocket, isRight: boolean): void {
    if (one.stale > 0) one.stale--
    else if (one.renewal === 'none') return
    else if (!isRight) this.#close(one, '1008 proof_failed')
    else {
      if (one.next !== undefined) Object.assign(one, one.next)
      one.renewal = 'none'
      one.next = undefined
      this.#proven(one)
    }
  }

  #proven(one: ModelSocket): void {
    one.renewAtMs = this.#nowMs + RENEWAL_MS
    one.proveByMs = one.renewAtMs + CHALLENGE_MS
  }

  /** A challenge went out. */
  #asked(one: ModelSocket, renewal: ModelSocket['renewal']): void {
    one.renewal = renewal
    one.proveByMs = Math.min(one.proveByMs, this.#nowMs + CHALLENGE_MS)
  }

  async #token(one: ModelSocket, good: boolean, lifetimeSeconds: number): Promise<void> {
    const token = `token-${++this.#tokens}`
    const lifetimeMs = lifetimeSeconds * 1_000 + 0.25
    const { userId, sessionId, deviceId } = one.device
    const expiresAtMs = this.world.system.nowMs() + lifetimeMs
    const principal = { userId, sessionId, deviceId, expiresAtMs }
    one.real.proofs.answer = (given) =>
      given === undefined ? allow(undefined) : good ? allow(principal) : deny('token_invalid')
    this.#receive(one, { type: 'reauthenticate', token })
    await settle()
    if (one.state === 'challenging') return this.#strike(one, 'challenge_required')
    if (one.state !== 'ready') return
    const wasOpen = one.renewal === 'open'
    this.#strike(one, 'message_invalid')
    if (one.renewal === 'open for a token' || (one.state as string) === 'closed') return
    if (wasOpen) one.stale++
    if (good) {
      one.next = { token, deadAtMs: this.#nowMs + lifetimeMs }
      this.#asked(one, 'open for a token')
    } else if (wasOpen) this.#asked(one, 'open')
  }

  async #simple(
    what: 'peer-gone' | 'revoke' | 'echo' | 'ping' | 'store-revokes',
    one: ModelSocket,
  ): Promise<void> {
    const { connection, proofs } = one.real
    if (what === 'peer-gone') connection.socketClosed(1006, '')
    else if (what === 'revoke') connection.revoke()
    else if (what === 'echo') this.#receive(one, { type: 'challenge_response', response: 'f'.repeat(64) })
    else if (what === 'ping') this.#receive(one, { type: 'ping' })
    else proofs.answer = () => deny('device_unknown')
    await settle()
    if (one.state === 'closed') return
    if (what === 'peer-gone') this.#close(one, undefined)
    else if (what === 'revoke') this.#close(one, '4510 login_revoked')
    else if (what === 'ping' && one.state === 'challenging') this.#strike(one, 'challenge_required')
    else if (what === 'echo' && one.state === 'challenging') this.#close(one, '1008 proof_failed')
    else if (what === 'echo') this.#laterProof(one, false)
  }

  #strike(one: ModelSocket, code: string): void {
    one.strikesAtMs = one.strikesAtMs.filter((atMs) => this.#nowMs - atMs < 60_000)
    if (one.strikesAtMs.length === 10) this.#close(one, `4400 ${code}`)
    else one.strikesAtMs.push(this.#nowMs)
  }

  #call(): void {
    const [target] = this.sockets
      .filter(({ state }) => state === 'ready')
      .sort((a, b) => b.verifiedAs - a.verifiedAs)
    const waiting = this.calls.filter((call) => call.target === target && call.expected === undefined)
    const isFull = waiting.length >= 2
    const call: ModelCall = {
      target: isFull ? undefined : target,
      deadlineAtMs: this.#nowMs + CALL_TIMEOUT_MS,
      outcomes: [],
      expected: target === undefined ? 'agent_offline' : isFull ? 'too_many_calls' : undefined,
      id: '',
    }
    this.calls.push(call)
    this.world.call('ann', (outcome) =>
      call.outcomes.push(outcome.kind === 'failed' ? outcome.error.code : 'answered'),
    )
    call.id = call.target?.real.socket.idsOf('tool_execute').at(-1) ?? ''
  }

  #result(call: ModelCall | undefined): void {
    if (call?.target === undefined) return
    if (call.target.state === 'ready') call.expected ??= 'answered'
    this.#receive(call.target, { type: 'tool_result', id: call.id, success: true, result: {} })
  }

  async #advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms
    const due = new Set<ModelSocket>()
    const moments = [
      ...this.sockets.flatMap((one) => [
        { atMs: one.deadAtMs, run: () => this.#close(one, '4401 token_expired') },
        { atMs: one.proveByMs, run: () => this.#close(one, '4408 challenge_timeout') },
        { atMs: one.renewAtMs, run: () => one.state === 'ready' && due.add(one) },
      ]),
      ...this.calls.map((call) => ({
        atMs: call.deadlineAtMs,
        run: () => {
          call.expected ??= 'call_timeout'
        },
      })),
    ]
    for (const { run } of moments
      // Timers fire at whole milliseconds; the fraction of a deadline only orders two of them.
      .filter(({ atMs }) => Math.floor(atMs) > this.#nowMs && Math.floor(atMs) <= untilMs)
      .sort((a, b) => a.atMs - b.atMs))
      run()
    this.#nowMs = untilMs
    this.world.system.advance(ms)
    await settle()
    for (const one of due) this.#renewalDue(one)
  }

  #renewalDue(one: ModelSocket): void {
    one.renewAtMs = Number.POSITIVE_INFINITY
    if (one.state !== 'ready') return
    if (!one.real.proofs.answer(undefined).allowed) this.#close(one, '4510 device_unknown')
    else if (one.renewal === 'none') this.#asked(one, 'open')
  }

  #close(one: ModelSocket, code: string | undefined): void {
    if (one.state === 'closed') return
    one.state = 'closed'
    one.closedWith = code
    for (const call of this.calls) if (call.target === one) call.expected ??= 'outcome_unknown'
  }

  #receive({ real }: ModelSocket, message: object): void {
    real.connection.receive(Buffer.from(JSON.stringify(message)), false)
  }
}

/** Every request is answered within this turn of the event loop. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

test('[STATE.4] [PROOF.3] [PROOF.10] [PROOF.11] matches the model for any order of proofs, renewals and tokens', {
  timeout: 240_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(op, { minLength: 15, maxLength: 60, size: 'max' }), async (events) => {
      const model = new Model()
      for (const event of events) await model.run(event)
      await model.end()
    }),
    { numRuns: 200 },
  )
})
