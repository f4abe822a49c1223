import { createTokens, memoryUsers, type Principal, realSystem } from '@bridgekeeper/bridge'
import { SECRET, startBridge, type TestBridge, user } from './bridge.ts'

type Options = NonNullable<Parameters<typeof startBridge>[0]>

/** A bridge on which some logins have scopes. */
export async function startScopedBridge(
  options: Options = {},
): Promise<TestBridge & { scopedToken(name: string, ...scopes: string[]): Promise<string> }> {
  const tokens = createTokens(SECRET, memoryUsers([user('ann'), user('bob')]), options.system ?? realSystem())
  const scopesOf = new Map<string, readonly string[]>()
  const scoped = (principal: Principal): Principal => ({
    ...principal,
    scopes: scopesOf.get(principal.sessionId),
  })
  const at = await startBridge({
    ...options,
    authenticator: {
      recall(token) {
        const principal = tokens.recall(token)
        return principal && scoped(principal)
      },
      async authenticate(token) {
        const verdict = await tokens.authenticate(token)
        return verdict.allowed ? { allowed: true, value: scoped(verdict.value) } : verdict
      },
    },
  })
  return {
    ...at,
    async scopedToken(name, ...scopes) {
      const { accessToken, sessionId } = await at.token(name)
      scopesOf.set(sessionId, scopes)
      return accessToken
    },
  }
}
