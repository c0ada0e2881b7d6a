use kit_core::Time;

use super::*;

fn policy() -> Policy {
    Policy { window_days: 30, approve_at_once: false, refund_shipping: false, send_to: None, instructions: String::new() }
}

fn at(second: i64) -> Time {
    Time::from_timestamp(second, 0).unwrap()
}

fn line(number: u128, quantity: u32, goods: i64, commission: i64) -> Left {
    Left { item_id: Uuid::from_u128(number), quantity, share: Share { goods, discount: 0, tax: 0, commission } }
}

fn remains(lines: Vec<Left>) -> Remains {
    Remains { state: OrderState::Delivered, currency: Currency::USD, shipping: 499, lines, shipped: true }
}

fn wish(number: u128, quantity: u32, reason: &str) -> Wish {
    Wish { item_id: Uuid::from_u128(number), quantity, reason: reason.to_owned() }
}

fn finding(number: u128, accepted: u32, restocked: u32) -> Finding {
    Finding { item_id: Uuid::from_u128(number), accepted, restocked }
}

#[test]
fn what_can_come_back_is_what_arrived_and_is_not_on_its_way_back() {
    let remains = remains(vec![line(0, 3, 2_997, 360), line(1, 1, 500, 60)]);
    let asked = |returnable: &Returnable<'_>, wishes: &[Wish], now| returnable.ask(wishes, &policy(), at(now));
    let open = Returnable { remains: &remains, pending: vec![(Uuid::from_u128(0), 1)], until: Some(at(100)) };
    assert_eq!(asked(&open, &[wish(0, 2, "damaged")], 100).unwrap().amount(), 1_998);
    assert!(asked(&open, &[wish(0, 3, "damaged")], 100).is_err(), "one is on its way back");
    assert!(asked(&open, &[wish(0, 1, "damaged"), wish(0, 1, "damaged")], 1).is_err(), "named twice");
    assert!(asked(&open, &[wish(7, 1, "damaged")], 1).is_err(), "of another order");
    assert!(matches!(asked(&open, &[wish(1, 1, "late")], 101), Err(Error::NotReturnable(_))), "the window has closed");
    let moving = Remains { state: OrderState::Shipped, ..remains.clone() };
    let too_early = Returnable { remains: &moving, pending: Vec::new(), until: None };
    assert!(matches!(asked(&too_early, &[wish(1, 1, "late")], 1), Err(Error::NotReturnable(_))));
}

#[test]
fn shipping_goes_back_with_the_last_piece_when_the_seller_is_at_fault_or_says_so() {
    let one = remains(vec![line(0, 1, 1_000, 120)]);
    let all = Returnable { remains: &one, pending: Vec::new(), until: Some(at(9)) };
    let amount = |reason, policy: &Policy| all.ask(&[wish(0, 1, reason)], policy, at(1)).unwrap().amount();
    assert_eq!(amount("damaged", &policy()), 1_499);
    assert_eq!(amount(CHANGED_MIND, &policy()), 1_000);
    assert_eq!(amount(CHANGED_MIND, &Policy { refund_shipping: true, ..policy() }), 1_499);
}

#[test]
fn an_inspection_takes_back_what_came_and_deducts_what_is_worn() {
    let left = remains(vec![line(0, 3, 2_997, 360), line(1, 1, 500, 60)]);
    let open = Returnable { remains: &left, pending: Vec::new(), until: Some(at(9)) };
    let asked = open.ask(&[wish(0, 2, CHANGED_MIND), wish(1, 1, CHANGED_MIND)], &policy(), at(1)).unwrap().lines;
    let found = left.inspect(&asked, &[finding(0, 2, 1)], &policy(), 100).unwrap().unwrap();
    assert_eq!((found.amount(), found.deduction, found.shipping), (1_898, 100, 0), "two of the first line, a dollar less");
    assert_eq!(found.back.commission + 12, 240, "the commission on what is kept is kept");
    assert_eq!((found.lines[0].accepted, found.lines[0].restocked, found.lines[1].accepted), (2, 1, 0));
    assert!(left.inspect(&asked, &[], &policy(), 0).unwrap().is_none(), "an empty parcel");
    assert!(left.inspect(&asked, &[finding(0, 3, 0)], &policy(), 0).is_err(), "more than was asked for");
    assert!(left.inspect(&asked, &[finding(0, 1, 2)], &policy(), 0).is_err(), "more on the shelf than came back");
    assert!(matches!(left.inspect(&asked, &[finding(1, 1, 1)], &policy(), 501), Err(Error::DeductionTooLarge(_))));
    let all = left.inspect(&asked, &[finding(1, 1, 1)], &policy(), 500).unwrap().unwrap();
    assert_eq!((all.amount(), all.back), (0, Share::default()), "nothing is left to refund");
}

#[test]
fn a_return_moves_forward_only() {
    use ReturnState::{Approved, Expired, Received, Refunded, Refused, Requested, Sent, Withdrawn};
    for state in [Requested, Approved, Sent, Received, Refunded, Refused, Withdrawn, Expired] {
        assert_eq!(ReturnState::of(state.as_str()), state);
        let over = matches!(state, Received | Refunded | Refused | Withdrawn | Expired);
        assert_eq!(state.send().is_ok(), matches!(state, Approved | Sent));
        assert_eq!(state.decide(false).is_ok_and(|to| to.is_some()), state == Requested);
        assert!(!over || state.withdraw().map_or(true, |to| to.is_none()));
        assert!(!over || !state.may_be_inspected().unwrap_or(false));
    }
}

#[test]
fn a_part_shows_its_return_that_waits_the_longest() {
    use ReturnState::{Approved, Received, Refunded, Requested, Withdrawn};
    let of = |states: &[ReturnState], gone| state_of_part(&states.iter().map(|state| (*state, false)).collect::<Vec<_>>(), gone);
    assert_eq!(of(&[Refunded, Requested, Approved], false), OrderState::ReturnRequested);
    assert_eq!(of(&[Refunded, Approved], false), OrderState::ReturnApproved);
    assert_eq!(of(&[Received], true), OrderState::ReturnReceived);
    assert_eq!(of(&[Refunded], true), OrderState::Refunded);
    assert_eq!(of(&[Refunded], false), OrderState::Delivered, "some pieces stayed");
    assert_eq!(of(&[Withdrawn], false), OrderState::Delivered);
    assert_eq!(state_of_part(&[(Refunded, true)], false), OrderState::Delivered, "money without goods");
}
