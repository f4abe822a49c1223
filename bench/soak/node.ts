import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { realSystem } from '@bridgekeeper/bridge'
import { DataFolder } from '@bridgekeeper/standalone'
import { Passwords } from '@bridgekeeper/standalone/testing'
import { addUser, issueToken, logOutUser } from '../../test/support/operator.ts'

const COMMAND = join(import.meta.dirname, '../../packages/cli/src/main.ts')
const START_MS = 20_000
const STOP_MS = 5_000
const TOKEN_MS = 3_600_000

/** A user of the soak. */
export interface SoakUser {
  readonly email: string
  readonly password: string
  readonly userId: string
  readonly sessionId: string
  readonly token: string
}

/** `bridgekeeper serve` in its own process, with a data folder that is deleted at the end. */
export class SoakNode {
  readonly port: number
  readonly #child: ChildProcess
  readonly #folder: string

  private constructor(child: ChildProcess, port: number, folder: string) {
    this.#child = child
    this.port = port
    this.#folder = folder
  }

  static async start(): Promise<SoakNode> {
    const folder = mkdtempSync(join(tmpdir(), 'bridgekeeper-soak-'))
    const args = ['serve', '--port', '0', '--data', folder, '--allow-registration', '--json']
    const child = spawn(process.execPath, [COMMAND, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
    const timer = setTimeout(() => child.kill('SIGKILL'), START_MS)
    try {
      return new SoakNode(child, await portOf(child), folder)
    } catch (error) {
      child.kill('SIGKILL')
      rmSync(folder, { recursive: true, force: true })
      throw error
    } finally {
      clearTimeout(timer)
    }
  }

  /** Adds a user with a password and a login. */
  async addUser(name: string): Promise<SoakUser> {
    const system = realSystem()
    const data = await DataFolder.open(this.#folder, {}, system)
    try {
      const email = `${name}@example.com`
      const password = `a long password of ${name}`
      const { userId } = await addUser(data, email)
      await new Passwords(data.stores.credentials, system).set(userId, password)
      const { accessToken: token, sessionId } = await issueToken(data, email, TOKEN_MS)
      return { email, password, userId, sessionId, token }
    } finally {
      await data.close()
    }
  }

  /** Ends all logins of the user, as `user logout` does. */
  async logOut({ email }: SoakUser): Promise<void> {
    const data = await DataFolder.open(this.#folder, {}, realSystem())
    try {
      await logOutUser(data, email)
    } finally {
      await data.close()
    }
  }

  /** Resident memory, in MiB. */
  get residentMib(): number {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8')
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1_024
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const gone = once(this.#child, 'exit')
      this.#child.kill('SIGTERM')
      const timer = setTimeout(() => this.#child.kill('SIGKILL'), STOP_MS)
      await gone
      clearTimeout(timer)
    }
    rmSync(this.#folder, { recursive: true, force: true })
  }
}

/** Reads the event `listening`, then keeps draining standard output. @throws Error if the node ends first */
function portOf(child: ChildProcess): Promise<number> {
  const { stdout } = child
  if (stdout === null) throw new Error('serve has no standard output')
  return new Promise((resolve, reject) => {
    child.once('exit', (code) => reject(new Error(`serve ended with code ${code} before it listened`)))
    createInterface({ input: stdout }).on('line', (line) => {
      const event = JSON.parse(line) as { readonly event?: string; readonly url?: string }
      if (event.event === 'listening' && event.url !== undefined) resolve(Number(new URL(event.url).port))
    })
  })
}
