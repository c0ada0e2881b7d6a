//! Messages about tenants: applications, standing, staff, stock.

use api_inventory::StockRanLow;
use api_tenants::{StaffInvited, StaffRole, Tenant};

use super::{Message, Site, Topic, moment};
use crate::letter::Letter;

fn message(template: &'static str, letter: Letter) -> Message {
    Message { template, topic: Topic::Tenant, letter }
}

fn name(tenant: &Tenant) -> String {
    tenant.store.as_ref().map(|store| store.name.clone()).unwrap_or_default()
}

pub(crate) fn applied(site: &Site, tenant: &Tenant) -> Message {
    let letter = Letter::new(format!("We have your application for {}", name(tenant)), "Thank you for applying")
        .say(format!("We have received your application to sell as {}. We will look at it and write to you.", name(tenant)))
        .action("See the application", site.link("/sell"));
    message("tenant_applied", letter)
}

/// To operators.
pub(crate) fn application_waiting(site: &Site, tenant: &Tenant) -> Message {
    let business = tenant.business.clone().unwrap_or_default();
    let letter = Letter::new(format!("{} wants to sell", name(tenant)), "An application waits")
        .row("Store", name(tenant))
        .row("Business", business.legal_name)
        .action("Look at it", site.link(&format!("/operator/tenants/{}", tenant.tenant_id)));
    message("application_waiting", letter)
}

pub(crate) fn approved(site: &Site, tenant: &Tenant) -> Message {
    let letter = Letter::new(format!("{} is open", name(tenant)), "You can sell now")
        .say(format!("Your application is approved: {} is part of the market. Add your products and they can be found within seconds.", name(tenant)))
        .action("Open the seller portal", site.link("/seller"));
    message("tenant_approved", letter)
}

pub(crate) fn rejected(site: &Site, tenant: &Tenant) -> Message {
    let letter = Letter::new(format!("Your application for {}", name(tenant)), "We could not approve your application")
        .say(format!("We looked at your application to sell as {} and could not approve it as it is.", name(tenant)))
        .say_of("The reason: ", &tenant.state_reason)
        .say("You can correct it and send it again.")
        .action("See the application", site.link("/sell"));
    message("tenant_rejected", letter)
}

pub(crate) fn suspended(site: &Site, tenant: &Tenant) -> Message {
    let letter = Letter::new(format!("{} is suspended", name(tenant)), "Your store is suspended")
        .say(format!("{} cannot sell for now, and its listings are not shown. Please go on with the orders you have.", name(tenant)))
        .say_of("The reason: ", &tenant.state_reason)
        .action("Open the seller portal", site.link("/seller"));
    message("tenant_suspended", letter)
}

pub(crate) fn reactivated(site: &Site, tenant: &Tenant) -> Message {
    let letter = Letter::new(format!("{} is open again", name(tenant)), "You can sell again")
        .say(format!("{} is no longer suspended, and its listings are shown again.", name(tenant)))
        .action("Open the seller portal", site.link("/seller"));
    message("tenant_reactivated", letter)
}

pub(crate) fn closed(site: &Site, tenant: &Tenant) -> Message {
    let letter = Letter::new(format!("{} is closed", name(tenant)), "Your store is closed")
        .say(format!("{} is closed for good.", name(tenant)))
        .say_of("The reason: ", &tenant.state_reason)
        .action("To the marketplace", site.link("/"));
    message("tenant_closed", letter)
}

pub(crate) fn invited(site: &Site, event: &StaffInvited) -> Message {
    let invite = event.invite.clone().unwrap_or_default();
    let role = match invite.role() {
        StaffRole::SellerAdmin => "a seller admin",
        StaffRole::SellerManager => "a manager",
        StaffRole::InventoryOperator => "an inventory operator",
        StaffRole::Unspecified => "staff",
    };
    let letter = Letter::new(format!("{} invites you", event.store_name), format!("{} wants you on its staff", event.store_name))
        .say(format!("You are invited to work for {} as {role}. Sign in or sign up with this e-mail address to accept.", event.store_name))
        .action("Accept", site.link(&format!("/invite?token={}", event.token)))
        .note(&format!("The link works until {}.", moment(invite.expires_at.as_ref())));
    message("staff_invited", letter)
}

pub(crate) fn stock_ran_low(site: &Site, event: &StockRanLow) -> Message {
    let what = [&event.title, &event.sku].into_iter().find(|text| !text.is_empty()).cloned().unwrap_or_else(|| "A product".to_owned());
    let letter = Letter::new(format!("{what} runs low"), "Stock runs low")
        .say(format!("Only {} of \"{what}\" can still be sold; you asked to be told at {}.", event.available, event.low_at))
        .action("Open the seller portal", site.link("/seller"))
        .note(&site.switch_off());
    Message { template: "stock_ran_low", topic: Topic::Stock, letter }
}
