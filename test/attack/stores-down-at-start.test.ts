import type { BlockStore } from '@bridgekeeper/bridge'
import { expect, test } from 'vitest'
import { startBridge } from '../support/bridge.ts'
import { bearer, post, toolCall } from '../support/mcp.ts'
import { dial, refusedUpgrade } from '../support/peer.ts'

const readiness = async (at: { readonly url: string }) => (await fetch(`${at.url}/readyz`)).status

test('[BLOCK.4] W22: admits nobody while the blocks cannot be read, even if `ready()` was not awaited', async () => {
  const down = () => Promise.reject(new Error('the store is down'))
  const blocks: BlockStore = { all: down, held: down, put: down, remove: down }
  const at = await startBridge({ stores: { blocks } })
  const { accessToken } = await at.token('ann')
  expect(await readiness(at)).toBe(503)
  expect((await post(at, '/mcp', toolCall('s__t'), bearer(accessToken))).status).toBe(500)
  expect(await refusedUpgrade(dial(at, { token: accessToken, v2: true }))).toMatchObject({ status: 500 })
  await expect(at.bridge.callTool('user_ann', 's', 't')).rejects.toMatchObject({ code: 'internal_error' })
  await expect(at.bridge.ready()).rejects.toThrow('down')
})

test('[BLOCK.4] W37: reports unready at /readyz while the log cannot be written', async () => {
  const securityLog = { logSecurityEvent: () => {}, afterWritten: (run: () => void) => run(), writable: true }
  const at = await startBridge({ securityLog })
  expect(await readiness(at)).toBe(200)
  securityLog.writable = false
  expect(await readiness(at)).toBe(503)
})
