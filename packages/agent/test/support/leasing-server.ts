import type { InstanceKey, Lease } from '../../src/servers/instance.ts'
import { FakeInstance, FakeServer } from './fake-server.ts'

/** A fake server with one process for each owner of a lease, as in the agent. The next owner gets a free process. */
export class LeasingServer extends FakeServer {
  readonly #leases = new Map<FakeInstance, number>()

  override async lease(key: InstanceKey, owner: object): Promise<Lease> {
    const leased = [...this.#leases.keys()]
    const instance =
      leased.find((each) => each.owner === owner) ??
      leased.find((each) => each.owner === undefined) ??
      new FakeInstance(key)
    instance.owner = owner
    if (!this.started.includes(instance)) this.started.push(instance)
    this.#leases.set(instance, (this.#leases.get(instance) ?? 0) + 1)
    const release = () => {
      const left = (this.#leases.get(instance) ?? 0) - 1
      this.#leases.set(instance, left)
      if (left === 0) instance.owner = undefined
    }
    return { instance, isExclusive: true, release, park: () => {} }
  }
}
