import { expect, test } from 'vitest'
import { Revoker } from '../../src/admission/revoker.ts'
import { memoryRevocations } from '../../src/memory.ts'
import type { Revocation, Revocations } from '../../src/ports/sessions.ts'
import type { Authenticator } from '../../src/ports.ts'
import type { SecurityEvent } from '../../src/security-log/events.ts'

const ANN: Revocation = { kind: 'user', id: 'ann' }

/** Revocations that the test controls: what is published, and when this node is notified of it. */
class HandStore implements Revocations {
  readonly published: Revocation[] = []
  tell: (revocation: Revocation) => void = () => {}
  watching = false
  behind = 0
  publish = async (revocation: Revocation): Promise<void> => void this.published.push(revocation)

  watch(told: (revocation: Revocation) => void): () => void {
    this.watching = true
    this.tell = told
    return () => {
      this.watching = false
    }
  }

  behindMs(): number {
    return this.behind
  }
}

function setUp(store: Revocations | undefined = new HandStore(), forget?: Authenticator['forget']) {
  const events: SecurityEvent[] = []
  const authenticator: Authenticator = {
    recall: () => undefined,
    authenticate: async () => ({ allowed: false, code: 'token_invalid' }),
    ...(forget !== undefined && { forget }),
  }
  const log = {
    logSecurityEvent: (event: SecurityEvent) => void events.push(event),
    afterWritten: () => {},
    writable: true,
  }
  const revoker = new Revoker(store, authenticator, log)
  revoker.start()
  let logins = 0
  /** A login of this user that has something open. @returns how often that was ended */
  const opened = (userId = 'ann') => {
    const login = revoker.openLogins.enter(
      { userId, sessionId: `s${++logins}`, expiresAtMs: 0 },
      revoker.openLogins.now,
    )
    const use = { ended: 0, revoked: () => void use.ended++ }
    if (login?.open(use) !== true) throw new Error('It was refused.')
    return use
  }
  return { revoker, events, opened }
}

test('[REVOKE.4] ignores the echo of a revocation for a later login, however late it is', async () => {
  const store = new HandStore()
  const { revoker, opened } = setUp(store)
  const old = opened()
  await revoker.revoke(ANN)
  const fresh = opened()
  store.tell(ANN)
  expect([old.ended, fresh.ended, store.published]).toEqual([1, 0, [ANN]])
})

test('[REVOKE.7] ends open uses at another node’s next revocation of an id, after each echo', async () => {
  const store = new HandStore()
  const { revoker, opened } = setUp(store)
  for (let time = 0; time < 3; time++) {
    await revoker.revoke(ANN)
    store.tell(ANN)
    const fresh = opened()
    store.tell(ANN)
    expect(fresh.ended).toBe(1)
  }
})

test('[REVOKE.7] expects no echo of a failed publication, so another node’s next revocation ends open uses', async () => {
  const store = new HandStore()
  const { revoker, opened } = setUp(store)
  const old = opened()
  store.publish = () => Promise.reject(new Error('down'))
  for (let time = 0; time < 2; time++) await expect(revoker.revoke(ANN)).rejects.toThrow('down')
  expect(old.ended).toBe(1)
  const fresh = opened()
  store.tell(ANN)
  expect(fresh.ended).toBe(1)
})

test('[REVOKE.7] expects one echo for each of two concurrent revocations, also when one fails', async () => {
  const store = new HandStore()
  const { revoker, opened } = setUp(store)
  await Promise.all([revoker.revoke(ANN), revoker.revoke(ANN)])
  const fresh = opened()
  store.tell(ANN)
  store.tell(ANN)
  expect(fresh.ended).toBe(0)
  store.tell(ANN)
  expect(fresh.ended).toBe(1)
  const publish = store.publish
  store.publish = () => Promise.reject(new Error('down'))
  const failed = revoker.revoke(ANN)
  store.publish = publish
  await Promise.all([expect(failed).rejects.toThrow('down'), revoker.revoke(ANN)])
  const later = opened()
  store.tell(ANN)
  expect(later.ended).toBe(0)
  store.tell(ANN)
  expect(later.ended).toBe(1)
})

test('[REVOKE.4] matches echoes by id and kind', async () => {
  const store = new HandStore()
  const { revoker, opened } = setUp(store)
  await revoker.revoke({ kind: 'session', id: 'bob' })
  await revoker.revoke(ANN)
  const bob = opened('bob')
  store.tell({ kind: 'user', id: 'bob' })
  expect(bob.ended).toBe(1)
})

test('[REVOKE.1] ends everything else when a use or an authenticator fails, here and on other nodes', async () => {
  const store = new HandStore()
  const { revoker, opened, events } = setUp(store, () => {
    throw new Error('a fault of the app')
  })
  const first = opened()
  const failing = {
    ...opened(),
    revoked: () => {
      throw new Error('a fault')
    },
  }
  revoker.openLogins
    .enter({ userId: 'ann', sessionId: 'other', expiresAtMs: 0 }, revoker.openLogins.now)
    ?.open(failing)
  const last = opened()
  await revoker.revoke(ANN)
  expect([first.ended, last.ended, store.published]).toEqual([1, 1, [ANN]])
  expect(events).toEqual([{ event: 'login_revoked', kind: 'user', id: 'ann', ended: 4 }])
  store.tell(ANN)
  const fresh = opened()
  store.tell(ANN)
  expect(fresh.ended).toBe(1)
})

test('[REVOKE.1] makes the authenticator forget every revoked principal, but not for an echo', async () => {
  const store = new HandStore()
  const forgotten: Revocation[] = []
  const { revoker } = setUp(store, (revoked) => void forgotten.push(revoked))
  await revoker.revoke(ANN)
  store.tell(ANN)
  store.tell({ kind: 'device', id: 'd' })
  expect(forgotten).toEqual([ANN, { kind: 'device', id: 'd' }])
})

test('[REVOKE.8] logs every revocation made here, and those of other nodes that ended something', async () => {
  const store = new HandStore()
  const { revoker, opened, events } = setUp(store)
  store.tell({ kind: 'user', id: 'bob' })
  expect(events).toEqual([])
  await revoker.revoke(ANN)
  store.tell(ANN)
  opened('bob')
  store.tell({ kind: 'user', id: 'bob' })
  expect(events).toEqual([
    { event: 'login_revoked', kind: 'user', id: 'ann', ended: 0 },
    { event: 'login_revoked', kind: 'user', id: 'bob', ended: 1 },
  ])
})

test('[REVOKE.6] reports being blind once more than five seconds behind, and never without a store', () => {
  const store = new HandStore()
  const { revoker } = setUp(store)
  const blindAt = (ms: number) => {
    store.behind = ms
    return revoker.isBlind
  }
  expect([0, 5_000, 5_001, 5_000].map(blindAt)).toEqual([false, false, true, false])
  const alone = new Revoker(
    undefined,
    { recall: () => undefined, authenticate: async () => ({ allowed: false, code: 'token_invalid' }) },
    { logSecurityEvent: () => {}, afterWritten: () => {}, writable: true },
  )
  alone.start()
  expect(alone.isBlind).toBe(false)
  alone.close()
})

test('[REVOKE.7] ends open uses without a store, and stops watching once closed', async () => {
  const events: SecurityEvent[] = []
  const log = {
    logSecurityEvent: (event: SecurityEvent) => void events.push(event),
    afterWritten: () => {},
    writable: true,
  }
  const alone = new Revoker(
    undefined,
    { recall: () => undefined, authenticate: async () => ({ allowed: false, code: 'token_invalid' }) },
    log,
  )
  await alone.revoke(ANN)
  expect(events).toHaveLength(1)
  const store = new HandStore()
  const { revoker } = setUp(store)
  expect(store.watching).toBe(true)
  revoker.close()
  expect(store.watching).toBe(false)
})

test('[REVOKE.7] lets two nodes with one store apply each other’s revocations, repeatedly', async () => {
  const store = memoryRevocations()
  const [here, there] = [setUp(store), setUp(store)]
  for (let time = 0; time < 3; time++) {
    const [one, other] = [here.opened(), there.opened()]
    await (time % 2 === 0 ? here : there).revoker.revoke(ANN)
    expect([one.ended, other.ended]).toEqual([1, 1])
  }
})
