/** Whether the process is shutting down. It keeps serving for a while, but `/ready` responds with 503. */
export interface Lifecycle {
  readonly isEnding: boolean;
  /** Makes `isEnding` true, permanently. */
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
