import { deflateRawSync } from 'node:zlib'
import { expect, test } from 'vitest'
import { startBridge } from '../support/bridge.ts'
import { frame, rawUpgrade, tryUpgrade } from '../support/raw.ts'

const offers = [
  'permessage-deflate',
  'permessage-deflate; client_max_window_bits',
  'permessage-deflate; server_no_context_takeover; client_no_context_takeover',
  'x-webkit-deflate-frame',
  'permessage-bzip2, permessage-deflate',
]

test('[WS.5] W31: accepts no offer of compression', async () => {
  const at = await startBridge()
  const { accessToken: token } = await at.token('ann')
  for (const offer of offers) {
    const answer = await tryUpgrade(at, { token, headers: [`Sec-WebSocket-Extensions: ${offer}`] })
    expect(answer.status, offer).toBe(101)
    expect(answer.headers.has('sec-websocket-extensions'), offer).toBe(false)
  }
})

test('[WS.5] W31: closes the socket of a compressed frame without inflating it', async () => {
  const at = await startBridge()
  const { accessToken: token } = await at.token('ann')
  const headers = ['Sec-WebSocket-Extensions: permessage-deflate']
  const client = await rawUpgrade(at, { token, headers })
  await client.message('challenge')
  // 3 MiB in 3 KiB.
  const bomb = frame(deflateRawSync(Buffer.alloc(3 * 1_048_576)), { rsv: 4 })
  const before = process.memoryUsage().arrayBuffers
  client.write(bomb)
  expect(await client.closing()).toMatchObject({ code: 1002 })
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(2 * 1_048_576)
})
