use proptest::prelude::*;

use super::*;

fn line(number: u128, quantity: u32) -> Line {
    Line {
        item_id: Uuid::from_u128(number),
        variant_id: String::new(),
        sku: String::new(),
        title: "Mug".to_owned(),
        options: String::new(),
        quantity,
        shipped: 0,
    }
}

fn flat(price: i64) -> Terms {
    Terms {
        name: "Standard".to_owned(),
        rate: Rate::Flat,
        flat_minor: price,
        tiers: vec![],
        free_above_minor: None,
        countries: vec![],
        min_days: 1,
        max_days: 2,
    }
}

fn parcel(weight_grams: u64, minor: i64) -> Parcel {
    Parcel { weight_grams, goods: Money::new(minor, Currency::USD) }
}

#[test]
fn prices_follow_their_tables() {
    let tiers = vec![Tier { up_to: 1000, price_minor: 500 }, Tier { up_to: 5000, price_minor: 900 }];
    let by_weight = Terms { rate: Rate::ByWeight, tiers: tiers.clone(), ..flat(0) };
    assert_eq!(
        [1, 1000, 1001, 5000, 5001].map(|grams| by_weight.price(&parcel(grams, 100), "US")),
        [Some(500), Some(500), Some(900), Some(900), None]
    );
    let by_price = Terms { rate: Rate::ByPrice, tiers, ..flat(0) };
    assert_eq!(by_price.price(&parcel(9_999_999, 1001), "US"), Some(900));
    let free = Terms { free_above_minor: Some(5000), ..flat(499) };
    assert_eq!([4999, 5000].map(|price| free.price(&parcel(1, price), "US")), [Some(499), Some(0)]);
    let abroad = Terms { countries: vec!["DE".to_owned()], ..flat(499) };
    assert_eq!(["DE", "US"].map(|country| abroad.price(&parcel(1, 1), country)), [Some(499), None]);
}

#[test]
fn terms_are_checked() {
    assert!(flat(1).fault().is_none());
    assert!(Terms::defaults(Currency::USD).iter().all(|terms| terms.fault().is_none()));
    let unsorted = vec![Tier { up_to: 5, price_minor: 1 }, Tier { up_to: 5, price_minor: 2 }];
    for wrong in [
        Terms { min_days: 3, ..flat(1) },
        Terms { countries: vec!["usa".to_owned()], ..flat(1) },
        Terms { rate: Rate::ByWeight, ..flat(1) },
        Terms { rate: Rate::ByPrice, tiers: unsorted, ..flat(1) },
    ] {
        assert!(wrong.fault().is_some(), "{wrong:?}");
    }
}

#[derive(Debug, Clone)]
enum Act {
    Accept,
    Pack,
    Ship(Vec<(u128, u32)>),
    Cut(u128, u32),
    Stop,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let act = prop_oneof![
        2 => Just(Act::Accept),
        2 => Just(Act::Pack),
        4 => prop::collection::vec((0u128..4, 1u32..4), 0..3).prop_map(Act::Ship),
        2 => (0u128..4, 1u32..4).prop_map(|(item, quantity)| Act::Cut(item, quantity)),
        1 => Just(Act::Stop),
    ];
    prop::collection::vec(act, 0..20)
}

proptest! {
    #[test]
    fn no_piece_ships_twice_and_stopping_and_shipping_exclude_each_other(acts in acts()) {
        let mut work = Work { state: State::Open, lines: vec![line(0, 2), line(1, 1), line(2, 5)] };
        let ordered = 8;
        let (mut left, mut cut) = (0, 0);
        let mut stopped = false;
        for act in acts {
            let before = work.clone();
            let outcome = match act {
                Act::Accept => work.accept().map(|_| 0),
                Act::Pack => work.pack().map(|_| 0),
                Act::Ship(pieces) => {
                    let pieces: Vec<Pieces> = pieces.into_iter().map(|(item, quantity)| Pieces { item_id: Uuid::from_u128(item), quantity }).collect();
                    work.ship(&pieces).map(|pieces| pieces.iter().map(|pieces| pieces.quantity).sum())
                }
                Act::Cut(item, quantity) => work.cut(&[Pieces { item_id: Uuid::from_u128(item), quantity }]).map(|()| {
                    cut += if before.state == State::Stopped { 0 } else { quantity };
                    0
                }),
                Act::Stop => work.stop().map(|_| 0),
            };
            match outcome {
                Ok(pieces) => left += pieces,
                Err(_) => prop_assert_eq!(&before, &work, "a refused act changes nothing"),
            }
            stopped |= work.state == State::Stopped;
            prop_assert!(work.lines.iter().all(|line| line.shipped <= line.quantity));
            prop_assert_eq!(work.lines.iter().map(|line| line.shipped).sum::<u32>(), left);
            prop_assert_eq!(work.lines.iter().map(|line| line.quantity).sum::<u32>() + cut, ordered, "what is taken out is taken out once");
            prop_assert_eq!(work.state == State::Shipped, left > 0 && left + cut == ordered);
            prop_assert!(!(stopped && left > 0));
            prop_assert!(!stopped || work.state == State::Stopped, "stopped is final");
        }
    }
}

#[test]
fn the_usual_way() {
    let mut work = Work { state: State::Open, lines: vec![line(0, 2), line(1, 1)] };
    assert!(work.ship(&[]).is_err(), "accept it first");
    assert!(work.accept().unwrap() && !work.accept().unwrap());
    assert!(work.pack().unwrap());
    work.ship(&[Pieces { item_id: Uuid::from_u128(0), quantity: 1 }]).unwrap();
    assert_eq!(work.state, State::PartlyShipped);
    assert!(work.stop().is_err());
    assert_eq!(work.ship(&[]).unwrap().len(), 2);
    assert_eq!(work.state, State::Shipped);
    assert!(work.all_arrived() && work.state == State::Delivered);
}
