// What every story does with a page: sign in, and check that everybody can use it.

import AxeBuilder from "@axe-core/playwright";
import { expect } from "@playwright/test";

export async function signIn(page, email, password) {
  await page.goto("/sign-in");
  await page.getByLabel("E-mail address").fill(email);
  await page.getByLabel("Password", { exact: true }).fill(password);
  await page.getByRole("main").getByRole("button", { name: "Sign in" }).click();
  await expect(page).not.toHaveURL(/sign-in/);
}

// WCAG 2.2 AA as far as a program can tell, and nothing wider than the window.
export async function usable(page) {
  const found = await new AxeBuilder({ page }).withTags(["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]).analyze();
  const told = found.violations.map((v) => `${v.id}: ${v.nodes.map((n) => n.target.join(" ")).join(", ")}`);
  expect(told, page.url()).toEqual([]);
  const spill = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  expect(spill, `${page.url()} is wider than the window`).toBeLessThanOrEqual(0);
}

// A page of somebody else: cookies of its own.
export async function fresh(browser, options) {
  const context = await browser.newContext(options);
  return context.newPage();
}
