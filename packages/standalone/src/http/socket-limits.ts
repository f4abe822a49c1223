/** Sockets of any kind, unless the operator sets another number. */
export const MAX_CONNECTIONS = 20_000
/** Sockets of any kind that one address may have open; many users may share one address. */
export const MAX_SOCKETS_PER_ADDRESS = 512
