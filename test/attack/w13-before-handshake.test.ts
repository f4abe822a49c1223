import { expect, test } from 'vitest'
import { startBridge } from '../support/bridge.ts'
import { frame, rawUpgrade, tryUpgrade } from '../support/raw.ts'
import { Recorded } from '../support/recorded.ts'

test('[WS.2] W13: answers strangers that offer v2 with 401 and never 101', async () => {
  const at = await startBridge({ trustedProxies: ['127.0.0.1'] })
  const expired = await at.token('ann', -60_000)
  const strangers = [undefined, 'x', 'a.b.c', '..', 'e30.e30.', expired.accessToken, 'A'.repeat(8_000)]
  for (const [index, token] of strangers.entries()) {
    const answer = await tryUpgrade(at, { token, headers: [`X-Forwarded-For: 10.0.0.${index}`] })
    expect(answer.status, String(token)).toBe(401)
    expect(answer.headers.get('www-authenticate')).toMatch(/^Bearer /)
    expect(answer.headers.has('sec-websocket-accept')).toBe(false)
  }
})

test('[WS.3] W13: sends a refused v1 peer only the close frame, and does not read what it sent along', async () => {
  const log = new Recorded()
  const at = await startBridge({ securityLog: log.securityLog })
  const tail = Buffer.concat([
    frame('{"type":"ping"}'),
    frame('{"type":"tool_execute","id":"1","serverName":"s","toolName":"t","args":{}}'),
    frame('not json'),
  ])
  const client = await rawUpgrade(at, { v2: false, tail })
  expect((await client.answer()).status).toBe(101)
  expect(await client.closing()).toEqual({ code: 1008, reason: 'token_missing' })
  client.write(frame(Buffer.from([0x03, 0xf0]), { opcode: 8 }))
  await client.ended
  expect(client.frames).toHaveLength(1)
  expect(log.names).toEqual(['ws_authentication_failed'])
})

test('[WS.4] W13: reads what an agent sends right after its request', async () => {
  const at = await startBridge()
  const { accessToken } = await at.token('ann')
  const client = await rawUpgrade(at, { token: accessToken, tail: frame('{"type":"ping"}') })
  expect(await client.message('challenge')).toBeDefined()
  expect(await client.message('error')).toMatchObject({ error: 'challenge_required' })
})
