import type { Node } from 'jsonc-parser'
import type { Member } from './document.ts'

/** Whether an entry is started; `odd` names the member that is not a boolean. */
export type Switch = 'on' | 'off' | { readonly odd: string }

/** Names that other programs use, without case, spaces, underscores and hyphens; the value is their meaning of "yes". */
const SWITCHES: ReadonlyMap<string, 'on' | 'off'> = new Map([
  ['enabled', 'on'],
  ['enable', 'on'],
  ['isenabled', 'on'],
  ['active', 'on'],
  ['isactive', 'on'],
  ['disabled', 'off'],
  ['disable', 'off'],
  ['isdisabled', 'off'],
  ['inactive', 'off'],
  ['off', 'off'],
  ['paused', 'off'],
  ['skip', 'off'],
])
const YES: readonly string[] = ['true', '1', 'yes', 'on', 'y']
const NO: readonly string[] = ['false', '0', 'no', 'off', 'n']

/** Reads all switches of an entry. Off wins over odd, and both win over on: a doubt starts nothing. */
export function readSwitch(members: readonly Member[]): Switch {
  let odd: string | undefined
  for (const { name, node } of members) {
    const meaning = SWITCHES.get(name.toLowerCase().replaceAll(/[\s_-]/g, ''))
    if (meaning === undefined || node.type === 'null') continue
    const answer = yesOrNo(node)
    if (answer === undefined) odd ??= name
    else if (answer === (meaning === 'off')) return 'off'
  }
  return odd === undefined ? 'on' : { odd }
}

function yesOrNo({ value }: Node): boolean | undefined {
  const text = String(value).trim().toLowerCase()
  if (YES.includes(text)) return true
  return NO.includes(text) ? false : undefined
}
