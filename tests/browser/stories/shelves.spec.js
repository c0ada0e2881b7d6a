// Shelves that follow a visitor who agreed, and nobody else. Plays after the market's story, on the shops it opened.

import { expect, test } from "@playwright/test";
import { fresh, usable } from "../page.js";

test("what somebody who agreed looked at comes back to them, until they switch it off", async ({ browser }) => {
  const page = await fresh(browser);
  await page.goto("/");
  await expect(page.getByRole("heading", { name: "Recently viewed" })).toHaveCount(0);
  await page.getByRole("button", { name: "Choose for me" }).click();
  await expect(page.getByRole("main")).toContainText("shelves follow what you look at");

  await page.goto("/search");
  const first = page.locator(".product-card h3 a").first();
  const title = await first.innerText();
  await first.click();
  await expect(page.getByRole("heading", { level: 1 })).toHaveText(title);
  await usable(page);

  await expect(async () => {
    await page.goto("/");
    const viewed = page.locator("section", { has: page.getByRole("heading", { name: "Recently viewed" }) });
    await expect(viewed).toContainText(title, { timeout: 1_000 });
  }).toPass({ timeout: 20_000 });
  await usable(page);

  await page.goto("/privacy");
  await usable(page);
  await page.getByRole("button", { name: "Switch it off and forget me" }).click();
  await page.goto("/");
  await expect(page.getByRole("heading", { name: "Recently viewed" })).toHaveCount(0);
});
