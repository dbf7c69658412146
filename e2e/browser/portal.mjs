// The portal, walked through as its people do: a stranger signs up and makes a first call, rotates, undoes and revokes; takes a
// colleague in, who sees nothing of other teams; an admin adds an API from its OpenAPI file, and its operations are enforced.
import { open, env, signIn, accessible, equal, ok } from "./lib.mjs";
import { readFileSync } from "node:fs";

const portal = env("PORTAL_URL"), gateway = env("GATEWAY_URL");
const password = "sunny side of the street"; // of accounts made here
const { browser, context, faults } = await open();
const page = await context.newPage();

// fill types into fields, by their ids.
async function fill(on, fields) {
  for (const [id, text] of Object.entries(fields)) await on.fill(`#${id}`, text);
}

// mailed opens the newest link that was mailed to somebody, in the tab of who follows it.
async function mailed(on, to) {
  let link = "";
  for (let i = 0; !link && i < 100; i++) {
    await on.goto(`${portal}/outbox`);
    const mail = on.locator("article", { hasText: `To ${to}` }).first();
    if (await mail.count()) link = await mail.locator("a").first().getAttribute("href");
    else await on.waitForTimeout(100);
  }
  ok(link, `a link is mailed to ${to}`);
  await on.goto(link);
}

// call asks the weather API as an app would.
const call = async (key) => (await fetch(`${gateway}/weather/v1/forecast?city=Lagos`, { headers: { "X-API-Key": key } })).status;

// secret reads what a page shows once.
async function secret(on) {
  await on.waitForSelector("#secret");
  return (await on.textContent("#secret")).trim();
}

// verify asks the server itself, as a gateway in front of an API does.
async function verify(question) {
  const answer = await fetch(`${portal}/v1/verify`, {
    method: "POST", headers: { Authorization: `Bearer ${readFileSync(env("ADMIN_TOKEN_FILE"), "utf8").trim()}`, "Content-Type": "application/json" }, body: JSON.stringify(question),
  });
  equal(answer.status, 200, "the status of a decision");
  return answer.json();
}

// --- Sign up, start a team, get a key, make the first call, see it in the chart.
await page.goto(`${portal}/signup`);
await fill(page, { name: "Rose", email: "rose@demo.test", password });
await page.click("#sign-up");
await page.waitForSelector("text=Look into your mail");
await mailed(page, "rose@demo.test");
await page.click("#confirm-link");
await page.waitForURL("**/account**");

await page.goto(`${portal}/developers`);
await accessible(page, "starting a team");
await page.fill("#name", "Rose Garden");
await page.click("#start-team");
await page.click("#get-a-key");
await accessible(page, "choosing an API");
await page.click("a:has-text('Weather')"); // one
await page.fill("#name", "Greenhouse"); // two
await accessible(page, "getting a key");
await page.click("#get-key"); // three
const first = await secret(page);
await accessible(page, "a secret shown once");
const shown = page.url();
ok(!shown.includes(first.slice(20)), "no secret in the address");
ok((await page.textContent("body")).includes("If stolen:"), "the card says what a thief could do");
await page.waitForSelector("text=Waiting for your first call");
equal(await call(first), 200, "the first call");
await page.waitForSelector("#first-call .good", { timeout: 15000 });
await page.locator("#said", { hasText: "first call arrived" }).waitFor({ state: "attached" }); // to who cannot see it

const keyURL = portal + (await page.getAttribute("p.acts a", "href"));
const team = new URL(keyURL).pathname.split("/")[2];
await page.reload(); // sends the form once more
ok(!(await page.content()).includes(first), "the secret is not shown again by a reload");
await page.goto(keyURL);
await page.goBack().catch(() => {}); // Chromium keeps nothing of a page that must not be stored
ok(!(await page.content()).includes(first), "the secret is not shown again by going back");
await page.goto(`${portal}/developers/${team}/usage`);
await page.waitForSelector("#calls svg rect", { timeout: 15000 });
ok(/Greenhouse/.test(await page.textContent("body")), "usage names the app");
await accessible(page, "usage");

// --- Try an operation from the portal, and see request, decision and answer.
await page.goto(`${portal}/developers/${team}/try?api=weather`);
await accessible(page, "trying an operation");
await page.fill("#credential", first);
await page.click("#try");
await page.waitForSelector("#status");
ok(/200/.test(await page.textContent("#status")), "the operation is answered");
ok(!page.url().includes(first.slice(20)) && !(await page.content()).includes(first), "the credential is in neither the address nor the page");
await accessible(page, "what came of a try");

// --- Rotate, undo, revoke.
await page.goto(keyURL);
await page.click("#rotate");
await page.click("#rotate-yes");
const second = await secret(page);
ok(second !== first, "rotation makes another secret");
equal([await call(first), await call(second)], [200, 200], "both secrets within the overlap");
await page.goto(keyURL);
await accessible(page, "a key in its overlap");
await page.click("#undo");
await page.waitForSelector(".alert.good");
equal([await call(first), await call(second)], [200, 401], "after the undo");
await page.click("#revoke");
await page.fill("#reason", "it was in a screenshot");
await page.click("#revoke-yes");
await page.waitForSelector("#revoked");
ok(/\d+ millisecond/.test(await page.textContent("#revoked")), "the page says in how many milliseconds it was everywhere");
equal(await call(first), 401, "after the revocation");
await accessible(page, "a revoked key");

// --- Somebody finds a key in the open and reports it: it ends, and its team reads where.
await page.goto(`${portal}/developers/${team}/keys/new?api=weather`);
await page.fill("#name", "Bulletin board");
await page.click("#get-key");
const lost = await secret(page);
equal(await call(lost), 200, "a key before it is lost");
const reported = await fetch(`${portal}/v1/leaks/report`, { method: "POST", headers: { "Content-Type": "text/plain" }, body: `export WEATHER=${lost}` });
equal(reported.status, 202, "a report");
const since = Date.now();
while (Date.now() - since < 1000 && (await call(lost)) === 200) await page.waitForTimeout(50);
equal(await call(lost), 401, "a call a second after the report");
const told = async () => {
  await page.goto(`${portal}/developers/${team}/leaks`);
  return /Since then there were calls|It was (not )?used since/.test(await page.textContent("main"));
};
for (const from = Date.now(); !(await told()) && Date.now() - from < 15_000; ) await page.waitForTimeout(250); // until its use is counted
ok(await told(), "the leak says what was done with the key");
await accessible(page, "leaks");

// --- Take a colleague in, who sees this team and nothing of another.
const sunny = await context.browser().newContext();
const dev = await sunny.newPage();
await dev.goto(`${portal}/developers`);
await signIn(dev, "dev@demo.test");
await dev.waitForURL("**/developers/team_*");
const other = new URL(dev.url()).pathname;
const foreign = [];
for (const part of ["apps", "keys", "clients"]) {
  await dev.goto(`${portal}${other}/${part}`);
  const link = await dev.locator("table.rows tbody a").first().getAttribute("href");
  foreign.push(`${other}/${part}`, link);
}
await sunny.close();

await page.goto(`${portal}/developers/${team}/members`);
await fill(page, { email: "mia@demo.test" });
await page.selectOption("#role", "developer");
await page.click("#send-invitation");
await page.waitForSelector("text=mia@demo.test");
await accessible(page, "members with an invitation");
const guests = await context.browser().newContext();
const mia = await guests.newPage();
await mailed(mia, "mia@demo.test");
await accessible(mia, "an invitation");
await fill(mia, { name: "Mia", password });
await mia.click("#sign-up");
await mia.waitForURL("**/developers/**");
await mia.goto(`${portal}/developers/${team}/apps`);
ok((await mia.textContent("body")).includes("Greenhouse"), "the new member sees the team's apps");
for (const path of [other, `${other}/usage`, `${other}/members`, `${other}/activity`, ...foreign, foreign[1].replace(other, `/developers/${team}`)]) {
  const answer = await mia.goto(portal + path);
  equal(answer.status(), 404, `another team's ${path}`);
  ok(!(await mia.textContent("body")).includes("WeatherDashboard"), `nothing of another team at ${path}`);
}
equal((await mia.goto(`${portal}/admin`)).status(), 404, "the administration to who is no admin");
await guests.close();

// --- An admin adds an API from its OpenAPI file; its operations are enforced.
const operators = await context.browser().newContext();
const admin = await operators.newPage();
admin.on("console", (m) => m.type() === "error" && faults.push(`console: ${m.text()}`));
await admin.goto(`${portal}/admin`);
await signIn(admin, "admin@demo.test");
await admin.waitForURL("**/admin");
await admin.goto(`${portal}/admin/apis/import`);
await accessible(admin, "importing an OpenAPI file");
await fill(admin, { name: "library" });
await admin.setInputFiles("#file", {
  name: "library.yaml", mimeType: "application/yaml",
  buffer: Buffer.from(`openapi: 3.1.0
info: {title: Library, version: "1"}
servers: [{url: https://library.example}]
components:
  securitySchemes:
    key: {type: apiKey, in: header, name: X-API-Key}
security: [{key: []}]
paths:
  /v1/books: {get: {}, post: {}}
  /v1/books/{book}: {get: {}}
`),
});
await admin.click("#read-openapi");
await admin.waitForSelector("#declare-import");
await accessible(admin, "what a file declares");
ok((await admin.textContent("body")).includes("/v1/books/{book}"), "the preview lists the operations");
await admin.click("#declare-import");
await admin.waitForURL("**/admin/apis/library**");
await accessible(admin, "an imported API");
await operators.close();

await page.goto(`${portal}/developers/${team}/keys/new?api=library`);
await page.fill("#name", "Reading room");
await page.click("#get-key");
const reader = await secret(page);
const ask = (method, path) => verify({ credential: reader, api: "library", method, path });
equal([(await ask("GET", "/v1/books")).code, (await ask("GET", "/v1/books/42")).allowed], ["valid", true], "declared operations");
const undeclared = await ask("DELETE", "/v1/books/42");
equal([undeclared.allowed, undeclared.code], [false, "operation_unknown"], "an operation that the file does not have");

equal(faults, [], "faults in the console");
await browser.close();
console.log("ok portal");
