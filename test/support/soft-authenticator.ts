import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto'

/** Differences of an answer from the one that the bridge asked for. */
export interface Tampering {
  readonly origin?: string
  readonly rpId?: string
  readonly challenge?: string
  readonly type?: string
  /** Whether the user touched the authenticator, without a PIN or fingerprint. */
  readonly isUnverified?: boolean
  readonly userHandle?: string | undefined
}

/** Options of the bridge that an answer depends on. */
export interface Asked {
  readonly challenge: string
  readonly rpId?: string
  readonly rp?: { readonly id?: string }
}

const PRESENT = 0x01
const VERIFIED = 0x04
const HAS_CREDENTIAL = 0x40

/**
 * An authenticator in software with one passkey: ES256, without attestation. Answers as a browser does.
 * Source: WebAuthn 3, sections 5.1, 6.1 and 6.5; RFC 9053 section 7.1.1.
 */
export class SoftAuthenticator {
  readonly id = randomBytes(16).toString('base64url')
  readonly #keys = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  readonly #origin: string
  #uses = 0

  constructor(origin: string) {
    this.#origin = origin
  }

  /** Creates the passkey: answer to the options for a new one. */
  create(asked: Asked, tampering: Tampering = {}) {
    const { x = '', y = '' } = this.#keys.publicKey.export({ format: 'jwk' })
    const key = cbor(new Map<Cbor, Cbor>([...COSE_ES256, [-2, bytesOf(x)], [-3, bytesOf(y)]]))
    const id = bytesOf(this.id)
    const credential = Buffer.concat([Buffer.alloc(16), Buffer.from([0, id.length]), id, key])
    const authData = this.#authData(asked, tampering, credential)
    const attestation = new Map<Cbor, Cbor>([
      ['fmt', 'none'],
      ['attStmt', new Map()],
      ['authData', authData],
    ])
    return this.#answer({
      clientDataJSON: this.#clientData('webauthn.create', asked, tampering).toString('base64url'),
      attestationObject: cbor(attestation).toString('base64url'),
      transports: ['internal'],
    })
  }

  /** Uses the passkey: answer to the options for a login. */
  get(asked: Asked, tampering: Tampering = {}) {
    this.#uses++
    const authData = this.#authData(asked, tampering)
    const clientData = this.#clientData('webauthn.get', asked, tampering)
    const signed = Buffer.concat([authData, createHash('sha256').update(clientData).digest()])
    return this.#answer({
      clientDataJSON: clientData.toString('base64url'),
      authenticatorData: authData.toString('base64url'),
      signature: sign('sha256', signed, this.#keys.privateKey).toString('base64url'),
      userHandle: tampering.userHandle,
    })
  }

  #answer<Response>(response: Response) {
    return { id: this.id, rawId: this.id, type: 'public-key', clientExtensionResults: {}, response }
  }

  #clientData(type: string, { challenge }: Asked, tampering: Tampering): Buffer {
    const data = { type, challenge, origin: this.#origin, crossOrigin: false }
    const { type: otherType = type, challenge: other = challenge, origin = data.origin } = tampering
    return Buffer.from(JSON.stringify({ ...data, type: otherType, challenge: other, origin }))
  }

  #authData({ rpId, rp }: Asked, tampering: Tampering, credential = Buffer.alloc(0)): Buffer {
    const name = createHash('sha256')
      .update(tampering.rpId ?? rpId ?? rp?.id ?? '')
      .digest()
    const flags =
      PRESENT | (tampering.isUnverified ? 0 : VERIFIED) | (credential.length > 0 ? HAS_CREDENTIAL : 0)
    const counter = Buffer.alloc(4)
    counter.writeUInt32BE(this.#uses)
    return Buffer.concat([name, Buffer.from([flags]), counter, credential])
  }
}

/** Key type EC2, algorithm ES256, curve P-256. */
const COSE_ES256 = [
  [1, 2],
  [3, -7],
  [-1, 1],
] as const

type Cbor = number | string | Buffer | Map<Cbor, Cbor>

/** The part of CBOR that passkeys need, in its shortest form. Source: RFC 8949 section 3. */
function cbor(value: Cbor): Buffer {
  if (typeof value === 'number') return value >= 0 ? head(0, value) : head(1, -1 - value)
  if (typeof value === 'string') return Buffer.concat([head(3, Buffer.byteLength(value)), Buffer.from(value)])
  if (Buffer.isBuffer(value)) return Buffer.concat([head(2, value.length), value])
  return Buffer.concat([head(5, value.size), ...[...value].flat().map(cbor)])
}

function head(majorType: number, count: number): Buffer {
  const first = majorType << 5
  return count < 24 ? Buffer.from([first | count]) : Buffer.from([first | 24, count])
}

function bytesOf(text: string): Buffer {
  return Buffer.from(text, 'base64url')
}
