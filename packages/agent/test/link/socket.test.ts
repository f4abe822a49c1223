import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import type { Ending } from '../../src/link/ending.ts'
import { dial } from '../../src/link/socket.ts'

const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`
const CHUNKED = 'HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n'

/** Dials a bridge that answers the upgrade with this text. @param cuts whether it then ends the connection */
async function endings(answer: string, cuts: boolean): Promise<readonly Ending[]> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.once('data', () => (cuts ? socket.end(answer) : socket.write(answer)))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  const ended: Ending[] = []
  await new Promise<void>((resolve) => {
    const onEnd = (ending: Ending) => {
      ended.push(ending)
      resolve()
    }
    const url = `ws://127.0.0.1:${port}/api/mcp-ws`
    dial(
      url,
      { token: 't', version: 'v2' },
      { onOpen: () => {}, onFrame: () => {}, onChunk: () => {}, onEnd },
    )
  })
  await new Promise((resolve) => setImmediate(resolve))
  return ended
}

test('[LINK.20] reads the code of a refusal that arrives in parts', async () => {
  const parts = chunk('{"error":{"co') + chunk('de":"token_invalid"}}') + chunk('')
  expect(await endings(CHUNKED + parts, false)).toEqual([{ next: 'give-up', code: 'token_invalid' }])
})

test('[LINK.20] reads at most 16 KiB of a refusal that never ends', async () => {
  const parts = Array.from({ length: 17 }, () => chunk('x'.repeat(1_024))).join('')
  expect(await endings(CHUNKED + parts, false)).toMatchObject([{ next: 'give-up', code: 'bridge_refused' }])
})

test('[LINK.20] ends once with what it has read of a refusal that breaks off', async () => {
  const cut = chunk('{"error":{"code":"token_invalid"}}')
  expect(await endings(CHUNKED + cut, true)).toEqual([{ next: 'give-up', code: 'token_invalid' }])
  expect(await endings(CHUNKED, true)).toMatchObject([{ next: 'give-up', code: 'bridge_refused' }])
})
