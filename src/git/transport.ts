/** How Git's conversations reach a server: one interface for HTTP now and SSH later. */

export type GitService = 'git-upload-pack' | 'git-receive-pack';

export interface TransportOptions {
  readonly signal: AbortSignal;
  /** Asks the server for protocol version 2. Source: git's "gitprotocol-v2". */
  readonly version2?: boolean;
}

/** Failures are TallymanErrors: RepoUnavailable, RepoDenied, RepoInvalid, PushRejected; an abort throws the signal's reason. */
export interface GitTransport {
  /** The remote as it may be shown: without user information. */
  readonly shownUrl: string;
  /** The server's first words for the service: its capabilities, and (before version 2) its refs. */
  advertise(service: GitService, options: TransportOptions): Promise<Buffer>;
  /** Sends one request and gives the whole answer. */
  exchange(service: GitService, body: Buffer, options: TransportOptions): Promise<Buffer>;
  close(): Promise<void>;
}

/** Who speaks; servers log it. */
export const agent = 'tallyman/0.1';
