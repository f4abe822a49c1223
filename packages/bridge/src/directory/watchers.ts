import { Groups } from '../collections/groups.ts'

/** Requests of one user that wait for servers to start. */
const MAX_START_WAITS = 64

/** Calls back when the servers of a user may have changed. */
export class Watchers {
  readonly #lasting = new Groups<() => void>()
  readonly #waiting = new Groups<() => void>()

  notify(userId: string): void {
    for (const changed of this.#waiting.get(userId)) changed()
    for (const changed of this.#lasting.get(userId)) changed()
  }

  /** @returns stops the calls */
  watch(userId: string, changed: () => void): () => void {
    return added(this.#lasting, userId, changed)
  }

  /** The same for a request that waits. @returns `undefined` if too many wait already */
  wait(userId: string, changed: () => void): (() => void) | undefined {
    if (this.#waiting.get(userId).length >= MAX_START_WAITS) return undefined
    return added(this.#waiting, userId, changed)
  }
}

function added(groups: Groups<() => void>, userId: string, changed: () => void): () => void {
  const listener = (): void => changed()
  groups.add(userId, listener)
  return () => groups.remove(userId, listener)
}
