import { hasCode } from '@bridgekeeper/protocol'
import { AgentError } from '../errors.ts'
import { type System, settlesWithin } from '../system.ts'

const SERVICE = 'bridgekeeper'
/** The system may ask the user to unlock the store, which takes time. */
const ASK_MS = 30_000

/** Secrets of this user, by name, in the operating system's own store. */
export interface OsKeyStore {
  get(account: string): Promise<string | undefined>
  set(account: string, secret: string): Promise<void>
  remove(account: string): Promise<void>
}

/**
 * The key store of the operating system: Keychain, Credential Manager, or a Secret Service.
 *
 * @throws AgentError `key_store_unavailable`, as all its methods do, if the store cannot be reached, such
 * as on a machine without a desktop, or if its library is not installed
 */
export async function osKeyStore(system: System): Promise<OsKeyStore> {
  const library = await loaded()
  // Without a Secret Service the library would take the kernel's keyring, which a reboot empties.
  const entry = (account: string) =>
    new library.AsyncEntry(SERVICE, account, { linux: { store: 'secret-service' } })
  return {
    get: async (account) => (await inTime(system, () => entry(account).getPassword())) ?? undefined,
    set: (account, secret) => inTime(system, () => entry(account).setPassword(secret)),
    remove: async (account) => void (await inTime(system, () => entry(account).deleteCredential())),
  }
}

/** An optional dependency: without a build for this machine, keys stay in files. */
async function loaded(): Promise<typeof import('@napi-rs/keyring')> {
  try {
    return await import('@napi-rs/keyring')
  } catch (cause) {
    const missing = hasCode(cause, 'ERR_MODULE_NOT_FOUND') || hasCode(cause, 'MODULE_NOT_FOUND')
    throw unavailable(missing ? '@napi-rs/keyring is not installed.' : undefined, cause)
  }
}

async function inTime<T>(system: System, ask: () => Promise<T>): Promise<T> {
  try {
    const answer = ask()
    if (await settlesWithin(system, ASK_MS, answer)) return await answer
  } catch (cause) {
    throw unavailable(undefined, cause)
  }
  throw unavailable('It did not answer in time.')
}

function unavailable(detail: string | undefined, cause?: unknown): AgentError {
  return new AgentError('key_store_unavailable', detail, { cause })
}
