import { randomBytes } from 'node:crypto'
import { agentSigned } from '@bridgekeeper/protocol'
import { type HeldKey, type MadeProof, makeKey, prove, signWith, type TestDevice } from './devices.ts'
import type { Message } from './peer.ts'

/** An attacker's material: the token, every recorded message, and keys other than the device's. */
export interface Loot {
  /** Knows the device's ids and token. Its key is one of the attacker's, its `keyId` aside. */
  readonly device: TestDevice
  readonly deviceKeyId: string
  readonly recorded: readonly {
    readonly challenge: Message
    readonly made: MadeProof
    readonly verified: Message
  }[]
  readonly ownKeys: readonly HeldKey[]
  readonly url: string
}

/** The order of P-256: with (r, s), (r, n - s) is a signature of the same text. */
const P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n

/** Draws one forgery that an attacker can make; `pick` returns a number below its argument. */
export function forgery(loot: Loot, challenge: Message, pick: (below: number) => number): object {
  const one = <T>(list: readonly T[]): T => list[pick(list.length)] as T
  const record = one(loot.recorded)
  const own = one(loot.ownKeys)
  const right = (changes = {}) =>
    prove(
      Object.assign(Object.create(Object.getPrototypeOf(loot.device)), loot.device, { key: own }),
      challenge,
      loot.url,
      { keyId: loot.deviceKeyId, ...changes },
    )
  const answer = (proof: object): object => ({ type: 'challenge_response', proof })
  const signature = record.made.signature
  const tries: readonly (() => object)[] = [
    // Recorded answers, unchanged and in new combinations.
    () => answer(record.made.proof),
    () => answer({ ...record.made.proof, nonce: one(loot.recorded).made.proof.nonce }),
    () => answer({ ...record.made.proof, previous: one(loot.recorded).made.connectionId }),
    () => answer({ ...right().proof, signature: one(loot.recorded).made.proof.signature }),
    () =>
      answer({
        ...right().proof,
        signature: (one(loot.recorded).verified.proof as { signature: string }).signature,
      }),
    () => answer({ ...record.made.proof, nonce: String(challenge.challenge).slice(0, 43) }),
    // The right transcript under keys that the attacker has.
    () => answer(right().proof),
    () => answer({ ...right().proof, keyId: own.public.keyId }),
    () => answer(right({ generation: pick(9) }).proof),
    () => answer(right({ purpose: 'renew' }).proof),
    () => answer({ ...right().proof, signature: signWith(own, right().transcript).toString('base64url') }),
    () =>
      answer({
        ...right().proof,
        signature: signWith(own, agentSigned(record.made.transcript)).toString('base64url'),
      }),
    // Signatures that lenient verifiers take.
    () => answer({ ...right().proof, signature: Buffer.alloc(64, pick(256)).toString('base64url') }),
    () => answer({ ...right().proof, signature: randomBytes(64).toString('base64url') }),
    () => answer({ ...record.made.proof, signature: flipped(signature, pick).toString('base64url') }),
    () => answer({ ...record.made.proof, signature: turned(signature).toString('base64url') }),
    () => answer({ ...record.made.proof, signature: mirrored(signature).toString('base64url') }),
    // Other shapes, and the echo.
    () => answer({ ...right().proof, signature: '' }),
    () => answer({ ...right().proof, keyId: '__proto__' }),
    () => ({ type: 'challenge_response' }),
    () => ({ type: 'challenge_response', response: String(challenge.challenge) }),
    () => ({ type: 'reauthenticate', token: loot.device.accessToken }),
  ]
  return one(tries)()
}

function flipped(signature: Buffer, pick: (below: number) => number): Buffer {
  const copy = Buffer.from(signature)
  const at = pick(copy.length)
  copy.writeUInt8(copy.readUInt8(at) ^ (1 << pick(8)), at)
  return copy
}

function turned(signature: Buffer): Buffer {
  return Buffer.concat([signature.subarray(32), signature.subarray(0, 32)])
}

function mirrored(signature: Buffer): Buffer {
  const s = BigInt(`0x${signature.toString('hex', 32)}`)
  const other = ((P256_ORDER - (s % P256_ORDER)) % P256_ORDER).toString(16).padStart(64, '0')
  return Buffer.concat([signature.subarray(0, 32), Buffer.from(other, 'hex')])
}

export function attackersKeys(): HeldKey[] {
  return [makeKey(), makeKey(1, 'ES256')]
}
