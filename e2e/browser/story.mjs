// The story of the demo: Ada signs in to PostPal, leaves "post for you" unticked, reads her profile, cannot post, takes the
// badge back, and PostPal turns red within a second.
// In all four looks: light and dark, wide and narrow. In the last an operator takes it back.
import { open, env, signIn, accessible, shot, equal, ok } from "./lib.mjs";

const postpal = env("POSTPAL_URL"), portal = env("PORTAL_URL");
const looks = ["light", "dark"].flatMap((colorScheme) =>
  Object.entries({ wide: { width: 1280, height: 900 }, narrow: { width: 390, height: 844 } }).map(([width, viewport]) => ({ name: `${width}-${colorScheme}`, colorScheme, viewport })),
);
const within = 1000; // milliseconds in which what is taken back is refused everywhere
const every = 250; // in which PostPal asks (examples/postpal/face/static/badge.js)

for (const { name, ...look } of looks) {
  const { browser, context, faults } = await open(look);
  const byOperator = name === "narrow-dark"; // who takes the badge back at the end: an admin, else Ada
  const page = await context.newPage();
  await page.goto(postpal);
  await accessible(page, "PostPal before");
  await shot(page, `postpal-before-${name}`);
  await page.click("#sign-in");

  await page.waitForSelector("#password");
  await accessible(page, "the sign-in page");
  await shot(page, `login-${name}`);
  await page.fill("#login", "ada@demo.test");
  await page.fill("#password", "wrong");
  await page.click("#sign-in");
  ok((await page.textContent("body")).includes("did not match"), "a wrong password is told");
  await signIn(page);

  await page.waitForSelector("#approve");
  await accessible(page, "the consent page");
  await shot(page, `consent-${name}`);
  ok(!(await page.isChecked("#scope-posts\\.write")), "post for you starts unticked");
  ok(await page.isChecked("#scope-profile\\.read"), "read your profile starts ticked");
  await page.click("#approve");

  await page.waitForSelector("#badge");
  equal(new URL(page.url()).origin, new URL(postpal).origin, "back at PostPal");
  await accessible(page, "PostPal signed in");
  await page.click("#read-profile");
  await page.waitForSelector("#result");
  ok(/200/.test(await page.textContent("#result")), "reading the profile is allowed");
  ok((await page.textContent("#result")).includes("Ada"), "the profile is Ada's");
  await shot(page, `postpal-profile-${name}`);
  await page.click("#post");
  await page.waitForSelector("#result");
  const refused = await page.textContent("#result");
  ok(/403/.test(refused) && /post for/.test(refused), `posting is refused in words, not: ${refused}`);
  await shot(page, `postpal-refused-${name}`);

  // Out and in again: nobody is asked a second time, so the sign-in form is what leads to PostPal.
  await page.click("#sign-out");
  await page.waitForSelector("#confirm-logout");
  await shot(page, `logout-${name}`);
  await page.click("#confirm-logout");
  await page.waitForSelector("#sign-in");
  await page.click("#sign-in");
  await page.waitForSelector("#password");
  await signIn(page);
  await page.waitForSelector("#badge");
  equal(new URL(page.url()).origin, new URL(postpal).origin, "back at PostPal after the second sign-in");
  ok(!/post for you/.test(await page.textContent(".may")), "what was left unticked is still not allowed");

  const account = await context.newPage();
  await account.goto(`${portal}/account/apps`);
  await accessible(account, "the apps with access");
  await shot(account, `account-apps-${name}`);
  const turnsRed = () => page.waitForSelector("#badge.gone").then(() => Date.now());
  let red;
  if (byOperator) {
    const own = await browser.newContext(look);
    const admin = await own.newPage();
    await admin.goto(`${portal}/admin/grants`);
    await signIn(admin, "admin@demo.test");
    await admin.click("table.rows tbody tr:not(:has-text('taken back')) a:has-text('PostPal')");
    await admin.click("#take-back");
    await accessible(admin, "asking an operator once");
    await shot(admin, `admin-take-back-${name}`);
    red = turnsRed();
    await admin.click("#take-back-yes");
    await admin.waitForSelector("text=The badge is taken back");
    await shot(admin, `admin-taken-${name}`);
  } else {
    red = turnsRed();
    await account.click("[id^=take-back-]");
    await account.waitForSelector("#taken");
  }
  const answered = Date.now();
  const late = (await red) - answered;
  ok(late <= within + every, `PostPal turned red ${late} ms after the page had answered, want ${within} and the ${every} after which it asks`);
  ok(/taken back/i.test(await page.textContent("#badge")), "the badge is stamped");
  if (!byOperator) {
    const told = await account.textContent("#taken");
    ok(/millisecond/.test(told), `the page says in how many milliseconds it was everywhere, not: ${told}`);
    await shot(account, `account-taken-${name}`);
  }
  await shot(page, `postpal-red-${name}`);
  equal(faults, [], "faults in the console");
  await browser.close();
}
console.log("ok story");
