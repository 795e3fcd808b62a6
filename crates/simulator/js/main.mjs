// Runs a workload on node, and prints what is to be compared as one line of JSON.
//
//   node [--expose-gc] main.mjs WORKLOAD PARAMETERS SEED count|live
//
// PARAMETERS is an object of JSON. With `count` nothing is done but the work: the collections are those that V8 does by
// itself, and are counted by whoever reads its --trace-gc. With `live` the world is collected after half of the operations,
// and what is alive is told, less what is left when the work is over and all of it dropped.
import v8 from 'node:v8';
import process from 'node:process';

const [name, parametersText, seed, what] = process.argv.slice(2);
const parameters = JSON.parse(parametersText);
const { run, operations } = await import(`./${name}.mjs`);

function alive() {
  // Buffers that died in one collection are released by the next at the latest.
  for (let round = 0; round < 3; round++) globalThis.gc();
  // `arrayBuffers` has the bytes of buffers and nothing else; `external` counts what V8's own parts have allocated too.
  return { used: v8.getHeapStatistics().used_heap_size, external: process.memoryUsage().arrayBuffers };
}

const half = Math.max(1, Math.floor(operations(parameters) / 2));
let middle = what === 'live' ? null : {};
let done = 0;

const session = {
  done(operations) {
    done += operations;
    if (middle === null && done >= half) middle = alive();
  },
};

const began = process.hrtime.bigint();
const checksum = run(parameters, seed, session);
const seconds = Number(process.hrtime.bigint() - began) / 1e9;

const result = { checksum: checksum.toString(16).padStart(16, '0'), operations: done, seconds };
if (what === 'live') {
  const after = alive();
  result.live = middle.used - after.used;
  result.external = middle.external - after.external;
}
console.log(JSON.stringify(result));
