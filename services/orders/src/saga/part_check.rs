//! Every way a sub-order of two pieces can go with up to two cancellations of it at once: the seller packs and ships meanwhile, calls and news come
//! late, twice, in any order or never.

use std::collections::BTreeSet;

use kit_core::Currency;
use uuid::Uuid;

use super::*;
use crate::saga::cancel::{CancelCommand, CancelInput, CancelSaga, CancelTell};
use crate::saga::explore::{World, explore};
use crate::share::{Keep, Left, Remains, Share, Wanted};

const PIECES: u32 = 2;
const PRICE: i64 = 100;
const CANCELLATIONS: usize = 2;

/// What fulfillment has of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Goods {
    Expected,
    Open,
    Packed,
    PartlyShipped,
    Shipped,
    Delivered,
    Stopped,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum News {
    Progress(Goods),
    Cancel(usize, Answer),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Answer {
    Stopped,
    AlreadyShipped,
    Restocked,
    Refunded,
    RefundRefused,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Pay,
    CallOff,
    Reach,
    Pack,
    Ship(u32),
    Deliver,
    /// Somebody wants only so many pieces, or nothing of it.
    Keep(u32),
    Everything,
    Send(usize, CancelCommand),
    Arrive(usize, CancelCommand, bool),
    Hear(News),
    NoAnswer(usize),
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Cancellation {
    saga: CancelSaga,
    whole: bool,
    pieces: u32,
    too_late: bool,
    done: bool,
    /// In the world outside: the pieces are kept from leaving, back on the shelf, their money back (or refused for good).
    stopped: bool,
    restocked: bool,
    refunded: Option<bool>,
    sent: BTreeSet<CancelCommand>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Part {
    state: OrderState,
    goods: Goods,
    /// Pieces that fulfillment is to send, and those it has sent.
    left: u32,
    shipped: u32,
    heard_of_shipment: bool,
    cancellations: Vec<Cancellation>,
    news: BTreeSet<News>,
    broken: Option<&'static str>,
}

impl Part {
    fn new() -> Self {
        Self {
            state: OrderState::Created,
            goods: Goods::Expected,
            left: PIECES,
            shipped: 0,
            heard_of_shipment: false,
            cancellations: Vec::new(),
            news: BTreeSet::new(),
            broken: None,
        }
    }

    fn apply(&mut self, input: PartInput) {
        let Some(to) = step(self.state, input) else { return };
        if matches!(self.state, OrderState::Cancelled | OrderState::Delivered) {
            self.broken = Some("a part that had ended went on");
        }
        self.state = to;
    }

    fn remains(&self) -> Remains {
        let taken: u32 = self.cancellations.iter().filter(|known| !known.too_late).map(|known| known.pieces).sum();
        let quantity = PIECES - taken;
        let share = Share { goods: PRICE * i64::from(quantity), ..Share::default() };
        Remains {
            state: self.state,
            currency: Currency::USD,
            shipping: 0,
            lines: vec![Left { item_id: Uuid::nil(), quantity, share }],
            shipped: self.heard_of_shipment,
        }
    }

    fn intend(&mut self, wanted: Wanted<'_>) {
        let Ok(Some(cut)) = self.remains().cut(wanted) else { return };
        let number = u128::try_from(self.cancellations.len()).unwrap();
        self.cancellations.push(Cancellation {
            saga: CancelSaga::new(Uuid::from_u128(number).into()),
            whole: cut.whole,
            pieces: cut.lines.iter().map(|line| line.quantity).sum(),
            too_late: false,
            done: false,
            stopped: false,
            restocked: false,
            refunded: None,
            sent: BTreeSet::new(),
        });
    }

    fn arrive(&mut self, which: usize, command: CancelCommand, good: bool) -> Option<Answer> {
        let one = &mut self.cancellations[which];
        Some(match command {
            CancelCommand::Stop if one.stopped => Answer::Stopped,
            CancelCommand::Stop if one.whole => match self.goods {
                Goods::PartlyShipped | Goods::Shipped | Goods::Delivered => Answer::AlreadyShipped,
                Goods::Expected | Goods::Open | Goods::Packed | Goods::Stopped => {
                    one.stopped = true;
                    self.goods = Goods::Stopped;
                    Answer::Stopped
                }
            },
            CancelCommand::Stop => match self.goods {
                // It is asked again until it has arrived there.
                Goods::Expected => return None,
                Goods::Stopped => {
                    one.stopped = true;
                    Answer::Stopped
                }
                Goods::Shipped | Goods::Delivered => Answer::AlreadyShipped,
                Goods::Open | Goods::Packed | Goods::PartlyShipped if one.pieces > self.left => Answer::AlreadyShipped,
                Goods::Open | Goods::Packed | Goods::PartlyShipped => {
                    one.stopped = true;
                    self.left -= one.pieces;
                    if self.left == 0 {
                        self.goods = if self.goods == Goods::PartlyShipped { Goods::Shipped } else { Goods::Stopped };
                        self.news.insert(News::Progress(self.goods));
                    }
                    Answer::Stopped
                }
            },
            CancelCommand::Restock => {
                one.restocked = true;
                Answer::Restocked
            }
            CancelCommand::Refund => {
                if *one.refunded.get_or_insert(good) {
                    Answer::Refunded
                } else {
                    Answer::RefundRefused
                }
            }
        })
    }

    fn hear(&mut self, news: News) {
        match news {
            News::Progress(goods) => {
                self.heard_of_shipment |= matches!(goods, Goods::PartlyShipped | Goods::Shipped | Goods::Delivered);
                let to = match goods {
                    Goods::Packed => OrderState::Packed,
                    Goods::Shipped => OrderState::Shipped,
                    Goods::Delivered => OrderState::Delivered,
                    Goods::Expected | Goods::Open | Goods::PartlyShipped | Goods::Stopped => return,
                };
                self.apply(PartInput::Progressed(to));
            }
            News::Cancel(which, answer) => {
                let input = match answer {
                    Answer::Stopped => CancelInput::Stopped,
                    Answer::AlreadyShipped => CancelInput::AlreadyShipped,
                    Answer::Restocked => CancelInput::Restocked,
                    Answer::Refunded => CancelInput::Refunded,
                    Answer::RefundRefused => CancelInput::RefundRefused,
                };
                self.note(which, input);
            }
        }
    }

    fn note(&mut self, which: usize, input: CancelInput) {
        let one = &mut self.cancellations[which];
        let tell = one.saga.apply(input);
        match tell {
            Some(CancelTell::Cancelled) => {
                one.done = true;
                if one.whole {
                    self.apply(PartInput::Stopped);
                }
            }
            Some(CancelTell::TooLate) => one.too_late = true,
            Some(CancelTell::Refunded | CancelTell::RefundRefused) | None => {}
        }
    }
}

impl World for Part {
    type Step = Step;

    fn steps(&self) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.state == OrderState::Created {
            steps.extend([Step::Pay, Step::CallOff]);
        }
        match self.goods {
            Goods::Expected if self.state != OrderState::Created => steps.push(Step::Reach),
            Goods::Open => steps.extend([Step::Pack, Step::Ship(1), Step::Ship(self.left)]),
            Goods::Packed | Goods::PartlyShipped => steps.extend([Step::Ship(1), Step::Ship(self.left)]),
            Goods::Shipped => steps.push(Step::Deliver),
            Goods::Expected | Goods::Delivered | Goods::Stopped => {}
        }
        if self.cancellations.len() < CANCELLATIONS {
            steps.extend([Step::Keep(0), Step::Keep(1), Step::Everything]);
        }
        for (which, one) in self.cancellations.iter().enumerate() {
            steps.extend(one.saga.commands(true).into_iter().filter(|command| !one.sent.contains(command)).map(|command| Step::Send(which, command)));
            for command in &one.sent {
                steps.push(Step::Arrive(which, *command, true));
                if *command == CancelCommand::Refund && one.refunded.is_none() {
                    steps.push(Step::Arrive(which, *command, false));
                }
            }
            steps.push(Step::NoAnswer(which));
        }
        steps.extend(self.news.iter().copied().map(Step::Hear));
        steps
    }

    fn after(&self, step: &Step) -> Self {
        let mut next = self.clone();
        match *step {
            Step::Pay => next.apply(PartInput::Paid),
            Step::CallOff => next.apply(PartInput::CalledOff),
            Step::Reach => next.goods = if self.state == OrderState::Paid { Goods::Open } else { Goods::Expected },
            Step::Pack => {
                next.goods = Goods::Packed;
                next.news.insert(News::Progress(Goods::Packed));
            }
            Step::Ship(pieces) => {
                next.left -= pieces;
                next.shipped += pieces;
                next.goods = if next.left == 0 { Goods::Shipped } else { Goods::PartlyShipped };
                next.news.insert(News::Progress(next.goods));
            }
            Step::Deliver => {
                next.goods = Goods::Delivered;
                next.news.insert(News::Progress(Goods::Delivered));
            }
            Step::Keep(quantity) => next.intend(Wanted::Keeping(&[Keep { item_id: Uuid::nil(), quantity }])),
            Step::Everything => next.intend(Wanted::Everything),
            Step::Send(which, command) => {
                next.cancellations[which].sent.insert(command);
            }
            Step::Arrive(which, command, good) => {
                if let Some(answer) = next.arrive(which, command, good) {
                    next.news.insert(News::Cancel(which, answer));
                }
            }
            Step::Hear(news) => next.hear(news),
            Step::NoAnswer(which) => next.note(which, CancelInput::Unknown),
        }
        next.cancellations.iter_mut().for_each(|one| one.saga.forget_tries());
        next
    }

    fn wrong(&self) -> Option<String> {
        let stopped: u32 = self.cancellations.iter().filter(|one| one.stopped && !one.whole).map(|one| one.pieces).sum();
        let wrong = if self.broken.is_some() {
            self.broken?
        } else if self.cancellations.iter().any(|one| (one.restocked || one.refunded.is_some()) && !one.stopped) {
            "money or stock went back for pieces that can still leave"
        } else if self.shipped + stopped > PIECES {
            "a piece was cancelled and shipped"
        } else if self.shipped > 0 && self.goods == Goods::Stopped {
            "a part that has left was stopped"
        } else if self.cancellations.iter().any(|one| one.done && one.too_late) {
            "a cancellation was both done and too late"
        } else if self.state == OrderState::Cancelled && self.shipped > 0 {
            "a cancelled part was shipped"
        } else if self.cancellations.iter().filter(|one| !one.too_late).map(|one| one.pieces).sum::<u32>() > PIECES {
            "more was cancelled than bought"
        } else {
            return None;
        };
        Some(wrong.to_owned())
    }

    fn mended(&self) -> Option<Self> {
        let mut next = self.clone();
        if self.goods == Goods::Expected && self.state == OrderState::Paid {
            next.goods = Goods::Open;
        }
        for which in 0..self.cancellations.len() {
            for command in self.cancellations[which].saga.commands(true) {
                if let Some(answer) = next.arrive(which, command, true) {
                    next.hear(News::Cancel(which, answer));
                }
            }
        }
        (next != *self).then_some(next)
    }

    fn wrong_at_rest(&self) -> Option<String> {
        let unfinished = |one: &Cancellation| !(one.too_late || one.done && one.restocked && one.refunded.is_some());
        let all_back = self.cancellations.iter().filter(|one| one.done).map(|one| one.pieces).sum::<u32>() == PIECES;
        let wrong = if self.cancellations.iter().any(unfinished) {
            "a cancellation never ends"
        } else if self.goods == Goods::Stopped && !all_back {
            "pieces neither leave nor are paid back"
        } else if self.goods == Goods::Stopped && self.state != OrderState::Cancelled {
            "nothing of a part will leave, but it is not cancelled"
        } else if self.state == OrderState::Cancelled && !self.cancellations.is_empty() && !all_back {
            "a cancelled part keeps money"
        } else {
            return None;
        };
        Some(wrong.to_owned())
    }
}

#[test]
fn no_way_ships_a_piece_and_returns_its_money() {
    let explored = explore(Part::new());
    println!("{explored:?}");
    assert!(explored.states > 1_000, "{explored:?}: the world has become too small to prove anything");
}

#[test]
fn parts_of_an_order_begin_or_end_with_it() {
    assert_eq!(moves(PartInput::Paid), (vec!["created"], vec!["paid"]));
    assert_eq!(moves(PartInput::CalledOff), (vec!["created"], vec!["cancelled"]));
}
