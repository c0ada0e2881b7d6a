// What operators decide about shops, products, people and categories, and what those concerned see of it.

import { expect, test } from "@playwright/test";
import { Api, PASSWORD } from "../api.js";
import { OPERATOR } from "../market.js";
import { fresh, signIn, usable } from "../page.js";

test.describe.configure({ mode: "serial" });

const EMAIL = "gwen@stories.example";

let operator, seller;

// Questions are answered with yes, as by somebody who means it.
async function decided(browser) {
  const page = await fresh(browser);
  page.on("dialog", (dialog) => dialog.accept());
  return page;
}

const status = (page) => page.getByRole("status").first();

test("a refused application is bettered and sent again", async ({ browser, request }) => {
  const anybody = new Api(request);
  const { session } = await anybody.post("/v1/auth/sign-up", { email: EMAIL, password: PASSWORD, name: "Gwen" });
  const person = new Api(request, session.access_token);
  const business = { legal_name: "Gwen Ltd", contact_email: EMAIL, address: "2 Mill Road", registration_number: "HRB 1" };
  const { tenant } = await person.post("/v1/tenants", { store_name: "Gwen's Glass", business, country: "US", currency: "USD" });

  operator = await decided(browser);
  await signIn(operator, OPERATOR.email, OPERATOR.password);
  await operator.goto(`/operator/tenants/${tenant.tenant_id}`);
  await usable(operator);
  await operator.locator("summary", { hasText: "Refuse" }).click();
  await operator.getByLabel("Reason").fill("The register does not know this number.");
  await operator.getByRole("button", { name: "Refuse" }).click();
  await expect(status(operator)).toContainText("told why");

  seller = await decided(browser);
  await signIn(seller, EMAIL, PASSWORD);
  await seller.goto("/sell");
  await seller.getByRole("link", { name: "Better it and send it again" }).click();
  await usable(seller);
  await expect(seller.getByRole("main")).toContainText("The register does not know this number.");
  await expect(seller.getByLabel("Registered name")).toHaveValue("Gwen Ltd");
  await seller.getByLabel("Register and number").fill("HRB 12345");
  await seller.getByRole("button", { name: "Send it again" }).click();
  await expect(status(seller)).toContainText("in again");

  await operator.goto(`/operator/tenants/${tenant.tenant_id}`);
  await expect(operator.getByRole("main")).toContainText("HRB 12345");
  await operator.getByRole("button", { name: "Approve" }).click();
  await expect(status(operator)).toContainText("can sell now");
});

test("an operator agrees on a plan and a commission with the shop", async () => {
  await usable(operator);
  await operator.getByLabel("Plan").selectOption("pro");
  await operator.getByLabel(/Commission of its own/).fill("seven");
  await operator.getByRole("button", { name: "Change the terms" }).click();
  await expect(operator.getByRole("main")).toContainText("Write a share from 0 to 50");
  await operator.getByLabel(/Commission of its own/).fill("7.5");
  await operator.getByRole("button", { name: "Change the terms" }).click();
  await expect(operator.getByRole("main")).toContainText("pro, 7.5 % commission");
  await operator.getByLabel(/wait for the market's approval/).check();
  await operator.getByRole("button", { name: "Save" }).click();
  await expect(operator.getByLabel(/wait for the market's approval/)).toBeChecked();
});

test("a product goes on sale when an operator has approved it", async () => {
  await seller.goto("/seller/products/new");
  await seller.getByLabel("Title").fill("Blown Glass Vase");
  await seller.getByLabel("SKU").first().fill("VASE-1");
  await seller.getByLabel(/^Price/).first().fill("39.00");
  await seller.getByRole("button", { name: "Save" }).first().click();
  await expect(status(seller)).toContainText("Saved as a draft");
  const product = seller.url();
  await seller.getByRole("button", { name: "Send for approval" }).click();
  await expect(seller.getByRole("main")).toContainText("The market looks at it now");
  await usable(seller);

  await operator.goto("/operator/review");
  await usable(operator);
  const card = operator.locator("article", { hasText: "Blown Glass Vase" });
  await expect(card).toContainText("Gwen's Glass");
  await card.locator("summary").click();
  await card.getByLabel("Reason").fill("Show a picture of it, please.");
  await card.getByRole("button", { name: "Decline" }).click();
  await expect(status(operator)).toContainText("Declined");

  await seller.goto(product);
  await expect(seller.getByRole("main")).toContainText("Show a picture of it, please.");
  await seller.getByRole("button", { name: "Send for approval" }).click();
  await operator.goto("/operator/review");
  await operator.locator("article", { hasText: "Blown Glass Vase" }).getByRole("button", { name: "Approve" }).click();
  await expect(status(operator)).toContainText("on sale");
  await seller.goto(product);
  await expect(seller.locator(".badge", { hasText: "on sale" })).toBeVisible();

  await seller.goto(`${product}/versions`);
  await usable(seller);
  await seller.getByRole("link", { name: "Version 1", exact: true }).click();
  await usable(seller);
  await expect(seller.getByRole("main")).toContainText("VASE-1");
  await expect(seller.getByRole("button", { name: "Roll back to this" })).toBeVisible();
});

test("a category is made, given attributes, and taken away", async () => {
  await operator.goto("/operator/categories");
  await operator.getByRole("link", { name: "Add a category" }).click();
  await usable(operator);
  await operator.getByLabel("Code").fill("zz");
  await operator.getByLabel("Name").fill("Glass");
  await operator.getByRole("button", { name: "Add the category" }).click();
  await expect(operator.getByRole("heading", { level: 1 })).toHaveText("Glass");
  await usable(operator);
  const glass = operator.url();

  await operator.getByLabel("Key of an attribute").first().fill("no_such_thing");
  await operator.getByRole("button", { name: "Save the attributes" }).click();
  await expect(operator.locator(".field.invalid")).toContainText("no_such_thing");
  await operator.getByRole("link", { name: "Define a new one" }).click();
  await usable(operator);
  await operator.getByLabel("Key").fill("blown");
  await operator.getByLabel("Name").fill("How it was made");
  await operator.getByLabel("Type").selectOption("choice");
  await operator.getByRole("button", { name: "Save" }).click();
  await expect(operator.locator(".field.invalid")).toContainText("needed for choices");
  await operator.getByLabel("Values").fill("Blown\nCast");
  await operator.getByRole("button", { name: "Save" }).click();
  await expect(operator.getByRole("row", { name: /How it was made/ })).toContainText("2 values");
  await operator.getByLabel("Buyers filter by it").first().check();
  await operator.getByRole("button", { name: "Save the attributes" }).click();

  await operator.getByRole("link", { name: "Add one below" }).click();
  await operator.getByLabel("Code").fill("zz-1");
  await operator.getByLabel("Name").fill("Vases");
  await operator.getByRole("button", { name: "Add the category" }).click();
  const inherited = operator.getByRole("row", { name: /How it was made/ });
  await expect(inherited.getByRole("link", { name: "Glass" })).toBeVisible();
  await usable(operator);
  await operator.getByRole("button", { name: "Delete the category" }).click();
  await expect(status(operator)).toContainText("Vases is gone");

  await operator.goto(glass);
  await operator.getByLabel("Name").fill("Glassware");
  await operator.getByRole("button", { name: "Save", exact: true }).click();
  await expect(operator.getByRole("heading", { level: 1 })).toHaveText("Glassware");
  await operator.getByRole("button", { name: "Delete the category" }).click();
  await expect(status(operator)).toContainText("Glassware is gone");
});

test("a person gets a role, loses it, and is kept out for a while", async () => {
  await operator.goto("/operator/users?query=gwen");
  await usable(operator);
  await operator.getByRole("link", { name: "Gwen" }).click();
  await usable(operator);
  await operator.getByLabel("Role on the platform").selectOption("analyst");
  await operator.getByRole("button", { name: "Give the role" }).click();
  await expect(operator.getByRole("button", { name: "Take away Analyst" })).toBeVisible();
  await usable(operator);
  await seller.goto("/operator/orders");
  await expect(seller.getByRole("heading", { level: 1 })).toHaveText("Orders");
  await operator.getByRole("button", { name: "Take away Analyst" }).click();
  await expect(operator.getByRole("main")).toContainText("they buy, like everybody");

  await operator.locator("summary", { hasText: "Disable the account" }).click();
  await operator.getByLabel("Reason").fill("Under investigation.");
  await operator.getByRole("button", { name: "Disable and sign out everywhere" }).click();
  await expect(operator.locator(".badge", { hasText: "disabled" })).toBeVisible();
  await seller.goto("/account");
  await expect(seller).toHaveURL(/sign-in/);
  await operator.getByRole("button", { name: "Let them sign in again" }).click();
  await expect(operator.locator(".badge", { hasText: "can sign in" })).toBeVisible();
  await signIn(seller, EMAIL, PASSWORD);
});

test("people choose their language, their currency and what they are told", async () => {
  await seller.goto("/account/profile");
  await usable(seller);
  await seller.getByLabel("Language").selectOption("fr");
  await seller.getByLabel("Currency").selectOption("EUR");
  await seller.getByRole("button", { name: "Save" }).click();
  await expect(seller.getByLabel("Language")).toHaveValue("fr");
  await expect(seller.getByLabel("Currency")).toHaveValue("EUR");

  await seller.goto("/account/notifications");
  await usable(seller);
  await seller.getByLabel("Low stock").uncheck();
  await seller.getByRole("button", { name: "Save" }).click();
  await expect(status(seller)).toContainText("Saved");
  await expect(seller.getByLabel("Low stock")).not.toBeChecked();
  await expect(seller.getByLabel("New orders")).toBeChecked();
});

test("an operator reads what the market would write", async () => {
  await operator.goto("/operator/messages");
  await operator.getByRole("link", { name: "Templates" }).click();
  await usable(operator);
  await operator.getByRole("row", { name: /order_placed/ }).getByRole("link").click();
  await usable(operator);
  const shown = await operator.goto(`${operator.url()}/html`);
  expect(shown.headers()["content-security-policy"]).toContain("sandbox");
  await expect(operator.locator("body")).toContainText("MarketHub");
});
