import { join } from 'node:path'
import { type IssuedToken, realSystem } from '@bridgekeeper/bridge'
import { DataFolder } from '@bridgekeeper/standalone'
import { addUser, issueToken } from './operator.ts'
import { commandLine } from './processes.ts'
import { type Ended, type Env, Program, repository, run } from './program.ts'
import { scratch } from './scratch.ts'

/** The command as npm installs it, run by the Node on the search path, whichever that is. */
export const COMMAND = join(repository, 'packages/cli/bin/bridgekeeper.mjs')

/** Runs `bridgekeeper …` to its end. */
export function bridgekeeper(args: readonly string[], env?: Env, input?: string): Promise<Ended> {
  return run('node', [COMMAND, ...args], env, input)
}

/** Starts `bridgekeeper …`. */
export function startBridgekeeper(args: readonly string[], env?: Env): Program {
  return new Program('node', [COMMAND, ...args], env)
}

/**
 * The process that runs the command: a newer Node's if the one on the search path is too old and only
 * launches it.
 */
export function mainProcess(program: Program): number {
  const isMain = (pid: number) => pid !== program.pid && commandLine(pid).includes(COMMAND)
  return program.processes().find(isMain) ?? program.pid
}

/** The one JSON value that a command printed. */
export async function jsonOf(ended: Promise<Ended>): Promise<unknown> {
  const { stdout } = await ended
  return JSON.parse(stdout)
}

export interface RunningBridge {
  readonly program: Program
  readonly url: string
  readonly port: number
  readonly data: string
}

/** `bridgekeeper serve` on a free port, once it listens. */
export async function serve(
  options: { readonly data?: string; readonly port?: number; readonly env?: Env } = {},
): Promise<RunningBridge> {
  const { data = join(scratch(), 'data'), port = 0, env = {} } = options
  const program = startBridgekeeper(['serve', '--port', String(port), '--data', data, '--json'], env)
  const { url } = await program.printed((stdout) => eventIn<{ url: string }>(stdout, 'event', 'listening'))
  return { program, url, port: Number(new URL(url).port), data }
}

/**
 * Adds a user to this data folder if missing, and a new login of theirs, like `user add` and `token issue`
 * but without the half second that each takes to start.
 */
export async function login(
  path: string,
  email: string,
  ttlMs = 3_600_000,
  env: Env = {},
): Promise<IssuedToken> {
  const data = await DataFolder.open(path, env, realSystem())
  try {
    if ((await data.users.findByEmail(email)) === undefined) await addUser(data, email)
    return await issueToken(data, email, ttlMs)
  } finally {
    await data.close()
  }
}

/** Finds the first line of JSON in which this member has this value; `undefined` while there is none. */
export function eventIn<T extends Readonly<Record<string, unknown>>>(
  stdout: string,
  key: string,
  value: string,
  isIt: (event: T) => boolean = () => true,
): T | undefined {
  // The last piece is a line that is not complete yet, or nothing.
  const events = stdout
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as T)
  return events.find((event) => event[key] === value && isIt(event))
}
