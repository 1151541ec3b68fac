/** What is known of a tag besides its name; each may be unknown. */
export interface TagFacts {
  /** `sha256:<64 hex>` of the manifest or index behind it. */
  readonly digest?: string | undefined;
  /** When it was first there by a clock that its publisher does not own, in milliseconds since 1970: the order of time. */
  readonly seenMs?: number | undefined;
  /** From when on its age counts: when what is behind it now was first seen there. */
  readonly agedFromMs?: number | undefined;
  /** The digest that was behind it before, where it was moved. */
  readonly movedFrom?: string | undefined;
  /** What the image runs on: `linux/amd64`, `linux/arm/v7`. */
  readonly platforms?: readonly string[] | undefined;
}
