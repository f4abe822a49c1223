import { limits } from '@bridgekeeper/protocol'
import { expect, test } from 'vitest'
import { agentWith, answerNext } from '../support/agents.ts'
import { startBridge } from '../support/bridge.ts'
import { bearer, MCP_HEADERS, post, toolCall } from '../support/mcp.ts'
import { rawClient } from '../support/raw.ts'

async function setUp() {
  const at = await startBridge()
  const peer = await agentWith(at, 'ann', 'notes', 'read')
  const { accessToken } = await at.token('ann')
  return { at, peer, auth: bearer(accessToken) }
}

test('[SIZE.5] a request body over 1 MiB is refused with 413, with a length or without', async () => {
  const { at, peer, auth } = await setUp()
  const body = JSON.stringify(toolCall('read', { text: 'x'.repeat(limits.messageBytes) }))
  expect(await post(at, '/mcp/notes', body, auth)).toMatchObject({
    status: 413,
    json: { error: { data: { code: 'body_too_large' } } },
  })
  const chunked = fetch(`${at.url}/mcp/notes`, {
    method: 'POST',
    headers: { ...auth, 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    body: new Blob([body]).stream(),
    duplex: 'half',
  } as RequestInit)
  await expect(chunked.then((response) => response.status)).resolves.toBe(413)
  expect(peer.waiting).toEqual([])
})

test('[MCP.2] a body that comes in pieces, in chunks, or with the next request behind it is read whole', async () => {
  const { at, peer, auth } = await setUp()
  const client = await rawClient(Number(new URL(at.url).port))
  const head = (length: string) =>
    ['POST /mcp/notes HTTP/1.1', 'host: 127.0.0.1', `authorization: ${auth.authorization}`, length]
      .concat(
        Object.entries(MCP_HEADERS).map(([name, value]) => `${name}: ${value}`),
        '\r\n',
      )
      .join('\r\n')
  const body = JSON.stringify(toolCall('read', { text: 'x' }))
  const answered = async (count: number): Promise<void> => {
    await answerNext(peer, { content: [], count })
    await client.until(() => client.received.includes(`"count":${count}`) || client.socket.closed)
    expect(client.received.toString()).toContain(`"count":${count}`)
  }

  client.write(head(`content-length: ${body.length}`) + body.slice(0, 20))
  await fetch(`${at.url}/healthz`)
  client.write(body.slice(20))
  await answered(1)
  client.write(`${head('transfer-encoding: chunked')}${body.length.toString(16)}\r\n${body}\r\n`)
  await fetch(`${at.url}/healthz`)
  expect(peer.waiting).toEqual([])
  client.write('0\r\n\r\n')
  await answered(2)
  client.write((head(`content-length: ${body.length}`) + body).repeat(2) + head('content-length: 0'))
  await answered(3)
  await answered(4)
  await client.until(() => client.received.includes('HTTP/1.1 400'))
  expect(client.received.toString()).toContain('Parse error')
})
