import { serveThroughBridge } from './bridged.ts'
import { type Form, type Served, serveOverHttp } from './fixtures/sdk/http.ts'
import { runSuite, type Score } from './suite.ts'

/** A run of the suite on one form of the fixture. */
interface Run {
  /** Column of the table. */
  readonly name: string
  readonly form: Form
  readonly args: readonly string[]
  /** How many scenarios the suite scores. */
  readonly scored: number
  /** How many of them pass through the bridge at least. */
  readonly through: number
  /** Whether the fixture speaks only another era, so that the agent translates. */
  readonly isTranslated?: boolean
}

/** A run beside the fixture and the same run through bridge and agent. */
export interface Measured extends Pick<Run, 'name'> {
  /** Without scores if the fixture does not speak the era of the run. */
  readonly direct: readonly Score[]
  readonly through: readonly Score[]
}

/** Every run, in the order of the table, with the scores that must not fall. */
export const RUNS: readonly Run[] = [
  {
    ...{ name: '2025-06-18', form: 'v2', args: ['--suite', 'all', '--spec-version', '2025-06-18'] },
    ...{ scored: 27, through: 27 },
  },
  { name: '2025-11-25', form: 'v2', args: ['--requirements', '2025-11-25'], scored: 30, through: 30 },
  { name: '2026-07-28', form: 'v2', args: ['--requirements', '2026-07-28'], scored: 37, through: 37 },
  { name: 'all', form: 'v2', args: ['--suite', 'all'], scored: 65, through: 65 },
  { name: '2025-11-25, SDK v1', form: 'v1', args: ['--requirements', '2025-11-25'], scored: 30, through: 30 },
  {
    ...{ name: '2026-07-28 only', form: 'v2-modern', args: ['--requirements', '2026-07-28'] },
    ...{ scored: 37, through: 37 },
  },
  {
    ...{ name: '2025-11-25 on 2026', form: 'v2-modern', args: ['--requirements', '2025-11-25'] },
    ...{ scored: 30, through: 30, isTranslated: true },
  },
  {
    ...{ name: '2026-07-28 on 2025', form: 'v1', args: ['--requirements', '2026-07-28'] },
    ...{ scored: 37, through: 36, isTranslated: true },
  },
]

/** Runs the suite both ways at once. */
export async function measure({ name, form, args, isTranslated = false }: Run): Promise<Measured> {
  const [direct, through] = await Promise.all([
    isTranslated ? [] : scoresOf(serveOverHttp(form), args),
    scoresOf(isTranslated ? warm(serveThroughBridge(form)) : serveThroughBridge(form), args),
  ])
  return { name, direct, through }
}

/** Makes the agent start the process for 2026 clients that can be asked: a scenario waits for 600 ms only. */
async function warm(serving: Promise<Served>): Promise<Served> {
  const served = await serving
  const params = {
    name: 'test_simple_text',
    arguments: {},
    _meta: {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientInfo': { name: 'warm', version: '1' },
      'io.modelcontextprotocol/clientCapabilities': { elicitation: {} },
    },
  }
  const headers = {
    'content-type': 'application/json',
    accept: 'application/json, text/event-stream',
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': 'tools/call',
    'mcp-name': params.name,
  }
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params })
  await (await fetch(served.url, { method: 'POST', headers, body })).text()
  return served
}

async function scoresOf(serving: Promise<Served>, args: Run['args']): Promise<readonly Score[]> {
  const served = await serving
  try {
    return await runSuite(served.url, args)
  } finally {
    await served.close()
  }
}

/** The scored scenarios in which no check failed. */
export function passing(scores: readonly Score[]): readonly string[] {
  return scored(scores).flatMap(({ scenario, outcome }) => (outcome === 'fails' ? [] : [scenario]))
}

export function scored(scores: readonly Score[]): readonly Score[] {
  return scores.filter(({ isScored }) => isScored)
}
