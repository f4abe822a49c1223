import { get } from 'node:http'
import { expect, test } from 'vitest'
import { LIST } from '../support/attacker.ts'
import { partsOf } from '../support/forge.ts'
import { bearer, post } from '../support/mcp.ts'
import { startOAuth } from '../support/oauth.ts'
import { connect, register } from '../support/oauth-client.ts'
import { Person } from '../support/person.ts'

const RESOURCE = '/.well-known/oauth-protected-resource'
const SERVER = '/.well-known/oauth-authorization-server'
const OPENID = '/.well-known/openid-configuration'

interface Answer {
  readonly status: number
  readonly challenge: string
  readonly body: Record<string, unknown>
}

/** Asks a node at its port under another name, as a proxy or a container does. */
function ask(node: { readonly port: number }, host: string, path: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { host, accept: 'application/json' }
    get({ host: '127.0.0.1', port: node.port, path, headers, agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part) => {
        text += part
      })
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          challenge: String(response.headers['www-authenticate']),
          body: text === '' ? {} : JSON.parse(text),
        }),
      )
    }).on('error', reject)
  })
}

const URLS = ['https://bridge.example', 'http://host.docker.internal:8787', 'https://apps.example/under']

test.each<[string, string]>([
  ['bridge.example', URLS[0] as string],
  ['bridge.example:443', URLS[0] as string],
  ['BRIDGE.example', URLS[0] as string],
  ['host.docker.internal:8787', URLS[1] as string],
  ['apps.example', URLS[2] as string],
  ['10.0.0.5', URLS[0] as string],
])('[RS.8] asked as %s, the bridge names itself %s', async (host, name) => {
  const node = await startOAuth({ publicUrls: URLS })
  const { challenge } = await ask(node, host, '/mcp/files')
  expect(challenge).toContain(`resource_metadata="${name}${RESOURCE}/mcp/files"`)
  const { body } = await ask(node, host, `${RESOURCE}/mcp`)
  expect(body).toMatchObject({ resource: `${name}/mcp`, authorization_servers: [name] })
  for (const path of [SERVER, OPENID])
    expect((await ask(node, host, path)).body).toMatchObject({
      issuer: name,
      token_endpoint: `${name}/oauth/token`,
      authorization_endpoint: `${name}/oauth/authorize`,
      jwks_uri: `${name}/oauth/jwks`,
    })
})

test('[RS.8] serves metadata at every standard place, with and without a trailing slash', async () => {
  const node = await startOAuth({ publicUrls: URLS })
  const at = (path: string) => ask(node, 'apps.example', path)
  const under = URLS[2] as string
  for (const end of ['', '/']) {
    for (const path of ['', '/mcp', '/under', '/under/mcp'])
      expect((await at(RESOURCE + path + end)).body, path).toMatchObject({ resource: `${under}/mcp` })
    for (const path of ['/mcp/files', '/under/mcp/files'])
      expect((await at(RESOURCE + path + end)).body, path).toMatchObject({ resource: `${under}/mcp/files` })
    for (const path of [SERVER, `${SERVER}/under`, OPENID, `${OPENID}/under`])
      expect((await at(path + end)).body, path).toMatchObject({ issuer: under })
  }
  for (const path of [
    `${SERVER}/other`,
    `${SERVER}/under/x`,
    `${RESOURCE}/underneath/mcp`,
    `${RESOURCE}/other/mcp`,
  ])
    expect((await at(path)).status, path).toBe(404)
  expect((await ask(node, 'bridge.example', `${SERVER}/under`)).status).toBe(404)
})

test('[PATH.1] [RS.6] ignores a trailing slash or a query in the 401 with the resource’s metadata', async () => {
  const node = await startOAuth()
  for (const [asked, path] of [
    ['/mcp/', '/mcp'],
    ['/mcp?utm_source=x', '/mcp'],
    ['/mcp/no-such-server/', '/mcp/no-such-server'],
    ['/mcp/%66iles?a=b', '/mcp/files'],
  ] as const) {
    const { status, challenge } = await ask(node, `127.0.0.1:${node.port}`, asked)
    expect(status, asked).toBe(401)
    expect(challenge, asked).toContain(`resource_metadata="${node.url}${RESOURCE}${path}"`)
  }
})

test.each(['localhost', '[::1]'])(
  '[ORIGIN.5] [RS.8] a client logs in at %s as at 127.0.0.1',
  async (host) => {
    const node = await startOAuth()
    const name = `http://${host}:${node.port}`
    // Connects to the node's address, however the name resolves.
    const { body } = await ask(node, `${host}:${node.port}`, SERVER)
    expect(body.issuer).toBe(name)
    if (host !== 'localhost') return
    const app = await register({ url: name })
    const person = new Person(name)
    const page = await person.visit(`${name}/login`)
    await person.submit(
      page,
      { action: '/login' },
      { email: 'ann@example.com', password: 'a horse that reads maps' },
    )
    const tokens = await connect(person, app, { resource: `${name}/mcp` })
    expect(partsOf(tokens.access_token).claims).toMatchObject({ iss: node.url, aud: `${node.url}/mcp` })
    for (const url of [name, node.url])
      expect((await post({ ...node, url }, '/mcp', LIST, bearer(tokens.access_token))).status).toBe(200)
  },
)
