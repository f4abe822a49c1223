/** A bounded resource, its bound, per what, and the effect on a peer that exceeds it. */
export type LimitRow = readonly [resource: string, bound: string, per: string, effect: string]
