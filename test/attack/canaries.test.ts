import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { TestBridge } from '../support/bridge.ts'
import { login, serve } from '../support/installation.ts'
import { bearer, OTHER_TYPE, post, toolCall } from '../support/mcp.ts'
import { dial, type Peer, verifiedPeer } from '../support/peer.ts'
import { tryUpgrade } from '../support/raw.ts'

/** The characters that keys are made of, and a canary of them that occurs nowhere else. */
const random = (length: number) =>
  randomBytes(length).toString('base64url').replaceAll(/[-_]/g, 'x').slice(0, length)
const capitals = (length: number) => random(length).toUpperCase()

/** Realistic secrets: the part that must not be found, and the text around it. */
const kinds: readonly ((canary: string) => string)[] = [
  (canary) => `eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI${canary}.${random(43)}`,
  (canary) => `sk-${canary}${random(24)}`,
  (canary) => `ghp_${canary}${random(16)}`,
  (canary) => `AKIA${canary.toUpperCase()}`,
  (canary) => `Bearer ${canary}`,
  (canary) => `https://admin:${canary}@db.example.com/x`,
  (canary) => `password=${canary}`,
  (canary) => `-----BEGIN PRIVATE KEY----- ${canary} -----END PRIVATE KEY-----`,
]

interface Canary {
  readonly text: string
  readonly needle: string
}

const all: Canary[] = []

/** The next secret: every kind comes in turn, so that each path sees all of them. */
function secret(): string {
  const needle = `c${capitals(3)}${random(16)}`
  const kind = kinds[all.length % kinds.length] as (canary: string) => string
  const text = kind(needle)
  all.push({ text, needle: text.includes(needle) ? needle : needle.toUpperCase() })
  return text
}

const answers: string[] = []
const from = (index: number) => `X-Forwarded-For: 203.0.${113 + (index >> 8)}.${index & 255}`

/** Puts secrets where a stranger, or a client by mistake, may send them. */
async function atTheDoor(at: TestBridge): Promise<void> {
  for (let index = 0; index < 8; index++) {
    const requests = [
      { headers: [`Authorization: Bearer ${secret().replaceAll(' ', '')}`] },
      { headers: [`Cookie: accessToken=${secret()}; session=${secret()}`] },
      { path: `/api/mcp-ws?token=${encodeURIComponent(secret())}` },
      { path: `/api/mcp-ws?x=${encodeURIComponent(secret())}`, headers: [`User-Agent: ${secret()}`] },
      { path: `/${encodeURIComponent(secret())}`, headers: [`Referer: ${secret()}`] },
    ]
    for (const { headers = [], path } of requests) {
      const answer = await tryUpgrade(at, {
        headers: [...headers, from(index)],
        ...(path !== undefined && { path }),
      })
      answers.push(answer.body)
    }
    const headers = { 'x-forwarded-for': `198.51.100.${index}` }
    const caller = bearer(secret().replaceAll(' ', ''))
    answers.push((await post(at, '/mcp', toolCall(secret()), { ...headers, ...caller })).text)
    answers.push((await post(at, `/mcp?key=${encodeURIComponent(secret())}`, secret(), headers)).text)
  }
}

/** Sends each message of a peer, with secrets in every text. */
async function throughASocket(peer: Peer, index: number): Promise<void> {
  peer.send({ type: secret() })
  peer.send(secret())
  peer.send({
    type: 'tool_execute',
    id: `own-${index}`,
    serverName: secret(),
    toolName: secret(),
    args: { key: secret() },
  })
  peer.send({ type: 'tool_result', id: secret(), success: false, error: secret() })
  peer.send({ type: 'challenge_response', response: secret() })
  peer.send({ type: 'ping', extra: secret() })
  peer.send({ type: 'ping' })
  await peer.next('pong')
}

test('[LOG.3] W35: writes none of 200 secrets, sent over every path that logs, to the log, the output or an error', async () => {
  const node = await serve({ env: { BRIDGEKEEPER_TRUSTED_PROXIES: '127.0.0.1' } })
  const at = { port: node.port, url: node.url } as TestBridge
  await atTheDoor(at)

  const issued = await login(node.data, 'ann@example.com')
  const { accessToken } = issued
  for (let index = 0; index < 8; index++) {
    const headers = { ...bearer(accessToken), 'x-forwarded-for': `192.0.2.${index}`, 'user-agent': secret() }
    const guesser = dial(at, { socketOptions: { headers } })
    await guesser.next('challenge')
    guesser.send({ type: 'challenge_response', response: secret() })
    guesser.send({ type: 'tool_execute', id: '1', serverName: secret(), toolName: secret(), args: {} })
    await guesser.next('error')
    guesser.socket.close(4000, secret().slice(0, 120))
    await guesser.closed

    const peer = await verifiedPeer(at, issued, { socketOptions: { headers } })
    await throughASocket(peer, index)
    for (const sdk of [{}, OTHER_TYPE]) {
      const call = post(at, '/mcp/s', toolCall('t', { password: secret(), nested: [secret()] }), {
        ...bearer(accessToken),
        ...sdk,
      })
      const { id } = await peer.next('tool_execute')
      if (index % 2 === 0) peer.send({ type: 'tool_result', id, success: true, result: secret() })
      else peer.send({ type: 'tool_result', id, success: false, error: secret() })
      expect((await call).status).toBe(200)
    }
    peer.socket.close(4000, secret().slice(0, 120))
    await peer.closed
  }

  const agent = await verifiedPeer(at, issued, { v2: true })
  const definition = { name: 't', description: secret(), inputSchema: { type: 'object', title: secret() } }
  agent.send({
    type: 'catalog',
    servers: [
      {
        state: 'ready',
        name: 's',
        serverInfo: { name: secret(), version: secret() },
        instructions: secret(),
        tools: [{ hash: '0'.repeat(64), definition }],
      },
      { state: 'failed', name: 'f', reason: secret() },
    ],
  })
  agent.send({ type: 'catalog', servers: secret() })
  agent.send({ type: 'ping' })
  await agent.next('pong')

  expect(all.length).toBeGreaterThanOrEqual(200)
  node.program.signal('SIGTERM')
  const { stdout, stderr } = await node.program.ended
  const logged = readdirSync(node.data)
    .filter((name) => name.startsWith('security'))
    .map((name) => readFileSync(join(node.data, name), 'utf8'))
    .join('\n')
  expect(logged.split('\n').length).toBeGreaterThan(50)
  const places = { log: logged, stdout, stderr, errors: answers.join('\n') }
  const found = Object.entries(places).flatMap(([place, text]) =>
    all.filter(({ needle }) => text.includes(needle)).map(({ text: leaked }) => `${place}: ${leaked}`),
  )
  expect(found).toEqual([])
  for (const [place, text] of Object.entries(places)) expect(text, place).not.toContain(accessToken)
})
