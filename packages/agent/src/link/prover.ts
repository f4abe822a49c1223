import { createHash, createPublicKey, type KeyObject, randomBytes, verify } from 'node:crypto'
import {
  agentSigned,
  bridgeSigned,
  type DownFrame,
  encode,
  SUBPROTOCOL_V2,
  thumbprint,
  transcript,
} from '@bridgekeeper/protocol'
import { AgentError } from '../errors.ts'
import type { DeviceIdentity } from './device-identity.ts'

type Challenge = Extract<DownFrame, { type: 'challenge' }>

/** A sent proof that the bridge has to countersign. */
interface OpenProof {
  readonly countersigned: Buffer
  readonly bridgeKey: KeyObject
  readonly token: string
}

/** A proof that the bridge has countersigned. */
export interface Recognised {
  readonly connectionId: string
  readonly device: DeviceIdentity
  /** The token that the proof binds. */
  readonly token: string
}

/** Limit of unanswered challenges; a correct bridge has at most two open. */
const MAX_OPEN = 4
const NONCE_BYTES = 32
const CHALLENGE = /^[0-9a-f]{64}$/
const NOTHING = Buffer.alloc(0)

/** Proves this machine's key on one connection, and has the bridge prove its own. */
export class Prover {
  readonly #device: () => DeviceIdentity | Promise<DeviceIdentity>
  readonly #origin: string
  readonly #path: string
  readonly #open: (OpenProof & Recognised)[] = []
  /** The previous answer; the next one waits for it. */
  #before: Promise<unknown> = Promise.resolve()
  #waiting = 0
  #recognised = false
  /** The token that the next challenges bind. */
  token: string
  /** Exporter of the TLS 1.3 connection, if any; set before the first challenge. */
  exporter: Buffer | undefined

  /** @param url the dialled URL */
  constructor(url: string, token: string, device: () => DeviceIdentity | Promise<DeviceIdentity>) {
    const { protocol, host, pathname } = new URL(url)
    this.#origin = `${protocol === 'wss:' ? 'https' : 'http'}://${host}`
    this.#path = pathname
    this.#device = device
    this.token = token
  }

  /**
   * Answers a challenge, in order.
   * @throws AgentError `bridge_downgraded`, `bridge_not_recognised`; errors of the identity
   */
  answer(challenge: Challenge): Promise<Buffer> {
    if (++this.#waiting > MAX_OPEN)
      throw new AgentError('bridge_not_recognised', 'It requested too many proofs.')
    const { token } = this
    const made = this.#before.then(() => this.#prove(challenge, token))
    this.#before = made.catch(() => {}).finally(() => this.#waiting--)
    return made
  }

  /**
   * [LINK.28] Whether the bridge countersigned one of our proofs with a pinned key.
   * @returns `undefined` if no proof was open
   * @throws AgentError `bridge_not_recognised`
   */
  recognise(signature: string | undefined): Recognised | undefined {
    if (this.#open.length === 0) return undefined
    const bytes = Buffer.from(signature ?? '', 'base64url')
    const at = this.#open.findLastIndex(({ countersigned, bridgeKey }) =>
      verify(null, countersigned, bridgeKey, bytes),
    )
    const proof = this.#open[at]
    if (proof === undefined) throw new AgentError('bridge_not_recognised')
    // Earlier challenges are superseded.
    this.#open.splice(0, at + 1)
    this.#recognised = true
    return proof
  }

  async #prove({ challenge, proof: asked }: Challenge, token: string): Promise<Buffer> {
    // [LINK.29] The echo is no proof, so a bridge that accepts it may be an impostor.
    if (asked === undefined) throw new AgentError('bridge_downgraded')
    const device = await this.#device()
    const bridgeKey = pinnedKey(device, asked.keyId)
    if (bridgeKey === undefined || !CHALLENGE.test(challenge)) throw new AgentError('bridge_not_recognised')
    const isBound = asked.binding === 'tls-exporter'
    if (isBound && this.exporter === undefined)
      throw new AgentError('bridge_not_recognised', 'Its challenge is bound to another TLS connection.')
    const { connectionId } = asked
    const { deviceId, userId, sessionId, keyId, generation, previous } = device
    const nonce = randomBytes(NONCE_BYTES)
    const signed = transcript({
      ...{ connectionId, nonce, deviceId, userId, sessionId, keyId, generation, previous },
      purpose: this.#recognised ? 'renew' : 'connect',
      offeredSubprotocols: SUBPROTOCOL_V2,
      origin: this.#origin,
      path: this.#path,
      challenge: Buffer.from(challenge, 'hex'),
      bridgeKeyId: asked.keyId,
      tokenHash: createHash('sha256').update(token).digest(),
      bindingType: asked.binding,
      bindingValue: (isBound ? this.exporter : undefined) ?? NOTHING,
    })
    const signature = await device.sign(agentSigned(signed))
    const countersigned = bridgeSigned(signed, signature)
    this.#open.push({ connectionId, device, token, countersigned, bridgeKey })
    if (this.#open.length > MAX_OPEN) this.#open.shift()
    const proof = {
      keyId,
      nonce: nonce.toString('base64url'),
      previous,
      signature: signature.toString('base64url'),
    }
    return encode({ type: 'challenge_response', proof })
  }
}

/** Finds the pinned key with this thumbprint. */
function pinnedKey({ bridgeKeys }: DeviceIdentity, keyId: string): KeyObject | undefined {
  const jwk = bridgeKeys.find((key) => key.crv === 'Ed25519' && thumbprint(key) === keyId)
  return jwk === undefined ? undefined : createPublicKey({ key: jwk, format: 'jwk' })
}
