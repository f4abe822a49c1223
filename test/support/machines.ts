import type { TestBridge } from './bridge.ts'
import { DAY_MS } from './exchange-agent.ts'
import { type Message, type Peer, verifiedPeer } from './peer.ts'

/** An exchange as its machine sees it. */
export interface Opened {
  readonly id: string
  readonly server: string
  readonly kind: string
  readonly method: string
  // biome-ignore lint/suspicious/noExplicitAny: parameters under test have any shape
  readonly params: any
  readonly session: { readonly id: string } | undefined
  readonly resume: { readonly id: string; readonly after: number } | undefined
  // biome-ignore lint/suspicious/noExplicitAny: a message under test has any shape
  readonly message: any
}

/** Text of a JSON value, to be sent as these bytes. */
export class Raw {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

/** Answers a request of a caller: with a result, with an error, or by itself (`undefined`). */
export type Answer = (opened: Opened) => unknown

/** A local server of a test. */
export interface TestServer {
  readonly name: string
  readonly capabilities?: object
  readonly tools?: readonly object[]
  readonly instructions?: string
  readonly answer?: Answer
}

/** A connected machine whose servers the test plays. */
export interface Machine {
  readonly peer: Peer
  /** All exchanges so far. */
  readonly opened: Opened[]
  /** Ids of the exchanges that the bridge cancelled or detached. */
  readonly left: string[]
  publish(...servers: readonly TestServer[]): void
  /** Resolves once the bridge has handled everything that was sent so far. */
  settled(): Promise<void>
}

/** Connects a machine of this user, and waits until its servers are known. */
export async function connectMachine(
  at: TestBridge,
  user: string,
  ...servers: readonly TestServer[]
): Promise<Machine> {
  const peer = await verifiedPeer(at, await at.token(user, 90 * DAY_MS), { v2: true })
  const opened: Opened[] = []
  const left: string[] = []
  let published = servers
  const answerOf = (name: string): Answer | undefined => published.find((one) => one.name === name)?.answer
  peer.socket.on('message', (data) => {
    const frame = JSON.parse(String(data)) as Message
    if (frame.type === 'cancel' || frame.type === 'detach') left.push(String(frame.id))
    if (frame.type !== 'open') return
    const open = openedOf(frame)
    opened.push(open)
    if (open.kind === 'request') respond(peer, open, answerOf(open.server)?.(open))
    else if (open.kind === 'stream' && open.resume === undefined) peer.send({ type: 'accepted', id: open.id })
    else if (open.kind !== 'stream')
      peer.send({ type: 'end', id: open.id, status: open.kind === 'note' ? 202 : 200 })
  })
  const publish = (...now: readonly TestServer[]): void => {
    published = now
    peer.send({ type: 'catalog', servers: now.map(entryOf) })
  }
  const settled = async (): Promise<void> => {
    peer.send({ type: 'ping' })
    await peer.next('pong')
  }
  publish(...servers)
  await settled()
  return { peer, opened, left, publish, settled }
}

export function error(code: number, message = 'No.'): Raw {
  return new Raw(`"error":${JSON.stringify({ code, message })}`)
}

/** Sends the answer of a request. */
function respond(peer: Peer, { id, message }: Opened, result: unknown): void {
  if (result === undefined) return
  const member = result instanceof Raw ? result.text : `"result":${JSON.stringify(result)}`
  const answer = `{"jsonrpc":"2.0","id":${JSON.stringify(message.id)},${member}}`
  peer.send(`{"type":"end","id":"${id}","status":200,"message":${answer}}`)
}

function openedOf({ id, server, kind, session, resume, message }: Message): Opened {
  const { method, params } = (message ?? {}) as { method?: string; params?: unknown }
  return { id, server, kind, session, resume, message, method: method ?? '', params } as Opened
}

function entryOf({ name, capabilities = { tools: {} }, tools = [], instructions }: TestServer): object {
  const listed = tools.map((definition) => ({ hash: '0'.repeat(64), definition }))
  const info = { name, version: '1' }
  return { state: 'ready', name, serverInfo: info, capabilities, instructions, tools: listed, eras: ['2025'] }
}
