import type { ClientTrait, Era } from '@bridgekeeper/protocol'
import { OLDEST_VERSION, type Opening, PROTOCOL_VERSIONS } from './handshake.ts'

const [NEWEST_VERSION] = PROTOCOL_VERSIONS

/**
 * Ways to approach the first process of a server, in turn: some servers exit when they are offered an unknown
 * version, so the next start tries another.
 *
 * @param era the one that the user chose
 * @param traits capabilities that the agent has itself
 */
export function openings(
  era: Era | undefined,
  traits: readonly ClientTrait[],
): readonly [Opening, ...Opening[]] {
  const eras = era === undefined ? (['2025', '2026'] as const) : [era]
  const handshake: readonly [Opening, Opening] = [
    { eras, version: NEWEST_VERSION, traits },
    { eras, version: OLDEST_VERSION, traits },
  ]
  const discovery: Opening = { eras: ['2026'], version: NEWEST_VERSION, traits }
  switch (era) {
    case '2026':
      return [discovery]
    case '2025':
      return handshake
    default:
      return [...handshake, discovery]
  }
}
