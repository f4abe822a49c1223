import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { FromChild, Ready, ToChild } from './child.ts'

const START_TIMEOUT_MS = 15_000
const ANSWER_TIMEOUT_MS = 5_000
const STOP_TIMEOUT_MS = 3_000

/** A process of the benchmark, started from a file beside this one. */
export class BenchProcess {
  readonly ready: Ready
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, ready: Ready) {
    this.#child = child
    this.ready = ready
  }

  /** Starts it and waits until it says that it is ready. */
  static async start(file: string, env: Readonly<Record<string, string>> = {}): Promise<BenchProcess> {
    // Standard output is not read: a log that is written there costs its writing, as in production.
    const child = fork(new URL(file, import.meta.url), [], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    try {
      const message = await nextMessage(child, START_TIMEOUT_MS)
      if (!('ready' in message)) throw new Error(`${file} spoke before it was ready`)
      return new BenchProcess(child, message.ready)
    } catch (error) {
      child.kill('SIGKILL')
      throw new Error(`${file} did not start`, { cause: error })
    }
  }

  /** CPU it has used since it began. One question at a time. */
  async cpuMicros(): Promise<number> {
    const question: ToChild = 'cpu'
    this.#child.send(question)
    const message = await nextMessage(this.#child, ANSWER_TIMEOUT_MS)
    if (!('cpuMicros' in message)) throw new Error('the process did not answer the question')
    return message.cpuMicros
  }

  /** Ends it and waits until it is gone. */
  async stop(): Promise<void> {
    const child = this.#child
    if (child.exitCode !== null || child.signalCode !== null) return
    const gone = once(child, 'exit')
    if (child.connected) child.disconnect()
    const timer = setTimeout(() => child.kill('SIGKILL'), STOP_TIMEOUT_MS)
    await gone
    clearTimeout(timer)
  }
}

function nextMessage(child: ChildProcess, timeoutMs: number): Promise<FromChild> {
  return new Promise((resolve, reject) => {
    const settle = (act: () => void) => {
      clearTimeout(timer)
      child.off('message', onMessage).off('exit', onExit)
      act()
    }
    const onMessage = (message: unknown) => settle(() => resolve(message as FromChild))
    const onExit = (code: number | null) => settle(() => reject(new Error(`it ended with code ${code}`)))
    const timer = setTimeout(() => settle(() => reject(new Error('it said nothing in time'))), timeoutMs)
    child.on('message', onMessage).on('exit', onExit)
  })
}
