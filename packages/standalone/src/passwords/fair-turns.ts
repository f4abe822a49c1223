export interface TurnLimits {
  /** Jobs that run at the same time. */
  readonly maxAtOnce: number
  /** Jobs that wait, of all askers together. */
  readonly maxWaiting: number
}

interface Waiting {
  readonly start: () => void
  readonly refuse: () => void
}

/**
 * Runs a few jobs at a time. Askers take turns, regardless of how many jobs each has waiting. If the queue is
 * full, the asker with the most jobs loses one.
 */
export class FairTurns {
  readonly #limits: TurnLimits
  readonly #busy: () => Error
  /** By asker; the first one is next. No queue is empty. */
  readonly #queues = new Map<string, Waiting[]>()
  #running = 0
  #waiting = 0

  /** @param busy creates the error for a job that is refused */
  constructor(limits: TurnLimits, busy: () => Error) {
    this.#limits = limits
    this.#busy = busy
  }

  /** Runs the job when it is the asker's turn. Rejects with `busy` if the queue is full. */
  async run<T>(asker: string, job: () => Promise<T>): Promise<T> {
    if (this.#running < this.#limits.maxAtOnce) this.#running++
    else await this.#wait(asker)
    try {
      return await job()
    } finally {
      const next = this.#next()
      if (next === undefined) this.#running--
      else next.start()
    }
  }

  #wait(asker: string): Promise<void> {
    const queue = this.#queues.get(asker) ?? []
    if (this.#waiting >= this.#limits.maxWaiting && !this.#makeRoom(queue.length)) throw this.#busy()
    this.#queues.set(asker, queue)
    this.#waiting++
    return new Promise((start, reject) => queue.push({ start, refuse: () => reject(this.#busy()) }))
  }

  /** Refuses the newest job of the longest queue, if that queue stays at least as long as the asker's. */
  #makeRoom(ownLength: number): boolean {
    const longest = [...this.#queues.values()].reduce((a, b) => (b.length > a.length ? b : a))
    if (longest.length <= ownLength + 1) return false
    longest.pop()?.refuse()
    this.#waiting--
    return true
  }

  #next(): Waiting | undefined {
    const [first] = this.#queues
    if (first === undefined) return undefined
    const [asker, queue] = first
    this.#queues.delete(asker)
    const next = queue.shift()
    if (queue.length > 0) this.#queues.set(asker, queue)
    this.#waiting--
    return next
  }
}
