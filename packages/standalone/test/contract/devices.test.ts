import { expect, test } from 'vitest'
import { FakeSystem } from '../../../../test/support/fake-system.ts'
import { describeStores } from './databases.ts'
import { DEVICE, deviceKey, NOW_MS, SESSION } from './examples.ts'

describeStores('devices', (fresh) => {
  test('[STORE.4] rejects a device that cannot be stored, and stores nothing of it', async () => {
    const { devices } = await fresh()()
    await expect(devices.add({ ...DEVICE, keys: [] })).rejects.toThrow('must have a key')
    const faulty = { ...deviceKey('k2'), generation: Number.NaN }
    await expect(devices.add({ ...DEVICE, keys: [deviceKey('k1'), faulty] })).rejects.toThrow()
    expect([await devices.find('d1'), await devices.hasEnrolled('user_1')]).toEqual([undefined, false])
    expect(await devices.add(DEVICE)).toBe(true)
  })

  test('[STORE.4] finds a device with its keys in every process until it is revoked', async () => {
    const open = fresh()
    const system = new FakeSystem()
    const [one, other] = [await open(system), await open(system)]
    const second = { ...DEVICE, deviceId: 'd2', sessionId: 's2', keys: [deviceKey('k2')] }
    await one.sessions.add(SESSION)
    expect(await one.devices.hasEnrolled('user_1')).toBe(false)
    expect(await one.devices.add(DEVICE)).toBe(true)
    expect(await one.devices.add(second)).toBe(true)
    expect(await other.devices.find('d1')).toEqual(DEVICE)
    expect(await other.devices.ofUser('user_1')).toEqual([DEVICE, second])
    expect(await other.devices.revoke('d1', NOW_MS + 1)).toBe(true)
    expect(await one.devices.revoke('d1', NOW_MS + 2)).toBe(false)
    expect(await one.devices.find('d1')).toBeUndefined()
    expect(await one.devices.ofUser('user_1')).toEqual([second])
    expect(await one.sessions.find('s1')).toBeUndefined()
    await one.devices.revoke('d2', NOW_MS + 2)
    expect(await one.devices.hasEnrolled('user_1')).toBe(true)
    expect(await one.devices.hasEnrolled('user_2')).toBe(false)
  })

  test('[STORE.4] refuses a key that any device has or had, and stores nothing of the attempt', async () => {
    const { devices } = await fresh()(new FakeSystem())
    await devices.add(DEVICE)
    const copy = { ...DEVICE, deviceId: 'd2', userId: 'user_2', keys: [deviceKey('k9'), deviceKey('k1')] }
    expect(await devices.add(copy)).toBe(false)
    await devices.revoke('d1', NOW_MS)
    expect(await devices.add(copy)).toBe(false)
    expect(await devices.find('d2')).toBeUndefined()
    expect(await devices.hasEnrolled('user_2')).toBe(false)
    expect(await devices.add({ ...copy, keys: [deviceKey('k9')] })).toBe(true)
  })

  test('[STORE.14] keeps a user’s latest 1,024 retired keys, and all valid ones', async () => {
    const { devices } = await fresh()(new FakeSystem())
    const old = (count: number, from = 0) =>
      Array.from({ length: count }, (_, index) => deviceKey(`old${from + index}`))
    await devices.add({ ...DEVICE, deviceId: 'd0', keys: [deviceKey('good')] })
    await devices.add({ ...DEVICE, deviceId: 'd1', keys: old(10) })
    await devices.revoke('d1', NOW_MS - 2)
    await devices.add({ ...DEVICE, deviceId: 'd2', keys: old(1_024, 10) })
    await devices.revoke('d2', NOW_MS - 1)
    await devices.add({ ...DEVICE, deviceId: 'other', userId: 'user_2', keys: [deviceKey('another')] })
    expect(await devices.add({ ...DEVICE, deviceId: 'd3', keys: [deviceKey('old0')] })).toBe(false)
    await devices.add({ ...DEVICE, deviceId: 'd4', keys: [deviceKey('new')] })
    expect(await devices.add({ ...DEVICE, deviceId: 'd5', keys: [deviceKey('old0')] })).toBe(true)
    for (const remembered of ['old10', 'old1033', 'good', 'another', 'new'])
      expect(await devices.add({ ...DEVICE, deviceId: 'd6', keys: [deviceKey(remembered)] })).toBe(false)
  }, 60_000)

  test('[STORE.4] enrols a key once under concurrent enrolments', async () => {
    const open = fresh()
    const [one, other] = [await open(), await open()]
    const added = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        (index % 2 === 0 ? one : other).devices.add({ ...DEVICE, deviceId: `d${index}` }),
      ),
    )
    expect(added.filter((wasAdded) => wasAdded)).toHaveLength(1)
  })

  test('[STORE.5] rotates to the next generation only, and keeps the previous key valid for a while', async () => {
    const system = new FakeSystem()
    const { devices } = await fresh()(system)
    await devices.add(DEVICE)
    expect(await devices.rotate('d1', deviceKey('k3', 3), NOW_MS + 1_000)).toBe(false)
    expect(await devices.rotate('d1', deviceKey('k1', 2), NOW_MS + 1_000)).toBe(false)
    expect(await devices.rotate('none', deviceKey('k2', 2), NOW_MS + 1_000)).toBe(false)
    expect(await devices.find('d1')).toEqual(DEVICE)
    expect(await devices.rotate('d1', deviceKey('k2', 2), NOW_MS + 1_000)).toBe(true)
    expect((await devices.find('d1'))?.keys).toEqual([
      deviceKey('k2', 2),
      { ...deviceKey('k1'), retiresAtMs: NOW_MS + 1_000 },
    ])
    system.advance(1_000)
    expect((await devices.find('d1'))?.keys).toEqual([deviceKey('k2', 2)])
    expect(await devices.rotate('d1', deviceKey('k1', 3), NOW_MS)).toBe(false)
  })

  test('[STORE.5] does not extend retired keys at a second rotation', async () => {
    const system = new FakeSystem()
    const { devices } = await fresh()(system)
    await devices.add(DEVICE)
    await devices.add({ ...DEVICE, deviceId: 'd2', sessionId: 's2', keys: [deviceKey('other')] })
    expect(await devices.rotate('d1', deviceKey('k2', 2), NOW_MS + 1_000)).toBe(true)
    expect(await devices.rotate('d1', deviceKey('k3', 3), NOW_MS + 9_000)).toBe(true)
    const ofFirst = { ...deviceKey('k1'), retiresAtMs: NOW_MS + 1_000 }
    const ofSecond = { ...deviceKey('k2', 2), retiresAtMs: NOW_MS + 9_000 }
    expect((await devices.find('d1'))?.keys).toEqual([deviceKey('k3', 3), ofSecond, ofFirst])
    system.advance(999)
    expect((await devices.find('d1'))?.keys).toHaveLength(3)
    system.advance(1)
    expect((await devices.find('d1'))?.keys).toEqual([deviceKey('k3', 3), ofSecond])
    expect(await devices.rotate('d1', deviceKey('k4', 4), NOW_MS + 20_000)).toBe(true)
    expect((await devices.find('d1'))?.keys).toEqual([
      deviceKey('k4', 4),
      { ...deviceKey('k3', 3), retiresAtMs: NOW_MS + 20_000 },
      ofSecond,
    ])
    expect((await devices.find('d2'))?.keys).toEqual([deviceKey('other')])
  })

  test('[STORE.5] leaves keys and generation unchanged when a rotation is refused', async () => {
    const { devices } = await fresh()(new FakeSystem())
    await devices.add(DEVICE)
    await devices.rotate('d1', deviceKey('k2', 2), NOW_MS + 1_000)
    expect(await devices.rotate('d1', deviceKey('k1', 3), NOW_MS + 2_000)).toBe(false)
    expect(await devices.rotate('d1', deviceKey('k2', 3), NOW_MS + 2_000)).toBe(false)
    expect((await devices.find('d1'))?.keys[0]).toEqual(deviceKey('k2', 2))
    expect(await devices.rotate('d1', deviceKey('k3', 3), NOW_MS + 2_000)).toBe(true)
  })

  test('[STORE.4] revokes one machine and keeps the user’s others, with their keys and sessions', async () => {
    const { devices, sessions } = await fresh()(new FakeSystem())
    for (const n of [1, 2, 3]) {
      await sessions.add({ ...SESSION, sessionId: `s${n}` })
      await devices.add({ ...DEVICE, deviceId: `d${n}`, sessionId: `s${n}`, keys: [deviceKey(`k${n}`)] })
    }
    expect(await devices.revoke('d2', NOW_MS)).toBe(true)
    expect(
      (await devices.ofUser('user_1')).map(({ deviceId, keys }) => `${deviceId} ${keys[0]?.keyId}`),
    ).toEqual(['d1 k1', 'd3 k3'])
    expect((await sessions.ofUser('user_1')).map(({ sessionId }) => sessionId)).toEqual(['s1', 's3'])
  })

  test('[STORE.5] performs one of several concurrent rotations', async () => {
    const open = fresh()
    const system = new FakeSystem()
    const [one, other] = [await open(system), await open(system)]
    await one.devices.add(DEVICE)
    const rotated = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        (index % 2 === 0 ? one : other).devices.rotate('d1', deviceKey(`n${index}`, 2), NOW_MS + 1),
      ),
    )
    expect(rotated.filter((wasRotated) => wasRotated)).toHaveLength(1)
    expect((await other.devices.find('d1'))?.keys).toEqual([
      deviceKey(`n${rotated.indexOf(true)}`, 2),
      { ...deviceKey('k1'), retiresAtMs: NOW_MS + 1 },
    ])
  })

  test('[STORE.6] accepts a device that knows its last connection or the one before, and detects any other as a copy', async () => {
    const { devices } = await fresh()(new FakeSystem())
    await devices.add(DEVICE)
    const connected = (id: string, previous: string) => devices.connected('d1', id, previous, NOW_MS + 7)
    expect(await connected('c1', '')).toBe('continued')
    // The device was disconnected before it received c1.
    expect(await connected('c2', '')).toBe('continued')
    expect(await connected('c3', 'c2')).toBe('continued')
    expect(await connected('c4', 'c2')).toBe('continued')
    expect(await connected('c5', 'c4')).toBe('continued')
    for (const forgotten of ['', 'c1', 'c2', 'c3', 'other']) {
      expect(await connected('copy', forgotten), forgotten).toBe('diverged')
    }
    expect(await connected('c6', 'c5')).toBe('continued')
    expect(await devices.find('d1')).toMatchObject({ usedAtMs: NOW_MS + 7 })
    expect(await devices.connected('none', 'c1', '', NOW_MS)).toBe('unknown')
  })

  test('[STORE.6] detects a device and its copy, which start from one connection, within two connections', async () => {
    const open = fresh()
    const [one, other] = [await open(), await open()]
    await one.devices.add(DEVICE)
    const place = { device: '', copy: '' }
    const seen: string[] = []
    for (let round = 0; round < 3; round++) {
      const [first, second] = await Promise.all([
        one.devices.connected('d1', `device ${round}`, place.device, NOW_MS),
        other.devices.connected('d1', `copy ${round}`, place.copy, NOW_MS),
      ])
      seen.push(first, second)
      if (first === 'continued') place.device = `device ${round}`
      if (second === 'continued') place.copy = `copy ${round}`
    }
    expect(seen).toContain('diverged')
    expect(seen.slice(0, 4)).toContain('diverged')
  })
})
