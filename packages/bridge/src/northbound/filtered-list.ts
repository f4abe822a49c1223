import { arrayItems, limits, pickMembers, type RawJson, type Span, stringAt } from '@bridgekeeper/protocol'
import { arrayOf } from './json-edits.ts'

/**
 * [SCOPE.2] Removes tools from the answer to `tools/list`, whose other bytes stay. An answer without tools, such as
 * an error, stays as it is.
 * @param mayList decides by the tool's name
 * @returns `undefined` if the answer can be read in two ways, or has too many tools
 */
export function filteredList(answer: RawJson, mayList: (toolName: string) => boolean): RawJson | undefined {
  const [result] = pickMembers(answer, ['result']) ?? []
  if (result === undefined) return answer
  const found = pickMembers(answer, ['tools'], result)
  if (found === undefined) return undefined
  const [tools] = found
  if (tools === undefined) return answer
  if (tools[0] < 0) return undefined
  const list = answer.subarray(...tools)
  const items = arrayItems(list, limits.toolsPerServer)
  if (items === undefined) return undefined
  const kept = items.filter((at) => {
    const name = nameOf(list, at)
    return name !== undefined && mayList(name)
  })
  const array = arrayOf(kept.map((at) => list.subarray(...at)))
  return Buffer.concat([answer.subarray(0, tools[0]), array, answer.subarray(tools[1])])
}

/** The name of a tool; `undefined` if it has none, or two. */
function nameOf(list: Buffer, tool: Span): string | undefined {
  const [name] = pickMembers(list, ['name'], tool) ?? []
  return name === undefined || name[0] < 0 ? undefined : stringAt(list, name)
}
