/**
 * Environment with which a Node program finds its compiled code from an earlier start. Local servers need it in their
 * entry: the agent passes on only a few of its own variables.
 */
export const COMPILE_CACHE: Readonly<Record<string, string>> =
  process.env.NODE_COMPILE_CACHE === undefined ? {} : { NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE }
