import { reduceMetadata } from '@bridgekeeper/standalone/testing'
import { expect, test } from 'vitest'
import { LIST } from '../support/attacker.ts'
import { bearer, post } from '../support/mcp.ts'
import { httpsServer } from '../support/metadata-server.ts'
import { type OAuthNode, startOAuth } from '../support/oauth.ts'
import { askToken, CALLBACK, connect, discover, register, SCOPE } from '../support/oauth-client.ts'

const DEVICE = 'urn:ietf:params:oauth:grant-type:device_code'
const BOTH = ['authorization_code', 'refresh_token']
const VS_CODE = {
  client_name: 'Visual Studio Code',
  client_uri: 'https://code.visualstudio.com',
  grant_types: [...BOTH, DEVICE],
  response_types: ['code'],
  redirect_uris: ['http://127.0.0.1/', 'https://vscode.dev/redirect', 'http://127.0.0.1:33418/'],
  scope: '',
  token_endpoint_auth_method: 'none',
  application_type: 'native',
}
const CLAUDE_AI = {
  client_name: 'Claude',
  grant_types: BOTH,
  response_types: ['code'],
  redirect_uris: ['https://claude.ai/api/mcp/auth_callback'],
  scope: ' offline_access',
  token_endpoint_auth_method: 'none',
}

async function registered(node: OAuthNode, metadata: object) {
  const response = await fetch(`${node.url}/oauth/register`, {
    method: 'POST',
    body: JSON.stringify(metadata),
    headers: { 'content-type': 'application/json; charset=UTF-8' },
  })
  return { status: response.status, body: (await response.json()) as Record<string, unknown> }
}

test.each([
  ['VS Code', VS_CODE],
  ['claude.ai', CLAUDE_AI],
])('[OAUTH.25] registers %s with its own metadata', async (_name, metadata) => {
  const { status, body } = await registered(await startOAuth(), metadata)
  expect(status).toBe(201)
  expect(body).toMatchObject({
    client_name: metadata.client_name,
    grant_types: BOTH,
    response_types: ['code'],
    redirect_uris: metadata.redirect_uris,
    token_endpoint_auth_method: 'none',
  })
  expect(body).not.toHaveProperty('client_secret')
})

test.each<[string, object, string, Record<string, string | undefined>]>([
  ['VS Code', VS_CODE, 'http://127.0.0.1:33418/', { scope: '' }],
  ['VS Code in a browser', VS_CODE, 'https://vscode.dev/redirect', { scope: undefined, resource: undefined }],
  ['claude.ai', CLAUDE_AI, 'https://claude.ai/api/mcp/auth_callback', { scope: ' offline_access' }],
])('[OAUTH.25] [OAUTH.26] %s registers, logs in and lists', async (_name, metadata, redirect_uri, asked) => {
  const node = await startOAuth()
  const app = await register(node, metadata)
  const tokens = await connect(await node.login('ann'), app, { redirect_uri, ...asked })
  expect(tokens.scope).toBe(SCOPE)
  expect((await post(node, '/mcp', LIST, bearer(tokens.access_token))).status).toBe(200)
  const { body } = await askToken(app.as, {
    ...{ grant_type: 'refresh_token', client_id: app.client.client_id, scope: 'offline_access' },
    refresh_token: String(tokens.refresh_token),
  })
  expect((await post(node, '/mcp', LIST, bearer(String(body.access_token)))).status).toBe(200)
})

test('[OAUTH.25] answers with the reduced values for everything unsupported', async () => {
  const { status, body } = await registered(await startOAuth(), {
    redirect_uris: [CALLBACK, CALLBACK],
    grant_types: [DEVICE, 'refresh_token', 'authorization_code', 'client_credentials', 'implicit', 7, null],
    response_types: ['code id_token', 'token'],
    token_endpoint_auth_method: 'tls_client_auth',
    token_endpoint_auth_signing_alg: 'RS256',
    id_token_signed_response_alg: 'RS256',
    application_type: 'desktop',
    subject_type: 'pairwise',
    sector_identifier_uri: 'https://10.0.0.1/',
    require_auth_time: 'yes',
    default_max_age: -1,
    response_modes: [],
    contacts: ['nobody'],
    client_name: null,
    client_uri: '',
    logo_uri: null,
    tos_uri: 'ftp://app.example/',
    policy_uri: 'https://app.example/policy',
    jwks: null,
    jwks_uri: '',
    software_id: '4NRB1-0XZABZI9E6-5SM3R',
    'x-of-mine': { a: 1 },
  })
  expect(status).toBe(201)
  expect(body).toMatchObject({
    redirect_uris: [CALLBACK],
    grant_types: BOTH,
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
    id_token_signed_response_alg: 'ES256',
    application_type: 'native',
    policy_uri: 'https://app.example/policy',
  })
  for (const name of [
    'client_secret',
    'client_name',
    'logo_uri',
    'tos_uri',
    'contacts',
    'sector_identifier_uri',
  ])
    expect(body).not.toHaveProperty(name)
})

test.each<[string, object, string]>([
  ['client_secret_basic', { token_endpoint_auth_method: 'client_secret_basic' }, 'client_secret_basic'],
  ['client_secret_post', { token_endpoint_auth_method: 'client_secret_post' }, 'client_secret_post'],
  ['client_secret_jwt', { token_endpoint_auth_method: 'client_secret_jwt' }, 'client_secret_basic'],
  ['private_key_jwt without a key', { token_endpoint_auth_method: 'private_key_jwt' }, 'none'],
  ['null', { token_endpoint_auth_method: null }, 'none'],
  ['an empty text', { token_endpoint_auth_method: '' }, 'none'],
  ['no method', {}, 'none'],
])(
  '[OAUTH.25] answers with the supported authentication method for a client that asks for %s',
  async (_what, asked, given) => {
    const { status, body } = await registered(await startOAuth(), { redirect_uris: [CALLBACK], ...asked })
    expect(status).toBe(201)
    expect(body.token_endpoint_auth_method).toBe(given)
    expect('client_secret' in body).toBe(given !== 'none')
  },
)

test('[OAUTH.25] omits disallowed redirect addresses, and refuses a client without others', async () => {
  const node = await startOAuth()
  const cursor = 'cursor://anysphere.cursor-mcp/oauth/callback'
  const both = await registered(node, { redirect_uris: [cursor, CALLBACK, 'https://app.example/#a', null] })
  expect(both.body.redirect_uris).toEqual([CALLBACK])
  const { status, body } = await registered(node, { redirect_uris: [cursor] })
  expect(status).toBe(400)
  expect(body.error).toBe('invalid_redirect_uri')
  for (const possible of ['https', '127.0.0.1', 'com.example.app:/callback'])
    expect(body.error_description).toContain(possible)
})

test('[OAUTH.25] never grants the device flow to a client that asks for it', async () => {
  const node = await startOAuth()
  const app = await register(node, { grant_types: [...BOTH, DEVICE] })
  const answer = await fetch(String(app.as.device_authorization_endpoint), {
    method: 'POST',
    body: new URLSearchParams({ client_id: app.client.client_id }),
  })
  expect(answer.status).toBe(400)
  const { body } = await askToken(app.as, {
    grant_type: DEVICE,
    client_id: app.client.client_id,
    device_code: 'x',
  })
  expect(body.error).toMatch(/^(invalid_request|unauthorized_client)$/)
})

test('[OAUTH.25] logs in a client whose metadata document asks for more', async () => {
  const node = await startOAuth()
  const { url } = await httpsServer((request, response) => {
    const client_id = `${url}${request.url}`
    const more = {
      logo_uri: '',
      policy_uri: null,
      tos_uri: 'http://app.example/',
      contacts: [''],
      client_secret: '',
    }
    const method = request.url === '/private' ? 'client_secret_basic' : 'none'
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ client_id, ...VS_CODE, ...more, token_endpoint_auth_method: method }))
  })
  const as = await discover(node)
  const person = await node.login('ann')
  for (const path of ['/client.json', '/private']) {
    const app = {
      as,
      client: { client_id: url + path },
      auth: (_as: object, { client_id }: { client_id: string }, body: URLSearchParams) =>
        body.set('client_id', client_id),
    }
    const tokens = await connect(person, app, { redirect_uri: 'http://127.0.0.1:28574/' })
    expect(tokens.token_type).toBe('bearer')
    expect(tokens.refresh_token).toBeDefined()
  }
})

test('[OAUTH.25] drops an https address of the machine itself beside an app’s, and keeps it alone', () => {
  const https = 'https://localhost:3000/callback'
  expect(reduceMetadata({ redirect_uris: [https, CALLBACK] })).toMatchObject({
    redirect_uris: [CALLBACK],
    application_type: 'native',
  })
  expect(reduceMetadata({ redirect_uris: https, application_type: 'native' })).toMatchObject({
    redirect_uris: [https],
    application_type: 'web',
  })
  expect(
    reduceMetadata({ redirect_uris: ['https://app.example/'], application_type: 'native' }),
  ).toMatchObject({ application_type: 'native' })
})

test('[OAUTH.25] changes nothing when it reduces twice', () => {
  const jwks = { keys: [] }
  for (const asked of [
    VS_CODE,
    CLAUDE_AI,
    {
      redirect_uris: [CALLBACK],
      jwks,
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'ES256',
    },
  ]) {
    const once = reduceMetadata(asked)
    expect(reduceMetadata(once)).toEqual(once)
  }
})
