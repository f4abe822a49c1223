import { resolve } from 'node:path'
import { BACKSLASH_HINT } from './document.ts'
import { invalidEntry } from './entry-error.ts'
import { type FillContext, fill } from './variables.ts'

/** Matches a path such as `C:\temp` after JSON has read its single backslash as an escape. */
const LOST_BACKSLASH = /^[A-Za-z]:[\b\f\n\r\t]/

/** Fills variables into the texts of one entry, and collects their values. */
export class EntryFiller {
  readonly #name: string
  readonly #context: FillContext
  readonly #filled: string[] = []
  #env: Readonly<Record<string, string>> = {}

  constructor(name: string, context: FillContext) {
    this.#name = name
    this.#context = context
  }

  /** The entry's own variables. */
  get env(): Readonly<Record<string, string>> {
    return this.#env
  }

  /** Values of `env` and of filled variables. */
  get secrets(): readonly string[] {
    return [...this.#filled, ...Object.values(this.#env)]
  }

  /**
   * Adds variables of the entry itself, which its later texts may use. Some servers, such as mcp-remote, fill those
   * into their arguments themselves.
   */
  addEnv(env: Readonly<Record<string, string>>): void {
    this.#env = { ...this.#env, ...env }
  }

  /**
   * Fills the variables of a text.
   * @param key the text's member, for the error
   * @throws ConfigError `config_variable_missing`; `config_server_invalid` for a character that the text must not have
   */
  fill(text: string, key: string): string {
    const context = { ...this.#context, env: { ...this.#context.env, ...this.#env } }
    const filled = fill(text, context, `"${this.#name}" (${key})`, (value) => this.#filled.push(value))
    if (filled.includes('\0')) throw invalidEntry(this.#name, `${key}: must not contain a NUL character`)
    if (key.startsWith('env.') || !LOST_BACKSLASH.test(filled)) return filled
    const why = `${key}: must not contain a control character after a drive letter`
    throw invalidEntry(this.#name, why, BACKSLASH_HINT)
  }

  /** Fills the variables of a path, which may begin in the folder of the config file. */
  path(text: string, key: string): string {
    return resolve(this.#context.folder, this.fill(text, key))
  }
}
