// Opens reports of tumulus in a browser, from disk, and checks that they ask for nothing, that nothing goes wrong, and that
// what matters is there and can be seen.
//
//     node scripts/report.mjs report.html..

import assert from 'node:assert/strict';
import { pathToFileURL } from 'node:url';
import { Browser, until } from './browser.mjs';

const browser = await Browser.launch();
if (!browser) {
    console.log('SKIPPED: no Chromium');
    process.exit(0);
}
try {
    for (const path of process.argv.slice(2)) await look(pathToFileURL(path).href);
} finally {
    await browser.close();
}

async function look(url) {
    const page = await browser.open(url);
    const media = (media, scheme) => page.send('Emulation.setEmulatedMedia', { media, features: [{ name: 'prefers-color-scheme', value: scheme }] });
    for (const [scheme, width] of [['light', 1200], ['dark', 1200], ['light', 390]]) {
        await media('screen', scheme);
        await page.size(width, 800);
        const at = `${url}, ${scheme}, ${width}`;
        const seen = await page.evaluate(`({
            keys: [...document.querySelectorAll('.key > div')].map(({ id }) => id),
            figures: [...document.querySelectorAll('.key .big')].every(({ clientWidth, scrollWidth, textContent }) => textContent && scrollWidth <= clientWidth),
            command: document.getElementById('command')?.textContent ?? '',
            wide: document.documentElement.scrollWidth > innerWidth,
            plots: [...document.querySelectorAll('svg')].filter(plot => plot.getBoundingClientRect().height > 100).length,
            numbers: [...document.querySelectorAll('svg *')].every(element => [...element.attributes].every(({ value }) => !/NaN|inf/.test(value))),
            page: getComputedStyle(document.body).backgroundColor,
            alerted: 'alerted' in window,
        })`);
        assert.deepEqual(seen.keys, ['throughput', 'latency', 'footprint'], at);
        assert(seen.figures && seen.numbers && !seen.wide && !seen.alerted, `${at}: ${JSON.stringify(seen)}`);
        assert(seen.plots > 0 && seen.command.startsWith('tumulus '), `${at}: ${JSON.stringify(seen)}`);
        const isDark = Number(/\d+/.exec(seen.page)[0]) < 128;
        assert.equal(isDark, scheme === 'dark', at);
    }
    await page.size(1200, 800);
    await page.evaluate(`document.querySelector('svg[data-tips]').scrollIntoView({ block: 'center' })`);
    const { x, y } = await page.evaluate(`(({ x, y, width, height }) => ({ x: x + width / 2, y: y + height / 2 }))(document.querySelector('svg[data-tips]').getBoundingClientRect())`);
    await page.send('Input.dispatchMouseEvent', { type: 'mouseMoved', x, y });
    await until(() => page.evaluate(`!document.getElementById('tip').hidden && document.getElementById('tip').textContent.length > 0`), 'words under the pointer', 5);

    await media('print', 'dark');
    const pdf = await page.pdf();
    assert.equal(pdf.subarray(0, 5).toString(), '%PDF-', url);
    assert.deepEqual(page.errors, [], url);
    assert.deepEqual([...new Set(page.requests)].filter(request => !request.startsWith('data:')), [url]);
    console.log(`${url}: nothing was asked for, nothing went wrong`);
}
