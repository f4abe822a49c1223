import { expect, test } from 'vitest'
import { FakeSystem } from '../../../../test/support/fake-system.ts'
import { describeStores } from './databases.ts'
import { CODE, NOW_MS } from './examples.ts'

describeStores('records of the authorization server', (fresh) => {
  test('[STORE.8] finds a record in every process by id, user code and uid until it expires', async () => {
    const open = fresh()
    const system = new FakeSystem()
    const [one, other] = [await open(system), await open(system)]
    const device = { ...CODE, model: 'DeviceCode', id: 'dc', userCode: 'ABCD' }
    const session = { model: 'Session', id: 'x', uid: 'u1', payload: {} }
    for (const record of [CODE, device, session]) await one.oauth.put(record)
    expect(await other.oauth.find(CODE.model, 'code1')).toEqual(CODE)
    expect(await other.oauth.findByUserCode('DeviceCode', 'ABCD')).toEqual(device)
    expect(await other.oauth.findByUid('Session', 'u1')).toEqual(session)
    expect(await other.oauth.find('AccessToken', 'code1')).toBeUndefined()
    expect(await other.oauth.findByUserCode('Session', 'ABCD')).toBeUndefined()
    system.advance(60_000)
    expect(await one.oauth.find(CODE.model, 'code1')).toBeUndefined()
    expect(await one.oauth.findByUserCode('DeviceCode', 'ABCD')).toBeUndefined()
    expect(await one.oauth.consume(CODE.model, 'code1', NOW_MS + 60_000)).toBe(false)
    expect(await one.oauth.find('Session', 'x')).toEqual(session)
  })

  test('[STORE.8] consumes a code once under concurrent use, and keeps it consumed', async () => {
    const open = fresh()
    const system = new FakeSystem()
    const [one, other] = [await open(system), await open(system)]
    await one.oauth.put(CODE)
    const consumed = await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        (index % 2 === 0 ? one : other).oauth.consume(CODE.model, CODE.id, NOW_MS + 1),
      ),
    )
    expect(consumed.filter((wasConsumed) => wasConsumed)).toHaveLength(1)
    // A late write of an earlier read does not revive it.
    await other.oauth.put({ ...CODE, payload: { late: true } })
    expect(await one.oauth.find(CODE.model, CODE.id)).toEqual({
      ...CODE,
      payload: { late: true },
      consumedAtMs: NOW_MS + 1,
    })
    expect(await one.oauth.consume(CODE.model, CODE.id, NOW_MS + 2)).toBe(false)
    expect(await one.oauth.consume(CODE.model, 'none', NOW_MS)).toBe(false)
  })

  test('[STORE.8] replaces and removes whole records, and a grant with all of its records', async () => {
    const { oauth } = await fresh()(new FakeSystem())
    await oauth.put({ ...CODE, userCode: 'OLD' })
    await oauth.put({ model: CODE.model, id: CODE.id, payload: { b: 2 }, grantId: 's1' })
    expect(await oauth.find(CODE.model, CODE.id)).toEqual({
      model: CODE.model,
      id: CODE.id,
      payload: { b: 2 },
      grantId: 's1',
    })
    await oauth.put({ ...CODE, model: 'RefreshToken' })
    await oauth.put({ ...CODE, id: 'other', grantId: 's2' })
    await oauth.removeGrant('s1')
    expect(await oauth.find(CODE.model, CODE.id)).toBeUndefined()
    expect(await oauth.find('RefreshToken', CODE.id)).toBeUndefined()
    expect(await oauth.find(CODE.model, 'other')).toBeDefined()
    await oauth.remove(CODE.model, 'other')
    expect(await oauth.find(CODE.model, 'other')).toBeUndefined()
  })

  test('[STORE.15] keeps only a bounded number of records of a model or grant, those that expire last', async () => {
    const { oauth } = await fresh()(new FakeSystem())
    const put = (model: string, id: string, grantId: string, afterMs: number) =>
      oauth.put({ model, id, payload: {}, grantId, expiresAtMs: NOW_MS + afterMs })
    await put('RefreshToken', 'a1', 'a', 30)
    await put('RefreshToken', 'a2', 'a', 10)
    await put('RefreshToken', 'a3', 'a', 20)
    await put('RefreshToken', 'b1', 'b', 5)
    await put('Grant', 'a1', 'a', 1)
    const left = async () => {
      const found = await Promise.all(['a1', 'a2', 'a3', 'b1'].map((id) => oauth.find('RefreshToken', id)))
      return found.flatMap((record) => record?.id ?? [])
    }
    await oauth.trim('RefreshToken', 3, 'a')
    expect(await left()).toEqual(['a1', 'a2', 'a3', 'b1'])
    await oauth.trim('RefreshToken', 2, 'a')
    expect(await left()).toEqual(['a1', 'a3', 'b1'])
    await oauth.trim('RefreshToken', 1)
    expect(await left()).toEqual(['a1'])
    expect(await oauth.find('Grant', 'a1')).toBeDefined()
  })

  test('[STORE.15] moves a record’s expiry to later only, and does not recreate a record', async () => {
    const system = new FakeSystem()
    const { oauth } = await fresh()(system)
    await oauth.put({ model: 'Client', id: 'c', payload: {}, expiresAtMs: NOW_MS + 1_000 })
    await oauth.extend('Client', 'c', NOW_MS + 5_000)
    await oauth.extend('Client', 'c', NOW_MS + 2_000)
    await oauth.extend('Client', 'd', NOW_MS + 5_000)
    system.advance(4_999)
    expect(await oauth.find('Client', 'c')).toMatchObject({ expiresAtMs: NOW_MS + 5_000 })
    expect(await oauth.find('Client', 'd')).toBeUndefined()
    system.advance(1)
    expect(await oauth.find('Client', 'c')).toBeUndefined()
  })

  test('[STORE.8] returns any payload unchanged', async () => {
    const { oauth } = await fresh()(new FakeSystem())
    const payload = { text: '"\u0000\u2028 🔑', deep: { a: [[], {}, null, -0.5, 1e21] }, __proto__: 1 }
    await oauth.put({ ...CODE, payload })
    expect((await oauth.find(CODE.model, CODE.id))?.payload).toEqual(payload)
  })
})
