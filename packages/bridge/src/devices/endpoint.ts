import type { IncomingMessage, ServerResponse } from 'node:http'
import { codes, DEVICE_PATHS, type ErrorCode, isObject, parseJson, readText } from '@bridgekeeper/protocol'
import { credentialGate } from '../gates/credential.ts'
import { type ClientAddress, type RequestFacts, requestFacts } from '../gates/request-facts.ts'
import { allow, deny, denyFor, isGuess, type Verdict } from '../gates/verdict.ts'
import { Sampler } from '../limiters/sampler.ts'
import { SlidingWindow } from '../limiters/sliding-window.ts'
import type { FrontDoor, SecurityLog, System } from '../ports.ts'
import { refusalBody, refusalHeaders } from '../refusal.ts'
import type { DeviceRegistry, MayEnrol } from './device-registry.ts'

export interface DeviceEndpointParts {
  readonly registry: DeviceRegistry
  /** Checks blocked addresses, TLS and host, and counts failures, as for every other request. */
  readonly door: FrontDoor
  /** Decides whose device a token may enrol; used for nothing else. */
  readonly mayEnrol: (token: string) => Promise<Verdict<MayEnrol>>
  /** The bridge's own public key, which machines pin: a JWK and its thumbprint. */
  readonly bridgeKey: { readonly keyId: string; readonly jwk: object }
  readonly log: SecurityLog
  readonly system: System
}

type Body = Readonly<Record<string, unknown>>
type Answer = Promise<Verdict<object>>

interface Visit {
  readonly facts: RequestFacts
  readonly address: ClientAddress
  readonly body: Body
}

/** Room for two tokens of maximum length and the JSON around them. */
export const MAX_BODY_BYTES = 20_480
/** Limit of requests per address. A machine sends about four an hour, and many may share an address. */
export const REQUESTS = { max: 120, windowMs: 60_000, maxKeys: 10_000 }

/**
 * [ENROL.4] HTTP endpoints at which machines enrol, get tokens and rotate keys. Not for browsers: cookies do
 * not count, and requests of pages are refused.
 */
export class DeviceEndpoint {
  readonly #parts: DeviceEndpointParts
  readonly #requests = new SlidingWindow(REQUESTS)
  readonly #sampler = new Sampler()

  constructor(parts: DeviceEndpointParts) {
    this.#parts = parts
  }

  /**
   * @param pathname without query @returns whether the path belongs to this endpoint, which then answers the
   * request
   */
  handle(request: IncomingMessage, response: ServerResponse, pathname: string): boolean {
    const act = this.#acts.get(pathname)
    if (act === undefined) return false
    this.#answer(request, response, act).catch(() => {
      if (response.headersSent) response.destroy()
      else send(response, deny('internal_error'))
    })
    return true
  }

  readonly #acts: ReadonlyMap<string, (visit: Visit) => Answer> = new Map([
    [DEVICE_PATHS.enrol, (visit) => this.#enrol(visit)],
    [DEVICE_PATHS.token, (visit) => this.#token(visit)],
    [DEVICE_PATHS.rotate, (visit) => this.#rotate(visit)],
  ])

  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
    act: (visit: Visit) => Answer,
  ): Promise<void> {
    const entered = await this.#parts.door.enter(request)
    if (!entered.allowed) return send(response, entered)
    const address = entered.value
    const admitted = await this.#admit(request, address)
    const answer = admitted.allowed ? await this.#inTurn(admitted.value, act) : admitted
    if (!answer.allowed) this.#record(answer.code, address)
    // Answers only after the log line is written.
    this.#parts.log.afterWritten(() => send(response, answer))
  }

  /**
   * [ADDR.8] Runs the request as one check of its address, and counts a failure before the check ends. A
   * revoked or unknown device is not a failure, since nobody can guess a device's signature.
   */
  async #inTurn(visit: Visit, act: (visit: Visit) => Answer): Answer {
    const { door } = this.#parts
    const begun = await door.beginCheck(visit.address)
    if (!begun.allowed) return begun
    try {
      const answer = await act(visit)
      if (!answer.allowed && isGuess(answer)) door.failed(visit.address)
      return answer
    } finally {
      begun.value()
    }
  }

  async #admit(request: IncomingMessage, address: ClientAddress): Promise<Verdict<Visit>> {
    const nowMs = this.#parts.system.monotonicMs()
    if (!address.isProxy && !this.#requests.take(address.key, nowMs))
      return denyFor('handshake_rate_exceeded', REQUESTS.windowMs)
    const facts = requestFacts(request)
    if (facts.origin.length > 0) return deny('origin_forbidden')
    if (request.method !== 'POST') return deny('method_not_allowed')
    if (request.headers['content-type']?.split(';')[0]?.trim().toLowerCase() !== 'application/json')
      return deny('message_invalid', 'Its Content-Type must be application/json.')
    const text = await readText(request, MAX_BODY_BYTES)
    if (text === undefined) return deny('body_too_large')
    const body = parseJson(text)?.value
    return isObject(body)
      ? allow({ facts, address, body })
      : deny('message_invalid', 'Its body must be a JSON object.')
  }

  async #enrol({ facts, address: { ip }, body }: Visit): Answer {
    const { registry, mayEnrol, bridgeKey } = this.#parts
    const token = bearerOf(facts)
    if (!token.allowed) return token
    const { name, jwk, proof } = body
    if (typeof proof !== 'string') return deny('message_invalid', 'Its "proof" must be a string.')
    const may = await mayEnrol(token.value)
    if (!may.allowed) return may
    const enrolled = await registry.enrol(may.value, { token: token.value, name, jwk, proof, ip })
    if (!enrolled.allowed) return enrolled
    const { deviceId, userId, sessionId, name: called, keys } = enrolled.value
    const [key] = keys
    return allow({
      ...{ deviceId, userId, sessionId, name: called },
      ...{ keyId: key?.keyId, generation: key?.generation },
      ...{ bridgeKey: bridgeKey.jwk, bridgeKeyId: bridgeKey.keyId },
    })
  }

  async #token({ body: { assertion } }: Visit): Answer {
    if (typeof assertion !== 'string') return deny('message_invalid', 'Its "assertion" must be a string.')
    const token = await this.#parts.registry.token(assertion)
    if (!token.allowed) return token
    const { accessToken, expiresAtMs } = token.value
    const expiresIn = Math.floor((expiresAtMs - this.#parts.system.nowMs()) / 1_000)
    // The names of RFC 6749 section 5.1.
    return allow({ access_token: accessToken, token_type: 'Bearer', expires_in: expiresIn })
  }

  async #rotate({ address: { ip }, body: { assertion, proof } }: Visit): Answer {
    if (typeof assertion !== 'string' || typeof proof !== 'string')
      return deny('message_invalid', 'Its "assertion" and "proof" must be strings.')
    const rotated = await this.#parts.registry.rotate(assertion, proof, ip)
    if (!rotated.allowed) return rotated
    const { keyId, generation } = rotated.value
    return allow({ keyId, generation })
  }

  #record(reason: ErrorCode, { ip, key }: ClientAddress): void {
    const { log, system } = this.#parts
    const sampled = this.#sampler.take(`${reason} ${key}`, system.monotonicMs())
    if (sampled !== undefined)
      log.logSecurityEvent({ event: 'device_request_refused', ip, reason, ...sampled })
  }
}

/** A bearer token in the header; a cookie is a browser's, and machines have none. */
function bearerOf(facts: RequestFacts): Verdict<string> {
  const token = credentialGate(facts)
  return token.allowed && facts.authorization.length === 0 ? deny('token_missing') : token
}

function send(response: ServerResponse, answer: Verdict<object>): void {
  if (response.destroyed) return
  const status = answer.allowed ? 200 : codes[answer.code].http
  const body = answer.allowed ? JSON.stringify(answer.value) : refusalBody(answer)
  response.writeHead(status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    ...(!answer.allowed && refusalHeaders(answer)),
    ...(status === 405 && { Allow: 'POST' }),
  })
  response.end(body)
}
