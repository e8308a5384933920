/** The process of a target: its place among the targets, the cases, the seed and the path of the progress as arguments. */
import { fuzzTarget } from "./fuzz-target.ts";
import { progressWriter } from "./progress.ts";
import { TARGETS } from "./targets.ts";

const [place, cases, seed, path] = process.argv.slice(2);
const makeTarget = TARGETS[Number(place)];
if (makeTarget === undefined || path === undefined) throw new Error(`there is no target ${place}`);
const options = { cases: Number(cases), seed: Number(seed), onCase: progressWriter(path) };
process.stdout.write(JSON.stringify(await fuzzTarget(await makeTarget(), options)));
