import type { ClientTrait, Era } from '@bridgekeeper/protocol'
import { onTestFinished } from 'vitest'
import type { ServerEntry } from '../../src/config/entry.ts'
import type {
  Instance,
  InstanceFault,
  InstanceKey,
  Instances,
  Lease,
  ServerMessage,
} from '../../src/servers/instance.ts'
import { entry, FakeChild, runFakes, settled, type World } from './fake-child.ts'

const never = new AbortController().signal

export function key(era: Era, ...traits: ClientTrait[]): InstanceKey {
  return { era, traits }
}

/** @throws Error if there is a fault instead */
export function ok<T extends object>(started: T | InstanceFault): T {
  if ('fault' in started) throw new Error(JSON.stringify(started))
  return started
}

/** Runs a ready server whose processes are fake, and the instances of it. */
export async function fakeInstances(
  next: World['next'] = [],
  changes: Partial<Extract<ServerEntry, { kind: 'stdio' }>> = {},
) {
  const world: World = { children: [], happened: [], next, spawned: [] }
  const run = runFakes(world, [entry(changes)])
  await settled()
  onTestFinished(async () => {
    const stopped = run.servers.stop()
    await run.system.advance(60_000)
    await stopped
  })
  const instances = run.servers.instances('s') as Instances
  return {
    ...run,
    ...{ children: world.children, instances },
    /** The process of an instance, found by a message to it. */
    childOf: (instance: Instance): FakeChild => {
      instance.notify('test/find', Buffer.from('{}'))
      const child = world.children.find(({ lines }) => lines.at(-1)?.method === 'test/find')
      if (child === undefined) throw new Error('It has no process.')
      child.lines.pop()
      return child
    },
    shared: async (wanted: InstanceKey, client?: string) => ok(await instances.shared(wanted, client)),
    lease: async (wanted: InstanceKey, owner: object = {}, prefer?: Instance): Promise<Lease> =>
      ok(await instances.lease(wanted, owner, { signal: never, prefer })),
  }
}

/** A fake process with other behaviour. */
export function child(changes: Partial<FakeChild>): () => FakeChild {
  return () => Object.assign(new FakeChild(), changes)
}

/** Records the messages that an instance hands on. */
export function messagesOf(instance: Instance): readonly ServerMessage[] {
  const messages: ServerMessage[] = []
  instance.onMessage = (message) => messages.push(message)
  return messages
}
