import { createTokens, memoryUsers, type Principal, realSystem } from '@bridgekeeper/bridge'
import { SECRET, startBridge, type TestBridge, user } from './bridge.ts'
import { hmacToken, partsOf } from './forge.ts'

type Options = NonNullable<Parameters<typeof startBridge>[0]>

interface ScopedBridge extends TestBridge {
  /** A token with these scopes, of a new login. */
  scopedToken(name: string, ...scopes: string[]): Promise<string>
  /** Another token of the same login, with these scopes. */
  rescoped(token: string, ...scopes: string[]): string
}

/** A bridge on which some tokens have scopes. */
export async function startScopedBridge(options: Options = {}): Promise<ScopedBridge> {
  const tokens = createTokens(SECRET, memoryUsers([user('ann'), user('bob')]), options.system ?? realSystem())
  const scopesOf = new Map<string, readonly string[]>()
  const scoped = (token: string, principal: Principal): Principal => ({
    ...principal,
    scopes: scopesOf.get(token),
  })
  const at = await startBridge({
    ...options,
    authenticator: {
      recall(token) {
        const principal = tokens.recall(token)
        return principal && scoped(token, principal)
      },
      async authenticate(token) {
        const verdict = await tokens.authenticate(token)
        return verdict.allowed ? { allowed: true, value: scoped(token, verdict.value) } : verdict
      },
    },
  })
  return {
    ...at,
    async scopedToken(name, ...scopes) {
      const { accessToken } = await at.token(name)
      scopesOf.set(accessToken, scopes)
      return accessToken
    },
    rescoped(token, ...scopes) {
      const { header, claims } = partsOf(token)
      const other = hmacToken(header, { ...claims, iat: Number(claims.iat) - 1 - scopesOf.size }, SECRET)
      scopesOf.set(other, scopes)
      return other
    },
  }
}
