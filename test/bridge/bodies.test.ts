import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { limits } from '@bridgekeeper/protocol'
import { expect, onTestFinished, test } from 'vitest'
import { agentWith, answerNext } from '../support/agents.ts'
import { startBridge } from '../support/bridge.ts'
import { bearer, MCP_HEADERS, post, toolCall } from '../support/mcp.ts'
import { rawClient } from '../support/raw.ts'

async function setUp() {
  const at = await startBridge({ maxBodyBytes: limits.messageBytes })
  const peer = await agentWith(at, 'ann', 'notes', 'read')
  const { accessToken } = await at.token('ann')
  const auth = bearer(accessToken)
  const headers = { host: '127.0.0.1', ...auth, ...MCP_HEADERS }
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`)
  /** The head of a request with these lines besides. */
  const head = (...besides: string[]): string =>
    ['POST /mcp/notes HTTP/1.1', ...lines, ...besides, '\r\n'].join('\r\n')
  return { at, peer, auth, head }
}

const BODY = JSON.stringify(toolCall('read', { text: 'x' }))

function chunk(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n`
}

test('[SIZE.5] refuses a request body over 1 MiB with 413, with a length or without', async () => {
  const { at, peer, auth } = await setUp()
  const body = JSON.stringify(toolCall('read', { text: 'x'.repeat(limits.messageBytes) }))
  expect(await post(at, '/mcp/notes', body, auth)).toMatchObject({
    status: 413,
    json: { error: { data: { code: 'body_too_large' } } },
  })
  const chunked = fetch(`${at.url}/mcp/notes`, {
    method: 'POST',
    headers: { ...auth, ...MCP_HEADERS },
    body: new Blob([body]).stream(),
    duplex: 'half',
  } as RequestInit)
  await expect(chunked.then((response) => response.status)).resolves.toBe(413)
  expect(peer.waiting).toEqual([])
})

test('[SIZE.5] reads a request body of 1 MiB', async () => {
  const { at, peer, auth } = await setUp()
  const body = BODY.padEnd(limits.messageBytes)
  const posted = post(at, '/mcp/notes', body, auth)
  await answerNext(peer, { content: [] })
  expect(await posted).toMatchObject({ status: 200, json: { result: { content: [] } } })
})

test('[SIZE.5] refuses a body whose length is too large before it arrives', async () => {
  const { at, head } = await setUp()
  const client = await rawClient(at.port)
  client.write(head(`content-length: ${limits.messageBytes + 1}`))
  expect((await client.answer()).status).toBe(413)
})

test('[MCP.2] reads a whole body in pieces, in chunks, or with the next request behind it', async () => {
  const { at, peer, head } = await setUp()
  const client = await rawClient(at.port)
  const answered = async (count: number): Promise<void> => {
    await answerNext(peer, { content: [], count })
    await client.until(() => client.received.includes(`"count":${count}`) || client.socket.closed)
    expect(client.received.toString()).toContain(`"count":${count}`)
  }

  client.write(head(`content-length: ${BODY.length}`) + BODY.slice(0, 20))
  await fetch(`${at.url}/healthz`)
  client.write(BODY.slice(20))
  await answered(1)
  client.write(head('transfer-encoding: chunked') + chunk(BODY))
  await fetch(`${at.url}/healthz`)
  expect(peer.waiting).toEqual([])
  client.write(chunk(''))
  await answered(2)
  client.write((head(`content-length: ${BODY.length}`) + BODY).repeat(2) + head('content-length: 0'))
  await answered(3)
  await answered(4)
  await client.until(() => client.received.includes('HTTP/1.1 400'))
  expect(client.received.toString()).toContain('Parse error')
})

test.each<[string, number, string, number]>([
  ['more than there is', BODY.length + 5, '', 200],
  ['less than there is', 5, '', 200],
  ['that of the first chunk', BODY.length, ' more', 400],
])(
  '[MCP.2] ignores Content-Length beside chunks, which a lenient parser accepts: %s',
  async (_what, length, more, status) => {
    const { at, peer, head } = await setUp()
    const lenient = createServer({ insecureHTTPParser: true })
    at.bridge.attach(lenient)
    await once(lenient.listen(0, '127.0.0.1'), 'listening')
    onTestFinished(() => void lenient.close())
    const client = await rawClient((lenient.address() as AddressInfo).port)
    const body = chunk(BODY) + (more === '' ? '' : chunk(more)) + chunk('')
    client.write(head(`content-length: ${length}`, 'transfer-encoding: chunked') + body)
    if (status === 200) await answerNext(peer, { content: [] })
    expect((await client.answer()).status).toBe(status)
    expect(peer.waiting).toEqual([])
  },
)
