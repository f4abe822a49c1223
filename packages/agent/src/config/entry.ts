import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { ERAS, type Era, limits, nameSchema } from '@bridgekeeper/protocol'
import type { Node } from 'jsonc-parser'
import { isProgram, splitCommandLine } from './command-line.ts'
import { ConfigError } from './config-error.ts'
import { BACKSLASH_HINT, type Document, findDuplicate, type Member } from './document.ts'
import { readEnvFile } from './env-file.ts'
import { readInheritEnv } from './inherit-env.ts'
import { type EntryStartLimit, readStartLimit } from './start-limit.ts'
import { readSwitch } from './switch.ts'
import { type FillContext, fill, withBraces } from './variables.ts'

/** An entry of the user's config file. */
export type ServerEntry = StdioEntry | HttpEntry | UnusableEntry

export interface StdioEntry {
  readonly kind: 'stdio'
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
  readonly cwd?: string
  /** Values of `env` and of filled variables, redacted from all output. */
  readonly secrets: readonly string[]
  readonly startLimit?: EntryStartLimit
  /** Further variables that the server inherits from the agent; `XDG_*` matches all with that prefix. */
  readonly inheritEnv?: readonly string[]
  /** The only era of MCP to speak with it. */
  readonly era?: Era
  /** URIs of folders that the server is given as roots of its client. */
  readonly roots?: readonly string[]
  /** Whether the server is given the roots of its clients. */
  readonly clientRoots?: boolean
}

/**
 * A server that is reached over HTTP. This version does not run it.
 * @public
 */
export interface HttpEntry {
  readonly kind: 'http'
  readonly name: string
}

/** An invalid entry. It does not affect the others. */
export interface UnusableEntry {
  readonly kind: 'unusable'
  readonly name: string
  readonly error: ConfigError
}

export interface EntryContext extends FillContext {
  readonly document: Document
  /** The file's own `inheritEnv`, which applies to every entry. */
  readonly inheritEnv: readonly string[]
}

const URLS: readonly string[] = ['url', 'serverUrl', 'httpUrl']
/** Matches a path such as `C:\temp` after JSON has read its single backslash as an escape. */
const LOST_BACKSLASH = /^[A-Za-z]:[\b\f\n\r\t]/

/** Matches the name of a member that is a comment, as in package.json. */
const COMMENT = /^\s*(?:\/\/|\/\*)/

/** Reads one entry; `undefined` if it is switched off. */
export function readEntry({ name, node }: Member, context: EntryContext): ServerEntry | undefined {
  if (COMMENT.test(name)) return undefined
  const members = context.document.members(node)
  const onOff = readSwitch(members)
  if (onOff === 'off') return undefined
  try {
    if (onOff !== 'on') throw invalid(name, `${onOff.odd}: must be true or false`)
    return readUsable(name, node, context)
  } catch (error) {
    if (error instanceof ConfigError) return { kind: 'unusable', name, error }
    throw error
  }
}

/** @throws ConfigError `config_server_invalid`, `config_malformed`, `config_variable_missing` */
function readUsable(name: string, node: Node, context: EntryContext): ServerEntry {
  if (!nameSchema.safeParse(name).success) {
    throw invalid(name, `its name must have 1 to ${limits.nameChars} characters and no control characters`)
  }
  if (node.type !== 'object') throw invalid(name, `entry: must be an object, not ${kindOf(node)}`)
  const { document } = context
  const members = document.members(node)
  rejectDuplicateKeys(members, `in the server "${name}"`)
  const reader = new EntryReader(name, members, document)
  const commandLine = reader.command()
  if (commandLine === undefined) {
    if (URLS.some((url) => reader.member(url)?.type === 'string')) return { kind: 'http', name }
    throw invalid(name, 'command: is missing')
  }
  const startLimit = readStartLimit(members, document)
  if (startLimit !== undefined && 'invalid' in startLimit)
    throw invalid(name, `${startLimit.invalid}: must be a number greater than 0`)

  const secrets: string[] = []
  // Some servers, such as mcp-remote, fill variables of their own `env` into their arguments themselves.
  let ownEnv: Readonly<Record<string, string>> = {}
  const fillMember = (text: string, key: string) => {
    const values = { ...context, env: { ...context.env, ...ownEnv } }
    return checked(
      name,
      key,
      fill(text, values, `"${name}" (${key})`, (secret) => secrets.push(secret)),
    )
  }
  const envFile = reader.text('envFile')
  if (envFile !== undefined) {
    const read = readEnvFile(resolve(context.folder, fillMember(envFile, 'envFile')))
    if (!read.ok) throw invalid(name, `envFile: ${read.reason}`, 'Correct "envFile", or use "env" instead.')
    ownEnv = read.env
  }
  for (const [key, text] of reader.env())
    ownEnv = { ...ownEnv, [key]: fillMember(withBraces(text, context.env), `env.${key}`) }
  const cwd = reader.text('cwd')
  const folder = cwd === undefined ? undefined : resolve(context.folder, fillMember(cwd, 'cwd'))
  const [first = '', ...more] = wordsOf(name, commandLine, (word) => {
    const program = fillMember(word, 'command')
    return isProgram(program, ownEnv.PATH ?? context.env.PATH, folder ?? context.folder)
  })
  const era = reader.era()
  const roots = reader.roots()?.map((root, at) => rootUri(fillMember(root, `roots.${at}`), context.folder))
  const clientRoots = reader.flag('clientRoots')
  if (roots !== undefined && clientRoots === true)
    throw invalid(name, 'roots: must not be given together with clientRoots')
  const inheritEnv = [...context.inheritEnv, ...inheritedBy(name, reader.member('inheritEnv'), document)]
  return {
    kind: 'stdio',
    name,
    command: fillMember(first, 'command'),
    args: [
      ...more.map((word, at) => fillMember(word, `command.${at + 1}`)),
      ...reader.args().map((arg, at) => fillMember(arg, `args.${at}`)),
    ],
    env: ownEnv,
    ...(folder !== undefined && { cwd: folder }),
    secrets: [...secrets, ...Object.values(ownEnv)],
    ...(startLimit !== undefined && { startLimit }),
    ...(inheritEnv.length > 0 && { inheritEnv }),
    ...(era !== undefined && { era }),
    ...(roots !== undefined && { roots }),
    ...(clientRoots === true && { clientRoots }),
  }
}

/** Splits `command` into a program and arguments. A longer list stays as it is, and so does text that names a program. */
function wordsOf(
  name: string,
  command: string | readonly string[],
  isThere: (program: string) => boolean,
): readonly string[] {
  const [text = '', ...others] = typeof command === 'string' ? [command] : command
  if (others.length > 0) return [text, ...others]
  if (!/\s|^["']/.test(text) || isThere(text)) return [text]
  const line = splitCommandLine(text)
  if (!line.ok) throw invalid(name, `command: ${line.reason}`)
  return [line.command, ...line.args]
}

/** The URI of a folder, which may be a path in the folder of the config file. */
function rootUri(root: string, folder: string): string {
  return /^file:\/\//i.test(root) ? root : pathToFileURL(resolve(folder, root)).href
}

function inheritedBy(name: string, node: Node | undefined, document: Document): readonly string[] {
  const names = readInheritEnv(node, document)
  if (names === undefined)
    throw invalid(name, 'inheritEnv: must be a list of names of variables, such as "DOCKER_HOST" or "XDG_*"')
  return names
}

/** Reads members of one entry; their values are never part of an error. */
class EntryReader {
  readonly #name: string
  readonly #members: ReadonlyMap<string, Node>
  readonly #document: Document

  constructor(name: string, members: readonly Member[], document: Document) {
    this.#name = name
    this.#members = new Map(members.map((member) => [member.name, member.node]))
    this.#document = document
  }

  /** `undefined` if it is missing or null. */
  member(key: string): Node | undefined {
    const node = this.#members.get(key)
    return node?.type === 'null' ? undefined : node
  }

  /** Reads `command`: a program, a command line, or a list of program and arguments. */
  command(): string | readonly string[] | undefined {
    if (this.member('command')?.type !== 'array') return this.text('command')
    const words = this.#list('command')
    return words.length === 0 || words[0] === '' ? undefined : words
  }

  args(): readonly string[] {
    return this.#list('args')
  }

  /** Reads `env`, or OpenCode's word for it. */
  env(): readonly (readonly [string, string])[] {
    const node = this.member('env') ?? this.member('environment')
    if (node === undefined || isEmpty(node)) return []
    if (node.type !== 'object') throw this.#wrong('env', 'must be an object', node)
    return this.#document.members(node).flatMap((member) => {
      if (member.node.type === 'null') return []
      const text = this.#document.scalar(member.node)
      if (text === undefined) throw this.#wrong(`env.${member.name}`, 'must be text', member.node)
      if (member.name === '' || /[=\0]/.test(member.name))
        throw invalid(this.#name, 'env: a variable name must not be empty, or contain "=" or a NUL character')
      return [[member.name, text] as const]
    })
  }

  /** Reads `era`, also as a number. */
  era(): Era | undefined {
    const node = this.member('era')
    if (node === undefined) return undefined
    const text = this.#document.scalar(node)
    const era = ERAS.find((known) => known === text)
    if (era === undefined)
      throw invalid(this.#name, `era: must be ${ERAS.map((known) => `"${known}"`).join(' or ')}`)
    return era
  }

  /** Reads `roots`; `undefined` if it is missing or null. */
  roots(): readonly string[] | undefined {
    return this.member('roots') === undefined ? undefined : this.#list('roots')
  }

  /** Reads a boolean; `undefined` if it is missing or null. */
  flag(key: string): boolean | undefined {
    const node = this.member(key)
    if (node === undefined) return undefined
    if (node.type !== 'boolean') throw this.#wrong(key, 'must be true or false', node)
    return node.value === true
  }

  /** Reads trimmed text; `undefined` if it is missing, null or empty. */
  text(key: string): string | undefined {
    const node = this.member(key)
    if (node === undefined) return undefined
    if (node.type !== 'string') throw this.#wrong(key, 'must be text', node)
    return String(node.value).trim() || undefined
  }

  #list(key: string): readonly string[] {
    const node = this.member(key)
    if (node === undefined || isEmpty(node)) return []
    if (node.type !== 'array') throw this.#wrong(key, 'must be a list', node)
    return (node.children ?? []).flatMap((child, at) => {
      if (child.type === 'null') return []
      const text = this.#document.scalar(child)
      if (text === undefined) throw this.#wrong(`${key}.${at}`, 'must be text', child)
      return [text]
    })
  }

  #wrong(key: string, must: string, node: Node): ConfigError {
    return invalid(this.#name, `${key}: ${must}, not ${kindOf(node)}`)
  }
}

/** Whether it is `""`, `[]` or `{}`: some programs write one for another. */
function isEmpty({ value, children = [] }: Node): boolean {
  return (value === undefined || value === '') && children.length === 0
}

function kindOf({ type }: Node): string {
  return { array: 'a list', string: 'text', object: 'an object', null: 'null' }[type as string] ?? `a ${type}`
}

/** @throws ConfigError for a NUL character, or for a control character after a drive letter */
function checked(name: string, key: string, text: string): string {
  if (text.includes('\0')) throw invalid(name, `${key}: must not contain a NUL character`)
  if (!key.startsWith('env.') && LOST_BACKSLASH.test(text))
    throw invalid(name, `${key}: must not contain a control character after a drive letter`, BACKSLASH_HINT)
  return text
}

/** @throws ConfigError `config_malformed` */
export function rejectDuplicateKeys(members: readonly Member[], where: string): void {
  const duplicate = findDuplicate(members)
  if (duplicate === undefined) return
  throw new ConfigError(
    'config_malformed',
    `"${duplicate.name}" occurs twice ${where}, in lines ${duplicate.lines.join(' and ')}.`,
    'Remove one of them.',
  )
}

function invalid(
  name: string,
  why: string,
  next = 'An entry needs a "command", and may have "args", "env" and "cwd".',
): ConfigError {
  return new ConfigError(
    'config_server_invalid',
    `The server "${name}" in the config file is not valid: ${why}.`,
    next,
  )
}
