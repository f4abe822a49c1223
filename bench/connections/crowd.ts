/** Many agents in one process, each from an address that a hundred share. */
import { createHash, createPrivateKey, hash, type JsonWebKey, randomBytes, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { TLSSocket } from 'node:tls'
import { agentSigned, SUBPROTOCOL_V2, transcript } from '@bridgekeeper/protocol'
import { WebSocket } from 'ws'
import { CATALOG } from '../frames.ts'
import { answer } from './answer.ts'
import { answerOpen, heldSessions, holdSession, type OpenedExchange } from './idle-session.ts'
import { sharedMs } from './usage.ts'

export interface Login {
  readonly userId: string
  readonly sessionId: string
  readonly token: string
  /** Proves this machine's key; without it, the agent answers the echo of v1. */
  readonly device?: Device
}

export interface Device {
  readonly deviceId: string
  readonly keyId: string
  readonly privateKey: JsonWebKey
}

interface Challenge {
  readonly type: 'challenge' | 'challenge_verified' | 'pong'
  readonly challenge: string
  readonly proof?: { readonly connectionId: string; readonly keyId: string; readonly binding: string }
}

interface Opening {
  readonly url: string
  /** A login for each agent; a number opens plain sockets. */
  readonly logins: readonly Login[] | number
  readonly atOnce: number
  /** Number of logins that also hold an idle MCP session at their agent. Default 0. */
  readonly sessions?: number
}

/** How an agent's socket ended. */
interface Ended {
  readonly atMs: number
  readonly code: number
}

export interface CrowdAnswers {
  /** Resolves once all are verified. @returns how long that took */
  open(opening: Opening): Promise<number>
  /** Numbers of agents that are connected, and of sessions whose stream is open. */
  idle(argument: undefined): { readonly agents: number; readonly sessions: number }
  /** Ends all. Resolves once they have ended. */
  close(argument: undefined): Promise<void>
  /** Resolves once all have ended. @returns how, in the order in which they were opened */
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

  /** @param hasServer whether it reports a local server that takes exchanges */
  constructor(url: string, login: Login | undefined, hasServer: boolean) {
    const isV2 = hasServer || login?.device !== undefined
    this.socket = new WebSocket(url, isV2 ? [SUBPROTOCOL_V2] : [], {
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
      else
        this.socket.on('message', (frame) =>
          this.#answer(JSON.parse(String(frame)), login, hasServer, resolve),
        )
    })
    // The waiting caller gets the error.
    this.ready.catch(() => {})
  }

  #answer(message: Challenge | OpenedExchange, login: Login, hasServer: boolean, ready: () => void): void {
    if (message.type === 'challenge_verified') return hasServer ? this.#report() : ready()
    if (message.type === 'pong') return ready()
    if (message.type === 'open') return answerOpen(this.socket, message)
    const { device } = login
    if (device !== undefined) return this.#prove(message, login, device)
    const response = hash('sha256', `${message.challenge}${login.userId}${login.sessionId}`)
    this.socket.send(JSON.stringify({ type: 'challenge_response', response }))
  }

  #report(): void {
    this.socket.send(CATALOG)
    // Its answer means that the bridge has read the catalog.
    this.socket.send('{"type":"ping"}')
  }

  #prove({ challenge, proof }: Challenge, login: Login, { deviceId, keyId, privateKey }: Device): void {
    if (proof === undefined) throw new Error('the bridge asked for no proof')
    const url = new URL(this.socket.url)
    const nonce = randomBytes(32)
    const bound = proof.binding === 'tls-exporter'
    const facts = transcript({
      purpose: 'connect',
      offeredSubprotocols: SUBPROTOCOL_V2,
      origin: `${url.protocol === 'wss:' ? 'https' : 'http'}://${url.host}`,
      path: url.pathname,
      connectionId: proof.connectionId,
      challenge: Buffer.from(challenge, 'hex'),
      nonce,
      userId: login.userId,
      sessionId: login.sessionId,
      deviceId,
      keyId,
      generation: 1,
      bridgeKeyId: proof.keyId,
      tokenHash: createHash('sha256').update(login.token).digest(),
      bindingType: bound ? 'tls-exporter' : 'none',
      bindingValue: bound
        ? below(this.socket).exportKeyingMaterial(32, 'EXPORTER-Channel-Binding', Buffer.alloc(0))
        : Buffer.alloc(0),
      previous: '',
    })
    const key = createPrivateKey({ key: privateKey, format: 'jwk' })
    const signature = sign(null, agentSigned(facts), key).toString('base64url')
    const answer = { keyId, nonce: nonce.toString('base64url'), previous: '', signature }
    this.socket.send(JSON.stringify({ type: 'challenge_response', proof: answer }))
  }
}

/** The TCP or TLS socket below; `ws` does not say so in its types. */
function below(socket: WebSocket): TLSSocket {
  return (socket as WebSocket & { readonly _socket: TLSSocket })._socket
}

/** 127.1.0.1 and so on, a new one for each hundred. */
function nextAddress(): string {
  const address = Math.floor(opened++ / PER_ADDRESS)
  return `127.${1 + ((address >> 15) & 63)}.${(address >> 7) & 255}.${1 + (address & 127)}`
}

const answers: CrowdAnswers = {
  async open({ url, logins, atOnce, sessions = 0 }) {
    const waiting = typeof logins === 'number' ? Array.from({ length: logins }, () => undefined) : [...logins]
    let sessionsLeft = sessions
    const startMs = sharedMs()
    const openSome = async (): Promise<void> => {
      while (waiting.length > 0) {
        const login = waiting.shift()
        const hasSession = sessionsLeft-- > 0
        const agent = new Agent(url, login, hasSession)
        agents.push(agent)
        await agent.ready
        if (hasSession && login !== undefined) await holdSession(Number(new URL(url).port), login.token)
      }
    }
    await Promise.all(Array.from({ length: atOnce }, openSome))
    return sharedMs() - startMs
  },
  idle: () => ({
    agents: agents.filter(({ socket }) => socket.readyState === socket.OPEN).length,
    sessions: heldSessions(),
  }),
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
