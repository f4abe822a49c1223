/** The exact bytes of the answer frame that the echoing agent sends, which the relay relies on. */
export const RESULT_HEAD = '{"type":"tool_result","id":"'
export const RESULT_MIDDLE = '","success":true,"result":'
