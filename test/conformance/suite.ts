import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'

/** `warns` if no check failed and one warned, which the suite counts as a pass. */
type Outcome = 'passes' | 'warns' | 'fails'

/** Outcome of one scenario of the suite. */
export interface Score {
  readonly scenario: string
  readonly outcome: Outcome
  /** Whether the requirements of the revision count it; `true` in runs without requirements. */
  readonly isScored: boolean
}

const COMMAND = fileURLToPath(import.meta.resolve('@modelcontextprotocol/conformance/dist/index.js'))
const SCORE = /^[✓✗] (\S+): \d+ passed, (\d+) failed$/gm
const NOT_SCORED = /^ {2}[✓✗] (\S+) \(/gm
const RESULT_FOLDER = /^server-(.+)-\d{4}-\d\d-\d\dT[\d-]+Z$/

/**
 * Runs the public conformance suite against a server.
 * @param args what the suite is to run, as its command takes it
 * @throws Error if the suite printed no scores
 */
export async function runSuite(url: string, args: readonly string[]): Promise<readonly Score[]> {
  const folder = mkdtempSync(join(tmpdir(), 'bridgekeeper-conformance-'))
  try {
    const suite = spawn(
      process.execPath,
      [COMMAND, 'server', '--url', url, '--output-dir', folder, ...args],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    )
    return scoresIn(await text(suite.stdout), warnedIn(folder))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function scoresIn(output: string, warned: ReadonlySet<string>): readonly Score[] {
  const notScored = new Set([...output.matchAll(NOT_SCORED)].map(([, scenario]) => scenario))
  const scores = [...output.matchAll(SCORE)].map(([, scenario = '', failed]): Score => {
    const passed = warned.has(scenario) ? 'warns' : 'passes'
    return { scenario, outcome: failed === '0' ? passed : 'fails', isScored: !notScored.has(scenario) }
  })
  if (scores.length === 0) throw new Error(`The suite printed no scores:\n${output}`)
  return scores
}

/** Scenarios with a check that warned. The suite's summary does not name them. */
function warnedIn(folder: string): ReadonlySet<string> {
  const warned = readdirSync(folder).filter((name) => {
    const path = join(folder, name, 'checks.json')
    // A scenario that broke off writes none.
    if (!existsSync(path)) return false
    const checks: { status: string }[] = JSON.parse(readFileSync(path, 'utf8'))
    return checks.some(({ status }) => status === 'WARNING')
  })
  return new Set(warned.map((name) => RESULT_FOLDER.exec(name)?.[1] ?? name))
}
