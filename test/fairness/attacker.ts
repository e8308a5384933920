/**
 * A hostile client in a process of its own: `bun test/fairness/attacker.ts '{"url": …, "address": …, "attack": …}'`.
 * Prints `ready` once it attacks, and on SIGTERM what became of its requests.
 */
import { join } from "node:path";
import { ATTACKS, type AttackName } from "./attacks.ts";

interface AttackOptions {
  readonly url: string;
  readonly address: string;
  readonly attack: AttackName;
}

export interface Attacker extends AsyncDisposable {
  /** Ends the process, and with it all its connections. Returns how many requests had which outcome. */
  stop(): Promise<Readonly<Record<string, number>>>;
}

/** Resolves when the attack goes on. */
export async function startAttacker(options: AttackOptions): Promise<Attacker> {
  const program = join(import.meta.dir, "attacker.ts");
  const child = Bun.spawn([process.execPath, program, JSON.stringify(options)], {
    stdin: "pipe", // its end ends the attacker, also where this process is killed
    stdout: "pipe",
    stderr: "inherit",
  });
  const ready = Promise.withResolvers<void>();
  let printed = "";
  const reading = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of child.stdout) {
      printed += decoder.decode(chunk, { stream: true });
      if (printed.startsWith("ready\n")) ready.resolve();
    }
    ready.reject(new Error(`the attacker ended: ${options.attack}`));
  })();
  await ready.promise;
  return {
    async stop() {
      child.kill("SIGTERM");
      await reading;
      return JSON.parse(printed.slice(printed.indexOf("\n")));
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
    },
  };
}

if (import.meta.main) {
  const { attack, ...target }: AttackOptions = JSON.parse(process.argv[2] ?? "{}");
  const outcomes: Record<string, number> = {};
  const count = (outcome: string | number) => {
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  };
  const carryOn = await ATTACKS[attack]({ ...target, count });
  process.on("SIGTERM", () => {
    process.stdout.write(JSON.stringify(outcomes), () => process.exit(0));
  });
  process.stdin.on("end", () => process.exit(1)).resume();
  process.stdout.write("ready\n");
  await carryOn();
}
