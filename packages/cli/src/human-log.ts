import { Writable } from 'node:stream'
import { styleText } from 'node:util'
import { securityEvents } from '@bridgekeeper/bridge'
import { isObject, parseJson } from '@bridgekeeper/protocol'
import { forTerminal } from './output.ts'

const LEVELS = { info: 'dim', warn: 'yellow', error: 'red' } as const
/** Fields that only programs use; the log file has them. */
const LEFT_OUT: ReadonlySet<string> = new Set(['requestId', 'counted', 'fingerprint', 'previous'])
const PLAIN = /^[\w.:@/+-]{1,64}$/
const MAX_VALUE_CHARS = 80

/**
 * Takes lines of the security log and writes each as one line for a person, in colour if standard output is a
 * terminal that shows colours. Each write must hold whole lines.
 */
export function humanLog(output: Writable): Writable {
  return new Writable({
    decodeStrings: false,
    write(lines: string, _encoding, done) {
      output.write(String(lines).replaceAll(/[^\n]+/g, logLineText), done)
    },
  })
}

/** One line of the security log for a person: local time, level, what happened, and fields as `name=value`. */
export function logLineText(line: string): string {
  const value = parseJson(line)?.value
  if (!isObject(value)) return oneLine(line)
  if (typeof value.dropped === 'number') return `(${value.dropped} events were not shown: nobody read them)`
  const { event, severity, userId: user, ip, timestamp } = value
  const entry = isEvent(event) ? securityEvents[event] : undefined
  const { fields = {}, when = String(event) } = entry ?? {}
  const names = Object.keys(fields).filter((name) => !LEFT_OUT.has(name))
  const shown = { user, ip, ...Object.fromEntries(names.map((name) => [name, value[name]])) }
  const level = severity === 'warn' || severity === 'error' ? severity : 'info'
  const texts = [styleText(LEVELS[level], level.padEnd(5)), oneLine(when), ...pairs(shown)]
  return `${clock(timestamp)} ${texts.join('  ')}`
}

function isEvent(name: unknown): name is keyof typeof securityEvents {
  return typeof name === 'string' && Object.hasOwn(securityEvents, name)
}

/** `name=value` of each field that is there, separated by single spaces. */
function pairs(fields: Readonly<Record<string, unknown>>): readonly string[] {
  const given = Object.entries(fields).filter(([, value]) => value !== undefined)
  return given.length === 0 ? [] : [given.map(([name, value]) => `${name}=${valueText(value)}`).join(' ')]
}

/** Quoted unless it is a plain word, so that no value looks like another field or line. */
function valueText(value: unknown): string {
  const text = oneLine(String(value))
  if (PLAIN.test(text)) return text
  const cut = text.length > MAX_VALUE_CHARS ? `${text.slice(0, MAX_VALUE_CHARS)}…` : text
  return JSON.stringify(cut)
}

/** [CLI.37] Values come from peers: a terminal must neither act on them nor show a second line. */
function oneLine(text: string): string {
  return forTerminal(text).replaceAll(/\s+/g, ' ')
}

function clock(timestamp: unknown): string {
  const at = new Date(String(timestamp))
  const parts = [at.getHours(), at.getMinutes(), at.getSeconds()]
  return parts.map((part) => String(part).padStart(2, '0')).join(':')
}
