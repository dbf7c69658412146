// What the browser tests share: a Chromium, a sign-in, and words for failures.
import { createServer } from "node:http";
import { chromium } from "playwright-core";
import AxeBuilder from "@axe-core/playwright";

export const env = (name) => {
  const value = process.env[name];
  if (!value) throw new Error(`${name} is not set: run this through go test ./e2e`);
  return value;
};

export async function open(options = {}) {
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  const faults = [];
  context.on("page", (page) => {
    page.on("console", (m) => m.type() === "error" && !/status of (400|401|403|404)/.test(m.text()) && faults.push(`console: ${m.text()}`));
    page.on("pageerror", (e) => faults.push(`script: ${e}`));
  });
  return { browser, context, faults };
}

export async function signIn(page, email = "ada@demo.test") {
  await page.fill("#login", email);
  await page.fill("#password", env("DEMO_PASSWORD"));
  await page.click("#sign-in");
}

export async function accessible(page, what) {
  const found = await new AxeBuilder({ page }).analyze();
  equal(found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target).join(" ")}`), [], `axe on ${what}`);
}

let shots = 0;
export async function shot(page, name) {
  const dir = process.env.SCREENSHOTS;
  if (dir) await page.screenshot({ path: `${dir}/${String(++shots).padStart(2, "0")}-${name}.png`, fullPage: true });
}

export function equal(got, want, what) {
  if (JSON.stringify(got) !== JSON.stringify(want)) throw new Error(`${what}: got ${JSON.stringify(got)}, want ${JSON.stringify(want)}`);
}

export function ok(value, what) {
  if (!value) throw new Error(what);
}

// callbackServer is where a client waits for the browser to come back.
export async function callbackServer() {
  const server = createServer((req, res) => res.end("back at the client"));
  await new Promise((done) => server.listen(0, "127.0.0.1", done));
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}
