import { open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { limits, trustExposure } from '@bridgekeeper/protocol'
import { getNodeValue } from 'jsonc-parser'
import { ConfigError } from './config-error.ts'
import { type Document, findDuplicate, type Member, parseDocument } from './document.ts'
import { readEntry, type ServerEntry } from './entry.ts'
import type { Env } from './variables.ts'

/** `mcpServers` is most clients' word, `servers` that of VS Code. */
const SECTIONS: readonly string[] = ['mcpServers', 'servers']
const EXAMPLE =
  '{ "mcpServers": { "files": { "command": "npx", "args": ["-y", "@modelcontextprotocol/server-filesystem", "."] } } }'

/**
 * Reads the user's `mcpServers` file.
 *
 * @throws ConfigError when there is no such file, when others may write it, or when it cannot be used as it is
 */
export async function readConfig(path: string, env: Env): Promise<readonly ServerEntry[]> {
  const text = await readTrusted(path).catch((error: NodeJS.ErrnoException) => {
    if (error instanceof ConfigError) throw error
    throw new ConfigError(
      'config_missing',
      `The config file ${path} cannot be read (${error.code ?? 'unknown'}).`,
      `Create it, for example: ${EXAMPLE}`,
    )
  })
  return parseConfig(text, env, dirname(path))
}

/** The file names programs to run: who may write it may run anything as this user. */
async function readTrusted(path: string): Promise<string> {
  const file = await open(path)
  try {
    const exposure = trustExposure(path, await file.stat(), process.geteuid?.())
    if (exposure === undefined) return await file.readFile('utf8')
    throw new ConfigError(
      'config_exposed',
      `The config file ${path} is not used: ${exposure.problem}.`,
      `It names programs that are run as you: check what it says, then: ${exposure.command}`,
    )
  } finally {
    await file.close()
  }
}

/**
 * Reads the text of an `mcpServers` file.
 *
 * @param folder what a relative `cwd` is relative to
 * @throws ConfigError
 */
export function parseConfig(text: string, env: Env, folder: string): readonly ServerEntry[] {
  const document = parseDocument(text.replace(/^\uFEFF/, ''))
  const servers = serverMembers(document)
  for (const { name, node } of servers) rejectDuplicateKeys(document.members(node), `in the server "${name}"`)

  const entries = servers.flatMap(({ name, node }) => readEntry(name, getNodeValue(node), env, folder) ?? [])
  if (entries.length === 0) throw noServers(servers.length)
  if (entries.length > limits.serversPerAgent) {
    throw new ConfigError(
      'config_server_invalid',
      `The config file has ${entries.length} servers; an agent runs at most ${limits.serversPerAgent}.`,
      'Set "disabled": true on those that are not needed.',
    )
  }
  return entries
}

function serverMembers(document: Document): readonly Member[] {
  const sections = document.members(document.root).filter(({ name }) => SECTIONS.includes(name))
  rejectDuplicateKeys(sections, 'in the config file')
  const servers = sections.flatMap(({ node }) => document.members(node))
  const duplicate = findDuplicate(servers)
  if (duplicate === undefined) return servers
  throw new ConfigError(
    'config_duplicate_server',
    `The server "${duplicate.name}" occurs twice in the config file, in lines ${duplicate.lines.join(' and ')}.`,
    'Rename or remove one of them.',
  )
}

function rejectDuplicateKeys(members: readonly Member[], where: string): void {
  const duplicate = findDuplicate(members)
  if (duplicate === undefined) return
  throw new ConfigError(
    'config_malformed',
    `"${duplicate.name}" occurs twice ${where}, in lines ${duplicate.lines.join(' and ')}.`,
    'Remove one of them.',
  )
}

function noServers(disabled: number): ConfigError {
  return disabled > 0
    ? new ConfigError(
        'config_no_servers',
        'Every server in the config file is disabled.',
        'Remove "disabled" from one.',
      )
    : new ConfigError(
        'config_no_servers',
        'The config file names no servers.',
        `It should look like: ${EXAMPLE}`,
      )
}
