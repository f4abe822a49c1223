import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { LoginProviderSettings } from '@bridgekeeper/standalone/testing'
import Provider, { type KoaContextWithOIDC } from 'oidc-provider'
import { onTestFinished } from 'vitest'

/** The user that the provider logs in next. */
interface UpstreamUser {
  readonly subject: string
  readonly email?: string
  readonly isVerified?: boolean
}

export interface Upstream {
  readonly issuer: string
  readonly settings: LoginProviderSettings
  /** The next user; `undefined` cancels the login. */
  user: UpstreamUser | undefined
  /** Changes the provider's answers, for an attack. */
  tamper: ((body: string) => string) | undefined
  close(): Promise<void>
}

const CLIENT = { client_id: 'bridge', client_secret: 'a secret between the two of them' }

/** A real OpenID provider on a free port, at which everybody is logged in and agrees at once. */
export async function startUpstream(redirectUri: string, createUsers = false): Promise<Upstream> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const upstream: Upstream = {
    issuer,
    settings: {
      issuer: new URL(issuer),
      clientId: CLIENT.client_id,
      clientSecret: CLIENT.client_secret,
      name: 'Example Inc.',
      createUsers,
    },
    user: undefined,
    tamper: undefined,
    close: () => new Promise((resolve) => server.close(() => resolve())),
  }
  const provider = new Provider(issuer, {
    clients: [{ ...CLIENT, redirect_uris: [redirectUri] }],
    pkce: { required: () => true },
    features: { devInteractions: { enabled: false } },
    cookies: { keys: ['for tests'] },
    interactions: { url: (_ctx, interaction) => `/agree/${interaction.uid}` },
    claims: { openid: ['sub'], email: ['email', 'email_verified'] },
    conformIdTokenClaims: false,
    findAccount: (_ctx, subject) => ({
      accountId: subject,
      claims: () => ({
        sub: subject,
        ...(upstream.user?.email !== undefined && {
          email: upstream.user.email,
          email_verified: upstream.user.isVerified ?? true,
        }),
      }),
    }),
    loadExistingGrant: (ctx) => grantEverything(provider, ctx),
  })
  const callback = provider.callback()
  server.on('request', (request, response) => {
    if (upstream.tamper !== undefined) {
      const { tamper } = upstream
      const end = response.end.bind(response)
      response.end = ((chunk?: unknown) => {
        const body = tamper(Buffer.isBuffer(chunk) ? chunk.toString() : String(chunk ?? ''))
        if (!response.headersSent) response.setHeader('content-length', Buffer.byteLength(body))
        return end(body)
      }) as typeof response.end
    }
    if (!request.url?.startsWith('/agree/')) return void callback(request, response)
    const login = { accountId: upstream.user?.subject ?? '' }
    const result = upstream.user === undefined ? { error: 'access_denied' } : { login }
    void provider.interactionFinished(request, response, result)
  })
  onTestFinished(async () => {
    server.closeAllConnections()
    await upstream.close()
  })
  return upstream
}

async function grantEverything(provider: Provider, { oidc }: KoaContextWithOIDC) {
  const grant = new provider.Grant({
    ...(oidc.client !== undefined && { clientId: oidc.client.clientId }),
    ...(oidc.session?.accountId !== undefined && { accountId: oidc.session.accountId }),
  })
  grant.addOIDCScope('openid email')
  await grant.save()
  return grant
}
