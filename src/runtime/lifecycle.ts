/** Whether the process is shutting down. It still serves for a while, but `/ready` answers 503. */
export interface Lifecycle {
  readonly isEnding: boolean;
  /** Makes `isEnding` true, for good. */
  end(): void;
}

export function createLifecycle(): Lifecycle {
  let isEnding = false;
  return {
    get isEnding() {
      return isEnding;
    },
    end() {
      isEnding = true;
    },
  };
}
