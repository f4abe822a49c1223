import { type FieldKind, type SecurityEvent, securityEvents } from './events.ts'
import { jsonText } from './redact.ts'

/** The constant parts of an event's line. */
interface Shape {
  /** `","event":"…","severity":"…"`, after the timestamp. */
  readonly opening: string
  readonly fields: readonly Field[]
}

interface Field {
  readonly name: string
  /** `,"name":` */
  readonly label: string
  readonly kind: FieldKind
}

const shapes: ReadonlyMap<string, Shape> = new Map(
  Object.entries(securityEvents).map(([name, { severity, fields }]) => [
    name,
    {
      opening: `","event":"${name}","severity":"${severity}"`,
      fields: Object.entries<FieldKind>(fields).map(([field, kind]) => ({
        name: field,
        label: `,"${field}":`,
        kind,
      })),
    },
  ]),
)

/**
 * The line of an event without `seq`, `hash` and the closing brace. Reads only fields of the table.
 * @param timestamp ISO 8601, in UTC
 * @returns `undefined` for an event that is not in the table
 */
export function lineBody(event: SecurityEvent, timestamp: string): string | undefined {
  const shape = shapes.get(event.event)
  if (shape === undefined) return undefined
  let line = `{"timestamp":"${timestamp}${shape.opening}`
  if (event.userId !== undefined) line += `,"userId":${jsonText('user', event.userId)}`
  if (event.ip !== undefined) line += `,"ip":${jsonText('ip', event.ip)}`
  const values = event as unknown as Readonly<Record<string, unknown>>
  for (const { name, label, kind } of shape.fields) {
    const value = values[name]
    if (value !== undefined) line += label + jsonValue(kind, value)
  }
  return line
}

function jsonValue(kind: FieldKind, value: unknown): string {
  if (kind === 'count') return Number.isFinite(value) ? String(value) : 'null'
  if (kind === 'flag') return value === true ? 'true' : 'false'
  return jsonText(kind, value)
}

/** Formats moments as ISO 8601, in UTC. Formats each millisecond once, because many lines share it. */
export function timestamps(): (atMs: number) => string {
  let last = { atMs: Number.NaN, text: '' }
  return (atMs) => {
    if (atMs !== last.atMs) last = { atMs, text: new Date(atMs).toISOString() }
    return last.text
  }
}
