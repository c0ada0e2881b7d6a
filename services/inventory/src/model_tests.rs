//! Random histories on the model: whatever is asked in whatever order, the invariants hold.

use super::*;
use proptest::prelude::*;
use uuid::Uuid;

const HOLD_SECONDS: i64 = 600;

fn key(n: u8) -> Key {
    (TenantId::from(Uuid::from_u128(u128::from(n % 2))), VariantId::from(Uuid::from_u128(u128::from(n))))
}

fn warehouse(n: u8) -> WarehouseId {
    WarehouseId::from(Uuid::from_u128(u128::from(n)))
}

fn order(n: u8) -> ReservationId {
    ReservationId::from(Uuid::from_u128(u128::from(n)))
}

fn at(seconds: i64) -> Time {
    Time::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
}

/// Four variants of two tenants, each in two warehouses.
fn shelf(pieces: i64) -> Shelf {
    let mut shelf = Shelf::default();
    for n in 0..4 {
        let row = |w| Row { warehouse: warehouse(w), counts: Counts { available: pieces, ..Counts::default() }, step: 0 };
        shelf.items.insert(key(n), Item { rows: vec![row(1), row(2)], low_at: 2, available_before: None });
    }
    shelf
}

fn reserve(order_number: u8, lines: &[(u8, i64)]) -> Operation {
    let lines = lines.iter().map(|(n, quantity)| Line { key: key(*n), quantity: *quantity }).collect();
    Operation::Reserve { reservation: order(order_number), lines, expires_at: at(HOLD_SECONDS) }
}

fn tenants() -> Vec<TenantId> {
    vec![key(0).0, key(1).0]
}

fn run(shelf: &mut Shelf, operation: &Operation) -> Result<Outcome, Refusal> {
    shelf.apply(operation, &Cause::default(), at(0))
}

#[test]
fn a_reservation_takes_all_lines_or_none_and_tells_what_is_short() {
    let mut shelf = shelf(3);
    let short = run(&mut shelf, &reserve(1, &[(0, 2), (1, 7)])).unwrap();
    assert_eq!(short, Outcome::Short(vec![Short { key: key(1), wanted: 7, available: 6 }]));
    assert!(shelf.movements.is_empty());
    assert!(matches!(run(&mut shelf, &reserve(1, &[(0, 2), (1, 6)])), Ok(Outcome::Reserved { .. })));
    assert_eq!((shelf.items[&key(0)].available(), shelf.items[&key(1)].available()), (4, 0));
    assert!(shelf.items[&key(1)].ran_low() && !shelf.items[&key(0)].ran_low());
}

#[test]
fn asking_again_answers_the_same_and_takes_nothing() {
    let mut shelf = shelf(3);
    let first = run(&mut shelf, &reserve(1, &[(0, 1), (0, 1)]));
    let moved = shelf.movements.len();
    assert_eq!(run(&mut shelf, &reserve(1, &[(0, 2)])), first);
    assert_eq!(run(&mut shelf, &reserve(1, &[(0, 3)])), Err(Refusal::Differs(order(1))));
    assert_eq!(shelf.movements.len(), moved);
    let confirm = Operation::Confirm { reservation: order(1), tenants: tenants() };
    assert_eq!(run(&mut shelf, &confirm), Ok(Outcome::Confirmed));
    assert_eq!(run(&mut shelf, &confirm), Ok(Outcome::Confirmed));
    assert_eq!(shelf.movements.len(), moved + 1);
    let release = Operation::Release { reservation: order(1), tenants: tenants(), lines: Vec::new() };
    assert_eq!(run(&mut shelf, &release), Err(Refusal::Confirmed(order(1))));
}

#[test]
fn a_hold_past_its_time_is_given_up_once_and_cannot_be_confirmed_then() {
    let mut shelf = shelf(3);
    run(&mut shelf, &reserve(1, &[(0, 2)])).unwrap();
    let expire = Operation::Expire { reservation: order(1), keys: vec![key(0)] };
    assert_eq!(shelf.apply(&expire, &Cause::default(), at(HOLD_SECONDS - 1)), Ok(Outcome::Expired(Vec::new())));
    let lines = vec![Line { key: key(0), quantity: 2 }];
    assert_eq!(shelf.apply(&expire, &Cause::default(), at(HOLD_SECONDS)), Ok(Outcome::Expired(lines)));
    assert_eq!(shelf.apply(&expire, &Cause::default(), at(HOLD_SECONDS)), Ok(Outcome::Expired(Vec::new())));
    assert_eq!(shelf.items[&key(0)].available(), 6);
    assert_eq!(run(&mut shelf, &Operation::Confirm { reservation: order(1), tenants: tenants() }), Err(Refusal::Lost(order(1))));
    assert_eq!(run(&mut shelf, &reserve(1, &[(0, 2)])), Err(Refusal::Closed(order(1))));
}

#[test]
fn sold_pieces_come_back_once_and_never_more_than_were_sold() {
    let mut shelf = shelf(3);
    run(&mut shelf, &reserve(1, &[(0, 5)])).unwrap();
    run(&mut shelf, &Operation::Confirm { reservation: order(1), tenants: tenants() }).unwrap();
    let restock = |id: &str, quantity| Operation::Restock {
        restock: id.to_owned(),
        reservation: order(1),
        lines: vec![Line { key: key(0), quantity }],
        damaged: false,
    };
    assert_eq!(run(&mut shelf, &restock("a", 4)), Ok(Outcome::Restocked));
    assert_eq!(run(&mut shelf, &restock("a", 4)), Ok(Outcome::Restocked));
    assert_eq!(shelf.items[&key(0)].available(), 5);
    assert_eq!(run(&mut shelf, &restock("b", 2)), Err(Refusal::ExceedsSale(order(1))));
    assert_eq!(run(&mut shelf, &restock("c", 1)), Ok(Outcome::Restocked));
    assert_eq!(shelf.items[&key(0)].available(), 6);
}

#[test]
fn damaged_pieces_come_back_through_the_journal_and_not_onto_the_shelf() {
    let mut shelf = shelf(3);
    run(&mut shelf, &reserve(1, &[(0, 5)])).unwrap();
    run(&mut shelf, &Operation::Confirm { reservation: order(1), tenants: tenants() }).unwrap();
    let restock = |id: &str, quantity, damaged| Operation::Restock {
        restock: id.to_owned(),
        reservation: order(1),
        lines: vec![Line { key: key(0), quantity }],
        damaged,
    };
    let before = shelf.movements.len();
    assert_eq!(run(&mut shelf, &restock("a:damaged", 2, true)), Ok(Outcome::Restocked));
    assert_eq!(run(&mut shelf, &restock("a:damaged", 2, true)), Ok(Outcome::Restocked));
    assert_eq!(shelf.items[&key(0)].available(), 1, "as before");
    let told: Vec<Kind> = shelf.movements[before..].iter().map(|movement| movement.kind).collect();
    assert_eq!(told.chunks(2).next(), Some(&[Kind::Return, Kind::Damage][..]));
    assert_eq!(run(&mut shelf, &restock("a", 4, false)), Err(Refusal::ExceedsSale(order(1))), "two are back already");
    assert_eq!(run(&mut shelf, &restock("a", 3, false)), Ok(Outcome::Restocked));
}

#[test]
fn a_count_never_makes_reserved_pieces_vanish() {
    let mut shelf = shelf(3);
    run(&mut shelf, &reserve(1, &[(0, 2)])).unwrap();
    let set = |quantity, exact| Operation::Set {
        counts: vec![Count { key: key(0), warehouse: warehouse(1), quantity, incoming: None }],
        exact,
        if_revision: None,
    };
    assert_eq!(run(&mut shelf, &set(1, true)), Err(Refusal::BelowReserved { reserved: 2 }));
    assert_eq!(run(&mut shelf, &set(1, false)), Ok(Outcome::Set { changed: 1 }));
    let row = shelf.items[&key(0)].rows[0];
    assert_eq!(row.counts, Counts { available: 0, reserved: 2, incoming: 0 });
    assert_eq!(run(&mut shelf, &set(2, true)), Ok(Outcome::Set { changed: 0 }), "saying it again changes nothing");
}

fn operations() -> impl Strategy<Value = Operation> {
    let lines = prop::collection::vec((0u8..4, 1i64..5), 1..4);
    prop_oneof![
        4 => (0u8..12, lines.clone()).prop_map(|(n, lines)| reserve(n, &lines)),
        2 => (0u8..12).prop_map(|n| Operation::Confirm { reservation: order(n), tenants: tenants() }),
        2 => (0u8..12, prop::collection::vec(0u8..4, 0..2)).prop_map(|(n, keys)| Operation::Release { reservation: order(n), tenants: tenants(), lines: keys.into_iter().map(key).collect() }),
        1 => (0u8..12).prop_map(|n| Operation::Expire { reservation: order(n), keys: (0..4).map(key).collect() }),
        1 => (0u8..12, 0u8..3, lines, any::<bool>()).prop_map(|(n, id, lines, damaged)| Operation::Restock {
            damaged,
            restock: id.to_string(),
            reservation: order(n),
            lines: lines.into_iter().map(|(n, quantity)| Line { key: key(n), quantity }).collect(),
        }),
        1 => (0u8..4, 1u8..3, 0i64..9, any::<bool>()).prop_map(|(n, w, quantity, exact)| Operation::Set {
            counts: vec![Count { key: key(n), warehouse: warehouse(w), quantity, incoming: Some(quantity) }],
            exact,
            if_revision: None,
        }),
        1 => (0u8..4, 1u8..3, -6i64..6).prop_map(|(n, w, delta)| Operation::Adjust { key: key(n), warehouse: warehouse(w), delta, kind: Kind::Adjustment, if_revision: None }),
        1 => (0u8..4, 1i64..6).prop_map(|(n, quantity)| Operation::Transfer { key: key(n), from: warehouse(1), to: warehouse(2), quantity }),
    ]
}

/// No count below zero, what is reserved is what open holds hold, and the journal of each row is one unbroken chain to its counts.
fn check(shelf: &Shelf, pieces: i64) {
    for (key, item) in &shelf.items {
        for row in &item.rows {
            let held: i64 = shelf
                .holds
                .values()
                .flatten()
                .filter(|hold| hold.key == *key && hold.warehouse == row.warehouse && hold.state == HoldState::Held)
                .map(|hold| hold.quantity)
                .sum();
            assert_eq!(row.counts.reserved, held);
            assert!(row.counts.available >= 0 && row.counts.reserved >= 0 && row.counts.incoming >= 0);
            let mut counts = Counts { available: pieces, ..Counts::default() };
            let mut step = 0;
            for entry in shelf.movements.iter().filter(|entry| entry.key == *key && entry.warehouse == row.warehouse) {
                assert_eq!((entry.before, entry.step), (counts, step + 1));
                (counts, step) = (entry.after, entry.step);
            }
            assert_eq!((counts, step), (row.counts, row.step));
        }
    }
    assert!(shelf.holds.values().flatten().all(|hold| (0..=hold.quantity).contains(&hold.returned)));
}

proptest! {
    #[test]
    fn any_history_keeps_the_invariants(pieces in 0i64..8, history in prop::collection::vec((operations(), 0i64..1200), 1..60)) {
        let mut shelf = shelf(pieces);
        for (operation, seconds) in history {
            let moved = shelf.movements.len();
            let outcome = shelf.apply(&operation, &Cause::default(), at(seconds));
            if matches!(outcome, Err(_) | Ok(Outcome::Short(_))) {
                prop_assert_eq!(shelf.movements.len(), moved, "a refused operation moves nothing");
            }
            check(&shelf, pieces);
        }
    }

    #[test]
    fn every_operation_done_twice_is_done_once(pieces in 1i64..8, history in prop::collection::vec(operations(), 1..30)) {
        let mut shelf = shelf(pieces);
        for operation in history {
            let first = shelf.apply(&operation, &Cause::default(), at(0));
            let moved = shelf.movements.len();
            let again = shelf.apply(&operation, &Cause::default(), at(0));
            let repeatable = !matches!(operation, Operation::Adjust { .. } | Operation::Transfer { .. });
            if repeatable && first.is_ok() {
                prop_assert_eq!(shelf.movements.len(), moved);
                prop_assert!(again.is_ok());
            }
        }
    }
}
