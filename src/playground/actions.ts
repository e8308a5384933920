/** Actions of the user: one runs at a time, its requests are a group of the log, its end or its failure is reported. */
import { byId, element } from "./dom.ts";
import { failureOf } from "./failure.ts";

type Action = () => Promise<string>;

export interface Actions {
  /** Runs an action, unless one runs. It resolves to what is reported. */
  run(name: string, action: Action): void;
  /** Runs an action, when none runs any more. A later one replaces it. */
  runNext(name: string, action: Action): void;
}

/**
 * @param started is called with the name of an action before it runs.
 * @param failed shows what follows from a failure. The report stays that of the failure.
 */
export function createActions(
  started: (name: string) => void,
  failed: (error: unknown) => Promise<void>,
): Actions {
  let isRunning = false;
  let next: (() => void) | null = null;

  async function perform(action: Action): Promise<void> {
    try {
      report("good", await action());
    } catch (error) {
      reportFailure(error);
      await failed(error).catch(reportFailure);
    }
  }

  function run(name: string, action: Action): void {
    if (isRunning) return;
    isRunning = true;
    document.body.toggleAttribute("data-busy", true);
    const focused = document.activeElement;
    const buttons = [...document.querySelectorAll<HTMLButtonElement>("main button:not(:disabled)")];
    for (const one of buttons) one.disabled = true;
    report("busy", `${name}…`);
    started(name);
    void perform(action).finally(() => {
      for (const one of buttons) one.disabled = false;
      keepFocus(focused);
      isRunning = false;
      document.body.removeAttribute("data-busy");
      const waiting = next;
      next = null;
      waiting?.();
    });
  }

  return {
    run,
    runNext(name, action) {
      if (!isRunning) return run(name, action);
      next = () => run(name, action);
    },
  };
}

/** Disabled and hidden elements lose the focus: without one, the keyboard goes on from the report. */
function keepFocus(focused: Element | null): void {
  if (!(focused instanceof HTMLElement) || focused === document.body) return;
  if (focused.checkVisibility()) focused.focus();
  else byId("status", HTMLElement).focus();
}

type State = "busy" | "good" | "bad";

function report(state: State, ...text: readonly (Node | string)[]): void {
  const status = byId("status", HTMLElement);
  status.dataset.state = state;
  status.replaceChildren(...text);
}

export function reportFailure(error: unknown): void {
  const { code, text } = failureOf(error);
  report("bad", ...(code === null ? [] : [element("code", {}, code), " "]), text);
}
