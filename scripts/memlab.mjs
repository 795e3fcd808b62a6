// Compares what memlab says of the two snapshots of a folder with `ours.json` of that folder.

import analysis from '@memlab/heap-analysis';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const [folder] = process.argv.slice(2);
const ours = JSON.parse(readFileSync(join(folder, 'ours.json'), 'utf8'));
for (const name of ['before', 'after']) {
    const heap = await analysis.getFullHeapFromFile(join(folder, `${name}.heapsnapshot`));
    const { nodes } = ours[name];
    assert.equal(heap.nodes.length, nodes.length);
    let at = 0;
    heap.nodes.forEach(node => {
        const our = nodes[at++];
        const theirs = { id: node.id, name: node.name, self: node.self_size, edges: node.edge_count, retained: node.retainedSize };
        assert.deepEqual(theirs, { id: our.id, name: our.name, self: our.self, edges: our.edges, retained: our.retained_of_both });
    });
    console.log(`memlab, ${name}: ${at} nodes of the same name, size and retained size`);
}
