/** What each error code means for the person who reads it and for the loop that may try again. */

/** `retry`: it may go away by itself. `stalled`: a person must act first. Both are looked at again with every pass, a pass that failed as a whole at growing intervals. */
export type Disposition = 'retry' | 'stalled';

interface CatalogueEntry {
  readonly disposition: Disposition;
  /** `warning`: nothing is kept from working. Default `error`. */
  readonly severity?: 'warning';
  /** One imperative sentence that names a file, a key or a command. */
  readonly remedy: string;
}

/**
 * The closed set of error codes. A code is also the Kubernetes Event reason, the log field `code` and the metric label,
 * so a code is never renamed.
 */
export const catalogue = {
  ConfigInvalid: { disposition: 'stalled', remedy: 'Correct the configuration file at the place named.' },
  PolicyInvalid: {
    disposition: 'stalled',
    remedy: 'Correct the policy file at the place named; `tallyman check` validates it.',
  },
  PolicyDuplicate: {
    disposition: 'stalled',
    remedy: 'Give each ImagePolicy its own metadata.name within its namespace.',
  },
  PolicyUnsupported: {
    disposition: 'stalled',
    remedy: 'Take the field out of the policy until a version of Tallyman that knows it; nothing is written meanwhile.',
  },
  PolicyPartial: {
    disposition: 'stalled',
    severity: 'warning',
    remedy: 'Nothing has to be done where the difference does not matter; `tallyman explain` shows what is chosen.',
  },
  ReferenceInvalid: { disposition: 'stalled', remedy: 'Write the image as [host[:port]/]path[:tag][@digest].' },
  MarkerInvalid: {
    disposition: 'stalled',
    remedy: 'Write the marker after one scalar, as # {"$imagepolicy": "<namespace>:<policy>[:tag|:name|:digest]"}.',
  },
  MarkerUnknown: {
    disposition: 'stalled',
    remedy: 'Name an existing ImagePolicy in the marker, or remove the marker.',
  },
  TargetMissing: { disposition: 'stalled', remedy: 'Add a marker where the version is written, or widen write.paths.' },
  TargetConflict: {
    disposition: 'stalled',
    remedy: 'Let one policy own the place: narrow write.paths, or mark it for one policy.',
  },
  EditRefused: {
    disposition: 'stalled',
    remedy: 'Correct the file by hand at the place named; nothing in it was changed.',
  },
  FileUnreadable: {
    disposition: 'stalled',
    remedy: 'Keep the file as UTF-8 YAML within the stated limits, or leave it out with write.paths.',
  },
  RegistryUnavailable: {
    disposition: 'retry',
    remedy: 'Check that the registry host is reachable from here; it is tried again by itself.',
  },
  RegistryDenied: {
    disposition: 'stalled',
    remedy: 'Give credentials that may pull this repository under `registries` in the configuration.',
  },
  RegistryInvalid: {
    disposition: 'retry',
    remedy: 'Check the registry: its answer does not follow the Distribution API.',
  },
  ImageNotFound: {
    disposition: 'stalled',
    remedy: 'Correct spec.image, or give credentials that may see the repository.',
  },
  ListingTruncated: {
    disposition: 'retry',
    remedy: 'Raise the page limit under `registries` in the configuration, or list fewer tags per repository.',
  },
  RepoUnavailable: {
    disposition: 'retry',
    remedy: 'Check that the Git server is reachable from here; it is tried again by itself.',
  },
  RepoDenied: {
    disposition: 'stalled',
    remedy: 'Give credentials for the Yaml repo under `repos` in the configuration.',
  },
  RepoInvalid: { disposition: 'stalled', remedy: 'Point `repos` at an existing Git repository and branch.' },
  PushRejected: {
    disposition: 'stalled',
    remedy: 'Let the bot user push to the branch, or choose another branch under `repos`.',
  },
  PushRaced: {
    disposition: 'retry',
    remedy: 'Nothing to do: the branch kept moving; the next pass plans again on its new tip.',
  },
  ImageHeld: {
    disposition: 'stalled',
    severity: 'warning',
    remedy: 'Wait for a newer version, or run `tallyman resume NAMESPACE/NAME` to let the version be written again.',
  },
  HistoryShallow: {
    disposition: 'stalled',
    remedy: 'Give the checkout its whole history: `git fetch --unshallow`, or `fetch-depth: 0` in CI.',
  },
  WorkTreeDirty: { disposition: 'stalled', remedy: 'Commit, stash or undo the local changes to the files named.' },
  ForgeUnavailable: {
    disposition: 'retry',
    remedy: "Check that the forge's API is reachable from here; it is tried again by itself.",
  },
  ForgeDenied: {
    disposition: 'stalled',
    remedy: 'Give a token that may read and write pull requests, under `repos` in the configuration.',
  },
  ForgeInvalid: {
    disposition: 'stalled',
    remedy: "Check `forge` under `repos` in the configuration: its kind, its apiUrl and the repository's address.",
  },
  BranchTaken: {
    disposition: 'stalled',
    severity: 'warning',
    remedy: 'Merge or close the pull request, and delete its branch; Tallyman begins a new one with the next update.',
  },
  QueueUnavailable: {
    disposition: 'retry',
    remedy: 'Check that Redis is reachable from here, at `redis` in the configuration; it is tried again by itself.',
  },
  LedgerUnavailable: {
    disposition: 'retry',
    remedy: 'Check that stateDir can be written to, or that Redis is reachable from here; it is tried again by itself.',
  },
  ClusterUnavailable: {
    disposition: 'retry',
    severity: 'warning',
    remedy: "Check that the cluster's API server is reachable from here; it is tried again by itself.",
  },
  ClusterDenied: {
    disposition: 'stalled',
    severity: 'warning',
    remedy:
      'Give the service account the role in deploy/ that names this resource, or turn the feature off under `kubernetes`.',
  },
  SecretUnavailable: {
    disposition: 'retry',
    remedy:
      'Create the Secret with the keys named, and let the service account read it (deploy/); it is used as soon as it is there.',
  },
  LeadershipLost: {
    disposition: 'retry',
    severity: 'warning',
    remedy:
      'Nothing to do: whoever holds the Lease now makes the commit; see that replicas reach the API server in time.',
  },
  TagMutated: {
    disposition: 'stalled',
    severity: 'warning',
    remedy:
      'Ask who pushed the tag again; `spec.mutation: block` keeps a policy from choosing it, `spec.pin: digest` writes what is run.',
  },
  ImageApplyFailed: {
    disposition: 'retry',
    severity: 'warning',
    remedy: 'Look at the object named, with `kubectl describe`; once it applies the version, that is told too.',
  },
  Internal: { disposition: 'retry', remedy: 'Report this as a bug of Tallyman, with the log lines around it.' },
} as const satisfies Record<string, CatalogueEntry>;

export type ErrorCode = keyof typeof catalogue;

/** How much a code weighs. */
export function severityOf(code: ErrorCode): 'error' | 'warning' {
  const entry: CatalogueEntry = catalogue[code];
  return entry.severity ?? 'error';
}
