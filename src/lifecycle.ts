/** Whether the process is to end. It goes on serving for a while then, but is not ready for more. */
export interface Lifecycle {
  readonly isEnding: boolean;
  /** Has it say so from now on; there is no way back. */
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
