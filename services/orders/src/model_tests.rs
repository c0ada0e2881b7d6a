use proptest::prelude::*;

use super::*;
use crate::commission::CommissionRule;

fn uuid(number: u128) -> Uuid {
    Uuid::from_u128(number)
}

fn line(unit_minor: i64, quantity: u32) -> Line {
    Line {
        product_id: uuid(1),
        product_version: 1,
        variant_id: uuid(2),
        title: "Mug".to_owned(),
        options: String::new(),
        sku: "MUG".to_owned(),
        brand: String::new(),
        category_id: String::new(),
        category_code: "el-2-3".to_owned(),
        tax_category: "standard".to_owned(),
        image_url: String::new(),
        weight_grams: 300,
        quantity,
        unit_minor,
        currency: "USD".to_owned(),
    }
}

fn option(price_minor: i64) -> ShippingOption {
    ShippingOption { method: uuid(9).into(), name: "Standard".to_owned(), price_minor, min_days: 2, max_days: 5 }
}

proptest! {
    #[test]
    fn every_order_adds_up(
        sellers in prop::collection::vec((prop::collection::vec((0i64..10_000_000, 1u32..999), 1..8), 0i64..5_000, 0u32..10_000), 1..6),
        rules in prop::collection::vec((prop::sample::select(vec!["el", "el-2", "el-2-3", "el-20", "fu"]), 0u32..10_000, 0i64..500, 0i64..5_000), 0..4)
    ) {
        let rule = |(category, bps, floor_minor, cap_minor): (&str, u32, i64, i64)| CommissionRule { category: category.to_owned(), bps, floor_minor, cap_minor };
        let rules: Vec<CommissionRule> = rules.into_iter().map(rule).collect();
        let mut draft = Draft { shipping_address: Some(Address::default()), ..Draft::default() };
        let mut rates = BTreeMap::new();
        for (number, (lines, shipping, bps)) in sellers.into_iter().enumerate() {
            let tenant_id = TenantId::from(uuid(100 + u128::try_from(number).unwrap()));
            let lines = lines.into_iter().map(|(unit, quantity)| line(unit, quantity)).collect();
            let mut part = DraftPart { tenant_id, store_name: String::new(), lines, options: vec![], chosen: None };
            part.offer(vec![option(shipping)]);
            draft.parts.push(part);
            rates.insert(tenant_id, CommissionTerms { bps, rules: rules.clone() });
        }
        let placing = Placing { id: uuid(5).into(), buyer: uuid(6).into(), access_token: String::new(), at: Time::default() };
        let mut made = 1000;
        let order = place(&draft, &placing, &rates, || { made += 1; uuid(made) }).unwrap();
        let usd = Currency::USD;
        let sum = |amounts: Vec<Money>| Money::sum(usd, amounts).unwrap();
        let adds_up = |totals: Totals| totals.items.plus(totals.tax).unwrap().plus(totals.shipping).unwrap().minus(totals.discount).unwrap() == totals.total;
        prop_assert!(adds_up(order.totals));
        prop_assert_eq!(sum(order.parts.iter().map(|part| part.totals.total).collect()), order.totals.total);
        for part in &order.parts {
            prop_assert!(adds_up(part.totals));
            prop_assert_eq!(sum(part.items.iter().map(|item| item.total).collect()), part.totals.items);
            prop_assert_eq!(sum(part.items.iter().map(|item| item.commission).collect()), part.commission);
            prop_assert!(part.commission.minor <= part.totals.items.minor);
        }
    }

    #[test]
    fn an_order_is_as_far_as_what_goes_on_of_it(
        parts in prop::collection::vec(prop::sample::select(vec!["paid", "processing", "packed", "shipped", "delivered", "cancelled"]), 1..6)
    ) {
        let parts: Vec<OrderState> = parts.into_iter().map(OrderState::of).collect();
        let state = state_of_parts(&parts);
        let live = parts.iter().filter(|part| **part != OrderState::Cancelled).count();
        prop_assert_eq!(state == OrderState::Cancelled, live == 0);
        prop_assert_eq!(state == OrderState::Completed, live > 0 && parts.iter().all(|part| matches!(part, OrderState::Delivered | OrderState::Cancelled)));
        prop_assert_eq!(state >= OrderState::Shipped && live > 0, live > 0 && parts.iter().all(|part| *part >= OrderState::Shipped));
    }
}

#[test]
fn only_lawful_moves_are_made() {
    use OrderState::{Cancelled, Completed, Created, Delivered, Packed, Paid, Processing, Shipped};
    for (from, to) in [(Paid, Processing), (Paid, Shipped), (Processing, Packed), (Packed, Shipped), (Shipped, Delivered)] {
        assert!(from.may_move_to(to), "{from:?} → {to:?}");
    }
    for (from, to) in [(Created, Processing), (Shipped, Packed), (Delivered, Shipped), (Cancelled, Shipped), (Paid, Completed), (Paid, Paid)] {
        assert!(!from.may_move_to(to), "{from:?} → {to:?}");
    }
}

#[test]
fn states_read_back_as_written() {
    for (state, text) in OrderState::ALL {
        assert_eq!(OrderState::of(text), state);
        assert_eq!(state.as_str(), text);
    }
}

#[test]
fn order_numbers_are_for_people() {
    let number = order_number(uuid(77).into(), Time::from_timestamp(1_800_000_000, 0).unwrap(), 0);
    assert!(number.starts_with("MH-2027-") && number.len() == 17, "{number}");
    assert_eq!(number, order_number(uuid(77).into(), Time::from_timestamp(1_800_000_000, 0).unwrap(), 0));
    assert_ne!(number, order_number(uuid(77).into(), Time::from_timestamp(1_800_000_000, 0).unwrap(), 1));
}

#[test]
fn prices_in_two_currencies_are_two_checkouts() {
    let mut pounds = line(100, 1);
    pounds.currency = "GBP".to_owned();
    let tenant = TenantId::from(uuid(1));
    let lines = vec![(tenant, String::new(), line(100, 1)), (tenant, String::new(), pounds)];
    assert!(matches!(Draft::group(lines, true), Err(MoneyError::CurrencyMismatch(..))));
}

#[test]
fn a_chosen_method_stays_while_it_is_offered() {
    let mut part = DraftPart { tenant_id: uuid(1).into(), store_name: String::new(), lines: vec![line(5, 1)], options: vec![], chosen: None };
    let express = ShippingOption { method: uuid(10).into(), price_minor: 900, ..option(900) };
    part.offer(vec![option(300), express.clone()]);
    assert_eq!(part.shipping().unwrap().price_minor, 300);
    part.chosen = Some(express.method);
    part.offer(vec![option(300), express]);
    assert_eq!(part.shipping().unwrap().price_minor, 900);
    part.offer(vec![option(300)]);
    assert_eq!(part.shipping().unwrap().price_minor, 300);
}

#[test]
fn commission_is_by_the_nearest_category_with_floor_and_cap_for_each_piece() {
    let rule = |category: &str, bps, floor_minor, cap_minor| CommissionRule { category: category.to_owned(), bps, floor_minor, cap_minor };
    let terms = CommissionTerms {
        bps: 1_000,
        rules: vec![rule("el", 500, 0, 0), rule("el-2", 800, 30, 400), rule("el-20", 9_000, 0, 0), rule("el-2", 700, 30, 400)],
    };
    let commission = |code: &str, unit: i64, quantity: u32| {
        let line = Line { category_code: code.to_owned(), ..line(unit, quantity) };
        let total = line.total().unwrap();
        terms.commissions(&[line], &[total], Currency::USD).unwrap()[0].minor
    };
    assert_eq!(commission("fu-1", 1_000, 3), 300, "no rule: the plan's rate");
    assert_eq!(commission("el-1", 1_000, 3), 150, "a rule is for the categories below");
    assert_eq!(commission("el-2-3", 1_000, 3), 210, "the nearest counts, and of two for one the later");
    assert_eq!(commission("el-2-3", 100, 3), 90, "the floor, for each piece");
    assert_eq!(commission("el-2-3", 10_000, 3), 1_200, "the cap, for each piece");
    assert_eq!(commission("el-2", 10, 2), 20, "never more than the goods");
}
