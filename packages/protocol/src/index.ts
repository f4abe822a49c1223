export { BridgeError } from './bridge-error.ts'
export { plainAddress, readBridgeUrl } from './bridge-url.ts'
export {
  type CatalogServer,
  type CatalogTool,
  catalogSchema,
  type ReadyServer,
  type ToolDefinition,
  toolDefinitionSchema,
} from './catalog.ts'
export { type CatalogFrame, encodeCatalog, serverBytes, serverText, toolText } from './catalog-texts.ts'
export { type Chunk, decodeChunk, encodeChunk } from './chunk-frame.ts'
export { ChunkReceiver } from './chunk-receiver.ts'
export { ChunkSender, type ChunkSocket, type OutgoingFrame, QUEUED_CHUNK_BYTES } from './chunk-sender.ts'
export { closeCodes, mayReconnect } from './close-codes.ts'
export {
  type CarrierFrame,
  type Decoded,
  type DownFrame,
  decodeDown,
  decodeUp,
  type EndFrame,
  encode,
  encodeExchange,
  encodeToolExecute,
  encodeToolFailure,
  encodeToolResult,
  type MessageFrame,
  type OpenFrame,
  type ToolExecuteFrame,
  type ToolResultFrame,
  type UpFrame,
} from './codec.ts'
export type { CodeEntry } from './codes/entry.ts'
export { codes, type ErrorCode, isErrorCode } from './codes.ts'
export { isCompactJws } from './compact-jws.ts'
export type { DownMessage } from './down.ts'
export {
  CLIENT_TRAITS,
  type ClientTrait,
  ERAS,
  type Era,
  type ExchangeKind,
  type ExchangeSession,
  openSchema,
} from './exchange.ts'
export { type Exposure, type FileRights, secretExposure, trustExposure } from './file-rights.ts'
export { hasCode } from './has-code.ts'
export { canonicalJson, isObject, type Json, type JsonText, parseJson, type RawJson, toJson } from './json.ts'
export {
  BACKSLASH,
  CLOSE_BRACE,
  CLOSE_BRACKET,
  isDigit,
  MINUS,
  OPEN_BRACE,
  OPEN_BRACKET,
  QUOTE,
  skipSpace,
  withoutByteOrderMark,
} from './json-bytes.ts'
export { isJson, pastArray, pastObject, pastValue } from './json-grammar.ts'
export { isAmbiguous, replaceAt, textAt, valueAt } from './json-paths.ts'
export {
  arrayItems,
  bytesAt,
  firstItems,
  isEmptyAt,
  leadingMembers,
  objectEnd,
  objectMembers,
  pickMembers,
  type Span,
  spanIs,
  stringAt,
  TWICE,
  withoutMembers,
} from './json-spans.ts'
export { keyWords } from './key-words.ts'
export { limits } from './limits.ts'
export { isLoopbackHost, LOOPBACK_NAMES } from './loopback.ts'
export {
  AGENT_CLIENT_ID,
  CALLER_SCOPES,
  ENROL_SCOPE,
  LOGIN_SCOPES,
  readScope,
  SCOPE_FORMS,
  type ScopeName,
  USER_SCOPES,
} from './oauth.ts'
export { outgoingCall, outgoingExchange, outgoingResult } from './outgoing.ts'
export { AGENT_PATH, DEVICE_PATHS } from './paths.ts'
export {
  discard,
  type Payload,
  type PayloadReader,
  PayloadStream,
  payloadBytes,
  readWhole,
} from './payload.ts'
export {
  BINDING_TYPES,
  type BindingType,
  isThumbprint,
  type Proof,
  thumbprint,
  thumbprintSchema,
} from './proof.ts'
export { readText } from './read-text.ts'
export { repairedJson, type StrictDefinition, strictDefinition } from './strict-definition.ts'
export { cleanText, isName, nameSchema } from './text.ts'
export { agentSigned, bridgeSigned, type TranscriptFacts, transcript } from './transcript.ts'
export { unreachable } from './unreachable.ts'
export type { UpMessage } from './up.ts'
export { type ProtocolVersion, SUBPROTOCOL_V2, schemaHashes, schemas } from './version.ts'
export { fromWords, toWords } from './words.ts'
