import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Writable } from 'node:stream'
import manifest from '../../package.json' with { type: 'json' }
import { type Bridge, createBridge } from '../bridge.ts'
import type { SecurityLog, System } from '../ports.ts'
import type { ChainedLog } from '../security-log/security-log.ts'
import { streamSink } from '../security-log/stream-sink.ts'
import { DataFolder } from './data-folder.ts'
import { openNodeLog } from './node-log.ts'
import type { Environment } from './secret.ts'
import { SetupError } from './setup-error.ts'

export interface ServeOptions {
  readonly host: string
  /** 0 lets the system choose. */
  readonly port: number
  readonly dataFolder: string
  readonly env: Environment
  readonly system: System
  /** Where the lines of the security log go besides its file, such as standard output. */
  readonly logTo?: Writable
}

/** A running node. */
export interface Node {
  /** Where it listens, e.g. `http://127.0.0.1:8787`. */
  readonly url: string
  readonly data: DataFolder
  readonly bridge: Bridge
  readonly securityLog: SecurityLog
  /** Stops accepting, lets calls end within the limit, closes everything. */
  close(): Promise<void>
}

/** A peer that dawdles over its request headers is cut after this. */
const HEADERS_MS = 10_000
const REQUEST_MS = 60_000
const MAX_CALL_TIMEOUT_MS = 86_400_000
/** Requests still open this long after the bridge closed are cut. */
const HTTP_CLOSE_MS = 2_000

/**
 * Starts a node with embedded state.
 * @throws SetupError when it cannot start; nothing is left open then
 */
export async function serve(options: ServeOptions): Promise<Node> {
  const { system } = options
  const timeoutMs = callTimeoutMs(options.env.BRIDGEKEEPER_CALL_TIMEOUT_MS)
  const data = new DataFolder(options.dataFolder, options.env, system)
  const server = createServer({ headersTimeout: HEADERS_MS, requestTimeout: REQUEST_MS })
  try {
    await listen(server, options)
  } catch (error) {
    data.close()
    throw error
  }
  // From here to `attach` nothing waits, so that no request comes in between.
  const { bridge, log } = openOrClose()
  bridge.attach(server)

  function openOrClose(): { readonly bridge: Bridge; readonly log: ChainedLog } {
    try {
      const sinks = options.logTo === undefined ? [] : [streamSink(options.logTo, system)]
      const log = openNodeLog({ path: options.dataFolder, data, system, sinks })
      log.logSecurityEvent({ event: 'bridge_started', version: manifest.version })
      const bridge = createBridge({
        authenticator: data.claim(),
        ...(timeoutMs !== undefined && { callTimeoutMs: timeoutMs }),
        system,
      })
      return { bridge, log }
    } catch (error) {
      server.close()
      data.close()
      throw error
    }
  }

  async function close(): Promise<void> {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()))
    await bridge.close()
    server.closeIdleConnections()
    const cancel = system.after(HTTP_CLOSE_MS, () => server.closeAllConnections())
    await closed
    cancel()
    log.logSecurityEvent({ event: 'bridge_stopped' })
    await log.close()
    data.close()
  }

  return { url: urlOf(server, options.host), data, bridge, securityLog: log, close }
}

function listen(server: Server, { host, port }: ServeOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, host, port)))
    server.listen(port, host, resolve)
  })
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): SetupError {
  if (error.code === 'EADDRINUSE') {
    return new SetupError(
      'port_taken',
      `Port ${port} on ${host} is taken; perhaps a bridge runs there already.`,
      `Stop what runs there, or choose another port: --port ${port + 1}, or PORT=${port + 1} in the environment.`,
      { cause: error },
    )
  }
  return new SetupError(
    'address_unusable',
    `Cannot listen on ${host}:${port}: ${error.message}`,
    'Choose another --host or --port.',
    {
      cause: error,
    },
  )
}

function urlOf(server: Server, host: string): string {
  const { port } = server.address() as AddressInfo
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** @throws SetupError */
function callTimeoutMs(text: string | undefined): number | undefined {
  if (text === undefined || text === '') return undefined
  const value = Number(text)
  if (Number.isInteger(value) && value > 0 && value <= MAX_CALL_TIMEOUT_MS) return value
  throw new SetupError(
    'setting_invalid',
    `BRIDGEKEEPER_CALL_TIMEOUT_MS is ${JSON.stringify(text)}.`,
    `Give whole milliseconds, at most ${MAX_CALL_TIMEOUT_MS}.`,
  )
}
