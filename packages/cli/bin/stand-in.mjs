import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'

/** @typedef {{ code: number | null, signal: NodeJS.Signals | null }} End how a program ended */

/** @type {NodeJS.Signals[]} */
const PASSED_ON = ['SIGINT', 'SIGTERM', 'SIGHUP']
const NPM_CHECK_MS = 1000
const NOT_STARTED = 127

/**
 * Runs a program in place of this one: same terminal, signals passed on to it.
 *
 * With `tied` the program also learns when this process dies, even by SIGKILL: file descriptor 3, named in
 * `BRIDGEKEEPER_PARENT_FD`, is a pipe whose other end lives exactly as long as this process.
 * @param {string} command
 * @param {string[]} args
 * @param {{ cwd?: string, tied?: boolean }} [options]
 * @returns {Promise<End>}
 */
export async function standIn(command, args, { cwd, tied = false } = {}) {
  const child = spawn(command, args, {
    cwd,
    stdio: ['inherit', 'inherit', 'inherit', ...(tied ? [/** @type {const} */ ('pipe')] : [])],
    env: tied ? { ...process.env, BRIDGEKEEPER_PARENT_FD: '3' } : process.env,
  })
  // A child that ends with its side of the pipe unread resets ours.
  child.stdio[3]?.on('error', () => {})

  const stopWatching = whenNpmEnds(() => child.kill('SIGTERM'))
  /** @param {NodeJS.Signals} signal */
  const passOn = (signal) => {
    // A terminal gives Ctrl-C to the child as well, and a second one may read as "stop at once".
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal)
  }
  for (const signal of PASSED_ON) process.on(signal, passOn)
  try {
    const [code, signal] = await once(child, 'exit')
    return { code, signal }
  } catch (error) {
    console.error(`Could not start ${command}: ${error instanceof Error ? error.message : error}`)
    return { code: NOT_STARTED, signal: null }
  } finally {
    stopWatching()
    for (const signal of PASSED_ON) process.off(signal, passOn)
  }
}

/**
 * Ends this process the way the other one ended.
 * @param {End} end
 */
export function endAs({ code, signal }) {
  if (signal === null) process.exit(code ?? 1)
  process.kill(process.pid, signal)
}

/**
 * Calls back once npm, if npm started this process, is gone: `npx` and `npm start` that are killed leave what
 * they started behind. Returns a function that stops watching.
 * @param {() => void} ended
 * @returns {() => void}
 */
export function whenNpmEnds(ended) {
  if (process.env.npm_command === undefined) return () => {}
  const npm = npmPid()
  const timer = setInterval(() => {
    if (npmPid() === npm) return
    clearInterval(timer)
    ended()
  }, NPM_CHECK_MS)
  timer.unref()
  return () => clearInterval(timer)
}

/**
 * npm runs commands through `sh -c`. Some shells stay in between and outlive npm; then npm is the shell's
 * parent. Others become the command, and systems without /proc have only such shells.
 */
function npmPid() {
  try {
    const stat = readFileSync(`/proc/${process.ppid}/stat`, 'utf8')
    const shell = /^\d+ \(sh\) \S (\d+)/.exec(stat)
    return shell === null ? process.ppid : Number(shell[1])
  } catch {
    return process.ppid
  }
}
