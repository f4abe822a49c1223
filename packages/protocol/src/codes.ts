import { admissionCodes } from './codes/admission.ts'
import { callCodes } from './codes/calls.ts'
import { requestCodes } from './codes/requests.ts'

/**
 * Every error of the product: one stable code and its form at each edge. Local errors never cross the wire;
 * wire errors come from this table.
 */
export const codes = { ...admissionCodes, ...requestCodes, ...callCodes } as const

export type ErrorCode = keyof typeof codes

export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(codes, text)
}
