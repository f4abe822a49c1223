/**
 * Serves an MCP address over stdio with mcp-proxy, whose own command only does the reverse.
 *
 * Usage: node mcp-proxy-stdio.ts PATH_OF_MCP_PROXY URL TOKEN
 */
import { pathToFileURL } from 'node:url'

const [path = '', url, token] = process.argv.slice(2)
const { startStdioServer } = await import(pathToFileURL(path).href)
await startStdioServer({
  serverType: 'HTTPStream',
  url,
  transportOptions: { requestInit: { headers: { authorization: `Bearer ${token}` } } },
})
