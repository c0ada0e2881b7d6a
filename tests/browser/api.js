// The market's REST interface, as far as the stories need it to set their scene.

import { expect } from "@playwright/test";

export const PASSWORD = "nine green lanterns";

export class Api {
  constructor(request, token = "", tenant = "") {
    Object.assign(this, { request, token, tenant });
  }

  async send(method, path, data) {
    const headers = {};
    if (this.token) headers.authorization = `Bearer ${this.token}`;
    if (this.tenant) headers["x-tenant-id"] = this.tenant;
    const answer = await this.request.fetch(path, { method, headers, data });
    expect(answer.ok(), `${method} ${path}: ${answer.status()} ${await answer.text()}`).toBeTruthy();
    return answer.json();
  }

  get(path) {
    return this.send("GET", path);
  }

  post(path, data) {
    return this.send("POST", path, data);
  }

  async signedIn(email, password = PASSWORD) {
    const { session } = await this.post("/v1/auth/sign-in", { email, password });
    return new Api(this.request, session.access_token);
  }

  // A shop that sells, with one product in stock: a person, an application, the operator's approval.
  async shop(name, operator, product) {
    const email = `${name.toLowerCase()}@stories.example`;
    const { session } = await this.post("/v1/auth/sign-up", { email, password: PASSWORD, name });
    const person = new Api(this.request, session.access_token);
    const { tenant } = await person.post("/v1/tenants", {
      store_name: `${name}'s Shop`,
      business: { legal_name: `${name} Ltd`, contact_email: email, address: "1 Kiln Lane" },
      country: "US",
      currency: "USD",
    });
    await operator.post(`/v1/tenants/${tenant.tenant_id}/approve`, {});
    const seller = await this.signedIn(email);
    seller.tenant = tenant.tenant_id;
    const variant = { sku: `${name}-1`, price: { amount_minor: product.cents, currency: "USD" } };
    const made = await seller.post("/v1/products", { title: product.title, variants: [variant], activate: true });
    await seller.post("/v1/stock/set", { variant_id: made.product.variants[0].variant_id, sku: variant.sku, quantity: 20 });
    return { email, seller, product_id: made.product.product_id };
  }
}
