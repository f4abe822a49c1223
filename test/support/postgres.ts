import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import { missingDebianCommand } from '../../scripts/debian.ts'
import { atEnd } from './at-end.ts'

/** Debian keeps the server's programs off the search path, one folder for each version. */
const DEBIAN_PROGRAMS = '/usr/lib/postgresql'
const START_MS = 60_000
const USER = 'bridge'
/** With all that a URL must escape. */
const PASSWORD = 'p@ss:w/rd %3F#'

/** A PostgreSQL of the test's own, on a free port, gone with the test or the file that started it. */
export interface Postgres {
  readonly port: number
  readonly password: string
  /** The address of a new, empty database. */
  fresh(): Promise<string>
  /** Queries as an operator, in the database of this address. */
  query(url: string, sql: string): Promise<readonly Record<string, unknown>[]>
  /** Cuts all connections at once, and refuses new ones until it is started again on the same port. */
  stop(): Promise<void>
  start(): Promise<void>
}

/**
 * Starts PostgreSQL.
 * @throws with the package to install, if it is missing and cannot be installed
 */
export async function startPostgres(): Promise<Postgres> {
  const programs = findPrograms()
  const owner = unprivilegedUser()
  const folder = mkdtempSync(join(tmpdir(), 'bridgekeeper-pg-'))
  atEnd(() => rmSync(folder, { recursive: true, force: true }))
  const data = join(folder, 'data')
  mkdirSync(data, { mode: 0o700 })
  if (owner !== undefined) for (const path of [folder, data]) chownSync(path, owner.uid, owner.gid)
  initialise(join(programs, 'initdb'), data, owner)
  const port = await freePort()
  const server = new Server(join(programs, 'postgres'), data, folder, port, owner)
  atEnd(() => server.stop())
  await server.start()
  await asAdmin(folder, port, `create role ${USER} login createdb password '${PASSWORD}'`)
  let count = 0
  return {
    port,
    password: PASSWORD,
    async fresh() {
      const name = `test_${++count}`
      await asAdmin(folder, port, `create database ${name} owner ${USER}`)
      return `postgres://${USER}:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}/${name}`
    },
    query: (url, sql) => run({ connectionString: url }, sql),
    stop: () => server.stop(),
    start: () => server.start(),
  }
}

interface Owner {
  readonly uid: number
  readonly gid: number
}

class Server {
  readonly #command: string
  readonly #args: readonly string[]
  readonly #owner: Owner | undefined
  readonly #ready: () => Promise<unknown>
  #process: ChildProcess | undefined

  constructor(command: string, data: string, sockets: string, port: number, owner: Owner | undefined) {
    this.#command = command
    this.#owner = owner
    const settings = {
      listen_addresses: '127.0.0.1',
      unix_socket_directories: sockets,
      port,
      max_connections: 200,
      // Tests need no durability over a crash of the machine. But a commit outlives the server.
      fsync: 'off',
      full_page_writes: 'off',
      shared_buffers: '32MB',
    }
    const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    this.#args = ['-D', data, ...flags]
    this.#ready = () => asAdmin(sockets, port, 'select 1')
  }

  async start(): Promise<void> {
    const server = spawn(this.#command, this.#args, { ...this.#owner, stdio: ['ignore', 'ignore', 'pipe'] })
    this.#process = server
    let printed = ''
    server.stderr.on('data', (bytes) => {
      printed = (printed + bytes).slice(-4_000)
    })
    for (const endMs = Date.now() + START_MS; ; ) {
      if (await this.#ready().then(Boolean, () => false)) return
      if (server.exitCode !== null || Date.now() > endMs)
        throw new Error(`PostgreSQL did not start: ${printed}`)
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }

  async stop(): Promise<void> {
    const server = this.#process
    this.#process = undefined
    if (server === undefined || server.exitCode !== null) return
    const ended = new Promise((resolve) => server.once('exit', resolve))
    // Its immediate shutdown: it ends its children, and the next start recovers.
    server.kill('SIGQUIT')
    await ended
  }
}

function findPrograms(): string {
  const newest = (): string | undefined =>
    (existsSync(DEBIAN_PROGRAMS) ? readdirSync(DEBIAN_PROGRAMS) : [])
      .sort((a, b) => Number(b) - Number(a))
      .map((version) => join(DEBIAN_PROGRAMS, version, 'bin'))
      .find((folder) => existsSync(join(folder, 'initdb')))
  const found = newest()
  if (found !== undefined) return found
  const missing = missingDebianCommand('pg_ctlcluster', 'postgresql')
  const installed = newest()
  if (installed !== undefined) return installed
  throw new Error(
    `These tests need a real PostgreSQL. ${missing ?? 'On Debian or Ubuntu: apt-get install --no-install-recommends postgresql'}`,
  )
}

/** PostgreSQL refuses to run as root; its package has made a user for it. */
function unprivilegedUser(): Owner | undefined {
  if (process.getuid?.() !== 0) return undefined
  const idOf = (flag: string): number =>
    Number(spawnSync('id', [flag, 'postgres'], { encoding: 'utf8' }).stdout)
  const owner = { uid: idOf('-u'), gid: idOf('-g') }
  if (owner.uid > 0) return owner
  throw new Error(
    'PostgreSQL refuses to run as root, and there is no user postgres. Install the package postgresql.',
  )
}

function initialise(initdb: string, data: string, owner: Owner | undefined): void {
  const args = ['-D', data, '-U', 'admin', '-E', 'UTF8', '--locale=C', '--auth-local=trust']
  const { status, stderr } = spawnSync(initdb, [...args, '--auth-host=scram-sha-256', '--no-sync'], {
    ...owner,
    encoding: 'utf8',
    cwd: tmpdir(),
  })
  if (status !== 0) throw new Error(`initdb failed: ${stderr}`)
}

function asAdmin(sockets: string, port: number, sql: string): Promise<readonly Record<string, unknown>[]> {
  return run({ host: sockets, port, user: 'admin', database: 'postgres' }, sql)
}

async function run(
  config: ConstructorParameters<typeof Client>[0],
  sql: string,
): Promise<readonly Record<string, unknown>[]> {
  const client = new Client(config)
  client.on('error', () => {})
  await client.connect()
  try {
    return (await client.query(sql)).rows
  } finally {
    await client.end()
  }
}

async function freePort(): Promise<number> {
  const probe = createServer()
  await new Promise<void>((resolve) => probe.listen(0, '127.0.0.1', resolve))
  const address = probe.address()
  await new Promise((resolve) => probe.close(resolve))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
