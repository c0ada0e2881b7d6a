//! Random histories: whatever is asked, in whatever order the PSP's tidings come, the money stays exact.

use std::collections::HashMap;

use kit_core::{Clock, Ids, TenantId};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::ledger::{Account, EntryKind, dispute_entry, entry};

fn now() -> Time {
    Time::from_timestamp(1_800_000_000, 0).unwrap()
}

fn sub_order(number: usize) -> api_orders::SubOrderId {
    Uuid::from_u128(u128::try_from(number).unwrap() + 1).into()
}

/// A payment over splits of (goods, shipping, tax, commission in basis points).
fn payment(splits: &[(i64, i64, i64, u32)]) -> Payment {
    let euros = |minor| Money::new(minor, Currency::EUR);
    let split = |(number, (goods, shipping, tax, commission_bps)): (usize, &(i64, i64, i64, u32))| {
        let tenant = TenantId::from(Uuid::from_u128(u128::try_from(number % 2).unwrap() + 100));
        let commission_fixed = euros(30);
        Split::agreed(&SplitTerms {
            sub_order: sub_order(number),
            tenant,
            goods: euros(*goods),
            shipping: euros(*shipping),
            tax: euros(*tax),
            commission_bps: *commission_bps,
            commission_fixed,
        })
        .unwrap()
    };
    let splits: Vec<Split> = splits.iter().enumerate().map(split).collect();
    Payment {
        id: Uuid::from_u128(7).into(),
        order: Uuid::from_u128(8).into(),
        buyer: Uuid::from_u128(9).into(),
        psp: "sandbox".into(),
        phase: Phase::Created,
        amount_minor: splits.iter().map(|split| split.whole.total()).sum(),
        currency: Currency::EUR,
        method_token: "tok_visa".into(),
        save_method: false,
        return_url: "http://shop.example".into(),
        description: String::new(),
        splits,
        captures: Vec::new(),
        refunds: Vec::new(),
        disputes: Vec::new(),
        void_requested: false,
        stray_hold: false,
        fallbacks: Vec::new(),
        payer: None,
        look: false,
        failure: None,
        psp_reference: None,
        psp_version: 0,
        next_action_url: None,
        card: CardSummary::default(),
        saved_token: None,
        unanswered: false,
        asks: 0,
        next_ask_at: None,
        created_at: now(),
        updated_at: now(),
    }
}

fn seen(payment: &Payment, version: i64, status: SeenStatus) -> Sighting {
    Sighting {
        reference: "pi_1".into(),
        version,
        status,
        amount: payment.money(payment.amount_minor),
        captures: Vec::new(),
        refunds: Vec::new(),
        disputes: Vec::new(),
        failure: None,
        next_action_url: None,
        card: None,
        saved_token: None,
    }
}

fn observe(payment: &mut Payment, version: i64, status: SeenStatus) -> Vec<Fact> {
    let sighting = seen(payment, version, status);
    payment.observe(&sighting, now()).unwrap()
}

#[test]
fn tidings_that_come_late_or_twice_change_nothing() {
    let mut payment = payment(&[(1000, 0, 0, 1000)]);
    assert_eq!(observe(&mut payment, 2, SeenStatus::Authorised), [Fact::Authorised]);
    assert_eq!(observe(&mut payment, 2, SeenStatus::Authorised), []);
    assert_eq!(observe(&mut payment, 1, SeenStatus::ActionRequired), []);
    assert_eq!((payment.state(), payment.next_ask_at), (State::Authorised, None));
}

#[test]
fn an_answer_that_never_came_is_asked_for_again_with_growing_pauses() {
    let mut payment = payment(&[(1000, 0, 0, 1000)]);
    payment.begin(now());
    let pause = |payment: &Payment| (payment.next_ask_at.unwrap() - now()).num_seconds();
    assert_eq!(pause(&payment), 15, "the first request is given time to answer");
    let pauses: Vec<i64> = (0..12)
        .map(|_| {
            payment.silent(now());
            pause(&payment)
        })
        .collect();
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
    assert_eq!((payment.state(), payment.next_ask()), (State::Unknown, Some(Ask::Authorise)), "with the same key");
    assert_eq!(observe(&mut payment, 1, SeenStatus::Authorised), [Fact::Authorised]);
}

#[test]
fn a_void_while_the_outcome_is_unknown_never_starts_a_charge_and_cancels_one_that_is_found() {
    let mut payment = payment(&[(1000, 0, 0, 1000)]);
    payment.silent(now());
    assert_eq!(payment.request_void(now()).ok(), Some(true));
    assert_eq!(payment.next_ask(), Some(Ask::Find));
    assert_eq!(observe(&mut payment, 1, SeenStatus::Authorised), [Fact::Authorised]);
    assert_eq!(payment.next_ask(), Some(Ask::Cancel));
    assert!(payment.request_capture(Uuid::nil(), Vec::new(), now()).is_err(), "what is to be voided is not captured");
    assert_eq!(observe(&mut payment, 2, SeenStatus::Cancelled), [Fact::Voided(1000)]);
    assert_eq!((payment.state(), payment.next_ask()), (State::Voided, None));
}

#[test]
fn money_held_for_a_payment_that_was_told_to_have_failed_is_given_up() {
    let mut payment = payment(&[(1000, 0, 0, 1000)]);
    let failure = Failure { code: "psp_unavailable".into(), message: String::new() };
    assert_eq!(payment.refused(&Ask::Authorise, failure, now()), [Fact::Failed]);
    assert_eq!(payment.next_ask(), None);
    assert_eq!(observe(&mut payment, 1, SeenStatus::Authorised), []);
    assert_eq!((payment.state(), payment.next_ask()), (State::Failed, Some(Ask::Cancel)));
    assert_eq!(observe(&mut payment, 2, SeenStatus::Cancelled), []);
    assert_eq!(payment.next_ask(), None);
}

#[test]
fn the_record_of_another_payment_is_refused() {
    let mut payment = payment(&[(1000, 0, 0, 1000)]);
    let other_amount = Sighting { amount: payment.money(999), ..seen(&payment, 1, SeenStatus::Authorised) };
    assert!(payment.observe(&other_amount, now()).is_err());
    observe(&mut payment, 1, SeenStatus::Authorised);
    let other_reference = Sighting { reference: "pi_2".into(), ..seen(&payment, 2, SeenStatus::Cancelled) };
    assert!(payment.observe(&other_reference, now()).is_err());
}

#[test]
fn a_capture_id_with_other_amounts_is_refused_and_with_the_same_does_nothing() {
    let mut payment = payment(&[(1000, 0, 0, 1000)]);
    observe(&mut payment, 1, SeenStatus::Authorised);
    let portion = |amount_minor| vec![Portion { sub_order: sub_order(0), amount_minor, made_of: None }];
    payment.request_capture(Uuid::nil(), portion(400), now()).unwrap();
    payment.request_capture(Uuid::nil(), portion(400), now()).unwrap();
    payment.request_capture(Uuid::nil(), Vec::new(), now()).unwrap();
    assert_eq!(payment.captures.len(), 1);
    assert!(matches!(payment.request_capture(Uuid::nil(), portion(401), now()), Err(Error::CaptureIdReused(_))));
    assert!(matches!(payment.request_capture(Uuid::max(), portion(601), now()), Err(Error::CaptureTooLarge { .. })), "what is reserved is gone");
}

/// One step of a random history.
#[derive(Debug, Clone)]
enum Step {
    Capture(Vec<(usize, i64)>),
    Refund(Vec<(usize, i64)>),
    /// A refund that says what it is made of: payable, commission, shipping, tax.
    RefundOf(usize, [i64; 4]),
    Void,
    /// The PSP carries out what is open, or refuses it.
    Carry {
        refuse: bool,
    },
    /// A cardholder disputes up to this much of what no refund has reserved.
    Dispute(i64),
    /// The PSP decides the oldest dispute that is open.
    Decide {
        won: bool,
    },
    /// One of the PSP's records so far reaches us, in any order, any number of times.
    Tell(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let parts = proptest::collection::vec((0..4_usize, -5..900_i64), 0..4);
    prop_oneof![
        4 => parts.clone().prop_map(Step::Capture),
        4 => parts.prop_map(Step::Refund),
        4 => (0..4_usize, [-1..500_i64, -1..200_i64, 0..100_i64, 0..100_i64]).prop_map(|(number, made_of)| Step::RefundOf(number, made_of)),
        1 => Just(Step::Void),
        6 => proptest::bool::weighted(0.2).prop_map(|refuse| Step::Carry { refuse }),
        1 => (1..700_i64).prop_map(Step::Dispute),
        1 => any::<bool>().prop_map(|won| Step::Decide { won }),
        8 => (0..64_usize).prop_map(Step::Tell),
    ]
}

/// A payment, what the PSP has recorded of it so far, and the ledger.
struct History {
    payment: Payment,
    records: Vec<Sighting>,
    balances: HashMap<Account, i64>,
    ids: Ids,
    moved: i64,
}

impl History {
    fn new(splits: &[(i64, i64, i64, u32)]) -> Self {
        let mut payment = payment(splits);
        payment.begin(now());
        let first = seen(&payment, 1, SeenStatus::Authorised);
        Self { payment, records: vec![first], balances: HashMap::new(), ids: Ids::new(Clock::virtual_at(now())), moved: 0 }
    }

    fn last(&self) -> Sighting {
        self.records.last().unwrap().clone()
    }

    /// The PSP does what the payment has open, in its own record only.
    fn carry(&mut self, refuse: bool) {
        let mut record = self.last();
        record.version += 1;
        let state = if refuse { MovementState::Failed } else { MovementState::Succeeded };
        match self.payment.next_ask() {
            Some(Ask::Capture { id, amount_minor }) if !record.captures.iter().any(|seen| seen.reference == id.to_string()) => {
                record.captures.push(SeenMovement { reference: id.to_string(), state, amount_minor, fee: Fee::default(), failure: None });
            }
            Some(Ask::Refund { id, amount_minor }) if !record.refunds.iter().any(|seen| seen.reference == id.to_string()) => {
                record.refunds.push(SeenMovement { reference: id.to_string(), state, amount_minor, fee: Fee::default(), failure: None });
            }
            Some(Ask::Cancel) if record.status == SeenStatus::Authorised => record.status = SeenStatus::Cancelled,
            _ => return,
        }
        self.records.push(record);
    }

    /// The cardholder disputes something, in the PSP's record only. Everything before it has been told, as the PSP counts what is left.
    fn dispute(&mut self, most: i64) {
        self.tell(self.records.len() - 1);
        let mut record = self.last();
        let wished: i64 = self.payment.refunds.iter().filter(|refund| refund.is_pending()).map(Movement::amount_minor).sum();
        let left: i64 = self.payment.splits.iter().map(|split| split.left().total()).sum();
        let amount_minor = most.min(left - wished);
        if amount_minor > 0 {
            record.version += 1;
            let reference = format!("dp_{}", record.disputes.len());
            let fee = Fee { net_minor: 150, tax_minor: 29 };
            let (reason, state) = ("fraudulent".to_owned(), DisputeState::NeedsResponse);
            record.disputes.push(SeenDispute { reference, reason, state, amount_minor, fee, evidence_due_at: None });
            self.records.push(record);
            self.tell(self.records.len() - 1);
        }
    }

    fn decide(&mut self, won: bool) {
        let mut record = self.last();
        record.version += 1;
        if let Some(open) = record.disputes.iter_mut().find(|dispute| dispute.state == DisputeState::NeedsResponse) {
            open.state = if won { DisputeState::Won } else { DisputeState::Lost };
            self.records.push(record);
        }
    }

    fn tell(&mut self, which: usize) {
        let record = self.records[which % self.records.len()].clone();
        for fact in self.payment.observe(&record, now()).unwrap() {
            let id = self.ids.next();
            let entry = match &fact {
                Fact::Captured(settled) => {
                    self.moved += settled.movement.amount_minor();
                    entry(id, EntryKind::Capture, &self.payment, settled, now())
                }
                Fact::Refunded(settled) => {
                    self.moved -= settled.movement.amount_minor();
                    entry(id, EntryKind::Refund, &self.payment, settled, now())
                }
                Fact::DisputeOpened(dispute) => dispute_entry(id, EntryKind::DisputeOpened, &self.payment, dispute, now()).unwrap(),
                Fact::DisputeClosed(dispute) => {
                    let kind = if dispute.state == DisputeState::Won { EntryKind::DisputeWon } else { EntryKind::DisputeLost };
                    dispute_entry(id, kind, &self.payment, dispute, now()).unwrap()
                }
                _ => continue,
            };
            assert_eq!(entry.postings.iter().map(|posting| posting.amount_minor).sum::<i64>(), 0, "an entry must balance: {entry:?}");
            for posting in entry.postings {
                *self.balances.entry(posting.account).or_default() += posting.amount_minor;
            }
        }
    }

    fn check(&self) {
        let payment = &self.payment;
        for split in &payment.splits {
            let in_order = |a: i64, b: i64, c: i64| assert!(0 <= a && a <= b && b <= c, "refunded ≤ captured ≤ whole in every part: {split:?}");
            let gone = split.refunded.plus(split.disputed);
            in_order(gone.payable, split.captured.payable, split.whole.payable);
            in_order(gone.commission, split.captured.commission, split.whole.commission);
            in_order(gone.shipping, split.captured.shipping, split.whole.shipping);
            in_order(gone.tax, split.captured.tax, split.whole.tax);
        }
        assert_eq!(self.balances.values().sum::<i64>(), 0, "the ledger sums to zero");
        assert_eq!(self.moved, payment.captured_minor() - payment.refunded_minor());
        let wished = |movements: &[Movement]| {
            movements.iter().filter(|movement| movement.state != MovementState::Failed).map(Movement::amount_minor).sum::<i64>()
        };
        assert!(
            wished(&payment.captures) <= payment.amount_minor && wished(&payment.refunds) <= payment.captured_minor(),
            "nothing is reserved twice"
        );
    }
}

fn portions(parts: &[(usize, i64)]) -> Vec<Portion> {
    parts.iter().map(|(number, amount_minor)| Portion { sub_order: sub_order(*number), amount_minor: *amount_minor, made_of: None }).collect()
}

/// A refund's portion that says what it is made of.
fn piece(number: usize, [payable, commission, shipping, tax]: [i64; 4]) -> Portion {
    let made_of = Parts { payable, commission, shipping, tax };
    Portion { sub_order: sub_order(number), amount_minor: made_of.total(), made_of: Some(made_of) }
}

#[test]
fn pieces_that_go_back_take_their_own_share_and_leave_shipping_alone() {
    let mut history = History::new(&[(1_000, 400, 0, 970)]);
    history.tell(0);
    history.payment.request_capture(Uuid::from_u128(1), Vec::new(), now()).unwrap();
    history.carry(false);
    history.tell(1);
    assert_eq!(history.payment.splits[0].captured, Parts { payable: 873, commission: 127, shipping: 400, tax: 0 });
    let half = piece(0, [437, 63, 0, 0]);
    history.payment.request_refund(Uuid::from_u128(2), vec![half], String::new(), now()).unwrap();
    let too_much_commission = piece(0, [1, 65, 0, 0]);
    assert!(matches!(
        history.payment.request_refund(Uuid::from_u128(3), vec![too_much_commission], String::new(), now()),
        Err(Error::RefundTooLarge { .. })
    ));
    let wrong_sum = Portion { amount_minor: 501, ..half };
    assert!(history.payment.request_refund(Uuid::from_u128(3), vec![wrong_sum], String::new(), now()).is_err());
    history.payment.request_refund(Uuid::from_u128(2), vec![half], String::new(), now()).unwrap();
    assert!(matches!(
        history.payment.request_refund(Uuid::from_u128(2), vec![piece(0, [438, 62, 0, 0])], String::new(), now()),
        Err(Error::RefundIdReused(_))
    ));
    history.carry(false);
    history.tell(2);
    assert_eq!(history.payment.splits[0].refunded, Parts { payable: 437, commission: 63, shipping: 0, tax: 0 });
    history.payment.request_refund(Uuid::from_u128(4), Vec::new(), String::new(), now()).unwrap();
    history.carry(false);
    history.tell(3);
    history.check();
    assert!(history.balances.values().all(|balance| *balance == 0), "the rest takes all that is left of each: {:?}", history.balances);
}

proptest! {
    #[test]
    fn any_history_keeps_the_ledger_at_zero_and_every_split_within_its_bounds(
        splits in proptest::collection::vec((0..2_000_i64, 0..500_i64, 0..400_i64, 0..=10_000_u32), 1..4),
        steps in proptest::collection::vec(step(), 1..60),
    ) {
        let mut history = History::new(&splits);
        prop_assume!(history.payment.amount_minor > 0);
        for step in steps {
            let before = history.payment.clone();
            let refused = match &step {
                Step::Capture(parts) => history.payment.request_capture(history.ids.uuid(), portions(parts), now()).is_err(),
                Step::Refund(parts) => history.payment.request_refund(history.ids.uuid(), portions(parts), String::new(), now()).is_err(),
                Step::RefundOf(number, made_of) => history.payment.request_refund(history.ids.uuid(), vec![piece(*number, *made_of)], String::new(), now()).is_err(),
                Step::Void => history.payment.request_void(now()).is_err(),
                Step::Carry { refuse } => { history.carry(*refuse); false }
                Step::Dispute(most) => { history.dispute(*most); false }
                Step::Decide { won } => { history.decide(*won); false }
                Step::Tell(which) => { history.tell(*which); false }
            };
            prop_assert!(!refused || history.payment == before, "what is refused changes nothing");
            history.check();
        }
        // In the end the PSP carries out all that is open and tells it; then nothing is open any more.
        for _ in 0..200 {
            history.carry(false);
            history.tell(history.records.len() - 1);
        }
        history.check();
        prop_assert_eq!(history.payment.next_ask(), None);
    }

    #[test]
    fn taking_all_in_any_pieces_and_giving_all_back_leaves_every_account_at_zero(
        goods in 1..5_000_i64, shipping in 0..900_i64, tax in 0..900_i64, bps in 0..=10_000_u32,
        cuts in proptest::collection::vec(1..700_i64, 0..12),
    ) {
        let mut history = History::new(&[(goods, shipping, tax, bps)]);
        history.tell(0);
        for refund in [false, true] {
            let pieces = cuts.iter().map(|cut| portions(&[(0, *cut)])).chain([Vec::new()]);
            for piece in pieces {
                let id = history.ids.uuid();
                let _too_large = if refund { history.payment.request_refund(id, piece, String::new(), now()) } else { history.payment.request_capture(id, piece, now()) };
                history.carry(false);
                history.tell(history.records.len() - 1);
            }
            let expected = if refund { State::Refunded } else { State::Captured };
            prop_assert_eq!(history.payment.state(), expected);
        }
        prop_assert!(history.balances.values().all(|balance| *balance == 0), "{:?}", history.balances);
    }
}
