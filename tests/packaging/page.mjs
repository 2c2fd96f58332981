// usage: node page.mjs MODULES PAGES IMAGES: opens every page of a folder in Chromium, in light, dark and on a phone; one line for each thing
// that is wrong. IMAGES: a folder for pictures of shops.html, or an empty word.
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const [modules, pages, images] = process.argv.slice(2);
const require = createRequire(path.join(modules, 'node_modules', 'x.js'));
const { chromium } = require('playwright-core');
const axe = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const { HtmlValidate } = require('html-validate');

const WAYS = {
  light: { colorScheme: 'light', viewport: { width: 1200, height: 1400 } },
  dark: { colorScheme: 'dark', viewport: { width: 1200, height: 1400 } },
  phone: { colorScheme: 'light', viewport: { width: 390, height: 1400 } },
};
const validator = new HtmlValidate({ extends: ['html-validate:standard'] });

const wrong = [];
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM, args: ['--no-sandbox'] });
const names = fs.readdirSync(pages).filter((name) => name.endsWith('.html')).sort();
for (const name of names) {
  const text = fs.readFileSync(path.join(pages, name), 'utf8');
  for (const result of (await validator.validateString(text)).results)
    for (const { ruleId, message, line } of result.messages) wrong.push(`${name}:${line}: ${ruleId}: ${message}`);
  for (const [way, options] of Object.entries(WAYS)) {
    const context = await browser.newContext(options);
    const page = await context.newPage();
    const url = pathToFileURL(path.join(pages, name)).href;
    page.on('console', (line) => wrong.push(`${name}, ${way}: the console says ${line.type()}: ${line.text()}`));
    page.on('pageerror', (error) => wrong.push(`${name}, ${way}: ${error}`));
    page.on('request', (request) => {
      if (request.url() !== url && !request.url().startsWith('data:')) wrong.push(`${name}, ${way}: it asks for ${request.url()}`);
    });
    await page.goto(url);
    const visible = async (open) => {
      if (open) await page.evaluate(() => document.querySelectorAll('details').forEach((one) => { one.open = true; }));
      const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      if (over > 0) wrong.push(`${name}, ${way}: it is ${over} pixels too wide`);
    };
    await visible(false);
    if (images && name === 'shops.html') await page.screenshot({ path: path.join(images, `report-${way}.png`) });
    await visible(true);
    // A phone has the same elements and colours.
    if (way === 'phone') { await context.close(); continue; }
    // Evaluated, because the page's policy lets no other script in.
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => axe.run(document));
    for (const { id, help, nodes } of violations) wrong.push(`${name}, ${way}: ${id}: ${help}: ${nodes[0].html.slice(0, 200)} (${nodes.length})`);
    await context.close();
  }
  const context = await browser.newContext({ javaScriptEnabled: false });
  const page = await context.newPage();
  // As Jenkins shows it: no script, no style, no picture inside.
  await page.setContent(text.replace(/<meta http-equiv="Content-Security-Policy"[^>]*>/, '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'">'));
  const shown = await page.innerText('body');
  for (const words of [...(await page.locator('h1 .verdict').allTextContents()), ...(await page.locator('section > details.test h3').allTextContents())])
    if (!shown.includes(words.replace(/\s+/g, ' ').trim())) wrong.push(`${name}, without anything: ${words.slice(0, 200)} is not shown`);
  if (await page.locator('form.tools').isVisible()) wrong.push(`${name}, without anything: there is a filter`);
  const linked = await page.locator('.shot a[href^="artifacts/"]').count();
  if (linked !== (await page.locator('.shot').count())) wrong.push(`${name}, without anything: a screenshot is not linked`);
  await context.close();
}
// What the script adds: a filter, keys, and copying.
if (names.includes('shops.html')) {
  const page = await (await browser.newContext()).newPage();
  await page.goto(pathToFileURL(path.join(pages, 'shops.html')).href);
  await page.keyboard.press('/');
  await page.keyboard.type('Shop 2');
  const shown = await page.locator('details.test:not([hidden])').count();
  if (shown !== 1) wrong.push(`the filter shows ${shown} tests`);
  await page.keyboard.press('Escape');
  await page.keyboard.press('j');
  await page.keyboard.press('j');
  if (!(await page.evaluate(() => document.activeElement.closest('details.test')?.open))) wrong.push('j does not open the next test');
}
await browser.close();
console.log(JSON.stringify({ pages: names.length, wrong }));
