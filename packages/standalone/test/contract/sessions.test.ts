import { expect, test } from 'vitest'
import { FakeSystem } from '../../../../test/support/fake-system.ts'
import { describeStores } from './databases.ts'
import { ANN, CODE, DAY_MS, DEVICE, NOW_MS, SESSION } from './examples.ts'

describeStores('sessions and refresh tokens', (fresh) => {
  test('[STORE.1] finds a whole session in every process until it ends or expires', async () => {
    const open = fresh()
    const system = new FakeSystem()
    const [one, other] = [await open(system), await open(system)]
    const device = {
      ...SESSION,
      sessionId: 's2',
      kind: 'device',
      clientId: 'c',
      deviceId: 'd',
    } as const
    const token = { ...SESSION, sessionId: 's4', kind: 'token', scopes: ['a', 'b'] } as const
    await one.sessions.add(SESSION)
    await one.sessions.add(device)
    await one.sessions.add(token)
    await one.sessions.add({ ...SESSION, sessionId: 's3', userId: 'user_2' })
    expect(await other.sessions.find('s1')).toEqual(SESSION)
    expect(await other.sessions.ofUser('user_1')).toEqual([SESSION, device, token])
    expect(await other.sessions.end('s1')).toBe(true)
    expect(await one.sessions.end('s1')).toBe(false)
    expect(await one.sessions.find('s1')).toBeUndefined()
    system.advance(DAY_MS)
    expect(await one.sessions.find('s2')).toBeUndefined()
    expect(await one.sessions.ofUser('user_1')).toEqual([])
  })

  test('[STORE.1] counts only sessions that have not ended', async () => {
    const system = new FakeSystem()
    const stores = await fresh()(system)
    expect(await stores.counts()).toEqual({ users: 0, sessions: 0, devices: 0, blocks: 0 })
    await stores.users.add(ANN)
    await stores.sessions.add(SESSION)
    await stores.devices.add(DEVICE)
    await stores.blocks.put({ kind: 'address', key: '203.0.113.7', untilMs: NOW_MS + DAY_MS })
    expect(await stores.counts()).toEqual({ users: 1, sessions: 1, devices: 1, blocks: 1 })
    system.advance(DAY_MS)
    expect(await stores.counts()).toEqual({ users: 1, sessions: 0, devices: 1, blocks: 0 })
  })

  test('[STORE.1] refuses an id in use, and moves the time of last use only forward', async () => {
    const { sessions } = await fresh()(new FakeSystem())
    await sessions.add(SESSION)
    await expect(sessions.add({ ...SESSION, userId: 'user_2' })).rejects.toThrow()
    await sessions.seen('s1', NOW_MS + 5.5)
    await sessions.seen('s1', NOW_MS + 1)
    expect(await sessions.find('s1')).toEqual({ ...SESSION, seenAtMs: NOW_MS + 5 })
  })

  test('[STORE.2] ends a session’s refresh tokens and grant with it, and no others', async () => {
    const { sessions, refreshTokens, oauth } = await fresh()(new FakeSystem())
    for (const sessionId of ['s1', 's2']) {
      await sessions.add({ ...SESSION, sessionId })
      await oauth.put({ ...CODE, id: sessionId, grantId: sessionId })
      await oauth.put({ model: 'Grant', id: sessionId, payload: {} })
    }
    await sessions.end('s1')
    expect(await oauth.find(CODE.model, 's1')).toBeUndefined()
    expect(await oauth.find('Grant', 's1')).toBeUndefined()
    expect(await refreshTokens.redeem('s1', 1, NOW_MS)).toEqual({ state: 'unknown' })
    expect(await oauth.find(CODE.model, 's2')).toBeDefined()
    expect(await oauth.find('Grant', 's2')).toBeDefined()
    expect(await refreshTokens.redeem('s2', 1, NOW_MS)).toEqual({ state: 'good', next: 2 })
  })

  test('[STORE.3] redeems a refresh token once under concurrent use', async () => {
    const open = fresh()
    const [one, other] = [await open(), await open()]
    const atMs = Date.now()
    await one.sessions.add({ ...SESSION, expiresAtMs: atMs + DAY_MS })
    const redeemed = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        (index % 2 === 0 ? one : other).refreshTokens.redeem('s1', 1, atMs + index),
      ),
    )
    const good = redeemed.findIndex(({ state }) => state === 'good')
    expect(redeemed.filter(({ state }) => state === 'good')).toHaveLength(1)
    const reused = { state: 'reused', next: 2, usedAtMs: atMs + good }
    expect(redeemed.filter(({ state }) => state === 'reused')).toEqual(Array(19).fill(reused))
    expect(await other.refreshTokens.redeem('s1', 1, atMs + 100)).toEqual(reused)
  })

  test('[STORE.3] does not know a refresh token of an expired session, or one not yet issued', async () => {
    const { sessions, refreshTokens } = await fresh()(new FakeSystem())
    await sessions.add({ ...SESSION, expiresAtMs: NOW_MS + 10 })
    expect(await refreshTokens.redeem('s1', 2, NOW_MS)).toEqual({ state: 'unknown' })
    expect(await refreshTokens.redeem('s1', 1, NOW_MS + 9)).toEqual({ state: 'good', next: 2 })
    expect(await refreshTokens.redeem('s1', 2, NOW_MS + 10)).toEqual({ state: 'unknown' })
    expect(await refreshTokens.redeem('s1', 1, NOW_MS + 10)).toEqual({ state: 'unknown' })
    expect(await refreshTokens.redeem('none', 1, NOW_MS)).toEqual({ state: 'unknown' })
  })

  test('[STORE.13] recognizes every used refresh token of a long chain, the latest eight with their time', async () => {
    const { sessions, refreshTokens } = await fresh()(new FakeSystem())
    await sessions.add(SESSION)
    for (let generation = 1; generation <= 100; generation++)
      expect(await refreshTokens.redeem('s1', generation, NOW_MS + generation)).toMatchObject({
        state: 'good',
      })
    for (let generation = 1; generation <= 100; generation++)
      expect(await refreshTokens.redeem('s1', generation, NOW_MS + 101)).toEqual({
        state: 'reused',
        next: 101,
        ...(generation > 92 && { usedAtMs: NOW_MS + generation }),
      })
  })

  test('[STORE.12] removes only expired records over time', async () => {
    const system = new FakeSystem()
    const { sessions, oauth, fingerprints, blocks } = await fresh()(system)
    const YEAR_MS = 367 * DAY_MS
    await sessions.add({ ...SESSION, expiresAtMs: NOW_MS + 10 })
    await sessions.add({ ...SESSION, sessionId: 's2', expiresAtMs: NOW_MS + 2 * YEAR_MS })
    await oauth.put({ model: 'Client', id: 'c', payload: { a: 1 } })
    await fingerprints.remember('s1', 'print', NOW_MS)
    await fingerprints.remember('s2', 'print', NOW_MS + DAY_MS * 2)
    await blocks.put({ kind: 'address', key: '10.0.0.1', untilMs: NOW_MS + 10 })
    system.advance(YEAR_MS)
    await oauth.put(CODE)
    system.stepWallClock(-YEAR_MS)
    await expect.poll(() => fingerprints.last('s1')).toBeUndefined()
    await expect.poll(() => sessions.find('s1')).toBeUndefined()
    await expect.poll(() => blocks.all()).toEqual([])
    expect(await sessions.find('s2')).toBeDefined()
    expect(await oauth.find('Client', 'c')).toBeDefined()
    expect(await fingerprints.last('s2')).toBe('print')
  })

  test('[STORE.12] removes the place where a session was seen with the session', async () => {
    const system = new FakeSystem()
    const { sessions, oauth, fingerprints } = await fresh()(system)
    await sessions.add({ ...SESSION, expiresAtMs: NOW_MS + 60_000 })
    await sessions.add({ ...SESSION, sessionId: 's2' })
    for (const sessionId of ['s1', 's2']) await fingerprints.remember(sessionId, 'print', NOW_MS)
    system.advance(60_000)
    await oauth.put(CODE)
    await expect.poll(() => fingerprints.last('s1')).toBeUndefined()
    expect(await fingerprints.last('s2')).toBe('print')
  })
})
