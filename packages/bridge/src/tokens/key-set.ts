import { isLoopbackHost, isObject, parseJson, readText } from '@bridgekeeper/protocol'
import { createLocalJWKSet, errors, type JSONWebKeySet, type JWTVerifyGetKey } from 'jose'
import type { System } from '../ports.ts'

/** Finds the public key that a token names. */
export type FindKey = JWTVerifyGetKey

const MAX_AGE_MS = 600_000
/** Shortest interval between requests for an unknown key, or after a failure. */
const COOLDOWN_MS = 30_000
const FETCH_MS = 5_000
const MAX_BYTES = 262_144
/** Private or shared parts (RFC 7518 sections 6.2.2, 6.3.2, 6.4.1), which a verifier must not have. */
const SECRET_MEMBERS = ['d', 'k', 'p', 'q', 'priv']

/** The provider's keys are unavailable. Every token that needs one is refused. */
class KeysUnavailable extends Error {
  override readonly name = 'KeysUnavailable'
}

/** @throws KeysUnavailable for an invalid key set, or one that holds a secret */
export function localKeys(jwks: unknown): FindKey {
  if (!isKeySet(jwks)) throw new KeysUnavailable('jwks is not a JSON Web Key Set.')
  if (jwks.keys.some((key) => SECRET_MEMBERS.some((member) => Object.hasOwn(key, member))))
    throw new KeysUnavailable('The JSON Web Key Set holds private or shared keys; publish public ones only.')
  try {
    return createLocalJWKSet(jwks)
  } catch (cause) {
    throw new KeysUnavailable('The JSON Web Key Set cannot be used.', { cause })
  }
}

/**
 * [JWKS.2] [JWKS.3] Keys at a URL, fetched on first use, when stale, and when a token names an unknown key.
 * Sends one request at a time, no more often than the cooldown allows, regardless of tokens. Does not use
 * keys that are too old and cannot be renewed.
 *
 * @throws TypeError for an address that is not https, except on this machine
 */
export function remoteKeys(url: URL, system: System): FindKey {
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopbackHost(url.hostname)))
    throw new TypeError('jwks must be an https URL.')
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
    if (known === undefined || !isFresh())
      throw new KeysUnavailable('The keys of the provider are not available.')
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
    // Follows no redirect, which could lead anywhere.
    const response = await fetch(url, { redirect: 'error', signal: limit.signal })
    if (response.status !== 200)
      throw new KeysUnavailable(`The provider answered with HTTP status ${response.status}.`)
    return localKeys(parseJson(await limitedText(response))?.value)
  } catch (cause) {
    if (cause instanceof KeysUnavailable) throw cause
    throw new KeysUnavailable('The keys of the provider could not be fetched.', { cause })
  } finally {
    cancel()
    limit.abort()
  }
}

async function limitedText({ body }: Response): Promise<string> {
  const text = body === null ? '' : await readText(body, MAX_BYTES)
  if (text === undefined) throw new KeysUnavailable(`The key set has more than ${MAX_BYTES} bytes.`)
  return text
}

function isKeySet(value: unknown): value is JSONWebKeySet {
  return isObject(value) && Array.isArray(value.keys) && value.keys.every(isObject)
}
