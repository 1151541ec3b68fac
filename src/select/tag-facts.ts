/** What is known of a tag besides its name; each may be unknown. */
export interface TagFacts {
  /** `sha256:<64 hex>` of the manifest or index behind it. */
  readonly digest?: string | undefined;
  /** When it was first there by a clock that its publisher does not own, in milliseconds since 1970. */
  readonly seenMs?: number | undefined;
  /** What the image runs on: `linux/amd64`, `linux/arm/v7`. */
  readonly platforms?: readonly string[] | undefined;
}
