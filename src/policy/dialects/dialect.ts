import type { Document } from 'yaml';
import type { Problem } from '../../error/problem.ts';
import type { YamlFile } from '../../yaml/read-yaml.ts';
import type { Policy } from '../policy.ts';

/** Policies, and a problem for each that cannot be used, or not as it is written. */
export interface PolicyFindings {
  readonly policies: readonly Policy[];
  readonly problems: readonly Problem[];
}

/** What a document and a map have in common. */
export interface KeyedObject {
  get(key: string): unknown;
}

/** A document as a dialect sees it. */
export interface PolicyDocument {
  readonly document: Document.Parsed;
  readonly file: YamlFile;
  /** Of the file, from the repository's root. */
  readonly path: string;
}

/** What one document yields; policies may take several documents, so pieces of all files are put together at the end. */
export interface PieceFindings<Piece> {
  readonly pieces: readonly Piece[];
  readonly problems: readonly Problem[];
}

/** A way of writing policies; a dialect is one file here and one row in read-policies.ts. */
export interface Dialect<Piece = unknown> {
  /** Where an object is that names no namespace. */
  readonly namespace: string;
  /** Whether the text may hold an object of this dialect: files that cannot are not parsed. Never false where one is. */
  mayHold(text: string): boolean;
  /** Whether the document, or the item of a list, is one of this dialect's objects, well-formed or not. */
  claims(object: KeyedObject): boolean;
  read(document: PolicyDocument): PieceFindings<Piece>;
  /** The policies that the pieces of the whole repository make. */
  resolve(pieces: readonly Piece[]): PolicyFindings;
}
