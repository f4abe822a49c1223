import { hash } from 'node:crypto'
import {
  OPEN_BRACE,
  OPEN_BRACKET,
  pastArray,
  pastObject,
  pastValue,
  type RawJson,
  skipSpace,
} from '@bridgekeeper/protocol'

/**
 * Names exactly this tool definition: SHA-256, hex, of its canonical JSON (RFC 8785, section 3.2.3), with numbers as its
 * server wrote them.
 * @param definition one JSON value @throws RangeError if it is nested deeper than the stack
 */
export function definitionHash(definition: RawJson): string {
  return hash('sha256', canonicalText(definition, skipSpace(definition, 0)).text)
}

interface Canonical {
  readonly text: string
  /** The byte after the value. */
  readonly end: number
}

function canonicalText(json: RawJson, start: number): Canonical {
  if (json[start] === OPEN_BRACE) return canonicalObject(json, start)
  if (json[start] === OPEN_BRACKET) return canonicalArray(json, start)
  const end = pastValue(json, start)
  const text = json.toString('utf8', start, end)
  return { text: text.startsWith('"') ? JSON.stringify(JSON.parse(text)) : text, end }
}

function canonicalObject(json: RawJson, openAt: number): Canonical {
  const members: { readonly key: string; readonly text: string }[] = []
  const end = pastObject(json, openAt, (start, keyStart, keyEnd) => {
    const key: string = JSON.parse(json.toString('utf8', keyStart - 1, keyEnd + 1))
    const value = canonicalText(json, start)
    members.push({ key, text: `${JSON.stringify(key)}:${value.text}` })
    return value.end
  })
  members.sort((one, other) => Number(one.key > other.key) - Number(one.key < other.key))
  return { text: `{${members.map(({ text }) => text).join()}}`, end }
}

function canonicalArray(json: RawJson, openAt: number): Canonical {
  const items: string[] = []
  const end = pastArray(json, openAt, (start) => {
    const item = canonicalText(json, start)
    items.push(item.text)
    return item.end
  })
  return { text: `[${items.join()}]`, end }
}
