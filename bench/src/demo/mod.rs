//! The demo market: forty shops with two thousand products and some orders, made through the public API like any user's work.
//!
//! Deterministic: the same seed gives the same shops, goods, prices, pictures and baskets. Each step looks at what is there first, so a
//! demo that was interrupted is completed by running it again, and a complete one is left as it is.

pub(crate) mod goods;
mod history;
mod picture;
mod shops;
mod visits;

pub(crate) use history::deliver;
pub(crate) use shops::{Shop, categories, open_shop};

use std::io::Write;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde_json::{Value, json};

use crate::http::{Caller, Http, encoded, text};

/// All demo accounts have this password; `markethub up` prints it.
pub const PASSWORD: &str = "demo market 2026";
pub const OPERATOR: &str = "operator@demo.example";
pub const BUYER: &str = "buyer@demo.example";
pub const SHOPS: usize = 40;
pub const PRODUCTS_PER_SHOP: usize = 50;

/// The e-mail of the n-th demo seller, counted from 1.
pub fn seller(number: usize) -> String {
    format!("seller-{number}@demo.example")
}

/// Applies for a shop and waits for the operator, who so has somebody to approve.
pub const APPLICANT: &str = "applicant@demo.example";

/// How often a filling that broke off is taken up again, and after what pause. A slow machine may miss a deadline now and then.
const TRIES: u32 = 4;
const PAUSE: Duration = Duration::from_secs(2);

/// Makes what is missing of the demo market at `url`, where the operator account exists already.
pub async fn fill(url: &str) -> anyhow::Result<()> {
    let http = Http::new(url).patient();
    for _ in 1..TRIES {
        match make_missing(&http).await {
            Ok(()) => return Ok(()),
            Err(error) => eprintln!("\ndemo market: {error:#}; going on"),
        }
        tokio::time::sleep(PAUSE).await;
    }
    make_missing(&http).await
}

async fn make_missing(http: &Http) -> anyhow::Result<()> {
    let begin = Instant::now();
    let operator = sign_in(http, OPERATOR).await.context("the demo operator cannot sign in")?;
    let sellers = shops::open(http, &operator).await?;
    let made = shops::stock(http, &sellers).await?;
    shops::apply_only(http, &operator).await?;
    let placed = history::play(http, &operator, &sellers).await?;
    let visits = visits::play(http, &operator).await?;
    if made + placed + visits > 0 {
        eprintln!("demo market: {made} products, {placed} orders and {visits} visits made in {:.1} s", begin.elapsed().as_secs_f64());
    }
    Ok(())
}

/// Says how far a long step is, on one line of the terminal.
fn progress(what: &str, done: usize, of: usize) {
    if done.is_multiple_of(50) || done == of {
        eprint!("\rdemo market: {what} {done} of {of}   ");
        if done == of {
            eprintln!();
        }
        // A terminal that cannot be flushed is no reason to stop.
        let _shown = std::io::stderr().flush();
    }
}

pub(crate) async fn sign_in(http: &Http, email: &str) -> anyhow::Result<Caller> {
    let session = http.post("/v1/auth/sign-in", &Caller::default(), &json!({ "email": email, "password": PASSWORD })).await?;
    Ok(Caller { token: Some(text(&session, "/session/access_token")?), ..Caller::default() })
}

/// Signs in, or up when the operator finds no such account: trying would count as a wrong password against this machine's address.
async fn account(http: &Http, operator: &Caller, email: &str, name: &str) -> anyhow::Result<Caller> {
    let found = http.get(&format!("/v1/users?limit=100&query={}", encoded(email)), operator).await?;
    let mut users = found.pointer("/users").and_then(Value::as_array).into_iter().flatten();
    if users.any(|user| text(user, "/user/email").is_ok_and(|known| known == email)) {
        return sign_in(http, email).await.with_context(|| format!("{email} cannot sign in"));
    }
    let session = http.post("/v1/auth/sign-up", &Caller::default(), &json!({ "email": email, "password": PASSWORD, "name": name })).await;
    let session = session.with_context(|| format!("cannot make the account {email}"))?;
    Ok(Caller { token: Some(text(&session, "/session/access_token")?), ..Caller::default() })
}

/// A reproducible sequence of numbers (splitmix64); chance in the demo and in typing errors comes from nowhere else.
#[derive(Debug, Clone)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number below `limit`.
    pub(crate) fn below(&mut self, limit: u32) -> u32 {
        u32::try_from(self.next() % u64::from(limit.max(1))).unwrap_or_default()
    }

    pub(crate) fn one_of<'a, T>(&mut self, list: &'a [T]) -> Option<&'a T> {
        let at = self.below(u32::try_from(list.len()).unwrap_or(1));
        list.get(usize::try_from(at).unwrap_or_default())
    }
}
