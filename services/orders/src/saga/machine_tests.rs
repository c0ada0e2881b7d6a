//! The machine against a small world of inventory and payments in which calls get lost on the way there or back, come twice or late,
//! holds run out, buyers dither, and the process dies between any two steps.

use std::collections::BTreeMap;

use kit_core::Time;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stock {
    Untouched,
    Held,
    Sold,
    Free,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Psp {
    Pending,
    Authorised,
    Declined,
    Captured,
    Voided,
    Refunded,
}

/// What a bank says when a method is charged for the first time.
#[derive(Debug, Clone, Copy)]
enum Bank {
    Approves,
    Declines,
    AsksBuyer,
}

#[derive(Debug, Clone)]
enum Step {
    /// Runs the n-th command: 0 answered, 1 done but the answer is lost, 2 never arrived.
    Run(usize, u8),
    /// Delivers the n-th fact that payments ever told, again.
    Deliver(usize),
    /// The buyer answers the bank's question on the n-th payment.
    BuyerAnswers(usize, bool),
    Retry,
    CancelByBuyer,
    HoldRunsOut,
    Minutes(i64),
    /// The process dies; only what was stored is left.
    Crash,
}

struct World {
    saga: Saga,
    now: Time,
    in_stock: bool,
    banks: Vec<Bank>,
    stock: Stock,
    payments: BTreeMap<PaymentId, Psp>,
    told: Vec<(PaymentId, Fact)>,
    tells: Vec<Tell>,
    captures: u32,
    made: u128,
}

fn attempt(number: u128) -> Attempt {
    let id = |kind: u128| Uuid::from_u128(number * 10 + kind);
    Attempt::new(id(1).into(), id(2).into(), id(3).into(), "tok".to_owned(), String::new())
}

impl World {
    fn new(in_stock: bool, banks: Vec<Bank>) -> Self {
        let now = Time::from_timestamp(1_800_000_000, 0).unwrap();
        let saga = Saga::new(attempt(1));
        Self { saga, now, in_stock, banks, stock: Stock::Untouched, payments: BTreeMap::new(), told: vec![], tells: vec![], captures: 0, made: 1 }
    }

    fn input(&mut self, input: &Input) {
        if let Ok(tells) = self.saga.apply(input, self.now) {
            self.tells.extend(tells);
        }
    }

    fn fact(&mut self, payment_id: PaymentId, fact: Fact) -> Input {
        self.told.push((payment_id, fact.clone()));
        Input::Payment { payment_id, fact }
    }

    /// What the outside does when it hears a command, and what it answers.
    fn outside(&mut self, command: Command) -> Input {
        let payment = |place: usize| self.saga.attempt(place).unwrap().payment_id;
        match command {
            Command::Reserve => match self.stock {
                Stock::Untouched if !self.in_stock => Input::OutOfStock { note: String::new() },
                Stock::Untouched | Stock::Held => {
                    self.stock = Stock::Held;
                    Input::Reserved { until: self.now + chrono::Duration::minutes(15) }
                }
                // Inventory knows the reservation and answers as it did before.
                Stock::Sold => Input::Reserved { until: self.now + chrono::Duration::minutes(15) },
                Stock::Free => Input::StockLost,
            },
            Command::Commit => match self.stock {
                Stock::Held | Stock::Sold => {
                    self.stock = Stock::Sold;
                    Input::StockCommitted
                }
                Stock::Untouched | Stock::Free => Input::StockLost,
            },
            Command::Release => {
                assert_ne!(self.stock, Stock::Sold, "sold stock is not released");
                self.stock = Stock::Free;
                Input::Released
            }
            Command::Restock => {
                assert!(matches!(self.stock, Stock::Sold | Stock::Free), "only sold stock is restocked");
                self.stock = Stock::Free;
                Input::Restocked
            }
            Command::Authorise(place) => {
                let bank = self.banks.get(place % self.banks.len().max(1)).copied().unwrap_or(Bank::Approves);
                let fresh = match bank {
                    Bank::Approves => Psp::Authorised,
                    Bank::Declines => Psp::Declined,
                    Bank::AsksBuyer => Psp::Pending,
                };
                let id = payment(place);
                let state = *self.payments.entry(id).or_insert(fresh);
                self.answer(id, state)
            }
            Command::Capture(place) => {
                let id = payment(place);
                assert_eq!(self.stock, Stock::Sold, "money is taken only for sold stock");
                if self.payments[&id] == Psp::Authorised {
                    self.captures += 1;
                    self.payments.insert(id, Psp::Captured);
                }
                self.answer(id, self.payments[&id])
            }
            Command::Void(place) => {
                let id = payment(place);
                if matches!(self.payments[&id], Psp::Authorised | Psp::Pending) {
                    self.payments.insert(id, Psp::Voided);
                }
                self.answer(id, self.payments[&id])
            }
            Command::Refund(place) => {
                let id = payment(place);
                if self.payments[&id] == Psp::Captured {
                    self.payments.insert(id, Psp::Refunded);
                }
                self.answer(id, self.payments[&id])
            }
        }
    }

    fn answer(&mut self, id: PaymentId, state: Psp) -> Input {
        let fact = match state {
            Psp::Pending => Fact::Pending { url: "https://bank".to_owned() },
            Psp::Authorised => Fact::Authorised,
            Psp::Declined => Fact::Declined { message: "no".to_owned() },
            Psp::Captured => Fact::Captured,
            Psp::Voided => Fact::Voided,
            Psp::Refunded => Fact::Refunded,
        };
        self.fact(id, fact)
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Run(which, fate) => {
                let commands = self.saga.commands();
                if commands.is_empty() {
                    return;
                }
                let command = commands[which % commands.len()];
                let input = if *fate == 2 { Input::Unknown } else { self.outside(command) };
                self.input(if *fate == 0 { &input } else { &Input::Unknown });
            }
            Step::Deliver(which) => {
                if !self.told.is_empty() {
                    let (payment_id, fact) = self.told[which % self.told.len()].clone();
                    self.input(&Input::Payment { payment_id, fact });
                }
            }
            Step::BuyerAnswers(which, yes) => {
                let pending: Vec<PaymentId> = self.payments.iter().filter(|(_, state)| **state == Psp::Pending).map(|(id, _)| *id).collect();
                if !pending.is_empty() {
                    let id = pending[which % pending.len()];
                    let state = if *yes { Psp::Authorised } else { Psp::Declined };
                    self.payments.insert(id, state);
                    self.answer(id, state);
                }
            }
            Step::Retry => {
                self.made += 1;
                self.input(&Input::Retry(attempt(self.made)));
            }
            Step::CancelByBuyer => self.input(&Input::Cancel { why: Why::Buyer, note: String::new() }),
            Step::HoldRunsOut => {
                if self.stock == Stock::Held {
                    self.stock = Stock::Free;
                    self.input(&Input::HoldExpired);
                }
            }
            Step::Minutes(minutes) => {
                self.now += chrono::Duration::minutes(*minutes);
                self.input(&Input::Woken);
            }
            Step::Crash => self.saga = serde_json::from_str(&serde_json::to_string(&self.saga).unwrap()).unwrap(),
        }
    }

    /// Everything works again and the recovery job comes by.
    fn heals(&mut self) {
        for _ in 0..100 {
            for (payment_id, fact) in self.told.clone() {
                self.input(&Input::Payment { payment_id, fact });
            }
            for command in self.saga.commands() {
                let input = self.outside(command);
                self.input(&input);
            }
            if self.saga.is_over() {
                return;
            }
            self.now += chrono::Duration::minutes(1);
            self.input(&Input::Woken);
        }
        panic!("never comes to an end: {:?}", self.saga);
    }

    fn count(&self, wanted: &Tell) -> usize {
        self.tells.iter().filter(|tell| *tell == wanted).count()
    }

    fn is_right(&self) {
        let captured = self.payments.values().filter(|state| **state == Psp::Captured).count();
        let open = self.payments.values().filter(|state| matches!(state, Psp::Authorised | Psp::Pending)).count();
        assert_eq!(open, 0, "nothing authorised or pending is forgotten: {:?}", self.payments);
        assert!(self.captures <= 1, "charged once at most");
        for tell in [Tell::Reserved, Tell::Confirmed, Tell::Paid, Tell::MoneyReturned] {
            assert!(self.count(&tell) <= 1, "{tell:?} is told once");
        }
        if self.saga.is_paid() {
            assert_eq!((captured, self.stock), (1, Stock::Sold), "a placed order has stock and money");
            assert_eq!((self.count(&Tell::Confirmed), self.count(&Tell::Paid)), (1, 1));
        } else {
            assert_eq!(self.saga.state(), OrderState::Cancelled);
            assert_eq!(captured, 0, "a cancelled order keeps no money");
            assert!(matches!(self.stock, Stock::Untouched | Stock::Free), "a cancelled order keeps no stock: {:?}", self.stock);
            assert_eq!(self.count(&Tell::Paid), 0);
        }
    }
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        8 => (0usize..3, 0u8..3).prop_map(|(which, fate)| Step::Run(which, fate)),
        4 => (0usize..20).prop_map(Step::Deliver),
        3 => (0usize..3, any::<bool>()).prop_map(|(which, yes)| Step::BuyerAnswers(which, yes)),
        2 => Just(Step::Retry),
        1 => Just(Step::CancelByBuyer),
        1 => Just(Step::HoldRunsOut),
        2 => (0i64..20).prop_map(Step::Minutes),
        2 => Just(Step::Crash),
    ];
    prop::collection::vec(step, 0..60)
}

fn banks() -> impl Strategy<Value = Vec<Bank>> {
    prop::collection::vec(prop_oneof![Just(Bank::Approves), Just(Bank::Declines), Just(Bank::AsksBuyer)], 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn every_order_ends_with_goods_and_money_or_with_neither(in_stock in prop::bool::weighted(0.85), banks in banks(), steps in steps()) {
        let mut world = World::new(in_stock, banks);
        for step in &steps {
            world.step(step);
        }
        world.heals();
        world.is_right();
    }

    #[test]
    fn saying_it_twice_changes_nothing(banks in banks(), steps in steps()) {
        let mut world = World::new(true, banks);
        for step in &steps {
            world.step(step);
            let before = world.saga.clone();
            for (payment_id, fact) in world.told.iter().rev().take(1).cloned().collect::<Vec<_>>() {
                world.input(&Input::Payment { payment_id, fact: fact.clone() });
                let once = world.saga.clone();
                world.input(&Input::Payment { payment_id, fact });
                prop_assert_eq!(&once, &world.saga);
            }
            world.saga = before;
        }
    }
}

#[test]
fn the_straight_way_takes_four_questions() {
    let mut world = World::new(true, vec![Bank::Approves]);
    let mut asked = Vec::new();
    while let Some(command) = world.saga.commands().first().copied() {
        asked.push(command);
        let input = world.outside(command);
        world.input(&input);
    }
    assert_eq!(asked, [Command::Reserve, Command::Authorise(0), Command::Commit, Command::Capture(0)]);
    assert_eq!(world.tells, [Tell::Reserved, Tell::Confirmed, Tell::Paid]);
    assert!(world.saga.is_over() && world.saga.look_at(world.now, chrono::Duration::seconds(30)).is_none());
}

#[test]
fn a_declined_card_keeps_the_goods_for_another_one() {
    let mut world = World::new(true, vec![Bank::Declines, Bank::Approves]);
    for _ in 0..2 {
        world.step(&Step::Run(0, 0));
    }
    assert_eq!(world.saga.state(), OrderState::PaymentFailed);
    assert_eq!(world.saga.next_action(), Next::PayAgain("no".to_owned()));
    assert_eq!(world.stock, Stock::Held);
    world.step(&Step::Retry);
    world.heals();
    assert!(world.saga.is_paid());
    world.is_right();
}

#[test]
fn a_payment_that_comes_after_the_goods_are_gone_is_given_back() {
    let mut world = World::new(true, vec![Bank::AsksBuyer]);
    for _ in 0..2 {
        world.step(&Step::Run(0, 0));
    }
    assert_eq!(world.saga.next_action(), Next::GoTo("https://bank".to_owned()));
    world.step(&Step::HoldRunsOut);
    world.step(&Step::BuyerAnswers(0, true));
    world.heals();
    assert_eq!(world.saga.state(), OrderState::Cancelled);
    world.is_right();
}
