import type { Node } from 'jsonc-parser'
import { ConfigError } from './config-error.ts'
import type { Document, Member } from './document.ts'

/** Whether the lists of a file let a server run. */
export type IsListed = (name: string) => boolean

/** Lists of Gemini CLI: inside `mcp`, and at the top of its older files. */
const ALLOWED: readonly string[] = ['mcp.allowed', 'allowMCPServers']
const EXCLUDED: readonly string[] = ['mcp.excluded', 'excludeMCPServers']

/**
 * Reads the lists of servers that a file allows or excludes. An empty list counts as absent.
 *
 * @throws ConfigError `config_malformed` for an invalid list, since the user wanted to switch something off
 */
export function readServerLists(document: Document): IsListed {
  const members = document.members(document.root)
  const inner = members
    .filter(({ name }) => name === 'mcp')
    .flatMap(({ node }) => document.members(node))
    // Inside OpenCode's `mcp`, an object is a server.
    .filter(({ node }) => node.type !== 'object')
    .map((member) => ({ ...member, name: `mcp.${member.name}` }))
  const namesIn = (lists: readonly string[]) =>
    [...members, ...inner].filter(({ name }) => lists.includes(name)).map(namesOf)
  const allowed = namesIn(ALLOWED).filter((names) => names.length > 0)
  const excluded = namesIn(EXCLUDED).flat()
  return (name) => !excluded.includes(name) && allowed.every((names) => names.includes(name))
}

function namesOf({ name, node, line }: Member): readonly string[] {
  if (node.type === 'null') return []
  if (node.type === 'string') return [String(node.value)]
  const items: readonly Node[] = node.type === 'array' ? (node.children ?? []) : [node]
  if (items.every(({ type }) => type === 'string')) return items.map(({ value }) => String(value))
  throw new ConfigError(
    'config_malformed',
    `"${name}" in the config file, in line ${line}, is not a list of names of servers.`,
    `Write it like: ["files", "memory"]`,
  )
}
