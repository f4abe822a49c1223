/** Resource usage that a server's process reports. */
interface Usage {
  readonly cpuMicros: number
}

export interface Memory {
  /** Bytes in use on V8's heap and beside it, after collections. */
  readonly usedBytes: number
  readonly rssBytes: number
}

/** Messages that both servers answer. */
export interface ServerAnswers {
  cpu(argument: undefined): Usage
  memory(argument: undefined): Promise<Memory>
}

export const serverAnswers: ServerAnswers = {
  cpu: () => {
    const { user, system } = process.cpuUsage()
    return { cpuMicros: user + system }
  },
  async memory() {
    // More than one, since what a collection finalises is freed by the next.
    for (let times = 0; times < 4; times++) {
      global.gc?.()
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
    const { heapUsed, external, rss } = process.memoryUsage()
    return { usedBytes: heapUsed + external, rssBytes: rss }
  },
}

/** The clock that all processes of the machine share. */
export function sharedMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}
