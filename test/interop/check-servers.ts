import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { checkTable } from '../../scripts/generated-table.ts'
import { startBridged } from '../conformance/bridged.ts'
import { install } from './install.ts'
import { type Comparison, compare } from './servers/compare.ts'
import { httpPeer } from './servers/http-peer.ts'
import { entryOf, nameOf, PUBLISHED, type PublishedServer } from './servers/published.ts'
import { stdioPeer } from './servers/stdio-peer.ts'
import { type Peer, type Survey, survey } from './servers/survey.ts'

const ROOT = join(import.meta.dirname, '../..')

/** Asks each published server the same directly and through bridge and agent, and checks the table of differences. */
export async function checkServers(fix: boolean): Promise<void> {
  const folder = install('servers', Object.fromEntries(PUBLISHED.map((each) => [each.package, each.version])))
  const scratch = mkdtempSync(join(tmpdir(), 'interop-servers-'))
  try {
    const runs = new Runs(folder, scratch)
    const surveyed: Surveyed[] = []
    for (const server of PUBLISHED) {
      const direct = [await runs.direct(server), await runs.direct(server)] as const
      const [alone] = await runs.through([server])
      const [withoutSession] = await runs.through([server], false)
      surveyed.push({
        server,
        direct,
        alone: report(server, 'alone', compare(direct, alone)),
        withoutSession: report(server, 'without session', compare(direct, withoutSession)),
      })
    }
    const together = await runs.through(PUBLISHED)
    const rows = surveyed.map((each, index) =>
      rowOf(each, report(each.server, 'with all others', compare(each.direct, together[index]))),
    )
    checkTable({ ...PAGE, rows }, fix)
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

const PAGE = {
  check: 'interop-servers',
  command: 'npm run interop -- servers',
  path: join(ROOT, 'docs/interop-clients.md'),
  document: 'docs/interop-clients.md',
  header: ['server', 'answers', 'alone', 'without session', 'with all others'],
}

/** A server by itself: directly, and as the only server of an agent. */
interface Surveyed {
  readonly server: PublishedServer
  readonly direct: readonly [Survey, Survey]
  readonly alone: Comparison
  readonly withoutSession: Comparison
}

function rowOf({ server, direct, alone, withoutSession }: Surveyed, together: Comparison): readonly string[] {
  const { size } = direct[0]
  const cells = [alone, withoutSession, together].map(({ differing }) =>
    differing.length === 0 ? 'equal' : `${differing.length} differ`,
  )
  return [`${server.package} ${server.version}`, String(size), ...cells]
}

/** Prints what differs. */
function report(server: PublishedServer, how: string, comparison: Comparison): Comparison {
  const { equal, varying, differing } = comparison
  console.log(`${server.package} ${how}: ${equal} equal, ${varying.length} vary, ${differing.length} differ`)
  for (const name of varying) console.log(`  varies by itself: ${name}`)
  for (const { name, direct, through } of differing) {
    console.log(`  DIFFERS ${name}\n    direct  ${direct}\n    through ${through}`)
  }
  return comparison
}

/** Runs servers, each time in an empty home. */
class Runs {
  readonly #folder: string
  readonly #scratch: string

  constructor(folder: string, scratch: string) {
    this.#folder = folder
    this.#scratch = scratch
  }

  /** Surveys a server over stdio. */
  async direct(server: PublishedServer): Promise<Survey> {
    return closing(stdioPeer(this.#entry(server)), (peer) => survey(server, peer))
  }

  /** Surveys servers of one agent, one after the other; `undefined` for one that could not be asked. */
  async through(
    servers: readonly PublishedServer[],
    usesSession = true,
  ): Promise<readonly (Survey | undefined)[]> {
    const entries = servers.map((server) => [nameOf(server), this.#entry(server)])
    const { url, token, close } = await startBridged(Object.fromEntries(entries))
    try {
      const surveys: (Survey | undefined)[] = []
      for (const server of servers) {
        const peer = httpPeer(`${url}/mcp/${nameOf(server)}`, token, usesSession)
        surveys.push(await closing(peer, (open) => survey(server, open)).catch(shown))
      }
      return surveys
    } finally {
      await close()
    }
  }

  #entry(server: PublishedServer) {
    const home = join(this.#scratch, nameOf(server))
    rmSync(home, { recursive: true, force: true })
    mkdirSync(home)
    return entryOf(server, this.#folder, home)
  }
}

function shown(error: unknown): undefined {
  console.error(error)
}

async function closing<T>(peer: Peer, use: (peer: Peer) => Promise<T>): Promise<T> {
  try {
    return await use(peer)
  } finally {
    await peer.close()
  }
}
