import type { Asks } from '../exchanges/asks.ts'
import type { InstanceGroups } from '../exchanges/instance-groups.ts'
import type { System } from '../system.ts'

export interface TranslationDeps {
  readonly system: System
  readonly groups: InstanceGroups
  readonly asks: Asks
}
