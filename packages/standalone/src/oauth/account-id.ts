import type { User } from '@bridgekeeper/bridge'

const SEPARATOR = '~'

/**
 * [OAUTH.8] An account of the authorization server is a user at one token version. Raising the version
 * invalidates every earlier grant.
 */
export function accountIdOf({ userId, tokenVersion }: User): string {
  return `${userId}${SEPARATOR}${tokenVersion}`
}

export function readAccountId(accountId: string): Pick<User, 'userId' | 'tokenVersion'> | undefined {
  const at = accountId.lastIndexOf(SEPARATOR)
  const version = accountId.slice(at + 1)
  if (at < 1 || !/^\d{1,15}$/.test(version)) return undefined
  return { userId: accountId.slice(0, at), tokenVersion: Number(version) }
}
