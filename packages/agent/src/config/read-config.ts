import { type FileHandle, open } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname } from 'node:path'
import { limits, trustExposure } from '@bridgekeeper/protocol'
import type { Env } from '../env.ts'
import { ConfigError } from './config-error.ts'
import { type Document, type Member, misshapen, parseDocument, rejectDuplicateKeys } from './document.ts'
import type { EntryContext, ServerEntry, UnusableEntry } from './entry.ts'
import { readInheritEnv } from './inherit-env.ts'
import { readEntry } from './read-entry.ts'
import { readServerLists } from './server-lists.ts'
import { textOfBytes } from './text-of-bytes.ts'

/** `mcpServers` is most clients' word, `servers` that of VS Code, `context_servers` that of Zed. */
const SECTIONS: readonly string[] = [
  'mcpServers',
  'servers',
  'context_servers',
  'mcp.servers',
  'amp.mcpServers',
]
/** Member of the settings of VS Code, with a section inside, and OpenCode's section itself. */
const OUTER = 'mcp'
/** Bounds what is kept in memory. Some clients keep much more in that file than servers. */
export const MAX_CONFIG_BYTES = 16 * 1_048_576
const EXAMPLE =
  '{ "mcpServers": { "files": { "command": "npx", "args": ["-y", "@modelcontextprotocol/server-filesystem", "."] } } }'

/**
 * Reads the user's `mcpServers` file. An entry that cannot be used is returned with its error, beside the others.
 *
 * @throws ConfigError if the file is missing, others may write it, its document has another shape, or no entry is left
 */
export async function readConfig(path: string, env: Env): Promise<readonly ServerEntry[]> {
  return parseConfig(await readConfigText(path), env, dirname(path))
}

/**
 * Reads the text of the user's file.
 *
 * @throws ConfigError if the file is missing or too large, others may write it, or it is not text
 */
export function readConfigText(path: string): Promise<string> {
  return readTrusted(path).catch((error: NodeJS.ErrnoException) => {
    if (error instanceof ConfigError) throw error
    throw new ConfigError(
      'config_missing',
      `The config file ${path} cannot be read (${error.code ?? 'unknown'}).`,
      `Create it, or name another with --config FILE. For example: ${EXAMPLE}`,
    )
  })
}

/** The file names programs to run, so write access to it means running anything as this user. */
async function readTrusted(path: string): Promise<string> {
  const file = await open(path)
  try {
    const exposure = trustExposure(path, await file.stat(), process.geteuid?.())
    if (exposure === undefined) return textOfBytes(await readBounded(file, path))
    throw new ConfigError(
      'config_exposed',
      `The config file ${path} is not used: ${exposure.problem}.`,
      `It names programs that run under your account: check its content, then: ${exposure.command}`,
    )
  } finally {
    await file.close()
  }
}

async function readBounded(file: FileHandle, path: string): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of file.createReadStream({ autoClose: false, end: MAX_CONFIG_BYTES }))
    chunks.push(chunk)
  const bytes = Buffer.concat(chunks)
  if (bytes.length <= MAX_CONFIG_BYTES) return bytes
  throw new ConfigError(
    'config_too_large',
    `The config file ${path} has more than ${MAX_CONFIG_BYTES} bytes.`,
    'Keep the servers in a smaller file, and name it with --config FILE.',
  )
}

/**
 * Reads the text of an `mcpServers` file.
 *
 * @param folder that of the file: a relative `cwd` starts there
 * @param platform decides whether `%VAR%` is filled
 * @throws ConfigError
 */
export function parseConfig(
  text: string,
  env: Env,
  folder: string,
  platform: NodeJS.Platform = process.platform,
): readonly ServerEntry[] {
  const { entries, count } = parseEntries(text, env, folder, platform)
  const unusable = entries.filter((entry) => entry.kind === 'unusable')
  if (unusable.length === entries.length) throw nothingLeft(count, unusable)
  return entries
}

/**
 * Reads a later version of the text. Unlike at the start, no server may be left, since the user may switch all
 * off. A version that names a server twice is ambiguous.
 *
 * @throws ConfigError if the version cannot be used as a whole
 */
export function parseEdit(text: string, env: Env, folder: string): readonly ServerEntry[] {
  const { entries, hasSection } = parseEntries(text, env, folder, process.platform)
  if (!hasSection) throw nothingLeft(0, [])
  for (const entry of entries)
    if (entry.kind === 'unusable' && entry.error.code === 'config_duplicate_server') throw entry.error
  return entries
}

interface Entries {
  readonly entries: readonly ServerEntry[]
  /** Entries, with those that are switched off. */
  readonly count: number
  /** Whether the file has a member for servers. */
  readonly hasSection: boolean
}

function parseEntries(text: string, env: Env, folder: string, platform: NodeJS.Platform): Entries {
  if (text.trim() === '')
    throw new ConfigError('config_malformed', 'The config file is empty.', `It should look like: ${EXAMPLE}`)
  const document = parseDocument(text.replace(/^\uFEFF/, ''))
  const home = (platform === 'win32' ? env.USERPROFILE : env.HOME) || homedir()
  const context = { env, home, folder, platform, document, inheritEnv: inheritedByAll(document) }
  const sections = serverSections(document)
  const members = sections.flatMap(({ node }) => document.members(node))
  const isListed = readServerLists(document)
  const used = members.filter(({ name }) => isListed(name))
  const entries = limited(byName(used).flatMap((same) => readSame(same, context) ?? []))
  return { entries, count: members.length, hasSection: sections.length > 0 }
}

function byName(members: readonly Member[]): readonly (readonly Member[])[] {
  return [...Map.groupBy(members, ({ name }) => name).values()]
}

/** Drops an entry that occurs twice, since it is ambiguous. */
function readSame(same: readonly Member[], context: EntryContext): ServerEntry | undefined {
  const used = same.flatMap((member) => readEntry(member, context) ?? [])
  const [first] = used
  if (first === undefined || same.length === 1) return first
  const error = new ConfigError(
    'config_duplicate_server',
    `The server "${first.name}" occurs twice in the config file, in lines ${same.map(({ line }) => line).join(' and ')}.`,
    'Rename or remove one of them.',
  )
  return { kind: 'unusable', name: first.name, error }
}

/** Leaves the servers beyond the limit of an agent unused. */
function limited(entries: readonly ServerEntry[]): readonly ServerEntry[] {
  let count = 0
  return entries.map((entry) => {
    if (entry.kind === 'unusable' || ++count <= limits.serversPerAgent) return entry
    const error = new ConfigError(
      'config_server_invalid',
      `The server "${entry.name}" is not started: an agent runs at most ${limits.serversPerAgent}.`,
      'Set "disabled": true on the ones you do not need.',
    )
    return { kind: 'unusable', name: entry.name, error }
  })
}

function serverSections(document: Document): readonly Member[] {
  const members = document.members(document.root)
  const inner = members.filter(({ name }) => name === OUTER).flatMap(({ node }) => document.members(node))
  const known = [...members, ...inner].filter(({ name }) => SECTIONS.includes(name))
  const isOpenCode =
    known.length === 0 && inner.length > 0 && inner.every(({ node }) => node.type === 'object')
  const sections = isOpenCode ? members.filter(({ name }) => name === OUTER) : known
  rejectDuplicateKeys(sections, 'in the config file')
  for (const { name, node } of sections) {
    if (node.type !== 'object' && node.type !== 'null')
      throw misshapen(document.position(node), `"${name}" must be an object, with a member for each server`)
  }
  return sections
}

function inheritedByAll(document: Document): readonly string[] {
  const member = document.members(document.root).find(({ name }) => name === 'inheritEnv')
  const names = readInheritEnv(member?.node, document)
  if (names !== undefined) return names
  throw new ConfigError(
    'config_malformed',
    `"inheritEnv" in the config file, in line ${member?.line}, is not a list of names of variables.`,
    'Write it like: "inheritEnv": ["DOCKER_HOST", "XDG_*"]',
  )
}

function nothingLeft(members: number, [first, ...others]: readonly UnusableEntry[]): ConfigError {
  if (first !== undefined) {
    const { code, message, next } = first.error
    return new ConfigError(code, [message, ...others.map(({ error }) => error.message)].join(' '), next)
  }
  const message =
    members > 0 ? 'Every server in the config file is disabled.' : 'The config file names no servers.'
  const next = members > 0 ? 'Remove "disabled" from one.' : `It should look like: ${EXAMPLE}`
  return new ConfigError('config_no_servers', message, next)
}
