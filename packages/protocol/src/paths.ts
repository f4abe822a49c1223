/** Path at which a bridge upgrades agents to a WebSocket. */
export const AGENT_PATH = '/api/mcp-ws'

/** Paths at which a machine is enrolled, gets its tokens, and replaces its key. */
export const DEVICE_PATHS = {
  enrol: '/api/devices',
  token: '/api/devices/token',
  rotate: '/api/devices/key',
} as const
