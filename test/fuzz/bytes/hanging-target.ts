/** The process of a target that does not come back from its fifth case, or dies in it. */
import { fuzzTarget } from "./fuzz-target.ts";
import { progressWriter } from "./progress.ts";
import { bytesOf } from "./target.ts";

const [fault, cases, seed, path = ""] = process.argv.slice(2);
let count = 0;
await fuzzTarget(
  {
    name: "a fault",
    corpus: bytesOf("a"),
    dictionary: [],
    run() {
      count++;
      if (count === 5 && fault === "exit") process.exit(3);
      while (count === 5);
      return "seen";
    },
  },
  { cases: Number(cases), seed: Number(seed), onCase: progressWriter(path) },
);
