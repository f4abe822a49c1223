/** Child processes of this benchmark. Each answers one question at a time. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { BareAnswers } from './bare.ts'
import type { BridgeAnswers } from './bridge.ts'
import type { CrowdAnswers } from './crowd.ts'

/** Answers of the process of each file. */
export interface Programs {
  readonly './bare.ts': BareAnswers
  readonly './bridge.ts': BridgeAnswers
  readonly './crowd.ts': CrowdAnswers
}

type Answers<F extends keyof Programs> = Programs[F]
type Asked<A, Q extends keyof A> = A[Q] extends (argument: infer I) => infer O ? [I, Awaited<O>] : never

const ANSWER_MS = 120_000
const STOP_MS = 3_000

interface Reply {
  readonly value?: unknown
  readonly error?: string
}

/** The parent's end of a child process. */
export class Child<F extends keyof Programs> {
  readonly #process: ChildProcess
  readonly #file: F

  private constructor(file: F, process: ChildProcess) {
    this.#file = file
    this.#process = process
  }

  static async start<F extends keyof Programs>(
    file: F,
    env: Readonly<Record<string, string>> = {},
    nodeOptions: readonly string[] = [],
  ): Promise<Child<F>> {
    const child = fork(new URL(file, import.meta.url), [], {
      env: { ...process.env, ...env },
      execArgv: ['--expose-gc', ...nodeOptions],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    })
    const started = new Child(file, child)
    await started.#reply()
    return started
  }

  async ask<Q extends keyof Answers<F> & string>(
    question: Q,
    argument: Asked<Answers<F>, Q>[0],
  ): Promise<Asked<Answers<F>, Q>[1]> {
    this.#process.send({ question, argument })
    return (await this.#reply()) as Asked<Answers<F>, Q>[1]
  }

  async stop(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    const gone = once(this.#process, 'exit')
    this.#process.disconnect()
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), STOP_MS)
    await gone
    clearTimeout(timer)
  }

  async #reply(): Promise<unknown> {
    const reply = await new Promise<Reply>((resolve, reject) => {
      const settle = (act: () => void): void => {
        clearTimeout(timer)
        this.#process.off('message', onMessage).off('exit', onExit)
        act()
      }
      const onMessage = (message: unknown): void => settle(() => resolve(message as Reply))
      const onExit = (): void => settle(() => reject(new Error(`${this.#file} ended`)))
      const timer = setTimeout(() => settle(() => reject(new Error(`${this.#file} is silent`))), ANSWER_MS)
      this.#process.on('message', onMessage).on('exit', onExit)
    })
    if (reply.error !== undefined) throw new Error(`${this.#file}: ${reply.error}`)
    return reply.value
  }
}
