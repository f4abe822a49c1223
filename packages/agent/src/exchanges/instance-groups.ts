import type { ClientTrait, Era } from '@bridgekeeper/protocol'
import type { ExchangeEvent } from '../events.ts'
import type { InstanceKey } from '../servers/instance.ts'
import type { System } from '../system.ts'
import type { Asks } from './asks.ts'
import { InstanceGroup } from './instance-group.ts'
import type { ExchangeServer, RootsPolicy } from './server-port.ts'
import type { Session } from './session.ts'
import type { Tasks } from './tasks.ts'

export interface GroupsDeps {
  readonly system: System
  readonly asks: Asks
  readonly tasks: Tasks
  readonly onEvent: (event: ExchangeEvent) => void
}

/** All groups of instances: one for each local server and key that was used. */
export class InstanceGroups {
  readonly #deps: GroupsDeps
  readonly #groups = new Map<string, InstanceGroup>()

  constructor(deps: GroupsDeps) {
    this.#deps = deps
  }

  /** The group whose instances serve clients with these traits. */
  of(server: ExchangeServer, era: Era, traits: readonly ClientTrait[]): InstanceGroup {
    const key = keyOf(server, era, traits)
    const name = JSON.stringify([server.name, era, ...key.traits])
    const found = this.#groups.get(name)
    if (found !== undefined) return found
    const group = new InstanceGroup({ server, key, ...this.#deps })
    this.#groups.set(name, group)
    return group
  }

  /** The group of a session, which the session joins. */
  ofSession(server: ExchangeServer, session: Session): InstanceGroup {
    const group = this.of(server, '2025', session.facts.traits)
    group.join(session)
    return group
  }

  /** Forgets the groups of a server that is being stopped. */
  drop(serverName: string): void {
    for (const [name, group] of this.#groups) {
      if (group.serverName !== serverName) continue
      group.close()
      this.#groups.delete(name)
    }
  }

  leave(session: Session): void {
    for (const group of this.#groups.values()) if (group.sessions.has(session)) group.leave(session)
  }
}

/** A server that gets its roots from us differs from one that gets those of its clients. */
function keyOf({ roots }: ExchangeServer, era: Era, traits: readonly ClientTrait[]): InstanceKey {
  if (era === '2026') return { era, traits: [] }
  return { era, traits: declaredTraits(roots, traits) }
}

/** Traits that a server learns of a client with these, sorted. */
export function declaredTraits(roots: RootsPolicy, traits: readonly ClientTrait[]): readonly ClientTrait[] {
  const declared = traits.filter((trait) => trait !== 'roots' || roots.kind === 'client')
  const all = roots.kind === 'fixed' ? [...declared, 'roots' as const] : declared
  return [...new Set(all)].sort()
}
