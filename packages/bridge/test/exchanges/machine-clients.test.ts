import { expect, test } from 'vitest'
import type { ClientLogin } from '../../src/exchanges/exchange.ts'
import { MAX_AWAY, MAX_CLIENTS, MachineClients } from '../../src/exchanges/machine-clients.ts'
import { FakeConnection } from '../support/fake-connection.ts'

/** A login that the test revokes. */
class Login implements ClientLogin {
  readonly items = new Set<{ revoked(): void }>()
  isValid = true

  open(item: { revoked(): void }): boolean {
    if (this.isValid) this.items.add(item)
    return this.isValid
  }

  close(item: { revoked(): void }): void {
    this.items.delete(item)
  }

  revoke(): void {
    for (const item of this.items) item.revoked()
  }
}

test('[EXCH.12] remembers a valid login once for each machine, and none of the app', () => {
  const clients = new MachineClients()
  const machine = new FakeConnection('ann', 'machine')
  const login = new Login()
  for (let count = 0; count < 3; count++) clients.used({ name: 'eve', login }, machine)
  clients.used({ name: 'app', login: undefined }, machine)
  const revoked = Object.assign(new Login(), { isValid: false })
  clients.used({ name: 'late', login: revoked }, machine)
  expect(login.items.size).toBe(1)
  login.revoke()
  expect(machine.sent).toEqual([{ type: 'revoke', client: 'eve' }])
})

test('[EXCH.12] notifies the new connection of a machine whose old one ends late', () => {
  const clients = new MachineClients()
  const [first, second] = [new FakeConnection('ann', 'machine'), new FakeConnection('ann', 'machine')]
  const login = new Login()
  clients.used({ name: 'eve', login }, first)
  clients.connected(second)
  clients.ended(first)
  login.revoke()
  expect([first.sent, second.sent]).toEqual([[], [{ type: 'revoke', client: 'eve' }]])
})

test('[EXCH.12] forgets the login that used a machine longest ago', () => {
  const clients = new MachineClients()
  const machine = new FakeConnection('ann', 'machine')
  const logins = Array.from({ length: MAX_CLIENTS + 1 }, () => new Login())
  const use = (at: number): void =>
    clients.used({ name: `client ${at}`, login: logins[at] as Login }, machine)
  for (let at = 0; at < MAX_CLIENTS; at++) use(at)
  use(0)
  use(MAX_CLIENTS)
  expect(logins.flatMap(({ items }, at) => (items.size === 0 ? [at] : []))).toEqual([1])
})

test('[EXCH.12] forgets the machine that left longest ago', () => {
  const clients = new MachineClients()
  const logins = Array.from({ length: MAX_AWAY + 1 }, (_, at) => {
    const login = new Login()
    const machine = new FakeConnection('ann', `machine ${at}`)
    clients.used({ name: 'eve', login }, machine)
    clients.ended(machine)
    return login
  })
  expect(logins.flatMap(({ items }, at) => (items.size === 0 ? [at] : []))).toEqual([0])
})
