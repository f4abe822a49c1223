import type { CatalogServer, CatalogTool, ReadyServer, ReportedServer } from './catalog.ts'
import type { JsonText, RawJson } from './json.ts'
import { textAt } from './json-paths.ts'
import { arrayItems, bytesAt, pickMembers, type Span, TWICE } from './json-spans.ts'
import { limits } from './limits.ts'
import type { UpMessage } from './up.ts'

/** A catalog whose servers keep their own words. */
export type CatalogFrame = Omit<Extract<UpMessage, { type: 'catalog' }>, 'servers'> & {
  readonly servers: readonly CatalogServer[]
}

const NOTHING: RawJson = Buffer.alloc(0)

/** Writes a catalog, or a part of it. */
export function encodeCatalog({ type, servers, ...update }: CatalogFrame): Buffer {
  const others = JSON.stringify(update).slice(1)
  const list = `{"type":"${type}","servers":[${servers.map(serverText).join()}]`
  return Buffer.from(others === '}' ? `${list}}` : `${list},${others}`)
}

/** A server's entry in a catalog. */
export function serverText(server: CatalogServer): JsonText {
  if (server.state !== 'ready') return JSON.stringify(server)
  const { serverInfo, capabilities, tools, ...others } = server
  const own = capabilities === undefined ? '' : `"capabilities":${capabilities},`
  const head = JSON.stringify(others).slice(0, -1)
  return `${head},"serverInfo":${serverInfo},${own}"tools":[${tools.map(toolText).join()}]}`
}

/** A tool's entry in a catalog. */
export function toolText({ hash, definition }: CatalogTool): JsonText {
  return `{"hash":"${hash}","definition":${definition}}`
}

/** Size of a server's entry in a catalog. */
export function serverBytes(server: CatalogServer): number {
  return Buffer.byteLength(serverText(server))
}

/**
 * Takes what servers said from the bytes in which it arrived.
 * @param reported the same servers, parsed
 * @param at where their array is
 * @returns `undefined` if two parsers could disagree about it
 */
export function keepTexts(
  reported: readonly ReportedServer[],
  frame: Buffer,
  at: Span | undefined,
): readonly CatalogServer[] | undefined {
  const entries = itemsOf(bytesAt(frame, at), limits.serversPerAgent)
  const servers: CatalogServer[] = []
  for (const [index, server] of reported.entries()) {
    const kept = server.state === 'ready' ? readyServer(server, entries[index]) : server
    if (kept === undefined) return undefined
    servers.push(kept)
  }
  return servers
}

function readyServer(
  { tools: reported, ...server }: Extract<ReportedServer, { state: 'ready' }>,
  entry: RawJson | undefined,
): ReadyServer | undefined {
  const [serverInfo, capabilities, list] = membersOf(entry, ['serverInfo', 'capabilities', 'tools'])
  const entries = itemsOf(list, limits.toolsPerServer)
  const tools = reported.flatMap(({ hash }, index) => catalogTool(hash, entries[index]) ?? [])
  if (serverInfo === undefined || tools.length < reported.length) return undefined
  return {
    ...server,
    serverInfo: serverInfo.toString('utf8'),
    ...{ capabilities: capabilities?.toString('utf8'), tools },
  }
}

function catalogTool(hash: string, entry: RawJson | undefined): CatalogTool | undefined {
  const [definition] = membersOf(entry, ['definition'])
  const name = textAt(definition, ['name'])
  return definition && name !== undefined
    ? { hash, name, definition: definition.toString('utf8') }
    : undefined
}

function itemsOf(list: RawJson | undefined, maxItems: number): readonly RawJson[] {
  const spans = (list && arrayItems(list, maxItems)) ?? []
  return spans.flatMap((span) => bytesAt(list ?? NOTHING, span) ?? [])
}

/** Values of an object's members; none at all if one of them occurs twice. */
function membersOf(object: RawJson | undefined, names: readonly string[]): readonly (RawJson | undefined)[] {
  const spans = (object && pickMembers(object, names)) ?? []
  return spans.includes(TWICE) ? [] : spans.map((span) => bytesAt(object ?? NOTHING, span))
}
