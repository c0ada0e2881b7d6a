// The main job, from an application to a parcel, as people do it in a browser.

import { expect, test } from "@playwright/test";
import { Api, PASSWORD } from "../api.js";
import { OPERATOR } from "../market.js";
import { fresh, signIn, usable } from "../page.js";

test.describe.configure({ mode: "serial" });

const PHONE = { width: 390, height: 844 };
const FEED = [
  "id,name,description,price",
  "T-1,Kensington Combination Lock,For laptops with a slot,24.99",
  'T-2,"Wireless Headphones ""Aria"", black",Over-ear,89.00',
  "T-3,Desk Fan,,",
  "T-4,,No title,10.00",
].join("\n");

let ben, cleo, order;

test("an operator approves a shop that has applied", async ({ browser }) => {
  const seller = await fresh(browser);
  await seller.goto("/sign-up");
  await seller.getByLabel("Name").fill("Anna");
  await seller.getByLabel("E-mail address").fill("anna@stories.example");
  await seller.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await seller.getByRole("button", { name: "Make an account" }).click();
  await seller.goto("/sell/apply");
  await usable(seller);
  await seller.getByLabel("Name of the shop").fill("Anna's Shop");
  await seller.getByLabel("Ships from").selectOption("US");
  await seller.getByLabel("Currency of your prices").fill("USD");
  await seller.getByLabel("Registered name").fill("Anna Ltd");
  await seller.getByLabel("Contact e-mail").fill("anna@stories.example");
  await seller.getByLabel("Seat").fill("1 Kiln Lane");
  await seller.getByRole("button", { name: "Send the application" }).click();
  await expect(seller.getByRole("main")).toContainText(/appl/i);

  const operator = await fresh(browser);
  await signIn(operator, OPERATOR.email, OPERATOR.password);
  await operator.goto("/operator/tenants?state=applied");
  await usable(operator);
  await operator.getByRole("link", { name: "Anna's Shop" }).click();
  await usable(operator);
  await operator.getByRole("button", { name: "Approve" }).click();
  await expect(operator.getByRole("status").first()).toContainText("can sell now");
  for (const path of ["/operator", "/operator/orders", "/operator/payments", "/operator/ledger", "/operator/ledger?kind=proof", "/operator/settlements", "/operator/disputes", "/operator/open-items", "/operator/categories", "/operator/categories/new", "/operator/attributes", "/operator/attributes/one?query=color", "/operator/review", "/operator/templates", "/operator/templates/order_placed", "/operator/users", "/operator/audit", "/operator/health", "/operator/messages", "/operator/recommendations", "/operator/experiments"]) {
    await operator.goto(path);
    await usable(operator);
  }
});

test("a seller brings a feed and reads what was rejected", async ({ browser }) => {
  const page = await fresh(browser);
  await signIn(page, "anna@stories.example", PASSWORD);
  await page.goto("/seller/imports");
  await usable(page);
  await page.locator("input[type=file]").setInputFiles({ name: "anna.csv", mimeType: "text/csv", buffer: Buffer.from(FEED) });
  await page.getByRole("button", { name: "Upload" }).click();
  await expect(page.getByRole("heading", { name: "What the columns mean" })).toBeVisible();
  await usable(page);
  await page.getByLabel("Column for SKU").selectOption("id");
  await page.getByLabel("Column for Title").selectOption("name");
  await page.getByLabel("Column for Price").selectOption("price");
  await page.getByLabel("Currency for all rows").fill("USD");
  await page.getByLabel("Stock for all rows").fill("10");
  await page.getByRole("button", { name: "Try it" }).click();
  await expect(page.getByRole("main")).toContainText("2 rows can be imported");
  await expect(page.getByRole("main")).toContainText("Nothing is saved yet");
  await page.getByRole("button", { name: "Start the import" }).click();
  await expect(page.locator(".badge", { hasText: "finished" })).toBeVisible();
  await expect(page.getByRole("main")).toContainText("4 of 4 rows");
  await page.reload();
  await usable(page);
  const download = page.waitForEvent("download");
  await page.getByRole("link", { name: "All as CSV" }).click();
  expect((await download).suggestedFilename()).toBe("rejected-rows.csv");

  await page.goto("/seller/warehouses/new");
  await usable(page);
  await page.getByLabel("Name").fill("Berlin");
  await page.getByLabel("Code", { exact: true }).fill("berlin-1");
  await page.getByLabel("Country").selectOption("DE");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("row", { name: /Berlin/ })).toContainText("DE");
  await usable(page);
});

test("a guest fills one cart in three shops, pays once, and follows the parcels", async ({ page, request }) => {
  const anybody = new Api(request);
  const operator = await anybody.signedIn(OPERATOR.email, OPERATOR.password);
  ben = await anybody.shop("Ben", operator, { title: "Brass Reading Lamp", cents: 4500 });
  cleo = await anybody.shop("Cleo", operator, { title: "Stoneware Mug", cents: 1999 });

  await page.setViewportSize(PHONE);
  const wanted = { "kensington lock": "Kensington Combination Lock", "brass lamp": "Brass Reading Lamp", "stoneware mug": "Stoneware Mug" };
  for (const [before, [words, title]] of Object.entries(wanted).entries()) {
    const found = page.getByRole("main").getByRole("link", { name: title }).first();
    await expect(async () => {
      await page.goto(`/search?q=${encodeURIComponent(words)}`);
      await expect(found).toBeVisible({ timeout: 1000 });
    }).toPass();
    await usable(page);
    await found.click();
    await usable(page);
    await page.getByRole("button", { name: "Add to cart" }).first().click();
    await expect(page.locator(".cart-count").first()).toContainText(String(before + 1));
  }
  await page.goto("/cart");
  await usable(page);
  await expect(page.locator(".parcel")).toHaveCount(3);
  await page.getByRole("link", { name: "Check out" }).click();
  await usable(page);

  // Signing up on the way keeps the cart.
  await page.goto("/sign-up?next=/cart");
  await page.getByLabel("E-mail address").fill("dora@stories.example");
  await page.getByLabel("Password", { exact: true }).fill(PASSWORD);
  await page.getByRole("button", { name: "Make an account" }).click();
  await expect(page.locator(".parcel")).toHaveCount(3);

  await page.getByRole("link", { name: "Check out" }).click();
  await usable(page);
  await address(page);
  await page.getByRole("button", { name: "On to shipping" }).click();
  await usable(page);
  await page.getByRole("button", { name: "On to payment" }).click();
  await usable(page);
  await pay(page, "4242424242424242");
  await usable(page);
  await page.getByRole("button", { name: /Place the order/ }).click();
  await expect(page.getByRole("heading", { level: 1 })).toContainText(/ordered|Order/);
  await usable(page);
  const link = await page.url();
  order = link.match(/ord_[0-9a-f]{32}/)[0];
  await page.goto(`/orders/${order}`);
  await usable(page);
  await expect(page.getByRole("main")).toContainText(/MH-\d{4}-/);
  await page.goto("/messages");
  await expect(page.getByRole("main")).toContainText(/MH-\d{4}-/);
});

async function address(page) {
  await page.getByLabel("Full name").fill("Dora Day");
  await page.getByLabel("Street and number").fill("1 Test Street");
  await page.getByLabel("Country").selectOption("US");
  await page.getByLabel("Postal code").fill("62701");
  await page.getByLabel("City").fill("Springfield");
  await page.getByLabel("State or province").fill("IL");
}

async function pay(page, number, on = "Review the order") {
  await page.getByLabel("Card number").fill(number);
  await page.getByLabel("Name on the card").fill("Dora Day");
  await page.getByLabel("Month").fill("12");
  await page.getByLabel("Year").fill("2034");
  await page.getByLabel("Security code").fill("123");
  await page.getByRole("button", { name: on }).click();
}

test("one seller ships while the buyer watches, another cancels and its part goes back", async ({ browser }) => {
  const buyer = await fresh(browser);
  await signIn(buyer, "dora@stories.example", PASSWORD);
  await buyer.goto(`/orders/${order}`);

  const seller = await fresh(browser);
  await signIn(seller, ben.email, PASSWORD);
  await seller.goto("/seller/orders");
  await usable(seller);
  await expect(seller.getByRole("row", { name: /Brass Reading Lamp/ })).toHaveCount(1);
  await expect(seller.getByText("Stoneware Mug")).toHaveCount(0);
  await seller.locator("tbody a").first().click();
  await usable(seller);
  await seller.getByRole("button", { name: "Accept" }).click();
  await seller.getByRole("button", { name: "Mark as packed" }).click();
  const slip = seller.waitForEvent("download");
  await seller.getByRole("link", { name: "Packing slip" }).click();
  expect((await slip).suggestedFilename()).toMatch(/^packing-slip-MH-.+\.pdf$/);
  await seller.getByLabel("Carrier").fill("UPS");
  await seller.getByLabel("Tracking number").fill("1Z999AA10123456784");
  await seller.getByRole("button", { name: "Ship", exact: true }).click();
  await expect(seller.getByRole("status").first()).toContainText("Shipped");
  await usable(seller);
  // Without a reload: the page listens.
  await expect(buyer.getByRole("main")).toContainText("1Z999AA10123456784");

  const other = await fresh(browser);
  await signIn(other, cleo.email, PASSWORD);
  await other.goto("/seller/orders");
  await other.locator("tbody a").first().click();
  await other.getByText("Cancel this part").click();
  await other.getByLabel("Reason").fill("The last mug broke.");
  await other.getByRole("button", { name: "Cancel and refund" }).click();
  await expect(other.getByRole("status").first()).toContainText("Cancelled");
  await expect(buyer.getByRole("main")).toContainText("The last mug broke.");
  // The mug and its shipping, to the cent.
  await expect(buyer.getByRole("main")).toContainText("$24.98 went back to your card");
  await usable(buyer);
});

test("a buyer takes pieces out of an order and sends it elsewhere; the seller takes out the last", async ({ browser, request }) => {
  const buyer = await new Api(request).signedIn("dora@stories.example");
  const { hits } = await buyer.get("/v1/search?query=brass%20lamp");
  const items = [{ tenant_id: hits[0].tenant_id, variant_id: hits[0].variant_id, quantity: 3 }];
  const shipping_address = { name: "Dora Day", line1: "1 Test Street", city: "Springfield", subdivision: "IL", postal_code: "62701", country: "US" };
  const { checkout } = await buyer.post("/v1/checkouts", { items, email: "dora@stories.example", shipping_address });
  const placed = await buyer.post(`/v1/checkouts/${checkout.checkout_id}/place`, { payment_method: "tok_visa" });

  const page = await fresh(browser);
  await signIn(page, "dora@stories.example", PASSWORD);
  await page.goto(`/orders/${placed.order.order_id}`);
  await page.getByRole("link", { name: "Fewer pieces" }).click();
  await usable(page);
  await page.getByLabel("Brass Reading Lamp").fill("7");
  await page.getByRole("button", { name: "Cancel the others" }).click();
  await expect(page.getByRole("main")).toContainText("only become less");
  await usable(page);
  await page.getByLabel("Brass Reading Lamp").fill("1");
  await page.getByRole("button", { name: "Cancel the others" }).click();
  await expect(page.getByRole("main")).toContainText("You cancelled 2 × Brass Reading Lamp");
  await expect(page.getByRole("main")).toContainText("went back to your card");
  await usable(page);
  await page.getByRole("link", { name: "Change", exact: true }).click();
  await usable(page);
  await page.getByLabel("Street and number").fill("2 Side Street");
  await page.getByRole("button", { name: "Use this address" }).click();
  await expect(page.getByRole("main")).toContainText("2 Side Street");

  const seller = await fresh(browser);
  await signIn(seller, ben.email, PASSWORD);
  await seller.goto(`/seller/orders/${placed.order.sub_orders[0].sub_order_id}`);
  await expect(seller.getByRole("main")).toContainText("2 of 3 cancelled");
  await expect(seller.getByRole("main")).toContainText("2 Side Street");
  await seller.getByText("Cancel some pieces").click();
  await usable(seller);
  await seller.getByLabel("Brass Reading Lamp").fill("0");
  await seller.getByLabel("Why").fill("The last lamp broke.");
  await seller.getByRole("button", { name: "Cancel the others" }).click();
  await expect(seller.getByRole("status").first()).toContainText("Cancelled");
  await expect(page.getByRole("main")).toContainText("The last lamp broke.");
});

test("what was delivered is the seller's to be paid, and every statement explains itself", async ({ browser }) => {
  const seller = await fresh(browser);
  await signIn(seller, ben.email, PASSWORD);
  await seller.goto("/seller/payouts");
  await usable(seller);
  await seller.getByLabel("Account holder").fill("Ben Ltd");
  await seller.getByLabel("IBAN").fill("DE89 3704 0044 0532 0130 01");
  await seller.getByRole("button", { name: "Pay me here" }).click();
  await expect(seller.getByRole("main")).toContainText("check digits do not fit");
  await usable(seller);
  await seller.getByLabel("IBAN").fill("DE89 3704 0044 0532 0130 00");
  await seller.getByRole("button", { name: "Pay me here" }).click();
  await expect(seller.getByRole("main")).toContainText("•••• 3000");
  await seller.goto("/seller/orders");
  await seller.getByRole("row", { name: /shipped/i }).getByRole("link").first().click();
  await seller.getByRole("button", { name: /delivered/i }).click();
  await expect(seller.getByRole("status").first()).toContainText("Noted; the buyer sees it.");

  const operator = await fresh(browser);
  await signIn(operator, OPERATOR.email, OPERATOR.password);
  // $45.00 less 12 % commission, and what the buyer paid for shipping.
  await expect(async () => {
    await operator.goto("/operator/settlements");
    await operator.getByRole("button", { name: "Pay what is due" }).click();
    await seller.goto("/seller/payouts");
    await expect(seller.locator(".stat", { hasText: /^Available/ }).first()).toContainText("$44.59", { timeout: 1000 });
  }).toPass();
  await usable(operator);
  await usable(seller);
  await seller.getByRole("button", { name: "Show" }).click();
  await expect(seller.getByRole("row", { name: /sale/ })).toContainText("$44.59");
  await usable(seller);
  for (const kind of ["PDF", "CSV"]) {
    const file = seller.waitForEvent("download");
    await seller.getByRole("link", { name: kind }).click();
    expect((await file).suggestedFilename()).toBe(`statement.${kind.toLowerCase()}`);
  }
  await operator.goto("/operator/open-items");
  await operator.getByRole("button", { name: "Compare now" }).click();
  await expect(operator.getByRole("status").first()).toContainText("The reports say what we have booked.");
  await usable(operator);
  await operator.goto("/operator/ledger?kind=proof");
  await expect(operator.getByText("broken")).toHaveCount(0);
  await usable(operator);
});

test("a buyer sends a lamp back, the seller looks at it, and the share goes back", async ({ browser, request }) => {
  const seller = await fresh(browser);
  await signIn(seller, ben.email, PASSWORD);
  await seller.goto("/seller/return-policy");
  await usable(seller);
  await seller.getByLabel("Days to ask for a return").fill("3");
  await address(seller);
  await seller.getByRole("button", { name: "Save" }).click();
  await expect(seller.getByRole("main")).toContainText("at least 14");
  await usable(seller);
  await seller.getByLabel("Days to ask for a return").fill("30");
  await seller.getByRole("button", { name: "Save" }).click();
  await expect(seller.getByRole("status").first()).toContainText("Saved");

  const dora = await new Api(request).signedIn("dora@stories.example");
  const { hits } = await dora.get("/v1/search?query=brass%20lamp");
  const items = [{ tenant_id: hits[0].tenant_id, variant_id: hits[0].variant_id, quantity: 2 }];
  const shipping_address = { name: "Dora Day", line1: "1 Test Street", city: "Springfield", subdivision: "IL", postal_code: "62701", country: "US" };
  const { checkout } = await dora.post("/v1/checkouts", { items, email: "dora@stories.example", shipping_address });
  const placed = await dora.post(`/v1/checkouts/${checkout.checkout_id}/place`, { payment_method: "tok_visa" });
  const part = placed.order.sub_orders[0].sub_order_id;
  await seller.goto(`/seller/orders/${part}`);
  await expect(async () => {
    await seller.reload();
    await seller.getByRole("button", { name: "Accept" }).click({ timeout: 1000 });
  }).toPass();
  await seller.getByRole("button", { name: "Mark as packed" }).click();
  await seller.getByLabel("Carrier").fill("UPS");
  await seller.getByLabel("Tracking number").fill("1Z999AA10123456799");
  await seller.getByRole("button", { name: "Ship", exact: true }).click();
  await seller.getByRole("button", { name: /delivered/i }).click();

  const buyer = await fresh(browser, { viewport: PHONE });
  await signIn(buyer, "dora@stories.example", PASSWORD);
  await buyer.goto(`/orders/${placed.order.order_id}`);
  await buyer.getByRole("link", { name: "Send something back" }).click();
  await usable(buyer);
  await buyer.getByLabel("Pieces").fill("5");
  await buyer.getByRole("button", { name: "Ask to send it back" }).click();
  await expect(buyer.getByRole("main")).toContainText("2 can be returned");
  await buyer.getByLabel("Pieces").fill("1");
  await buyer.getByLabel("Why").selectOption("damaged");
  await buyer.getByRole("button", { name: "See what goes back to you" }).click();
  await expect(buyer.getByRole("main")).toContainText("$45.00 would go back to your card");
  await usable(buyer);
  await buyer.getByLabel("What should the shop know?").fill("The shade is dented.");
  await buyer.getByRole("button", { name: "Ask to send it back" }).click();
  await expect(buyer.getByRole("main")).toContainText("The shop is to answer");
  await usable(buyer);
  const back = buyer.url();

  await seller.goto("/seller/returns?state=requested");
  await usable(seller);
  await seller.locator("tbody a").first().click();
  await usable(seller);
  await expect(seller.getByRole("main")).toContainText("The shade is dented.");
  await seller.getByRole("button", { name: "Approve" }).click();
  await buyer.goto(back);
  await buyer.getByLabel("Carrier").fill("UPS");
  await buyer.getByLabel("Tracking number").fill("1Z999AA10123456800");
  await buyer.getByRole("button", { name: "Tell the shop" }).click();
  await expect(buyer.getByRole("main")).toContainText("On its way to the shop");
  await usable(buyer);
  await seller.reload();
  await seller.getByLabel("Fit to be sold again").fill("0");
  await seller.getByRole("button", { name: "Note it and refund" }).click();
  await expect(seller.getByRole("main")).toContainText("cannot be sold again");
  await usable(seller);
  await buyer.goto(back);
  await expect(buyer.getByRole("main")).toContainText("The money has gone back.");
  await usable(buyer);
  // A scratch on the other one: money, and it stays.
  await seller.goto(`/seller/orders/${part}`);
  await seller.getByText("Give some money back").click();
  await seller.getByLabel("How much").fill("4.50");
  await seller.getByLabel("What for").fill("For the scratch.");
  await seller.getByRole("button", { name: "Give it back" }).click();
  await expect(seller.getByRole("status").first()).toContainText("Given back");
  await usable(seller);
  await buyer.goto(`/orders/${placed.order.order_id}`);
  await expect(buyer.getByRole("main")).toContainText("For the scratch.");
  await usable(buyer);

  const operator = await fresh(browser);
  await signIn(operator, OPERATOR.email, OPERATOR.password);
  await operator.goto("/operator/returns");
  await usable(operator);
  await operator.locator("tbody a").last().click();
  await usable(operator);
});

test("cards that are declined, ask for 3-D Secure, or answer later end well", async ({ browser, request }) => {
  const anybody = new Api(request);
  const buyer = await anybody.signedIn("dora@stories.example");
  const { hits } = await anybody.get("/v1/search?query=brass%20lamp");
  const page = await fresh(browser);
  await signIn(page, "dora@stories.example", PASSWORD);
  for (const [number, ending] of [["4000000000000002", "declined"], ["4000000000003220", "challenge"]]) {
    await buyer.post("/v1/cart/items", { tenant_id: hits[0].tenant_id, variant_id: hits[0].variant_id, quantity: 1 });
    await page.goto("/checkout");
    if (await page.getByLabel("Full name").isVisible()) await address(page);
    await page.getByRole("button", { name: "On to shipping" }).click();
    await page.getByRole("button", { name: "On to payment" }).click();
    await pay(page, number);
    await page.getByRole("button", { name: /Place the order/ }).click();
    if (ending === "declined") {
      await expect(page.getByRole("main")).toContainText(/declined|another/i);
      await usable(page);
      await page.getByRole("link", { name: "Pay with another card" }).click();
      await usable(page);
      await pay(page, "5555555555554444", "Go on");
      await usable(page);
      await page.getByRole("button", { name: /^Pay/ }).click();
      await expect(page.getByRole("main")).toContainText("Ordered");
      await expect(page.getByRole("link", { name: "Pay with another card" })).toHaveCount(0);
    } else {
      await usable(page);
      await page.getByRole("button", { name: /approve|confirm/i }).click();
      await expect(page.getByRole("heading", { level: 1 })).toContainText(/ordered|Order/);
    }
  }
});

test("somebody who has bought before goes straight to the last look", async ({ browser, request }) => {
  const anybody = new Api(request);
  const buyer = await anybody.signedIn("dora@stories.example");
  const { hits } = await anybody.get("/v1/search?query=stoneware%20mug");
  const place = { name: "Dora Day", line1: "1 Test Street", postal_code: "62701", city: "Springfield", subdivision: "IL", country: "US" };
  await buyer.post("/v1/me/addresses", { address: place });
  const page = await fresh(browser);
  await signIn(page, "dora@stories.example", PASSWORD);
  const checkOut = async () => {
    await buyer.post("/v1/cart/items", { tenant_id: hits[0].tenant_id, variant_id: hits[0].variant_id, quantity: 1 });
    await page.goto("/checkout");
  };
  const placeOrder = async () => {
    await page.getByRole("button", { name: /Place the order/ }).click();
    await expect(page.getByRole("heading", { level: 1 })).toContainText(/ordered|Order/);
  };
  await checkOut();
  await expect(page).toHaveURL(/\/payment/);
  await page.getByLabel("Keep this card for my next orders").check();
  await pay(page, "4242424242424242");
  await placeOrder();
  await checkOut();
  await expect(page).toHaveURL(/\/review/);
  await expect(page.getByRole("main")).toContainText("1 Test Street");
  await expect(page.getByRole("main")).toContainText("4242");
  await usable(page);
  await placeOrder();
});

test("the shop works without a script", async ({ browser }) => {
  const page = await fresh(browser, { javaScriptEnabled: false });
  await page.goto("/search?q=brass+lamp");
  await page.locator("a[href^='/p/']").first().click();
  await page.getByRole("button", { name: "Add to cart" }).first().click();
  await expect(page.locator(".parcel")).toHaveCount(1);
  await page.getByLabel(/Quantity of/).fill("2");
  await page.getByRole("button", { name: "Update" }).click();
  await expect(page.getByRole("main")).toContainText("2 pieces");
});

test("every public page is usable, in both themes and on a phone", async ({ browser }) => {
  test.slow();
  for (const colorScheme of ["light", "dark"]) {
    const page = await fresh(browser, { colorScheme, viewport: PHONE });
    for (const path of ["/", "/search", "/search?q=nothing-like-this", "/stores", "/cart", "/sign-in", "/sign-up", "/forgot", "/sell", "/docs", "/no/such/page"]) {
      await page.goto(path);
      await usable(page);
    }
  }
});
