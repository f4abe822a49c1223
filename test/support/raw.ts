import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { SUBPROTOCOL_V2 } from '@bridgekeeper/protocol'
import { onTestFinished } from 'vitest'
import { showOnFailure, within } from './last-seen.ts'

/** Received bytes that a client shows when it waits in vain. */
const SHOWN_BYTES = 1_000

/** A peer that breaks every rule: writes any bytes and shows the answer. */
export class RawClient {
  readonly socket: Socket
  readonly ended: Promise<void>
  #received = Buffer.alloc(0)
  #wake = (): void => {}

  constructor(socket: Socket) {
    this.socket = socket
    socket.on('error', () => {})
    socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk])
      this.#wake()
    })
    this.ended = new Promise((resolve) =>
      socket.once('close', () => {
        this.#wake()
        resolve()
      }),
    )
    showOnFailure('a raw client', () => this.#lastSeen)
  }

  write(bytes: Buffer | string): void {
    this.socket.write(bytes)
  }

  get received(): Buffer {
    return this.#received
  }

  /** The head of the HTTP answer, once it is whole. */
  async answer(): Promise<HttpAnswer> {
    await this.until(() => this.#headEnd !== -1 || this.socket.closed)
    const head = this.#received.subarray(0, Math.max(0, this.#headEnd)).toString('latin1')
    const [first = '', ...lines] = head.split('\r\n')
    const headers = new Map(
      lines.map((line) => {
        const at = line.indexOf(':')
        return [line.slice(0, at).toLowerCase(), line.slice(at + 1).trim()] as const
      }),
    )
    const status = Number(first.split(' ')[1] ?? Number.NaN)
    const length = Number(headers.get('content-length') ?? 0)
    const start = this.#headEnd + 4
    if (status !== 101) await this.until(() => this.#received.length >= start + length || this.socket.closed)
    return { status, headers, body: this.#received.subarray(start, start + length).toString('utf8') }
  }

  /** The frames that the bridge has sent so far. */
  get frames(): readonly Frame[] {
    return this.#headEnd === -1 ? [] : readFrames(this.#received.subarray(this.#headEnd + 4))
  }

  /** The code and reason with which the bridge closes; `undefined` when it only drops the connection. */
  async closing(): Promise<{ readonly code: number; readonly reason: string } | undefined> {
    await this.until(() => this.socket.closed || this.frames.some(({ opcode }) => opcode === 8))
    const frame = this.frames.find(({ opcode }) => opcode === 8)
    if (frame === undefined) return undefined
    return { code: frame.payload.readUInt16BE(0), reason: frame.payload.toString('utf8', 2) }
  }

  /** The next message of this type, in JSON. */
  async message(type: string): Promise<Record<string, unknown>> {
    const find = () =>
      this.frames
        .filter(({ opcode }) => opcode === 1)
        .map(({ payload }) => JSON.parse(payload.toString('utf8')) as Record<string, unknown>)
        .find((message) => message.type === type)
    await this.until(() => find() !== undefined || this.socket.closed)
    const found = find()
    if (found === undefined) throw new Error(`closed before ${type} came`)
    return found
  }

  async until(isSo: () => boolean): Promise<void> {
    if (!isSo()) await within(this.#until(isSo), `end of waiting for ${isSo}`, () => this.#lastSeen)
  }

  async #until(isSo: () => boolean): Promise<void> {
    while (!isSo()) await new Promise<void>((resolve) => (this.#wake = resolve))
  }

  get #lastSeen(): string {
    const state = this.socket.closed ? 'closed' : 'open'
    return `${this.#received.subarray(-SHOWN_BYTES).toString('latin1')}\n(${this.#received.length} bytes, ${state})`
  }

  get #headEnd(): number {
    return this.#received.indexOf('\r\n\r\n')
  }
}

export interface HttpAnswer {
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
  readonly body: string
}

export interface Frame {
  readonly opcode: number
  readonly payload: Buffer
}

export interface UpgradeOptions {
  readonly path?: string
  readonly token?: string | undefined
  readonly v2?: boolean
  /** Additional header lines; `Host` replaces the default one. */
  readonly headers?: readonly string[]
  /** Source address, within 127.0.0.0/8. */
  readonly from?: string
  /** Bytes that follow the request at once. */
  readonly tail?: Buffer
}

/** The bytes of an upgrade request. */
function upgradeRequest({ path = '/api/mcp-ws', token, v2 = true, headers = [] }: UpgradeOptions): string {
  const hasHost = headers.some((line) => /^host:/i.test(line))
  return [
    `GET ${path} HTTP/1.1`,
    ...(hasHost ? [] : ['Host: 127.0.0.1']),
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Version: 13',
    'Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==',
    ...(v2 ? [`Sec-WebSocket-Protocol: ${SUBPROTOCOL_V2}`] : []),
    ...(token === undefined ? [] : [`Authorization: Bearer ${token}`]),
    ...headers,
    '\r\n',
  ].join('\r\n')
}

/** Connects by TCP. */
export async function rawClient(port: number, from = '127.0.0.1'): Promise<RawClient> {
  const socket = connect({ port, host: '127.0.0.1', localAddress: from })
  onTestFinished(() => void socket.destroy())
  const client = new RawClient(socket)
  await once(socket, 'connect')
  return client
}

/** Asks for an upgrade. */
export async function rawUpgrade(
  at: { readonly port: number },
  options: UpgradeOptions = {},
): Promise<RawClient> {
  const client = await rawClient(at.port, options.from)
  client.write(
    Buffer.concat([Buffer.from(upgradeRequest(options), 'latin1'), options.tail ?? Buffer.alloc(0)]),
  )
  return client
}

/** Sends an upgrade request. @returns the bridge's HTTP answer; the connection is closed then */
export async function tryUpgrade(
  at: { readonly port: number },
  options: UpgradeOptions = {},
): Promise<HttpAnswer & { readonly code: string | undefined }> {
  const client = await rawUpgrade(at, options)
  const answer = await client.answer()
  client.socket.destroy()
  const code = /"code":"(\w+)"/.exec(answer.body)?.[1]
  return { ...answer, code }
}

export interface FrameOptions {
  readonly opcode?: number
  readonly fin?: boolean
  readonly rsv?: number
  readonly masked?: boolean
}

/** A client's frame; members not given are valid. */
export function frame(
  payload: Buffer | string,
  { opcode = 1, fin = true, rsv = 0, masked = true }: FrameOptions = {},
): Buffer {
  const bytes = Buffer.from(payload)
  const first = (fin ? 0x80 : 0) | (rsv << 4) | opcode
  const maskBit = masked ? 0x80 : 0
  const extended = Buffer.alloc(bytes.length < 126 ? 0 : bytes.length < 65_536 ? 2 : 8)
  if (extended.length === 2) extended.writeUInt16BE(bytes.length)
  if (extended.length === 8) extended.writeBigUInt64BE(BigInt(bytes.length))
  const length = extended.length === 0 ? bytes.length : extended.length === 2 ? 126 : 127
  return Buffer.concat([
    Buffer.from([first, maskBit | length]),
    extended,
    Buffer.alloc(masked ? 4 : 0),
    bytes,
  ])
}

function readFrames(bytes: Buffer): Frame[] {
  const frames: Frame[] = []
  for (let at = 0; at + 2 <= bytes.length; ) {
    const opcode = (bytes[at] as number) & 0x0f
    let length = (bytes[at + 1] as number) & 0x7f
    let start = at + 2
    if (length === 126) {
      if (bytes.length < at + 4) break
      length = bytes.readUInt16BE(at + 2)
      start = at + 4
    } else if (length === 127) {
      if (bytes.length < at + 10) break
      length = Number(bytes.readBigUInt64BE(at + 2))
      start = at + 10
    }
    if (bytes.length < start + length) break
    frames.push({ opcode, payload: bytes.subarray(start, start + length) })
    at = start + length
  }
  return frames
}
