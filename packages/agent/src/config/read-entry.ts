import { limits, nameSchema } from '@bridgekeeper/protocol'
import type { Node } from 'jsonc-parser'
import { ConfigError } from './config-error.ts'
import { type Document, kindOf, type Member, rejectDuplicateKeys } from './document.ts'
import type { EntryContext, ServerEntry } from './entry.ts'
import { invalidEntry } from './entry-error.ts'
import { EntryReader } from './entry-reader.ts'
import { readStdio } from './stdio-entry.ts'
import { readSwitch } from './switch.ts'

const URLS: readonly string[] = ['url', 'serverUrl', 'httpUrl', 'uri']
const TYPES: readonly string[] = ['type', 'transport', 'transportType']
/** Matches what clients call a server that they do not start. */
const REMOTE = /^(?:https?|sse|streamable[-_ ]?https?|ws|websocket|remote)$/i
/** Matches the name of a member that is a comment, as in package.json. */
const COMMENT = /^\s*(?:\/\/|\/\*)/
/** Matches the name of a text beside the servers that is no server, such as `_comment` or `$schema`. */
const COMMENT_MEMBER = /^(?:[_$#]|comment$|description$)/i

/** Reads one entry; `undefined` if it is switched off. */
export function readEntry({ name, node }: Member, context: EntryContext): ServerEntry | undefined {
  if (COMMENT.test(name)) return undefined
  if (node.type === 'string' && COMMENT_MEMBER.test(name)) return undefined
  const onOff = readSwitch(context.document.members(node))
  if (onOff === 'off') return undefined
  try {
    if (onOff !== 'on') throw invalidEntry(name, `${onOff.odd}: must be true or false`)
    return readUsable(name, node, context)
  } catch (error) {
    if (error instanceof ConfigError) return { kind: 'unusable', name, error }
    throw error
  }
}

/** @throws ConfigError `config_server_invalid`, `config_malformed`, `config_variable_missing` */
function readUsable(name: string, node: Node, context: EntryContext): ServerEntry {
  if (!nameSchema.safeParse(name).success) {
    const why = `its name must have 1 to ${limits.nameChars} characters and no control characters`
    throw invalidEntry(name, why)
  }
  if (node.type !== 'object') throw invalidEntry(name, `entry: must be an object, not ${kindOf(node)}`)
  const members = membersOf(node, context.document)
  rejectDuplicateKeys(members, `in the server "${name}"`)
  const reader = new EntryReader(name, members, context.document)
  const commandLine = reader.command()
  if (commandLine !== undefined) return readStdio(reader, commandLine, context)
  if (isRemote(reader)) return { kind: 'http', name }
  throw invalidEntry(name, 'command: is missing')
}

/** The members of an entry. Older files of Zed have a program as `"command": { "path", "args", "env" }`. */
function membersOf(node: Node, document: Document): readonly Member[] {
  return document.members(node).flatMap((member) => {
    if (member.name !== 'command' || member.node.type !== 'object') return [member]
    return document
      .members(member.node)
      .map((inner) => (inner.name === 'path' ? { ...inner, name: 'command' } : inner))
  })
}

/** Whether an entry without a command is a server over HTTP: by its address, or by its type. */
function isRemote(reader: EntryReader): boolean {
  if (URLS.some((url) => reader.member(url)?.type === 'string')) return true
  return TYPES.some((type) => REMOTE.test(String(reader.member(type)?.value)))
}
