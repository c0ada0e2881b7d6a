//! Every template filled with sample values.

use api_identity::{EmailVerificationRequested, NewDeviceSeen, PasswordResetRequested, SignInBlocked, User, UserDisabled};
use api_inventory::StockRanLow;
use api_orders::{
    Item, ItemsCancelled, Order, OrderCancelled, OrderPaymentFailed, OrderPlaced, OrderRef, Return, ReturnMoved, ReturnReason, ReturnedLine,
    Shipment, SubOrder, SubOrderCancelled, SubOrderConfirmed, SubOrderProgressed, SubOrderReaddressed, SubOrderRefundFailed, SubOrderRefunded,
    Totals,
};
use api_tenants::{Business, Invite, StaffInvited, StaffRole, Store, Tenant};
use kit_rpc::proto::{Address, Money};
use prost_types::Timestamp;

use super::{Message, Site, account, order, returned, store};

fn user() -> User {
    User { email: "ann@example.com".into(), name: "Ann Smith".into(), ..Default::default() }
}

fn at() -> Option<Timestamp> {
    Some(Timestamp { seconds: 1_800_000_000, nanos: 0 })
}

fn eur(amount_minor: i64) -> Option<Money> {
    Some(Money { amount_minor, currency: "EUR".into() })
}

fn item() -> Item {
    Item { title: "Blue kettle".into(), options: "Size: 2 l".into(), quantity: 2, line_total: eur(7_800), ..Default::default() }
}

fn part() -> SubOrder {
    SubOrder {
        sub_order_id: "sub_0198f0d1000070008000000000000001".into(),
        number: "MH-2026-7K3F-9QXD-1".into(),
        store_name: "Anna's Mugs".into(),
        items: vec![item()],
        shipping_method: "Standard".into(),
        totals: Some(Totals { shipping: eur(490), total: eur(8_290), ..Default::default() }),
        ..Default::default()
    }
}

fn order_ref() -> OrderRef {
    OrderRef {
        order_id: "ord_0198f0d1000070008000000000000001".into(),
        number: "MH-2026-7K3F-9QXD".into(),
        email: "ann@example.com".into(),
        name: "Ann Smith".into(),
        access_token: "sample".into(),
        ..Default::default()
    }
}

fn tenant() -> Tenant {
    Tenant {
        tenant_id: "ten_0198f0d1000070008000000000000001".into(),
        state_reason: "The register number could not be found".into(),
        store: Some(Store { name: "Anna's Mugs".into(), ..Default::default() }),
        business: Some(Business { legal_name: "Anna's Mugs Ltd".into(), ..Default::default() }),
        ..Default::default()
    }
}

pub(crate) fn samples(site: &Site) -> Vec<Message> {
    let mut all = of_account(site);
    all.extend(of_order(site));
    all.extend(of_return(site));
    all.extend(of_store(site));
    all
}

fn of_account(site: &Site) -> Vec<Message> {
    let token = || "sample".to_owned();
    vec![
        account::verify_email(site, &EmailVerificationRequested { user: Some(user()), token: token(), expires_at: at() }),
        account::reset_password(site, &PasswordResetRequested { user: Some(user()), token: token(), expires_at: at() }),
        account::password_changed(site, &user()),
        account::new_device(site, &NewDeviceSeen { user: Some(user()), device: "Firefox on Linux".into(), address: "192.0.2.1".into(), at: at() }),
        account::sign_in_blocked(site, &SignInBlocked { user: Some(user()), until: at() }),
        account::account_disabled(site, &UserDisabled { user: Some(user()), reason: "Chargebacks".into() }),
    ]
}

fn of_order(site: &Site) -> Vec<Message> {
    let to = order_ref();
    let totals = part().totals;
    let placed = Order { sub_orders: vec![part()], totals, ..Default::default() };
    let shipment = Shipment { carrier: "UPS".into(), tracking_number: "1Z999AA10123456784".into(), ..Default::default() };
    let progressed = SubOrderProgressed { store_name: "Anna's Mugs".into(), shipment: Some(shipment), ..Default::default() };
    let cancelled = SubOrderCancelled {
        sub_order_id: part().sub_order_id,
        reason: "Out of stock".into(),
        cancelled_by: "seller".into(),
        refund_due: eur(8_290),
        store_name: "Anna's Mugs".into(),
        items: vec![item()],
        ..Default::default()
    };
    let reduced = ItemsCancelled {
        sub_order_id: part().sub_order_id,
        reason: "One is enough".into(),
        cancelled_by: "buyer".into(),
        refund_due: eur(3_900),
        store_name: "Anna's Mugs".into(),
        items: vec![Item { quantity: 1, line_total: eur(3_900), ..item() }],
        ..Default::default()
    };
    let readdressed = SubOrderReaddressed {
        sub_order_id: part().sub_order_id,
        store_name: "Anna's Mugs".into(),
        shipping_address: Some(Address {
            name: "Ann Smith".into(),
            line1: "2 Mill Lane".into(),
            city: "Leeds".into(),
            postal_code: "LS1 1AA".into(),
            country: "GB".into(),
            ..Default::default()
        }),
        ..Default::default()
    };
    vec![
        order::items_cancelled(site, &to, &reduced),
        order::sale_reduced(site, &to, &reduced),
        order::readdressed(site, &to, &readdressed),
        order::sale_readdressed(site, &to, &readdressed),
        order::placed(site, &to, &OrderPlaced { order: Some(placed), ..Default::default() }),
        order::payment_failed(site, &to, &OrderPaymentFailed { reason: "Card declined".into(), pay_until: at(), ..Default::default() }),
        order::cancelled(site, &to, &OrderCancelled { reason: "Not paid in time".into(), ..Default::default() }),
        order::shipped(site, &to, &progressed),
        order::delivered(site, &to, &progressed),
        order::part_cancelled(site, &to, &cancelled),
        order::refunded(site, &to, &SubOrderRefunded { amount: eur(8_290), ..Default::default() }),
        order::sale(site, &SubOrderConfirmed { sub_order: Some(part()), ..Default::default() }),
        order::sale_cancelled(site, &to, &cancelled),
        order::refund_failed(site, &to, &SubOrderRefundFailed { amount: eur(8_290), reason: "Account closed".into(), ..Default::default() }),
    ]
}

fn of_return(site: &Site) -> Vec<Message> {
    let line = ReturnedLine { title: "Blue kettle".into(), quantity: 1, reason: ReturnReason::Damaged.into(), ..Default::default() };
    let shown = Return {
        return_id: "ret_0198f0d1000070008000000000000001".into(),
        number: "MH-2026-7K3F-9QXD-1-R1".into(),
        store_name: "Anna's Mugs".into(),
        lines: vec![line],
        note: "The spout is bent".into(),
        answer: "Please pack it well".into(),
        carrier: "UPS".into(),
        tracking_number: "1Z999AA10123456784".into(),
        amount: eur(3_900),
        deduction: eur(100),
        due_at: at(),
        ..Default::default()
    };
    let moved = ReturnMoved { r#ref: Some(order_ref()), r#return: Some(shown) };
    vec![
        returned::requested(site, &moved),
        returned::sent(site, &moved),
        returned::withdrawn(site, &moved),
        returned::approved(site, &moved),
        returned::refused(site, &moved),
        returned::received(site, &moved),
        returned::expired(site, &moved),
    ]
}

fn of_store(site: &Site) -> Vec<Message> {
    let tenant = tenant();
    let invite = Invite { email: "ben@example.com".into(), role: StaffRole::SellerManager.into(), expires_at: at(), ..Default::default() };
    let low = StockRanLow { available: 2, low_at: 3, sku: "KTL-2".into(), title: "Blue kettle".into(), ..Default::default() };
    vec![
        store::applied(site, &tenant),
        store::application_waiting(site, &tenant),
        store::approved(site, &tenant),
        store::rejected(site, &tenant),
        store::suspended(site, &tenant),
        store::reactivated(site, &tenant),
        store::closed(site, &tenant),
        store::invited(site, &StaffInvited { store_name: "Anna's Mugs".into(), invite: Some(invite), token: "sample".into(), ..Default::default() }),
        store::stock_ran_low(site, &low),
    ]
}
