/** Packages of clients that only `npm run interop` installs. */
export const CLIENT_PACKAGES = {
  '@langchain/core': '1.4.0',
  '@langchain/mcp-adapters': '1.1.4',
  '@mastra/core': '1.71.0',
  '@mastra/mcp': '2.0.0',
  'mcp-proxy': '6.7.19',
  // Version 2 is a server framework without a client.
  'mcp-use': '1.34.6',
  supergateway: '4.0.0',
} as const
