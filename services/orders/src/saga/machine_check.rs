//! Every way a purchase can go, visited one by one: calls arrive late, twice, in any order or never; answers and news likewise; the process
//! dies between any two steps; holds run out, banks refuse, the buyer dithers, pays with a second method or cancels.

use std::collections::BTreeSet;

use uuid::Uuid;

use super::*;
use crate::saga::explore::{World, explore};

/// Methods a buyer tries at most.
const METHODS: usize = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Stock {
    Untouched,
    Held,
    Sold,
    TakenBack,
    Free,
}

/// What the PSP knows of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Psp {
    Pending,
    Authorised,
    /// It has refused the capture, and goes on refusing it.
    Uncapturable,
    Declined,
    Captured,
    Unreturnable,
    Voided,
    Refunded,
}

/// An answer or an event on its way to the saga. It may come any number of times, or never.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum News {
    Reserved,
    Short,
    Committed,
    Lost,
    Expired,
    Released,
    Restocked,
    Payment(usize, Psp),
}

#[derive(Debug, Clone, Copy)]
enum Step {
    /// Somebody who drives the saga sends what it names; from then on the call can arrive at any time, again and again.
    Send(Command),
    Arrive(Command, Luck),
    Hear(News),
    BuyerAnswers(usize, bool),
    AuthorisationLapses(usize),
    HoldRunsOut,
    Retry,
    Cancel,
    GetsLate,
    Woken,
    NoAnswer,
}

/// Who decides what the saga cannot know: whether there is stock, what a bank says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Luck {
    Good,
    Bad,
    Asks,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Purchase {
    saga: Saga,
    late: bool,
    stock: Stock,
    psp: [Option<Psp>; METHODS],
    /// Payments that took money, ever.
    charged: [bool; METHODS],
    sent: BTreeSet<Command>,
    news: BTreeSet<News>,
    told: Vec<&'static str>,
    broken: Option<&'static str>,
}

fn attempt(number: u128) -> Attempt {
    let id = |kind: u128| Uuid::from_u128(number * 10 + kind);
    Attempt::new(id(1).into(), id(2).into(), id(3).into(), String::new(), String::new())
}

fn begin() -> Time {
    Time::from_timestamp(1_800_000_000, 0).unwrap()
}

fn end_of_hold() -> Time {
    begin() + chrono::Duration::minutes(15)
}

impl Purchase {
    fn new() -> Self {
        Self {
            saga: Saga::new(attempt(0)),
            late: false,
            stock: Stock::Untouched,
            psp: [None; METHODS],
            charged: [false; METHODS],
            sent: BTreeSet::new(),
            news: BTreeSet::new(),
            told: Vec::new(),
            broken: None,
        }
    }

    fn apply(&mut self, input: &Input) {
        let now = if self.late { end_of_hold() } else { begin() };
        for tell in self.saga.apply(input, now).unwrap_or_default() {
            let name = match tell {
                Tell::Reserved => "reserved",
                Tell::Confirmed => "confirmed",
                Tell::Paid => "paid",
                Tell::Cancelled { .. } => "cancelled",
                Tell::MoneyStuck => "money stuck",
                Tell::MoneyReturned => "money returned",
                // Of these each attempt has its own.
                Tell::PaymentPending | Tell::PaymentFailed { .. } => continue,
            };
            if self.told.contains(&name) && !name.starts_with("money") {
                self.broken = Some("something was told twice");
            }
            self.told.push(name);
        }
        self.told.sort_unstable();
        // How long it waits before it asks again is not part of where it stands.
        self.saga.tries = 0;
    }

    fn hear(&mut self, news: News) {
        let input = match news {
            News::Reserved => Input::Reserved { until: end_of_hold() },
            News::Short => Input::OutOfStock { note: String::new() },
            News::Committed => Input::StockCommitted,
            News::Lost => Input::StockLost,
            News::Expired => Input::HoldExpired,
            News::Released => Input::Released,
            News::Restocked => Input::Restocked,
            News::Payment(place, psp) => {
                let fact = match psp {
                    Psp::Pending => Fact::Pending { url: String::new() },
                    Psp::Authorised => Fact::Authorised,
                    Psp::Uncapturable => Fact::CaptureRefused,
                    Psp::Declined => Fact::Declined { message: String::new() },
                    Psp::Captured => Fact::Captured,
                    Psp::Unreturnable => Fact::RefundRefused,
                    Psp::Voided => Fact::Voided,
                    Psp::Refunded => Fact::Refunded,
                };
                let payment_id = attempt(u128::try_from(place).unwrap()).payment_id;
                Input::Payment { payment_id, fact }
            }
        };
        self.apply(&input);
    }

    fn arrive(&mut self, command: Command, luck: Luck) -> News {
        match command {
            Command::Reserve => match self.stock {
                Stock::Untouched if luck == Luck::Bad => News::Short,
                Stock::Untouched | Stock::Held => {
                    self.stock = Stock::Held;
                    News::Reserved
                }
                // Inventory knows the reservation and answers as it did before.
                Stock::Sold | Stock::TakenBack => News::Reserved,
                Stock::Free => News::Lost,
            },
            Command::Commit => match self.stock {
                Stock::Held | Stock::Sold => {
                    self.stock = Stock::Sold;
                    News::Committed
                }
                Stock::TakenBack => News::Committed,
                Stock::Untouched | Stock::Free => News::Lost,
            },
            Command::Release => {
                if matches!(self.stock, Stock::Sold | Stock::TakenBack) {
                    self.broken = Some("sold stock was released");
                }
                self.stock = Stock::Free;
                News::Released
            }
            Command::Restock => {
                if !matches!(self.stock, Stock::Sold | Stock::TakenBack) {
                    self.broken = Some("stock that was not sold was taken back");
                }
                self.stock = Stock::TakenBack;
                News::Restocked
            }
            Command::Authorise(place) => self.pay(place, |known| match (known, luck) {
                (Some(known), _) => known,
                (None, Luck::Good) => Psp::Authorised,
                (None, Luck::Bad) => Psp::Declined,
                (None, Luck::Asks) => Psp::Pending,
            }),
            Command::Capture(place) => {
                if self.psp[place] == Some(Psp::Authorised) && luck == Luck::Good {
                    self.charged[place] = true;
                    if self.stock != Stock::Sold {
                        self.broken = Some("money was taken for stock that was not sold");
                    }
                }
                self.pay(place, |known| match (known, luck) {
                    (Some(Psp::Authorised), Luck::Good) => Psp::Captured,
                    (Some(Psp::Authorised), _) => Psp::Uncapturable,
                    (known, _) => known.unwrap_or(Psp::Declined),
                })
            }
            Command::Void(place) => self.pay(place, |known| match known {
                Some(Psp::Pending | Psp::Authorised | Psp::Uncapturable) | None => Psp::Voided,
                Some(known) => known,
            }),
            Command::Refund(place) => self.pay(place, |known| match (known, luck) {
                (Some(Psp::Captured), Luck::Good) => Psp::Refunded,
                (Some(Psp::Captured), _) => Psp::Unreturnable,
                (known, _) => known.unwrap_or(Psp::Declined),
            }),
        }
    }

    fn pay(&mut self, place: usize, becomes: impl Fn(Option<Psp>) -> Psp) -> News {
        let now = becomes(self.psp[place]);
        self.psp[place] = Some(now);
        News::Payment(place, now)
    }

    fn holds_money(&self) -> usize {
        self.psp.iter().filter(|psp| matches!(psp, Some(Psp::Captured | Psp::Unreturnable))).count()
    }
}

impl World for Purchase {
    type Step = Step;

    fn steps(&self) -> Vec<Step> {
        let mut steps: Vec<Step> = self.saga.commands().into_iter().filter(|command| !self.sent.contains(command)).map(Step::Send).collect();
        for command in &self.sent {
            let lucks: &[Luck] = match command {
                Command::Authorise(place) if self.psp[*place].is_none() => &[Luck::Good, Luck::Bad, Luck::Asks],
                Command::Reserve | Command::Capture(_) | Command::Refund(_) => &[Luck::Good, Luck::Bad],
                _ => &[Luck::Good],
            };
            steps.extend(lucks.iter().map(|luck| Step::Arrive(*command, *luck)));
        }
        steps.extend(self.news.iter().copied().map(Step::Hear));
        for (place, psp) in self.psp.iter().enumerate() {
            match psp {
                Some(Psp::Pending) => steps.extend([true, false].map(|yes| Step::BuyerAnswers(place, yes))),
                Some(Psp::Authorised) => steps.push(Step::AuthorisationLapses(place)),
                _ => {}
            }
        }
        if self.stock == Stock::Held {
            steps.push(Step::HoldRunsOut);
        }
        if self.saga.attempts.len() < METHODS {
            steps.push(Step::Retry);
        }
        steps.extend([Step::Cancel, Step::GetsLate, Step::Woken, Step::NoAnswer]);
        steps
    }

    fn after(&self, step: &Step) -> Self {
        let mut next = self.clone();
        match *step {
            Step::Send(command) => {
                next.sent.insert(command);
            }
            Step::Arrive(command, luck) => {
                let news = next.arrive(command, luck);
                next.news.insert(news);
            }
            Step::Hear(news) => next.hear(news),
            Step::BuyerAnswers(place, yes) => {
                let news = next.pay(place, |_| if yes { Psp::Authorised } else { Psp::Declined });
                next.news.insert(news);
            }
            Step::AuthorisationLapses(place) => {
                let news = next.pay(place, |_| Psp::Voided);
                next.news.insert(news);
            }
            Step::HoldRunsOut => {
                next.stock = Stock::Free;
                next.news.insert(News::Expired);
            }
            Step::Retry => next.apply(&Input::Retry(attempt(u128::try_from(self.saga.attempts.len()).unwrap()))),
            Step::Cancel => next.apply(&Input::Cancel { why: Why::Buyer, note: String::new() }),
            Step::GetsLate => next.late = true,
            Step::Woken => next.apply(&Input::Woken),
            Step::NoAnswer => next.apply(&Input::Unknown),
        }
        next
    }

    fn wrong(&self) -> Option<String> {
        let placed = self.saga.is_paid() || self.told.contains(&"confirmed") && !self.told.contains(&"cancelled");
        let wrong = if self.broken.is_some() {
            self.broken?
        } else if placed && self.stock != Stock::Sold {
            "an order is confirmed without its stock"
        } else if self.saga.is_paid() && self.holds_money() == 0 {
            "an order is paid without money"
        } else if self.holds_money() > 1 {
            "a buyer is charged twice"
        } else if self.told.contains(&"paid") && self.told.contains(&"cancelled") {
            "an order was told to be paid and to be called off"
        } else if self.saga.is_over() && !self.saga.commands().is_empty() {
            "an order that is over still asks for something"
        } else {
            return None;
        };
        Some(wrong.to_owned())
    }

    /// No news comes and no call that was lost arrives: recovery has only its own questions and the clock.
    fn mended(&self) -> Option<Self> {
        let mut next = self.clone();
        for command in self.saga.commands() {
            let news = next.arrive(command, Luck::Good);
            next.hear(news);
        }
        if next == *self {
            next.late = true;
            next.apply(&Input::Woken);
        }
        // Inventory gives up by itself what nobody confirms.
        if next == *self && self.stock == Stock::Held && self.late {
            next.stock = Stock::Free;
        }
        (next != *self).then_some(next)
    }

    fn wrong_at_rest(&self) -> Option<String> {
        let money_open = self.psp.iter().any(|psp| matches!(psp, Some(Psp::Pending | Psp::Authorised | Psp::Uncapturable)));
        let stuck = self.psp.contains(&Some(Psp::Unreturnable));
        let wrong = if !self.saga.is_over() {
            "the order never ends"
        } else if money_open {
            "money stays reserved and forgotten"
        } else if self.saga.is_paid() && (self.stock, self.psp.iter().filter(|psp| **psp == Some(Psp::Captured)).count()) != (Stock::Sold, 1) {
            "a placed order lacks stock or money"
        } else if !self.saga.is_paid() && self.psp.contains(&Some(Psp::Captured)) {
            "a charge has neither an order nor a refund"
        } else if !self.saga.is_paid() && matches!(self.stock, Stock::Held | Stock::Sold) {
            "an order that is called off keeps its stock"
        } else if stuck && !self.told.contains(&"money stuck") {
            "nobody is told of money that cannot be returned"
        } else {
            return None;
        };
        Some(wrong.to_owned())
    }
}

#[test]
fn no_way_ends_with_a_charge_but_no_order_or_an_order_but_no_stock() {
    let explored = explore(Purchase::new());
    println!("{explored:?}");
    assert!(explored.states > 10_000, "{explored:?}: the world has become too small to prove anything");
}
