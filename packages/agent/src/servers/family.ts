import { readdirSync, readFileSync } from 'node:fs'

/** Variable in the environment of a server and of all that it starts. Its value is new for each start. */
export const MARK = 'BRIDGEKEEPER_SERVER'

/** Process ids, each with the time at which the process started: an id alone may come to mean another process. */
export type Family = ReadonlyMap<number, string>

export interface FamilyRoots {
  readonly groups: ReadonlySet<number>
  readonly marks: ReadonlySet<string>
  /** Found earlier: their parents may have ended since. */
  readonly known?: Family
}

interface Process {
  readonly pid: number
  readonly parent: number
  readonly group: number
  readonly startTime: string
  readonly mark: string | undefined
}

/**
 * Finds the processes of running servers: by group, by mark, and all descendants, including those in a
 * separate group or session, such as browsers. Empty on systems without /proc.
 */
export function findFamily({ groups, marks, known }: FamilyRoots): Family {
  const processes = readProcesses()
  const isRoot = ({ pid, group, startTime, mark }: Process) =>
    groups.has(group) || (mark !== undefined && marks.has(mark)) || known?.get(pid) === startTime
  const found = new Map<number, string>()
  for (let hasGrown = true; hasGrown; ) {
    hasGrown = false
    for (const each of processes) {
      if (found.has(each.pid)) continue
      if (!isRoot(each) && !found.has(each.parent) && !found.has(each.group)) continue
      found.set(each.pid, each.startTime)
      hasGrown = true
    }
  }
  return found
}

/** Signals each process. Those that have ended are passed over. */
export function signalFamily(family: Family, signal: NodeJS.Signals): void {
  for (const pid of family.keys()) {
    try {
      process.kill(pid, signal)
    } catch {
      // The process has ended, or belongs to another user now.
    }
  }
}

function readProcesses(): readonly Process[] {
  try {
    return readdirSync('/proc').flatMap((name) => (/^\d+$/.test(name) ? (readProcess(name) ?? []) : []))
  } catch {
    return []
  }
}

/** Source: proc(5), /proc/pid/stat. */
function readProcess(pid: string): Process | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const [state = '', parent, group] = fields
    if ('ZX'.includes(state) || Number(pid) === process.pid) return undefined
    return {
      ...{ pid: Number(pid), parent: Number(parent), group: Number(group), startTime: fields[19] ?? '' },
      mark: readMark(pid),
    }
  } catch {
    return undefined
  }
}

function readMark(pid: string): string | undefined {
  try {
    const pairs = readFileSync(`/proc/${pid}/environ`, 'latin1').split('\0')
    return pairs.find((pair) => pair.startsWith(`${MARK}=`))?.slice(MARK.length + 1)
  } catch {
    return undefined
  }
}
