import { isObject, parseJson } from '@bridgekeeper/protocol'
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose'
import type { System } from '../ports.ts'

/** Finds the public key that a token names. */
export type FindKey = JWTVerifyGetKey

const MAX_AGE_MS = 600_000
/** The provider is asked again for a key that it did not have, or after it failed, at most this often. */
const COOLDOWN_MS = 30_000
const FETCH_MS = 5_000
const MAX_BYTES = 262_144
/** Private or shared parts (RFC 7518 sections 6.2.2, 6.3.2, 6.4.1): no verifier may have them. */
const SECRET_MEMBERS = ['d', 'k', 'p', 'q', 'priv']

/** The keys of a provider cannot be had. Whoever needs one refuses: nobody is let in unverified. */
export class KeysUnavailable extends Error {
  override readonly name = 'KeysUnavailable'
}

/** @throws KeysUnavailable when it is no key set, or one that holds a secret */
export function localKeys(jwks: unknown): FindKey {
  if (!isKeySet(jwks)) throw new KeysUnavailable('That is no JSON Web Key Set.')
  if (jwks.keys.some((key) => SECRET_MEMBERS.some((member) => Object.hasOwn(key, member))))
    throw new KeysUnavailable('The JSON Web Key Set holds private or shared keys; publish public ones only.')
  try {
    return createLocalJWKSet(jwks)
  } catch (cause) {
    throw new KeysUnavailable('That is no usable JSON Web Key Set.', { cause })
  }
}

/**
 * [JWKS.2] [JWKS.3] The keys behind an address, fetched when they are first needed, when they are old, and
 * when a token names one that is not among them; never twice at once, and never more often than the cooldown
 * allows, whatever tokens name. Keys that are too old and cannot be renewed are not used.
 *
 * @throws TypeError for an address that is not https, unless it is of this machine
 */
export function remoteKeys(url: URL, system: System): FindKey {
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url.hostname)))
    throw new TypeError('Keys are fetched over https only.')
  let known: { readonly find: FindKey; readonly fetchedMs: number } | undefined
  let askedMs = Number.NEGATIVE_INFINITY
  let pending: Promise<void> | undefined

  const isFresh = (): boolean => known !== undefined && system.monotonicMs() - known.fetchedMs < MAX_AGE_MS
  const mayAsk = (): boolean => system.monotonicMs() - askedMs >= COOLDOWN_MS

  async function renew(): Promise<void> {
    if (pending === undefined) {
      askedMs = system.monotonicMs()
      pending = fetchKeys(url, system)
        .then((find) => {
          known = { find, fetchedMs: system.monotonicMs() }
        })
        .finally(() => {
          pending = undefined
        })
    }
    await pending
  }

  async function fresh(): Promise<FindKey> {
    if (!isFresh() && (pending !== undefined || mayAsk())) await renew()
    if (known === undefined || !isFresh()) throw new KeysUnavailable('The provider could not give its keys.')
    return known.find
  }

  return async (header, token) => {
    const find = await fresh()
    try {
      return await find(header, token)
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error
      if (pending === undefined && !mayAsk()) throw error
      await renew()
      return (await fresh())(header, token)
    }
  }
}

async function fetchKeys(url: URL, system: System): Promise<FindKey> {
  const limit = new AbortController()
  const cancel = system.after(FETCH_MS, () => limit.abort())
  try {
    // A redirect could lead anywhere; whoever moves the keys tells the new address.
    const response = await fetch(url, { redirect: 'error', signal: limit.signal })
    if (response.status !== 200) throw new KeysUnavailable(`The provider answered ${response.status}.`)
    return localKeys(parseJson(await limitedText(response))?.value)
  } catch (cause) {
    if (cause instanceof KeysUnavailable) throw cause
    throw new KeysUnavailable('The provider could not be asked for its keys.', { cause })
  } finally {
    cancel()
    limit.abort()
  }
}

async function limitedText(response: Response): Promise<string> {
  const chunks: Uint8Array[] = []
  let sizeBytes = 0
  for await (const chunk of response.body ?? []) {
    sizeBytes += chunk.length
    if (sizeBytes > MAX_BYTES) throw new KeysUnavailable(`The key set has more than ${MAX_BYTES} bytes.`)
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString('utf8')
}

function isKeySet(value: unknown): value is JSONWebKeySet {
  return isObject(value) && Array.isArray(value.keys) && value.keys.every(isObject)
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(hostname)
}
