import { DeviceLogin, type EnrolledRecord, realSystem, type System } from '@bridgekeeper/agent'
import { describe, expect, test } from 'vitest'
import { type ApprovingBridge, sendJson, startApprovingBridge } from './approving-bridge.ts'
import { codeOf, enrolledMachine, machine } from './machine.ts'

describe('an enrolled machine', () => {
  test('[LINKUP.4] gets a valid token, reuses it, and replaces one that was refused', async () => {
    const at = await startApprovingBridge()
    const mine = await enrolledMachine(at)
    const login = mine.login()
    const token = await login.token()
    expect(await at.tokens.authenticate(token)).toMatchObject({
      allowed: true,
      value: { userId: 'ann', deviceId: (await mine.record()).deviceId },
    })
    expect(await login.token()).toBe(token)
    expect(await login.token(token)).not.toBe(token)
  })

  test('[LINKUP.4] retries by the bridge’s clock when its own is wrong', async () => {
    const at = await startApprovingBridge()
    const mine = await enrolledMachine(at)
    for (const offMs of [-86_400_000, 3_600_000]) {
      const wrong: System = { ...realSystem, nowMs: () => realSystem.nowMs() + offMs }
      const login = new DeviceLogin(mine.keychain, at.url, wrong, mine.abort.signal)
      expect(await at.tokens.authenticate(await login.token())).toMatchObject({ allowed: true })
    }
  })

  test('[LINKUP.4] enrols with a wrong clock', async () => {
    const at = await startApprovingBridge()
    const slow: System = { ...realSystem, nowMs: () => realSystem.nowMs() - 86_400_000 }
    const mine = await enrolledMachine(at, slow)
    expect(await mine.record()).toMatchObject({ state: 'enrolled' })
  })

  test.each([
    ['device_unknown', (at: ApprovingBridge, { deviceId }: EnrolledRecord) => at.devices.revoke(deviceId, 0)],
    ['login_revoked', (at: ApprovingBridge, { sessionId }: EnrolledRecord) => at.sessions.end(sessionId)],
  ] as const)('[LINKUP.7] fails with %s and the next step once it was removed', async (code, remove) => {
    const at = await startApprovingBridge()
    const mine = await enrolledMachine(at)
    await remove(at, await mine.record())
    const error = await mine
      .login()
      .token()
      .catch((reason: unknown) => reason)
    expect(error).toMatchObject({ name: 'AgentError', code, next: expect.stringContaining('--enrol-again') })
  })

  test('[LINKUP.7] reports a bridge that is away as unreachable', async () => {
    const at = await startApprovingBridge()
    const mine = await enrolledMachine(at)
    at.odd.set('/api/devices/token', (response) => sendJson(response, 503, {}))
    expect(
      await mine
        .login()
        .token()
        .catch((error: Error) => error.name),
    ).toBe('Unreachable')
  })

  test('[LINKUP.5] rotates its key when asked, and after 180 days', async () => {
    const at = await startApprovingBridge()
    const mine = await enrolledMachine(at)
    const first = await mine.record()
    const second = await mine.login().rotate()
    expect(second).toMatchObject({ generation: 2, deviceId: first.deviceId, previous: first.previous })
    expect(second.keyId).not.toBe(first.keyId)
    expect(JSON.stringify(await mine.record())).not.toContain(first.privateKey?.d)
    await mine.keychain.update(at.url, (record) => ({ ...(record as EnrolledRecord), madeAtMs: 0 }))
    expect(await at.tokens.authenticate(await mine.login().token())).toMatchObject({ allowed: true })
    expect(await mine.record()).toMatchObject({ generation: 3 })
  })

  /** Points at which a rotation may be interrupted, and the device's key after the next token. */
  const CUTS = [
    ['before the bridge hears of it', (response: { destroy(): void }) => response.destroy(), 2],
    ['after the bridge has done it', undefined, 2],
  ] as const
  test.each(CUTS)('[LINKUP.5] completes a rotation that was cut off %s', async (_what, cut, generation) => {
    const at = await startApprovingBridge()
    const mine = await enrolledMachine(at)
    if (cut !== undefined) at.odd.set('/api/devices/key', cut)
    else
      at.before.unshift((request, response) => {
        if (request.url !== '/api/devices/key' || at.odd.has('done')) return false
        at.odd.set('done', () => {})
        void at.parts(request).then(() => response.destroy())
        return true
      })
    expect(await codeOf(mine.login().rotate())).toBe('bridge_unreachable')
    expect(await mine.record()).toMatchObject({ generation: 1, next: { keyId: expect.any(String) } })
    at.odd.delete('/api/devices/key')
    expect(await at.tokens.authenticate(await mine.login().token())).toMatchObject({ allowed: true })
    const record = await mine.record()
    expect(record).toMatchObject({ generation })
    expect(record.next).toBeUndefined()
    expect((await at.devices.find(record.deviceId))?.keys[0]?.keyId).toBe(record.keyId)
  })

  test('[LINKUP.5] keeps the bridge’s key when two processes rotate at once', async () => {
    const at = await startApprovingBridge()
    const mine = await enrolledMachine(at)
    const other = machine(at, realSystem, mine.home)
    await Promise.all([mine.login().rotate(), other.login().rotate()])
    const record = await mine.record()
    expect((await at.devices.find(record.deviceId))?.keys[0]).toMatchObject({
      keyId: record.keyId,
      generation: record.generation,
    })
    expect(record.next).toBeUndefined()
  })

  test('[LINKUP.5] gives the link its identity, and remembers its last connection', async () => {
    const at = await startApprovingBridge()
    const mine = await enrolledMachine(at)
    const { keyId, deviceId, bridgeKey } = await mine.record()
    const identity = await mine.login().identity()
    expect(identity).toMatchObject({ keyId, deviceId, generation: 1, previous: '', bridgeKeys: [bridgeKey] })
    expect((await identity.sign(Buffer.from('x'))).length).toBe(64)
    await identity.remember('connection-1')
    expect((await mine.login().identity()).previous).toBe('connection-1')
  })
})
