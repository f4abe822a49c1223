import { setImmediate } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { describeStores } from './databases.ts'

describeStores('keys, settings and the outbox', (fresh) => {
  test('[STORE.9] returns the first of several keys stored concurrently', async () => {
    const open = fresh()
    const [one, other] = [await open(), await open()]
    expect(await one.keys.get('bridge')).toBeUndefined()
    const kept = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        (index % 2 === 0 ? one : other).keys.keep('bridge', `sealed ${index}`),
      ),
    )
    expect(new Set(kept).size).toBe(1)
    expect(await other.keys.get('bridge')).toBe(kept[0])
  })

  test('[DATA.2] reads a setting that another process stored', async () => {
    const open = fresh()
    const [one, other] = [await open(), await open()]
    expect(await other.settings.get('name')).toBeUndefined()
    await one.settings.set('name', 'a')
    await one.settings.set('name', 'b')
    expect(await other.settings.get('name')).toBe('b')
  })

  test('[LOG.11] queues events in order until they are removed, and skips none', async () => {
    const open = fresh()
    const [one, other] = [await open(), await open()]
    const add = (index: number) =>
      (index % 2 === 0 ? one : other).outbox.add({ event: 'user_added', userId: `user_${index}` }, 5.5)
    const adding = Promise.all(Array.from({ length: 20 }, (_, index) => add(index)))
    const read: string[] = []
    let lastId = 0
    const drain = async () => {
      await setImmediate()
      for (const { id, atMs, event } of await one.outbox.after(lastId)) {
        expect(id).toBeGreaterThan(lastId)
        expect(atMs).toBe(5)
        lastId = id
        read.push(JSON.stringify(event))
      }
    }
    while (read.length < 20) await drain()
    await adding
    await drain()
    expect(new Set(read).size).toBe(20)
    await other.outbox.removeUpTo(lastId)
    expect(await one.outbox.after(0)).toEqual([])
    await add(1)
    expect((await one.outbox.after(0))[0]?.id).toBe(lastId + 1)
  })
})
