//! The log and its consumers: nothing skipped, nothing twice, nothing lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::support::{House, append, note, noting, text};
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use kit_core::Clock;
use kit_db::{DbError, Event, Handler, LoggedEvent, Scope, Upkeep, log};
use kit_rpc::Ctx;
use sqlx::PgConnection;
use uuid::Uuid;

#[tokio::test]
async fn events_arrive_in_order_and_soon() {
    let house = House::start().await;
    let _upkeep = house.follow(noting());
    house.tell("one").await;
    house.tell("two").await;
    house.until_seen(&["one", "two"]).await;
    let started = Instant::now();
    house.tell("three").await;
    house.until_seen(&["one", "two", "three"]).await;
    println!("from commit to effect: {:?}", started.elapsed());
}

#[tokio::test]
async fn a_transaction_that_commits_late_is_not_skipped() {
    let house = House::start().await;
    let _upkeep = house.follow(noting());
    let mut early = house.source.begin(&Scope::Platform).await.unwrap();
    append(&mut early, "began first, committed last").await;
    house.tell("committed first").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(house.seen().await, [""; 0], "the later one waits for the earlier one");
    early.commit().await.unwrap();
    house.until_seen(&["began first, committed last", "committed first"]).await;
}

#[tokio::test]
async fn a_rolled_back_event_never_happened() {
    let house = House::start().await;
    let _upkeep = house.follow(noting());
    let mut tx = house.source.begin(&Scope::Platform).await.unwrap();
    append(&mut tx, "never").await;
    tx.rollback().await.unwrap();
    house.tell("happened").await;
    house.until_seen(&["happened"]).await;
}

#[tokio::test]
async fn several_events_of_one_transaction_keep_their_order() {
    let house = House::start().await;
    let _upkeep = house.follow(noting());
    let words = ["a", "b", "c", "d", "e"];
    let event =
        |word: &str| Event { key: Uuid::nil(), tenant: None, kind: "told", payload: word.into(), change: Some(serde_json::json!({"after": word})) };
    let mut tx = house.source.begin(&Scope::Platform).await.unwrap();
    log::append_all(&mut tx, &Ctx::service("source", "r"), kit_core::Clock::System.now(), words.iter().map(|word| event(word)).collect())
        .await
        .unwrap();
    tx.commit().await.unwrap();
    house.until_seen(&words).await;
}

#[tokio::test]
async fn a_consumer_killed_in_the_middle_of_a_batch_applies_everything_exactly_once() {
    let house = House::start().await;
    for word in ["a", "b", "c"] {
        house.tell(word).await;
    }
    // Dies (its task is dropped) after the effects of the whole batch and before the commit.
    let reached = Arc::new(AtomicBool::new(false));
    let dying = {
        let reached = Arc::clone(&reached);
        Handler::batch(move |db: &mut PgConnection, events: Vec<LoggedEvent>| -> BoxFuture<'_, Result<(), DbError>> {
            let reached = Arc::clone(&reached);
            async move {
                for event in &events {
                    note(db, event).await?;
                }
                reached.store(true, Ordering::SeqCst);
                std::future::pending().await
            }
            .boxed()
        })
    };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (settings, link, stop) = (house.database.settings(), house.link.clone(), house.stop.clone());
    runtime.spawn(async move {
        let storage = kit_db::Storage::open(settings).await.unwrap();
        let upkeep = kit_db::Upkeep::new(storage.db(crate::support::MIRROR).await.unwrap(), kit_core::Clock::System, stop);
        upkeep.follow("source", link, dying);
        upkeep.start();
        std::future::pending::<()>().await;
    });
    while !reached.load(Ordering::SeqCst) {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    runtime.shutdown_background();
    assert_eq!(house.seen().await, [""; 0], "nothing of it counts");
    let _upkeep = house.follow(noting());
    house.until_seen(&["a", "b", "c"]).await;
}

#[tokio::test]
async fn two_processes_following_the_same_log_apply_each_event_once() {
    let house = House::start().await;
    let _one = house.follow(noting());
    let _two = house.follow(noting());
    let words: Vec<&'static str> =
        "the quick brown fox jumps over the lazy dog and goes home to sleep until the next day breaks".split(' ').collect();
    for word in &words {
        house.tell(word).await;
    }
    house.until_seen(&words).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    house.until_seen(&words).await;
}

#[tokio::test]
async fn an_event_that_cannot_be_applied_becomes_a_dead_letter_and_can_be_retried() {
    let house = House::start().await;
    let (tries, healed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let handler = {
        let (tries, healed) = (Arc::clone(&tries), Arc::clone(&healed));
        Handler::each(move |db: &mut PgConnection, event: LoggedEvent| -> BoxFuture<'_, Result<(), DbError>> {
            let (tries, healed) = (Arc::clone(&tries), Arc::clone(&healed));
            async move {
                note(db, &event).await?;
                match text(&event).as_str() {
                    "poison" if !healed.load(Ordering::SeqCst) => {
                        tries.fetch_add(1, Ordering::SeqCst);
                        Err(DbError::Unreadable("poison".to_owned()))
                    }
                    "panic" if !healed.load(Ordering::SeqCst) => panic!("asked to"),
                    _ => Ok(()),
                }
            }
            .boxed()
        })
    };
    for word in ["before", "poison", "between", "panic", "after"] {
        house.tell(word).await;
    }
    let upkeep = house.follow(handler);
    house.until_seen(&["before", "between", "after"]).await;
    assert_eq!(tries.load(Ordering::SeqCst), 6, "once with its batch, five times alone");
    let letters: Vec<(i64, i32, String)> =
        sqlx::query_as("select number, attempts, error from dead_letter order by number").fetch_all(house.mirror.pool()).await.unwrap();
    assert_eq!(letters.len(), 2);
    assert_eq!((letters[0].1, letters[1].1), (5, 5));
    assert!(letters[0].2.contains("poison") && letters[1].2.contains("panicked"), "{letters:?}");
    let state = &upkeep.consumer_states().await.unwrap()[0];
    assert_eq!((state.behind, state.dead_letters), (0, 2));

    let again = upkeep.retry_dead_letter(letters[0].0).await.unwrap();
    assert!(matches!(again, Some(Err(_))), "still poisonous");
    let attempts: i32 =
        sqlx::query_scalar("select attempts from dead_letter where number = $1").bind(letters[0].0).fetch_one(house.mirror.pool()).await.unwrap();
    assert_eq!(attempts, 6);
    healed.store(true, Ordering::SeqCst);
    for letter in &letters {
        assert_eq!(upkeep.retry_dead_letter(letter.0).await.unwrap(), Some(Ok(())));
    }
    assert_eq!(upkeep.retry_dead_letter(letters[0].0).await.unwrap(), None);
    house.until_seen(&["before", "between", "after", "poison", "panic"]).await;
    assert_eq!(upkeep.consumer_states().await.unwrap()[0].dead_letters, 0);
}

#[tokio::test]
async fn replay_applies_the_whole_log_again() {
    let house = House::start().await;
    let upkeep = house.follow(noting());
    house.tell("a").await;
    house.tell("b").await;
    house.until_seen(&["a", "b"]).await;
    upkeep.replay("source").await.unwrap();
    house.tell("c").await;
    house.until_seen(&["a", "b", "a", "b", "c"]).await;
}

#[tokio::test]
async fn a_replay_of_an_idle_log_starts_at_once() {
    let house = House::start().await;
    let upkeep = house.follow(noting());
    house.tell("a").await;
    house.tell("b").await;
    house.until_seen(&["a", "b"]).await;
    // The consumer waits at the end of the log by now, and nothing more is told.
    tokio::time::sleep(Duration::from_millis(300)).await;
    upkeep.replay("source").await.unwrap();
    tokio::time::timeout(Duration::from_secs(2), house.until_seen(&["a", "b", "a", "b"])).await.unwrap();
    // Another process sets the cursor back; this one sees it when nothing has come for a while.
    let elsewhere = Upkeep::new(house.mirror.clone(), Clock::System, house.stop.clone());
    elsewhere.follow("source", house.link.clone(), noting());
    elsewhere.replay("source").await.unwrap();
    house.until_seen(&["a", "b", "a", "b", "a", "b"]).await;
}

#[tokio::test]
async fn a_tenant_placed_in_a_cell_of_its_own_is_heard_too() {
    let house = House::start().await;
    let _upkeep = house.follow(noting());
    let tenant = crate::support::tenant(1);
    house.source.place(tenant, "acme").await.unwrap();
    let mut tx = house.source.begin_for(tenant).await.unwrap();
    append(&mut tx, "from the cell").await;
    tx.commit().await.unwrap();
    house.until_seen(&["from the cell"]).await;
    house.tell("from home").await;
    house.until_seen(&["from the cell", "from home"]).await;
}

#[tokio::test]
async fn a_watcher_sees_what_happens_to_one_thing_from_now_on() {
    let house = House::start().await;
    house.tell("long ago").await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut mine = house.source.watch(Uuid::from_u128(7));
    let mut others = house.source.watch(Uuid::from_u128(8));
    house.tell("now").await;
    let mut next = async || tokio::time::timeout(Duration::from_secs(5), mine.next()).await.unwrap().unwrap();
    let mut seen = next().await;
    if text(&seen) == "long ago" {
        // Another test's transaction has held up the reading of logs in the whole cluster.
        seen = next().await;
    }
    assert_eq!((text(&seen).as_str(), seen.source.as_str(), seen.cell.as_str()), ("now", "source", "home"));
    assert!(tokio::time::timeout(Duration::from_millis(100), others.next()).await.is_err());
}

#[tokio::test]
async fn an_append_of_another_process_wakes_ours() {
    let house = House::start().await;
    let _upkeep = house.follow(noting());
    house.tell("ours").await;
    house.until_seen(&["ours"]).await;
    // No bell of this process rings for a row written behind its back; only the timer finds it.
    sqlx::query("insert into event_log (key, kind, payload, at, request_id, actor) values ($1, 'told', 'theirs', now(), 'r', 'service:source')")
        .bind(Uuid::nil())
        .execute(house.source.pool())
        .await
        .unwrap();
    house.until_seen(&["ours", "theirs"]).await;
}

#[tokio::test]
async fn the_log_is_append_only_for_the_application() {
    let house = House::start().await;
    house.tell("written").await;
    for statement in ["delete from event_log", "update event_log set kind = 'x'", "truncate event_log"] {
        let refused = sqlx::query(statement).execute(house.source.pool()).await.unwrap_err();
        assert!(refused.to_string().contains("permission denied"), "{statement}: {refused}");
    }
}
