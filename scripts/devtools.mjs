// Loads the two snapshots of a folder in the Memory panel of DevTools, as a person would, and looks at all views. Then asks
// the panel's own engine for each node, and compares that with `ours.json` of that folder.

import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Browser, sleep, until } from './browser.mjs';

const [folder, screenshot] = process.argv.slice(2);
const ours = JSON.parse(readFileSync(join(folder, 'ours.json'), 'utf8'));
// The pages of DevTools are there once DevTools have been opened.
const browser = await Browser.launch(['--auto-open-devtools-for-tabs']);
if (!browser) {
    console.log('SKIPPED: no Chromium');
    process.exit(0);
}
try {
    await look(await open());
} finally {
    await browser.close();
}

async function open() {
    const page = await browser.open('about:blank', { width: 1200, height: 640 });
    const url = 'devtools://devtools/bundled/devtools_app.html';
    await until(() => page.go(url).then(() => true, () => false), 'DevTools to open');
    // What can be seen, behind the roots of shadows too.
    await page.evaluate(`
        globalThis.elements = (root = document) => [...root.querySelectorAll('*')].flatMap(element =>
            element.shadowRoot ? [element, ...elements(element.shadowRoot)] : [element]);
        globalThis.seen = (tag, words) => elements().filter(element =>
            element.tagName === tag && element.getBoundingClientRect().height > 0 && words.test(element.textContent));
        globalThis.rows = () => seen('TR', /./).map(row => [...row.cells].map(cell => cell.textContent.trim()));
    `);
    const show = `import('./ui/legacy/legacy.js').then(UI => UI.ViewManager.ViewManager.instance().showView('heap-profiler')).then(() => true)`;
    await until(() => page.evaluate(show).catch(() => false), 'the Memory panel');
    return page;
}

async function look(page) {
    for (const name of ['before', 'after']) {
        const button = `seen('DEVTOOLS-BUTTON', /Load profile/)[0] ?? elements().find(element => /^Load profile/.test(element.title || element.ariaLabel))`;
        await until(() => page.evaluate(`!!(${button})`), 'a button');
        await page.choose(join(folder, `${name}.heapsnapshot`), () => page.click(button));
        await until(() => page.evaluate(`seen('LI', /^${name}.*kB/).length === 1`), `${name} to be loaded`);
        await page.click(`seen('LI', /^${name}/)[0]`);
        await until(() => page.evaluate(`seen('TR', /^Window/).length === 1`), `the summary of ${name}`);
    }
    const has = async (view, row) => {
        const rows = await until(async () => {
            const rows = await page.evaluate('rows()');
            return rows.some(cells => row.every((cell, at) => cells[at]?.startsWith(cell))) && rows;
        }, `${JSON.stringify(row)} in ${view}`, 10).catch(async error => {
            throw new Error(`${error.message}: ${JSON.stringify(await page.evaluate('rows()'))}`);
        });
        return rows;
    };
    const turn = view => page.evaluate(`{
        const list = elements().find(element => element.tagName === 'SELECT' && [...element.options].some(({ text }) => text === '${view}'));
        list.selectedIndex = [...list.options].findIndex(({ text }) => text === '${view}');
        list.dispatchEvent(new Event('change', { bubbles: true }));
    }`);

    // Summary: types, how many there are, and what keeps an object alive.
    for (const name of ['Tab×2', 'Button×14', 'system / JSArrayBufferData', 'WeakRef<Tab>', 'Function', '(string)×8']) {
        await has('Summary', [name]);
    }
    await page.click(`seen('TR', /^Button/)[0].cells[0]`);
    await page.send('Input.dispatchKeyEvent', { type: 'keyDown', key: 'ArrowRight', code: 'ArrowRight', windowsVirtualKeyCode: 39 });
    await until(() => page.evaluate(`seen('TR', /^Button@/).length > 5`), 'the objects of a type');
    await page.click(`seen('TR', /^Button@/)[0].cells[0]`);
    await has('Retainers', ['buttons[']);
    if (screenshot && screenshot !== '/dev/null') {
        await sleep(500);
        writeFileSync(screenshot, await page.screenshot());
    }

    await turn('Comparison');
    await has('Comparison', ['Button', '3', '39', '−36']);
    await has('Comparison', ['Tab', '1', '1', '0']);
    await turn('Containment');
    await until(() => page.evaluate(`seen('TR', /Window@/).length > 0`), 'the window in Containment');
    await has('Containment', ['[1]::(GC roots)']);

    for (const name of ['before', 'after']) {
        const compared = compare(name, await page.evaluate(engine(name)));
        console.log(`DevTools, ${name}: ${compared} nodes of the same retained size, and of the same size together`);
    }
    await draw(page);
    assert.deepEqual(page.errors, []);
}

// The Performance panel draws what happened in the heap.
async function draw(page) {
    const show = `import('./ui/legacy/legacy.js').then(UI => UI.ViewManager.ViewManager.instance().showView('timeline')).then(() => true)`;
    await page.evaluate(show);
    const button = `elements().find(element => /^Load trace/.test(element.title || element.ariaLabel) && element.getBoundingClientRect().height > 0)`;
    await until(() => page.evaluate(`!!(${button})`), 'a button');
    await page.choose(join(folder, 'trace.json'), () => page.click(button));
    const names = `import('./ui/legacy/legacy.js')
        .then(UI => UI.ViewManager.ViewManager.instance().view('timeline').widget())
        .then(panel => panel.flameChart.mainDataProvider.entryData.map(({ name }) => name))`;
    const drawn = await until(async () => {
        const drawn = await page.evaluate(names).catch(() => []);
        return drawn.length > 0 && drawn;
    }, 'the trace to be drawn', 20);
    assert(drawn.includes('MinorGC') && drawn.includes('MajorGC'), JSON.stringify(drawn));
    console.log(`DevTools, trace: ${drawn.length} events drawn`);
}

// All nodes of all types, from the engine in the worker of the panel.
function engine(name) {
    return `(async () => {
        const { HeapSnapshotModel } = await import('./models/heap_snapshot/heap_snapshot.js');
        const UI = await import('./ui/legacy/legacy.js');
        const panel = await UI.ViewManager.ViewManager.instance().view('heap-profiler').widget();
        const { snapshotProxy } = panel.profileToView.map(({ profile }) => profile).find(({ title }) => title === '${name}');
        const filter = new HeapSnapshotModel.NodeFilter();
        const types = await snapshotProxy.aggregatesWithFilter(filter);
        const nodes = [];
        for (const key of Object.keys(types)) {
            const provider = snapshotProxy.createNodesProviderForClass(key, filter);
            const { items } = await provider.serializeItemsRange(0, 1e9);
            nodes.push(...items.map(({ id, name, retainedSize }) => ({ id, name, retained: retainedSize })));
        }
        return { nodes, self: Object.values(types).reduce((sum, { self }) => sum + self, 0), total: snapshotProxy.totalSize };
    })()`;
}

function compare(name, theirs) {
    const byId = new Map(ours[name].nodes.map(node => [node.id, node]));
    for (const node of theirs.nodes) {
        assert.equal(node.retained, byId.get(node.id)?.retained, `the retained size of ${node.name} @${node.id}`);
    }
    // Arrays of one owner count as a part of it in DevTools.
    const seen = new Set(theirs.nodes.map(({ id }) => id));
    const missing = ours[name].nodes.filter(({ id, type }) => !seen.has(id) && type !== 'synthetic' && type !== 'array');
    assert.deepEqual(missing, []);
    assert.equal(theirs.total, ours[name].nodes.reduce((sum, node) => sum + node.self, 0));
    assert.equal(theirs.self, theirs.total);
    return theirs.nodes.length;
}
