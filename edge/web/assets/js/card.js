// The card fields of a provider's own script (Stripe.js): they live in frames of the provider, and what comes out is a token.

for (const form of document.querySelectorAll("form[data-card]")) {
  const provider = window.Stripe?.(form.dataset.key);
  const say = (text) => {
    form.querySelector("[data-card-error]").textContent = text;
  };
  if (!provider) {
    say("The provider's card fields could not be loaded. Try again, or choose another way to pay.");
    continue;
  }
  const card = provider.elements().create("card");
  card.mount(form.querySelector("[data-card-fields]"));
  const button = form.querySelector("button[type=submit]");
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    button.disabled = true;
    const { paymentMethod, error } = await provider.createPaymentMethod({ type: "card", card });
    if (error) {
      say(error.message);
      button.disabled = false;
      return;
    }
    const back = new URL(form.dataset.return);
    back.searchParams.set("payment_token", `${form.dataset.psp}/${paymentMethod.id}`);
    back.searchParams.set("brand", paymentMethod.card?.brand ?? "");
    back.searchParams.set("last4", paymentMethod.card?.last4 ?? "");
    if (form.elements.state_save?.checked) back.searchParams.set("state_save", "on");
    location.assign(back);
  });
}
