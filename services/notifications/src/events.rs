//! From what happened to messages. Each event is applied once, in log order; the messages of a run of events are written together, and the
//! cursor moves in the same transaction. Nobody is called: what is needed of people and tenants comes from their events.

use std::collections::HashMap;
use std::sync::Arc;

use api_identity::identity_event::Body as IdentityBody;
use api_inventory::inventory_event::Body as InventoryBody;
use api_orders::order_event::Body as OrderBody;
use api_tenants::tenants_event::Body as TenantsBody;
use kit_core::{Ids, TenantId, UserId};
use kit_db::LoggedEvent;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::Error;
use crate::store::{self, Correspondent, NewMessage};
use crate::templates::{self, Message, Site};

/// What the consumers share.
#[derive(Clone)]
pub(crate) struct Post {
    pub site: Arc<Site>,
    pub ids: Ids,
}

/// Who among a tenant's staff is told of sales and stock, and who of the tenant's standing.
const SELLS: &[&str] = &["seller_admin", "seller_manager"];
const KEEPS_STOCK: &[&str] = &["seller_admin", "seller_manager", "inventory_operator"];
const RUNS_STORE: &[&str] = &["seller_admin"];
const RUNS_MARKET: &[&str] = &["platform_admin"];

/// Where a message goes.
struct To {
    user: Option<Uuid>,
    email: String,
}

impl From<Correspondent> for To {
    fn from(correspondent: Correspondent) -> Self {
        Self { user: Some(correspondent.user_id), email: correspondent.email }
    }
}

/// Tenant (none: the platform), roles, topic.
type Staff = (Option<TenantId>, &'static [&'static str], &'static str);

/// What a run of events gives rise to, and the staff looked up for it.
pub(crate) struct Outbox<'a> {
    db: &'a mut PgConnection,
    messages: Vec<NewMessage>,
    staff: HashMap<Staff, Vec<Correspondent>>,
}

impl Outbox<'_> {
    async fn staff(&mut self, tenant: Option<TenantId>, roles: &'static [&'static str], topic: &'static str) -> Result<Vec<Correspondent>, Error> {
        if let Some(known) = self.staff.get(&(tenant, roles, topic)) {
            return Ok(known.clone());
        }
        let found = store::staff(&mut *self.db, tenant.map(TenantId::uuid), roles, topic).await?;
        self.staff.insert((tenant, roles, topic), found.clone());
        Ok(found)
    }

    async fn flush(&mut self) -> Result<(), Error> {
        let messages = std::mem::take(&mut self.messages);
        if messages.is_empty() { Ok(()) } else { store::add_all(&mut *self.db, &messages).await }
    }
}

impl Post {
    pub(crate) async fn hear(&self, db: &mut PgConnection, events: Vec<LoggedEvent>) -> Result<(), Error> {
        let mut out = Outbox { db, messages: Vec::new(), staff: HashMap::new() };
        for event in &events {
            match event.source.as_str() {
                "identity" => self.hear_identity(&mut out, event).await?,
                "tenants" => self.hear_tenants(&mut out, event).await?,
                "orders" => self.hear_orders(&mut out, event).await?,
                "inventory" => self.hear_inventory(&mut out, event).await?,
                // Nothing else is followed.
                _ => {}
            }
        }
        out.flush().await
    }

    fn send(&self, out: &mut Outbox<'_>, event: &LoggedEvent, to: To, message: &Message, tenant: Option<TenantId>) {
        if to.email.is_empty() {
            return;
        }
        let cause = format!("{}/{}/{}/{}", event.source, event.cell, event.position.transaction, event.position.number);
        out.messages.push(NewMessage {
            id: self.ids.next(),
            cause,
            template: message.template,
            topic: message.topic.text(),
            recipient: to.email,
            user: to.user,
            tenant: tenant.map(TenantId::uuid),
            subject: message.letter.subject.clone(),
            body: message.letter.text(),
            html: message.letter.html(),
            sent_at: event.at,
        });
    }

    async fn send_to_staff(
        &self,
        out: &mut Outbox<'_>,
        event: &LoggedEvent,
        tenant: Option<TenantId>,
        roles: &'static [&'static str],
        message: &Message,
    ) -> Result<(), Error> {
        for to in out.staff(tenant, roles, message.topic.text()).await? {
            self.send(out, event, to.into(), message, tenant);
        }
        Ok(())
    }

    async fn hear_identity(&self, out: &mut Outbox<'_>, event: &LoggedEvent) -> Result<(), Error> {
        use templates::account as letters;
        let Some(body) = event.decode::<api_identity::IdentityEvent>()?.body else { return Ok(()) };
        let message = match &body {
            IdentityBody::UserRegistered(e) => return self.know(out.db, e.user.as_ref()).await,
            IdentityBody::ProfileUpdated(e) => return self.know(out.db, e.user.as_ref()).await,
            IdentityBody::RoleGranted(e) => return role(out.db, e.membership.as_ref(), true).await,
            IdentityBody::RoleRevoked(e) => return role(out.db, e.membership.as_ref(), false).await,
            IdentityBody::GuestMerged(e) => {
                out.flush().await?;
                return store::hand_over(out.db, id("guest_id", &e.guest_id)?, id("user_id", &e.user_id)?).await;
            }
            IdentityBody::EmailVerificationRequested(e) => (e.user.as_ref(), letters::verify_email(&self.site, e)),
            IdentityBody::PasswordResetRequested(e) => (e.user.as_ref(), letters::reset_password(&self.site, e)),
            IdentityBody::PasswordChanged(e) => {
                (e.user.as_ref(), letters::password_changed(&self.site, e.user.as_ref().unwrap_or(&Default::default())))
            }
            IdentityBody::NewDeviceSeen(e) => (e.user.as_ref(), letters::new_device(&self.site, e)),
            IdentityBody::SignInBlocked(e) => (e.user.as_ref(), letters::sign_in_blocked(&self.site, e)),
            IdentityBody::UserDisabled(e) => (e.user.as_ref(), letters::account_disabled(&self.site, e)),
            IdentityBody::EmailVerified(_)
            | IdentityBody::SessionStarted(_)
            | IdentityBody::SessionEnded(_)
            | IdentityBody::UserEnabled(_)
            | IdentityBody::AddressBookChanged(_) => return Ok(()),
        };
        let (user, message) = message;
        let user = user.ok_or(Error::Malformed("user"))?;
        let to = To { user: Some(id("user_id", &user.user_id)?.uuid()), email: user.email.clone() };
        self.send(out, event, to, &message, None);
        Ok(())
    }

    async fn know(&self, db: &mut PgConnection, user: Option<&api_identity::User>) -> Result<(), Error> {
        let user = user.ok_or(Error::Malformed("user"))?;
        if user.email.is_empty() {
            return Ok(());
        }
        store::put_correspondent(db, id("user_id", &user.user_id)?, &user.email, &user.name).await
    }

    async fn hear_tenants(&self, out: &mut Outbox<'_>, event: &LoggedEvent) -> Result<(), Error> {
        use templates::store as letters;
        let Some(body) = event.decode::<api_tenants::TenantsEvent>()?.body else { return Ok(()) };
        let site = &self.site;
        match body {
            TenantsBody::TenantApplied(e) => {
                let tenant = e.tenant.unwrap_or_default();
                self.send_to_staff(out, event, None, RUNS_MARKET, &letters::application_waiting(site, &tenant)).await?;
                self.send_to_owner(out, event, &tenant, letters::applied(site, &tenant)).await
            }
            TenantsBody::TenantApproved(e) => {
                let tenant = e.tenant.unwrap_or_default();
                self.send_to_owner(out, event, &tenant, letters::approved(site, &tenant)).await
            }
            TenantsBody::TenantRejected(e) => {
                let tenant = e.tenant.unwrap_or_default();
                self.send_to_owner(out, event, &tenant, letters::rejected(site, &tenant)).await
            }
            TenantsBody::TenantSuspended(e) => {
                self.send_to_staff(out, event, event.tenant, RUNS_STORE, &letters::suspended(site, &e.tenant.unwrap_or_default())).await
            }
            TenantsBody::TenantReactivated(e) => {
                self.send_to_staff(out, event, event.tenant, RUNS_STORE, &letters::reactivated(site, &e.tenant.unwrap_or_default())).await
            }
            TenantsBody::TenantClosed(e) => {
                self.send_to_staff(out, event, event.tenant, RUNS_STORE, &letters::closed(site, &e.tenant.unwrap_or_default())).await
            }
            TenantsBody::StaffInvited(e) => {
                let email = e.invite.as_ref().map(|invite| invite.email.clone()).unwrap_or_default();
                self.send(out, event, To { user: None, email }, &letters::invited(site, &e), event.tenant);
                Ok(())
            }
            TenantsBody::TenantReviewStarted(_)
            | TenantsBody::TenantPlanChanged(_)
            | TenantsBody::TenantPlaced(_)
            | TenantsBody::StoreUpdated(_)
            | TenantsBody::InviteWithdrawn(_)
            | TenantsBody::StaffJoined(_)
            | TenantsBody::StaffRoleChanged(_)
            | TenantsBody::StaffRevoked(_) => Ok(()),
        }
    }

    /// To the applicant, at their account's address; at the contact address while identity's event is still on its way.
    async fn send_to_owner(&self, out: &mut Outbox<'_>, event: &LoggedEvent, tenant: &api_tenants::Tenant, message: Message) -> Result<(), Error> {
        let owner = id("owner_id", &tenant.owner_id)?;
        let to = match store::correspondent(&mut *out.db, owner).await? {
            Some(known) => known.into(),
            None => {
                To { user: Some(owner.uuid()), email: tenant.business.as_ref().map(|business| business.contact_email.clone()).unwrap_or_default() }
            }
        };
        self.send(out, event, to, &message, event.tenant);
        Ok(())
    }

    async fn hear_orders(&self, out: &mut Outbox<'_>, event: &LoggedEvent) -> Result<(), Error> {
        use api_orders::OrderState;
        use templates::{order as letters, returned};
        let Some(body) = event.decode::<api_orders::OrderEvent>()?.body else { return Ok(()) };
        let site = &self.site;
        let (order, message) = match body {
            OrderBody::OrderPlaced(e) => {
                let order = e.r#ref.clone().unwrap_or_default();
                let message = letters::placed(site, &order, &e);
                (order, message)
            }
            OrderBody::OrderPaymentFailed(e) => {
                let order = e.r#ref.clone().unwrap_or_default();
                let message = letters::payment_failed(site, &order, &e);
                (order, message)
            }
            OrderBody::OrderCancelled(e) => {
                let order = e.r#ref.clone().unwrap_or_default();
                let message = letters::cancelled(site, &order, &e);
                (order, message)
            }
            OrderBody::SubOrderConfirmed(e) => return self.send_to_staff(out, event, event.tenant, SELLS, &letters::sale(site, &e)).await,
            OrderBody::SubOrderProgressed(e) if e.state != e.previous_state => {
                let order = e.r#ref.clone().unwrap_or_default();
                let message = match e.state() {
                    OrderState::Shipped => letters::shipped(site, &order, &e),
                    OrderState::Delivered => letters::delivered(site, &order, &e),
                    _ => return Ok(()),
                };
                (order, message)
            }
            OrderBody::SubOrderCancelled(e) => {
                let order = e.r#ref.clone().unwrap_or_default();
                if e.cancelled_by != "seller" {
                    self.send_to_staff(out, event, event.tenant, SELLS, &letters::sale_cancelled(site, &order, &e)).await?;
                }
                let message = letters::part_cancelled(site, &order, &e);
                (order, message)
            }
            OrderBody::ItemsCancelled(e) => {
                let order = e.r#ref.clone().unwrap_or_default();
                if e.cancelled_by != "seller" {
                    self.send_to_staff(out, event, event.tenant, SELLS, &letters::sale_reduced(site, &order, &e)).await?;
                }
                let message = letters::items_cancelled(site, &order, &e);
                (order, message)
            }
            OrderBody::SubOrderReaddressed(e) => {
                let order = e.r#ref.clone().unwrap_or_default();
                self.send_to_staff(out, event, event.tenant, SELLS, &letters::sale_readdressed(site, &order, &e)).await?;
                let message = letters::readdressed(site, &order, &e);
                (order, message)
            }
            OrderBody::ReturnRequested(e) => return self.send_to_staff(out, event, event.tenant, SELLS, &returned::requested(site, &e)).await,
            OrderBody::ReturnSent(e) => return self.send_to_staff(out, event, event.tenant, SELLS, &returned::sent(site, &e)).await,
            OrderBody::ReturnWithdrawn(e) => return self.send_to_staff(out, event, event.tenant, SELLS, &returned::withdrawn(site, &e)).await,
            OrderBody::ReturnApproved(e) => (e.r#ref.clone().unwrap_or_default(), returned::approved(site, &e)),
            OrderBody::ReturnRefused(e) => (e.r#ref.clone().unwrap_or_default(), returned::refused(site, &e)),
            OrderBody::ReturnReceived(e) => (e.r#ref.clone().unwrap_or_default(), returned::received(site, &e)),
            OrderBody::ReturnExpired(e) => (e.r#ref.clone().unwrap_or_default(), returned::expired(site, &e)),
            OrderBody::SubOrderRefunded(e) => {
                let order = e.r#ref.clone().unwrap_or_default();
                let message = letters::refunded(site, &order, &e);
                (order, message)
            }
            OrderBody::SubOrderRefundFailed(e) => {
                let message = letters::refund_failed(site, &e.r#ref.clone().unwrap_or_default(), &e);
                return self.send_to_staff(out, event, None, RUNS_MARKET, &message).await;
            }
            // The refund itself is told of a refunded return.
            OrderBody::SubOrderProgressed(_)
            | OrderBody::OrderPaid(_)
            | OrderBody::OrderPaymentPending(_)
            | OrderBody::OrderCompleted(_)
            | OrderBody::ReturnRefunded(_) => return Ok(()),
        };
        let user = order.buyer_id.parse::<UserId>().ok().map(UserId::uuid);
        self.send(out, event, To { user, email: order.email }, &message, None);
        Ok(())
    }

    async fn hear_inventory(&self, out: &mut Outbox<'_>, event: &LoggedEvent) -> Result<(), Error> {
        match event.decode::<api_inventory::InventoryEvent>()?.body {
            Some(InventoryBody::StockRanLow(e)) => {
                let tenant = e.tenant_id.parse().map_err(|_| Error::Malformed("tenant_id"))?;
                self.send_to_staff(out, event, Some(tenant), KEEPS_STOCK, &templates::store::stock_ran_low(&self.site, &e)).await
            }
            Some(InventoryBody::StockChanged(_) | InventoryBody::ReservationExpired(_) | InventoryBody::WarehouseChanged(_)) | None => Ok(()),
        }
    }
}

fn id(field: &'static str, text: &str) -> Result<UserId, Error> {
    text.parse().map_err(|_| Error::Malformed(field))
}

async fn role(db: &mut PgConnection, membership: Option<&api_identity::Membership>, granted: bool) -> Result<(), Error> {
    let membership = membership.ok_or(Error::Malformed("membership"))?;
    let user = id("user_id", &membership.user_id)?;
    let tenant = membership.tenant_id.parse::<TenantId>().ok().map(TenantId::uuid);
    let role = membership.role().as_str_name().trim_start_matches("ROLE_").to_lowercase();
    if granted { store::put_role(db, user, tenant, &role).await } else { store::remove_role(db, user, tenant, &role).await }
}
