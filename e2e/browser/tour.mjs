// Every page of the demo in all four looks: axe finds nothing in either theme, nothing comes from elsewhere, no page with what
// it needs weighs 100 KB, nothing is wider than a phone, moves while it loads, or is reached by the keyboard without showing it.
// With SCREENSHOTS set each is photographed, wide and narrow, light and dark.
import { open, env, signIn, accessible, shot, equal, ok } from "./lib.mjs";

const portal = env("PORTAL_URL"), gateway = env("GATEWAY_URL");
const heaviest = 100 * 1024; // bytes of a page with its sheets, scripts and pictures, as they are sent

// visit looks at a page in every look.
async function visit(page, path, name = path.replaceAll(/(_[A-Za-z0-9]{16})|[^a-z0-9]+/gi, "-").replaceAll(/-+/g, "-").replaceAll(/^-|-$/g, "") || "front") {
  let weight = 0;
  page.weigh = (bytes) => (weight += bytes);
  await page.goto(portal + path);
  await page.waitForLoadState("networkidle");
  ok(weight > 0 && weight < heaviest, `${path} weighs ${weight} bytes, want less than ${heaviest}`);
  const shifted = await page.evaluate(() => window.shifted);
  ok(shifted < 0.1, `${path} shifts its layout by ${shifted} while it loads`);
  const unseen = await page.evaluate(unfocused);
  equal(unseen, [], `${path}: what the keyboard reaches without a mark, or not in its order`);
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    for (const [look, width, height] of [["wide", 1280, 900], ["narrow", 390, 844]]) {
      await page.setViewportSize({ width, height });
      if (look === "wide") await accessible(page, `${path} in ${colorScheme}`);
      const wide = await page.evaluate(() => document.documentElement.scrollWidth);
      ok(wide <= width, `${path} is ${wide} pixels wide on ${width}`);
      await shot(page, `${name}-${look}-${colorScheme}`);
    }
  }
}

// shifts adds up how far a page moves under its reader (Cumulative Layout Shift).
function shifts() {
  window.shifted = 0;
  new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shifted += entry.value;
  }).observe({ type: "layout-shift", buffered: true });
}

// unfocused lists what can have the focus and does not show it, or jumps the queue.
function unfocused() {
  const found = [];
  for (const e of document.querySelectorAll("a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex]")) {
    if (!e.checkVisibility() || e.disabled || e.tabIndex < 0) continue;
    e.focus({ focusVisible: true, preventScroll: true });
    const marks = [getComputedStyle(e), getComputedStyle(e, "::after"), e.closest("label") && getComputedStyle(e.closest("label"))]; // a row, a box with its words
    const seen = marks.some((m) => m && m.outlineStyle !== "none" && m.outlineWidth !== "0px");
    if (document.activeElement !== e || !seen || e.tabIndex > 0) found.push(e.outerHTML.slice(0, 120));
  }
  document.activeElement.blur();
  return found;
}

// first finds the address of the first row of a list.
async function first(page, path) {
  await page.goto(portal + path);
  const link = await page.locator("main table.rows tbody a, main ul.rows a").first().getAttribute("href");
  ok(link, `${path} lists something`);
  return link;
}

const { browser, context, faults } = await open();

// tour visits pages as somebody.
async function tour(email, paths) {
  const own = await browser.newContext({ reducedMotion: "reduce" }); // axe must not see colours half way from one theme to the other
  own.on("page", (page) => page.on("console", (m) => m.type() === "error" && !/status of (400|401|403|404)/.test(m.text()) && faults.push(`console: ${m.text()}`)));
  await own.addInitScript(shifts);
  const page = await own.newPage();
  const network = await own.newCDPSession(page);
  await network.send("Network.enable");
  await network.send("Network.setCacheDisabled", { cacheDisabled: true }); // so that every page is weighed whole
  network.on("Network.loadingFinished", ({ encodedDataLength }) => page.weigh?.(encodedDataLength));
  page.on("request", (request) => new URL(request.url()).origin !== new URL(portal).origin && faults.push(`taken from elsewhere: ${request.url()}`));
  if (email) {
    await page.goto(`${portal}/login`);
    await signIn(page, email);
    await page.waitForURL("**/account**");
  }
  for (const path of typeof paths === "function" ? await paths(page) : paths) await visit(page, ...[path].flat());
  await own.close();
}

// getKey makes one for Weather at a team's desk and returns its secret and its page.
async function getKey(page, team, name) {
  await page.goto(`${portal}${team}/keys/new?api=weather`);
  await page.fill("#name", name);
  await page.click("#get-key");
  return [(await page.textContent("#secret")).trim(), await page.getAttribute("p.acts a", "href")];
}

// work leaves traces at a team's desk: calls let through and refused, a key that was found in the open, a webhook that reaches nobody. It
// returns the page of the key that works.
async function work(page, team) {
  const [key, where] = await getKey(page, team, "Bulletin board"), [lost] = await getKey(page, team, "Old laptop");
  const ask = async (secret, path) => (await fetch(`${gateway}/weather${path}`, { headers: { "X-API-Key": secret } })).status;
  for (let i = 0; i < 12; i++) equal(await ask(key, "/v1/forecast?city=Lagos"), 200, "a call");
  for (let i = 0; i < 3; i++) equal(await ask(key, "/v1/nothing"), 403, "a call of no operation");
  equal(await ask(lost, "/v1/forecast?city=Lagos"), 200, "a call with a key that will be lost");
  await page.goto(`${portal}${team}/webhooks/new`);
  await page.fill("#url", "https://hooks.example.com/lanyard");
  await page.click("#save-webhook");
  await page.waitForSelector("#check");
  const report = { text: `WEATHER_API_KEY=${lost}`, place: "https://git.example.com/sunny/website/blob/main/.env#L3" };
  const told = await fetch(`${portal}/v1/leaks/report`, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(report) });
  equal(told.status, 202, "a report");
  for (const from = Date.now(); Date.now() - from < 15_000; await page.waitForTimeout(250)) {
    await page.goto(`${portal}${team}/leaks`);
    if (/Since then there were calls|used since/.test(await page.textContent("main"))) return where; // its use is counted
  }
  throw new Error("the use of a lost key was not counted");
}

await tour("", ["/", "/which", "/reference", "/reference/objects", "/errors/", "/errors/expired", "/errors/insufficient_scope", "/login", "/signup", "/forgot", "/device", "/logout", "/outbox", "/styleguide", "/nothing", "/oauth/authorize?client_id=none"]);
await tour("ada@demo.test", ["/", "/account", "/account/apps", "/account/tokens", "/account/tokens/new", "/account/sessions", "/account/password", "/account/profile", "/developers"]);
await tour("dev@demo.test", async (page) => {
  await page.goto(`${portal}/developers`);
  const team = new URL(page.url()).pathname;
  const app = await first(page, `${team}/apps`), key = await first(page, `${team}/keys`), client = await first(page, `${team}/clients`);
  return [team, `${team}/apps`, `${team}/apps?q=nothing-like-it`, app, `${team}/keys`, `${team}/keys/new`, `${team}/keys/new?api=weather`, key, `${key}/edit`, `${team}/clients`, `${team}/clients/new`, client, `${client}/edit`,
    `${team}/usage`, `${team}/billing`, `${team}/members`, `${team}/webhooks`, `${team}/webhooks/new`, `${team}/leaks`, `${team}/warnings`, `${team}/try`, `${team}/try?api=mail`, `${team}/activity`];
});
await tour("dev@demo.test", async (page) => {
  await page.goto(`${portal}/developers`);
  const team = new URL(page.url()).pathname;
  const key = await work(page, team), hook = await first(page, `${team}/webhooks`);
  await page.goto(portal + key);
  await page.click("#rotate");
  await page.click("#rotate-yes");
  await page.waitForSelector("#secret");
  for (const [plan, when] of [["pro", "now"], ["free", "period_end"]]) { // an open bill, and a change that is to come
    await page.goto(`${portal}${team}/billing`);
    await page.selectOption("#plan-weather", plan);
    await page.selectOption("#when-weather", when);
    await page.click("#change-weather");
    await page.waitForSelector(".alert.good");
  }
  return [[team, "busy-team"], [`${team}/billing`, "busy-billing"], [key, "busy-key"], [`${team}/usage`, "busy-usage"], [`${team}/usage?span=hour&by=outcome`, "busy-usage-hour"], [`${team}/webhooks`, "busy-webhooks"], [hook, "busy-webhook"],
    [`${team}/leaks`, "busy-leaks"], [`${team}/activity`, "busy-activity"]];
});
await tour("admin@demo.test", async (page) => {
  const list = async (part) => first(page, `/admin/${part}`);
  const api = await list("apis"), person = await list("people"), team = await list("teams");
  return ["/admin", "/admin/apis", "/admin/apis/new", "/admin/apis/import", api, `${api}/edit`, `${api}/scope`, `${api}/operation`, `${api}/plan`, "/admin/people", "/admin/people/new", person, `${person}/limits`, "/admin/teams", "/admin/teams/new", team, `${team}/limits`,
    "/admin/apps", "/admin/grants", "/admin/audit", "/admin/keys", "/admin/health", "/admin/settings", "/admin/settings/brand"];
});
equal(faults, [], "faults in the console");
await context.close();
await browser.close();
console.log("ok tour");
