// A headless Chromium, driven over its debugging protocol through a pipe: no package of npm is needed for it.
//
//     const browser = await Browser.launch();      // null where there is no browser
//     const page = await browser.open('file:///..');
//     await page.evaluate('document.title');
//     await browser.close();

import { spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const FLAGS = [
    '--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--remote-debugging-pipe',
];

function find() {
    const folders = (process.env.PATH ?? '').split(delimiter);
    const paths = NAMES.flatMap(name => folders.map(folder => join(folder, name)));
    return paths.find(path => {
        try {
            accessSync(path, constants.X_OK);
            return true;
        } catch {
            return false;
        }
    });
}

export const sleep = ms => new Promise(resolve => setTimeout(resolve, ms));

export class Browser {
    #process;
    #profile;
    #rest = '';
    #last = 0;
    #waiting = new Map();
    #listeners = [];

    static async launch(flags = []) {
        const path = find();
        if (!path) return null;
        const browser = new Browser();
        browser.#profile = mkdtempSync(join(tmpdir(), 'tumulus-browser-'));
        const all = [...FLAGS, ...flags, `--user-data-dir=${browser.#profile}`, 'about:blank'];
        browser.#process = spawn(path, all, { stdio: ['ignore', 'ignore', 'ignore', 'pipe', 'pipe'] });
        browser.#process.on('exit', () => browser.#waiting.forEach(({ reject }) => reject(new Error('the browser has ended'))));
        browser.#process.stdio[4].setEncoding('utf8').on('data', text => browser.#read(text));
        return browser;
    }

    #read(text) {
        const messages = (this.#rest + text).split('\0');
        this.#rest = messages.pop();
        for (const message of messages.map(message => JSON.parse(message))) {
            const waiting = this.#waiting.get(message.id);
            this.#waiting.delete(message.id);
            if (!waiting) this.#listeners.forEach(listener => listener(message));
            else if (message.error) waiting.reject(new Error(`${waiting.method}: ${message.error.message}`));
            else waiting.resolve(message.result);
        }
    }

    send(method, params = {}, sessionId = undefined) {
        const id = ++this.#last;
        this.#process.stdio[3].write(JSON.stringify({ id, method, params, sessionId }) + '\0');
        return new Promise((resolve, reject) => this.#waiting.set(id, { method, resolve, reject }));
    }

    on(listener) {
        this.#listeners.push(listener);
    }

    // A page of its own, on which everything that it asks for, and says, is noted.
    async open(url, { width = 1200, height = 800 } = {}) {
        const { targetId } = await this.send('Target.createTarget', { url: 'about:blank' });
        const { sessionId } = await this.send('Target.attachToTarget', { targetId, flatten: true });
        const page = new Page(this, sessionId);
        for (const domain of ['Page', 'Runtime', 'Log', 'Network', 'DOM']) await page.send(`${domain}.enable`);
        await page.size(width, height);
        await page.go(url);
        return page;
    }

    async close() {
        const ended = new Promise(resolve => this.#process.once('exit', resolve));
        await this.send('Browser.close').catch(() => {});
        await ended;
        rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5 });
    }
}

export class Page {
    constructor(browser, session) {
        this.browser = browser;
        this.session = session;
        this.requests = [];
        this.errors = [];
        this.loaded = 0;
        browser.on(({ method, params, sessionId }) => {
            if (sessionId !== session) return;
            if (method === 'Network.requestWillBeSent') this.requests.push(params.request.url);
            if (method === 'Runtime.exceptionThrown') this.errors.push(params.exceptionDetails.exception?.description ?? params.exceptionDetails.text);
            if (method === 'Runtime.consoleAPICalled' && params.type === 'error') this.errors.push(params.args.map(arg => arg.value).join(' '));
            if (method === 'Log.entryAdded' && params.entry.level === 'error') this.errors.push(params.entry.text);
            if (method === 'Page.loadEventFired') this.loaded++;
            if (method === 'Page.fileChooserOpened') this.chooser = params.backendNodeId;
        });
    }

    send(method, params) {
        return this.browser.send(method, params, this.session);
    }

    async size(width, height) {
        await this.send('Emulation.setDeviceMetricsOverride', { width, height, deviceScaleFactor: 1, mobile: false });
    }

    async go(url) {
        const before = this.loaded;
        const { errorText } = await this.send('Page.navigate', { url });
        if (errorText) throw new Error(`${url}: ${errorText}`);
        await until(() => this.loaded > before, `${url} to be loaded`);
    }

    async evaluate(expression) {
        const answer = await this.send('Runtime.evaluate', { expression, awaitPromise: true, returnByValue: true, userGesture: true });
        if (answer.exceptionDetails) throw new Error(answer.exceptionDetails.exception?.description ?? answer.exceptionDetails.text);
        return answer.result.value;
    }

    // Does something that asks for a file, and gives it one.
    async choose(file, act) {
        this.chooser = undefined;
        await this.send('Page.setInterceptFileChooserDialog', { enabled: true });
        await act();
        await until(() => this.chooser !== undefined, 'a file to be asked for');
        await this.send('DOM.setFileInputFiles', { files: [file], backendNodeId: this.chooser });
    }

    // Presses the mouse's button on the element that an expression gives.
    async click(element) {
        const place = `(() => { const { x, y, width, height } = (${element}).getBoundingClientRect(); return { x: x + width / 2, y: y + height / 2 } })()`;
        const { x, y } = await this.evaluate(place);
        for (const type of ['mouseMoved', 'mousePressed', 'mouseReleased']) {
            await this.send('Input.dispatchMouseEvent', { type, x, y, button: 'left', clickCount: 1 });
        }
    }

    async screenshot() {
        const { data } = await this.send('Page.captureScreenshot', { format: 'png' });
        return Buffer.from(data, 'base64');
    }

    async pdf() {
        const { data } = await this.send('Page.printToPDF', { printBackground: true, preferCSSPageSize: true });
        return Buffer.from(data, 'base64');
    }
}

// Waits until something holds, and gives it.
export async function until(holds, what, seconds = 60) {
    for (const end = Date.now() + 1000 * seconds; Date.now() < end; await sleep(100)) {
        const value = await holds();
        if (value) return value;
    }
    throw new Error(`waited ${seconds} s in vain for ${what}`);
}
