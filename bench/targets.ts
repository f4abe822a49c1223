import { BenchProcess } from './processes.ts'

const AGENT_PATHS = { relay: '/', bridge: '/api/mcp-ws' } as const
export type TargetKind = keyof typeof AGENT_PATHS

/** A measured target: a relay or a bridge, and the agent that is connected to it. */
export class Target {
  readonly kind: TargetKind
  readonly middle: BenchProcess
  readonly agent: BenchProcess

  private constructor(kind: TargetKind, middle: BenchProcess, agent: BenchProcess) {
    this.kind = kind
    this.middle = middle
    this.agent = agent
  }

  /** Starts new processes for both. @param env more of the environment of the relay or bridge */
  static async start(kind: TargetKind, env: Readonly<Record<string, string>> = {}): Promise<Target> {
    const middle = await BenchProcess.start(`./${kind}.ts`, env)
    const { port, login } = middle.ready
    try {
      const agent = await BenchProcess.start('./echo-agent.ts', {
        BENCH_URL: `ws://127.0.0.1:${port}${AGENT_PATHS[kind]}`,
        ...(login !== undefined && { BENCH_LOGIN: JSON.stringify(login) }),
      })
      return new Target(kind, middle, agent)
    } catch (error) {
      await middle.stop()
      throw error
    }
  }

  get address(): { readonly port: number; readonly token: string | undefined } {
    const { port, login } = this.middle.ready
    return { port, token: login?.token }
  }

  /** Ends both. */
  async stop(): Promise<void> {
    await this.agent.stop()
    await this.middle.stop()
  }
}
