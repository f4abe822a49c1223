import type { Directory } from '../directory/directory.ts'
import type { System } from '../ports.ts'

/** Clients cache the first list that they get, and many give up after ten seconds. */
const WAIT_MS = 5_000

/** Lets requests wait a little for local servers that start. */
export class FirstStart {
  readonly #directory: Pick<Directory, 'wait'>
  readonly #system: System

  constructor(directory: Pick<Directory, 'wait'>, system: System) {
    this.#directory = directory
    this.#system = system
  }

  /**
   * [ROUTE.8] Resolves when the user's servers no longer start, at the latest after five seconds. A user's
   * 65th request does not wait.
   *
   * @param isStarting called again after every change
   * @param onEnd receives a function that ends the wait at once
   */
  wait(userId: string, isStarting: () => boolean, onEnd: (end: () => void) => void): Promise<void> {
    return new Promise((resolve) => {
      const stop = this.#directory.wait(userId, () => {
        if (!isStarting()) end()
      })
      const cancel = stop && this.#system.after(WAIT_MS, () => end())
      const end = (): void => {
        stop?.()
        cancel?.()
        resolve()
      }
      onEnd(end)
      if (stop === undefined) end()
    })
  }
}
