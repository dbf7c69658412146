// node contact.mjs DIR: contact sheets of the screenshots in DIR, one for each look, as contact-….png beside them.
import { readdirSync } from "node:fs";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { writeFileSync, rmSync } from "node:fs";
import { open } from "./lib.mjs";

const dir = resolve(process.argv[2]);
const { browser, context } = await open({ viewport: { width: 1800, height: 1000 } });
for (const look of ["wide-light", "wide-dark", "narrow-light", "narrow-dark"]) {
  const shots = readdirSync(dir).filter((f) => f.endsWith(`-${look}.png`) && !f.startsWith("contact-")).sort();
  if (shots.length === 0) continue;
  const width = look.startsWith("wide") ? 420 : 200;
  const page = await context.newPage();
  const sheet = resolve(dir, "contact.html");
  writeFileSync(sheet, `<!doctype html><meta charset="utf-8"><style>body{margin:16px;background:#888;font:12px system-ui;display:flex;flex-wrap:wrap;gap:16px}figure{margin:0;width:${width}px}img{width:100%;max-height:${width * 2.2}px;object-fit:cover;object-position:top}</style>` +
    shots.map((f) => `<figure><img src="${pathToFileURL(resolve(dir, f))}" alt=""><figcaption>${f.slice(0, -`-${look}.png`.length)}</figcaption></figure>`).join(""));
  await page.goto(pathToFileURL(sheet).href, { waitUntil: "load" });
  await page.screenshot({ path: resolve(dir, `contact-${look}.png`), fullPage: true });
  await page.close();
  rmSync(sheet);
  console.log(resolve(dir, `contact-${look}.png`), shots.length);
}
await browser.close();
