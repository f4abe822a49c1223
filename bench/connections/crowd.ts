/** Many agents in one process, each from an address that a hundred share. */
import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { WebSocket } from 'ws'
import { answer } from './child.ts'
import { sharedMs } from './usage.ts'

export interface Login {
  readonly userId: string
  readonly sessionId: string
  readonly token: string
}

export interface Opening {
  readonly url: string
  /** One for each agent; without them so many plain sockets. */
  readonly logins: readonly Login[] | number
  readonly atOnce: number
}

/** How an agent's socket ended. */
export interface Ended {
  readonly atMs: number
  readonly code: number
}

export interface CrowdAnswers {
  /** Resolves once all are verified. @returns how long that took */
  open(opening: Opening): Promise<number>
  /** Ends all. Resolves once they have ended. */
  close(argument: undefined): Promise<void>
  /** Resolves once all have ended by themselves. @returns how, in the order in which they were opened */
  ended(argument: undefined): Promise<readonly Ended[]>
}

/** Fewer than the bridge lets one address open and try. */
const PER_ADDRESS = 100
const { BENCH_CERT } = process.env
const ca = BENCH_CERT === undefined ? undefined : readFileSync(BENCH_CERT)

let opened = 0
let agents: Agent[] = []

class Agent {
  readonly ready: Promise<void>
  readonly ended: Promise<Ended>
  readonly socket: WebSocket

  constructor(url: string, login: Login | undefined) {
    this.socket = new WebSocket(url, {
      perMessageDeflate: false,
      localAddress: nextAddress(),
      ...(ca !== undefined && { ca }),
      ...(login !== undefined && { headers: { authorization: `Bearer ${login.token}` } }),
    })
    this.ended = new Promise((resolve) =>
      this.socket.on('close', (code) => resolve({ atMs: sharedMs(), code })),
    )
    this.ready = new Promise((resolve, reject) => {
      this.socket.on('error', reject)
      this.socket.on('close', (code, reason) => reject(new Error(`closed: ${code} ${reason}`)))
      if (login === undefined) this.socket.on('open', resolve)
      else this.socket.on('message', (frame) => this.#answer(JSON.parse(String(frame)), login, resolve))
    })
    // Whoever waits for it hears of it.
    this.ready.catch(() => {})
  }

  #answer(message: { type: string; challenge?: string }, login: Login, verified: () => void): void {
    if (message.type === 'challenge_verified') return verified()
    const response = hash('sha256', `${message.challenge}${login.userId}${login.sessionId}`)
    this.socket.send(JSON.stringify({ type: 'challenge_response', response }))
  }
}

/** 127.1.0.1 and so on, a new one for each hundred. */
function nextAddress(): string {
  const address = Math.floor(opened++ / PER_ADDRESS)
  return `127.${1 + ((address >> 15) & 63)}.${(address >> 7) & 255}.${1 + (address & 127)}`
}

const answers: CrowdAnswers = {
  async open({ url, logins, atOnce }) {
    const waiting = typeof logins === 'number' ? Array.from({ length: logins }, () => undefined) : [...logins]
    const startMs = sharedMs()
    const openSome = async (): Promise<void> => {
      while (waiting.length > 0) {
        const agent = new Agent(url, waiting.shift())
        agents.push(agent)
        await agent.ready
      }
    }
    await Promise.all(Array.from({ length: atOnce }, openSome))
    return sharedMs() - startMs
  },
  async close() {
    const ending = agents
    agents = []
    for (const { socket } of ending) socket.terminate()
    await Promise.all(ending.map(({ ended }) => ended))
  },
  async ended() {
    const ending = agents
    agents = []
    return Promise.all(ending.map(({ ended }) => ended))
  },
}
answer(answers)
