import type { Document } from 'yaml';
import type { Problem } from '../../error/problem.ts';
import type { YamlFile } from '../../yaml/read-yaml.ts';
import type { Policy } from '../policy.ts';

/** What one file yields: its policies, and a problem for each that cannot be used. */
export interface PolicyFindings {
  readonly policies: readonly Policy[];
  readonly problems: readonly Problem[];
}

/** A way of writing policies; a dialect is one file here and one row in read-policies.ts. */
export interface Dialect {
  /** Bytes that every file of this dialect holds: files without them are not parsed. */
  readonly needle: string;
  /** Whether the document is one of this dialect's objects, well-formed or not. */
  claims(document: Document.Parsed): boolean;
  read(document: Document.Parsed, file: YamlFile, path: string): PolicyFindings;
}
