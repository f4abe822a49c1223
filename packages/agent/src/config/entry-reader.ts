import { ERAS, type Era } from '@bridgekeeper/protocol'
import type { Node } from 'jsonc-parser'
import type { ConfigError } from './config-error.ts'
import { type Document, kindOf, type Member } from './document.ts'
import { invalidEntry } from './entry-error.ts'
import { readInheritEnv } from './inherit-env.ts'
import { type EntryStartLimit, readStartLimit } from './start-limit.ts'

/** Reads members of one entry; their values are never part of an error. */
export class EntryReader {
  readonly name: string
  readonly #members: readonly Member[]
  readonly #document: Document

  constructor(name: string, members: readonly Member[], document: Document) {
    this.name = name
    this.#members = members
    this.#document = document
  }

  /** `undefined` if it is missing or null. */
  member(key: string): Node | undefined {
    const node = this.#members.find(({ name }) => name === key)?.node
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
        throw invalidEntry(
          this.name,
          'env: a variable name must not be empty, or contain "=" or a NUL character',
        )
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
      throw invalidEntry(this.name, `era: must be ${ERAS.map((known) => `"${known}"`).join(' or ')}`)
    return era
  }

  /** Reads `roots`; `undefined` if it is missing or null. */
  roots(): readonly string[] | undefined {
    return this.member('roots') === undefined ? undefined : this.#list('roots')
  }

  startLimit(): EntryStartLimit | undefined {
    const limit = readStartLimit(this.#members, this.#document)
    if (limit === undefined || !('invalid' in limit)) return limit
    throw invalidEntry(this.name, `${limit.invalid}: must be a number greater than 0`)
  }

  inheritEnv(): readonly string[] {
    const names = readInheritEnv(this.member('inheritEnv'), this.#document)
    if (names !== undefined) return names
    const why = 'inheritEnv: must be a list of names of variables, such as "DOCKER_HOST" or "XDG_*"'
    throw invalidEntry(this.name, why)
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
    return invalidEntry(this.name, `${key}: ${must}, not ${kindOf(node)}`)
  }
}

/** Whether it is `""`, `[]` or `{}`: some programs write one for another. */
function isEmpty({ value, children = [] }: Node): boolean {
  return (value === undefined || value === '') && children.length === 0
}
