import { expect } from 'vitest'
import { listTools } from '../conformance/fixtures/shared/tools.ts'
import type { InteropClient } from './clients/client.ts'
import { FEATURES, type Naming, type Outcome, type Outcomes } from './outcomes.ts'
import type { Place } from './place.ts'

const RESOURCE = 'test://static-text'
/** Shorter than the tool takes, and longer than it takes between two progress notifications. */
const PROGRESS_TIMEOUT_MS = 2_500
const TOOLS = (listTools().tools as readonly { name: string }[]).map(({ name }) => name)

interface Use {
  readonly client: InteropClient
  readonly place: Place
  readonly naming: Naming
  /** Unique for each use. */
  readonly key: string
}

/** Rejects if the feature does not work. */
type Feature = (use: Use) => Promise<string>

const RUNS: Readonly<Record<keyof Outcomes, Feature>> = {
  list,
  call,
  prompts: getPrompt,
  resources: readResource,
  progress,
  abort,
}

/** Uses everything that a client can do at an endpoint, all at once. */
export async function useAll(use: Use): Promise<Outcomes> {
  const outcomes = FEATURES.map(async (name) => [name, await outcomeOf(name, use)] as const)
  return Object.fromEntries(await Promise.all(outcomes)) as Outcomes
}

async function outcomeOf(name: keyof Outcomes, use: Use): Promise<Outcome> {
  const { client } = use
  if (!offers(client, name)) return { mark: 'absent', detail: '' }
  try {
    const detail = await RUNS[name](use)
    const isPart = name === 'progress' && client.restartsTimeout === undefined
    return { mark: isPart ? 'partly' : 'works', detail }
  } catch (error) {
    return { mark: 'fails', detail: String(error) }
  }
}

function offers(client: InteropClient, name: keyof Outcomes): boolean {
  switch (name) {
    case 'list':
    case 'call':
      return true
    case 'abort':
      return client.leavesSilently === undefined
    case 'prompts':
      return client.prompts !== undefined
    case 'resources':
      return client.resources !== undefined
    case 'progress':
      return client.callWithProgress !== undefined
  }
}

async function list({ client, naming }: Use): Promise<string> {
  expect(await client.tools()).toEqual(expect.arrayContaining(TOOLS.map(naming.name)))
  return `${TOOLS.length} tools`
}

async function call({ client, naming }: Use): Promise<string> {
  const answer = await client.call(naming.name('test_simple_text'), {})
  expect(JSON.stringify(answer)).toContain('This is a simple text response for testing.')
  return 'answered'
}

async function getPrompt({ client, naming }: Use): Promise<string> {
  const name = naming.name('test_simple_prompt')
  expect(await client.prompts?.()).toContain(name)
  expect(JSON.stringify(await client.prompt?.(name))).toContain('This is a simple prompt for testing.')
  return 'answered'
}

async function readResource({ client, naming }: Use): Promise<string> {
  const uri = naming.uri(RESOURCE)
  expect(await client.resources?.()).toContain(uri)
  expect(JSON.stringify(await client.read?.(uri))).toContain('content of the static text resource')
  return 'answered'
}

async function progress({ client, naming }: Use): Promise<string> {
  let notified = 0
  const answer = await client.callWithProgress?.(naming.name('test_steps'), PROGRESS_TIMEOUT_MS, () => {
    notified++
  })
  expect(JSON.stringify(answer)).toContain('Took all steps.')
  expect(notified).toBeGreaterThan(2)
  return `${notified} notifications`
}

async function abort({ client, place, naming, key }: Use): Promise<string> {
  const gone = new AbortController()
  const hanging = client.call(naming.name('test_hang'), { message: key }, gone.signal)
  const outcome = hanging.then(
    () => 'answered',
    () => 'aborted',
  )
  await place.called(key)
  const abortedAtMs = Date.now()
  gone.abort()
  expect(await outcome).toBe('aborted')
  const cancelledAtMs = await place.cancelledAtMs(key)
  return `${cancelledAtMs - abortedAtMs} ms`
}
