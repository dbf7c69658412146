// A new server: its first admin comes by the one-time link, tries the example API, and the page of the first call turns green.
import { open, env, accessible, shot, equal, ok } from "./lib.mjs";

const portal = env("PORTAL_URL");
const { browser, context, faults } = await open();
const page = await context.newPage();

// look has axe look at a step in both themes, and photographs it in all four looks.
async function look(what) {
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    for (const [name, width, height] of [["wide", 1280, 900], ["narrow", 390, 844]]) {
      await page.setViewportSize({ width, height });
      if (name === "wide") await accessible(page, `${what} in ${colorScheme}`);
      await shot(page, `${what.replaceAll(" ", "-")}-${name}-${colorScheme}`);
    }
  }
  await page.emulateMedia({ colorScheme: "light" });
  await page.setViewportSize({ width: 1280, height: 900 });
}

await page.goto(env("SETUP_URL"));
await look("the first admin");
await page.fill("#name", "Amina");
await page.fill("#email", "amina@demo.test");
await page.fill("#password", "twelve copper kettles");
await page.click("#create-admin");

await page.waitForURL("**/setup/api");
await look("the first API");
await page.click("#try-example");
await page.waitForURL("**/setup/call**");
await look("before the first call");
await page.click("#make-test-key");
await page.waitForSelector("#secret");
const secret = (await page.textContent("#secret")).trim();
await look("the first call");
await page.waitForSelector("text=Waiting for your first call");

// The line that is shown is the one that is called.
const line = await page.textContent("pre code[data-copy='the command']");
ok(!line.includes(secret), "the line leaves the key out of the shell's history");
const [, header] = /<<< "([^:]+): \$KEY"/.exec(line) || [];
const [, address] = / "(http[^"]+)"/.exec(line) || [];
ok(header && address, `the line has a header and an address: ${line}`);
const answer = await fetch(address, { headers: { [header]: secret } });
equal(answer.status, 200, "the first call");
const said = await answer.json();
ok(Array.isArray(said.alerts ?? said.days), `the example API answers: ${JSON.stringify(said)}`); // there are days without an alert
await page.waitForSelector("#first-call .good", { timeout: 15000 });
await look("after the first call");

await page.reload(); // sends the form once more
ok(!(await page.content()).includes(secret), "the secret is not shown again by a reload");
await page.goto(`${portal}/admin`);
await page.waitForSelector("#main svg rect", { timeout: 15000 });
await look("the overview after setting up");
ok((await page.textContent("body")).includes("First call"), "the app of the first call stands there");

equal(faults, [], "faults in the console");
await browser.close();
console.log("ok setup");
