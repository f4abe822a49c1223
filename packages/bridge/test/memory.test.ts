import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isBusy, takeLock } from '@bridgekeeper/standalone/testing'
import { expect, test } from 'vitest'
import { scratch } from '../../../test/support/scratch.ts'
import { callbackLog, memoryFingerprints, memoryRevocations, memoryUsers } from '../src/memory.ts'
import type { User } from '../src/ports.ts'

const ANN: User = { userId: 'u1', email: 'Ann@x.y', tokenVersion: 2, createdAtMs: 1, state: 'active' }
const BOB: User = { ...ANN, userId: 'u2', email: 'bob@x.y' }

test('[FP.1] keeps 100,000 logins, and evicts only the longest unseen beyond', async () => {
  const fingerprints = memoryFingerprints()
  expect(await fingerprints.last('s0')).toBeUndefined()
  for (let n = 0; n < 100_000; n++) await fingerprints.remember(`s${n}`, `f${n}`, 0)
  expect(await fingerprints.last('s0')).toBe('f0')
  await fingerprints.remember('s0', 'again', 0)
  await fingerprints.remember('one more', 'f', 0)
  expect(await Promise.all(['s0', 's1', 's2', 'one more'].map((id) => fingerprints.last(id)))).toEqual([
    'again',
    undefined,
    'f2',
    'f',
  ])
})

test('[STORE.11] delivers twice to a function that watches twice, ends each once, and is never behind', async () => {
  const revocations = memoryRevocations()
  const told: string[] = []
  const watch = () => revocations.watch(({ kind, id }) => told.push(`${kind} ${id}`))
  await revocations.publish({ kind: 'user', id: '0' })
  const [end, endToo] = [watch(), watch()]
  await revocations.publish({ kind: 'user', id: '1' })
  end()
  end()
  await revocations.publish({ kind: 'session', id: '2' })
  endToo()
  await revocations.publish({ kind: 'user', id: '3' })
  expect(told).toEqual(['user 1', 'user 1', 'session 2'])
  expect(revocations.behindMs()).toBe(0)
})

test('[STORE.11] keeps other watchers when one ends during delivery', async () => {
  const revocations = memoryRevocations()
  const told: string[] = []
  const end = revocations.watch(() => {
    told.push('first')
    end()
  })
  revocations.watch(() => told.push('second'))
  await revocations.publish({ kind: 'user', id: '1' })
  await revocations.publish({ kind: 'user', id: '2' })
  expect(told).toEqual(['first', 'second', 'second'])
})

test('[LOG.17] loses the event and keeps the log when the function throws', () => {
  const seen: unknown[] = []
  const log = callbackLog((event) => {
    seen.push(event)
    if (seen.length === 1) throw new Error('a fault')
  })
  const event = { event: 'user_added', userId: 'u1' } as const
  log.logSecurityEvent(event)
  log.logSecurityEvent(event)
  let ran = 0
  log.afterWritten(() => ran++)
  expect([seen, ran, log.writable]).toEqual([[event, event], 1, true])
})

test('[DATA.1] [DATA.6] finds users in memory, adds each email once, and changes users separately', async () => {
  const users = memoryUsers([ANN])
  expect(await users.findById('u1')).toBe(ANN)
  expect(await users.findByEmail('aNN@X.Y')).toBe(ANN)
  expect(await users.findByEmail('none')).toBeUndefined()
  expect(await users.findById('none')).toBeUndefined()
  expect(await users.add({ ...BOB, email: 'ANN@x.y' })).toBeUndefined()
  expect(await users.findById('u2')).toBeUndefined()
  expect(await users.add(BOB)).toBe(BOB)
  expect(await users.add({ ...BOB, userId: 'u3' })).toBeUndefined()
  expect(await users.findByEmail('BOB@x.y')).toBe(BOB)
  expect(await users.setState('u2', 'suspended')).toEqual({ ...BOB, state: 'suspended' })
  expect(await users.findByEmail('bob@x.y')).toEqual({ ...BOB, state: 'suspended' })
  for (let version = 3; version < 6; version++)
    expect(await users.raiseTokenVersion('u1')).toEqual({ ...ANN, tokenVersion: version })
  expect(await users.setState('none', 'active')).toBeUndefined()
  expect(await users.raiseTokenVersion('none')).toBeUndefined()
  expect(await users.findById('u2')).toEqual({ ...BOB, state: 'suspended' })
})

test('[LOG.10] gives a lock to one holder at a time, again after each release', () => {
  const path = join(scratch(), 'lock')
  for (let time = 0; time < 3; time++) {
    const release = takeLock(path)
    if (release === undefined) throw new Error('It is not free.')
    expect(takeLock(path)).toBeUndefined()
    release()
  }
})

test('[LOG.10] rejects a lock that cannot be created, instead of reporting it held', () => {
  expect(() => takeLock(join(scratch(), 'no', 'such', 'folder'))).toThrow()
  expect(() => takeLock(scratch())).toThrow()
  const text = join(scratch(), 'text')
  writeFileSync(text, 'this is no database, but somebody may need it')
  expect(() => takeLock(text)).toThrow('not a database')
  expect([isBusy(new Error('x')), isBusy({ errcode: 5 }), isBusy(undefined)]).toEqual([false, false, false])
  expect(isBusy(Object.assign(new Error('x'), { errcode: 5 }))).toBe(true)
  expect(isBusy(Object.assign(new Error('x'), { errcode: 6 }))).toBe(false)
})
