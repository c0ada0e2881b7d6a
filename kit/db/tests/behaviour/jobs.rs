//! Jobs: one runner at a time, panics contained, overdue ones seen. And idempotency keys.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::support::House;
use chrono::Duration as Span;
use futures::FutureExt;
use kit_core::Clock;
use kit_db::{Earlier, Upkeep};

fn upkeep(house: &House) -> Upkeep {
    Upkeep::new(house.mirror.clone(), Clock::System, house.stop.clone())
}

#[tokio::test]
async fn a_job_runs_by_its_timer_and_on_demand() {
    let house = House::start().await;
    let upkeep = upkeep(&house);
    let runs = Arc::new(AtomicUsize::new(0));
    let counting = {
        let runs = runs.clone();
        move || {
            runs.fetch_add(1, Ordering::SeqCst);
            async { Ok(()) }.boxed()
        }
    };
    upkeep.every("often", Duration::from_millis(50), counting.clone());
    upkeep.every("seldom", Duration::from_secs(3600), counting);
    upkeep.start();
    tokio::time::sleep(Duration::from_millis(500)).await;
    let by_timer = runs.load(Ordering::SeqCst);
    assert!((2..=10).contains(&by_timer), "{by_timer}");
    assert_eq!(upkeep.run_now("seldom").await, Ok(()));
    assert!(upkeep.run_now("unknown").await.is_err());
    assert!(upkeep.signal("seldom") && !upkeep.signal("unknown"));
    let states = upkeep.job_states().await.unwrap();
    assert!(states.iter().all(|state| state.last_succeeded.is_some() && !state.overdue), "{states:?}");
    house.stop.cancel();
    tokio::time::timeout(Duration::from_secs(5), upkeep.stopped()).await.unwrap();
}

#[tokio::test]
async fn a_failing_job_is_told_and_becomes_overdue_and_the_process_lives_on() {
    let house = House::start().await;
    let upkeep = upkeep(&house);
    upkeep.every("failing", Duration::from_millis(30), || async { anyhow::bail!("no luck") }.boxed());
    upkeep.every("panicking", Duration::from_millis(30), || async { panic!("asked to") }.boxed());
    upkeep.start();
    assert_eq!(upkeep.run_now("failing").await, Err("no luck".to_owned()));
    assert_eq!(upkeep.run_now("panicking").await, Err("the job panicked".to_owned()));
    for _ in 0..200 {
        let states = upkeep.job_states().await.unwrap();
        if states.iter().all(|state| state.overdue) {
            assert_eq!(states[0].last_error.as_deref(), Some("no luck"));
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{:?}", upkeep.job_states().await.unwrap());
}

#[tokio::test]
async fn a_job_that_does_not_begin_or_does_not_end_is_overdue() {
    let house = House::start().await;
    let upkeep = upkeep(&house);
    upkeep.every("endless", Duration::from_millis(20), || std::future::pending().boxed());
    upkeep.every("locked out", Duration::from_millis(20), || async { Ok(()) }.boxed());
    let mut elsewhere = house.mirror.pool().begin().await.unwrap();
    sqlx::query("select pg_advisory_xact_lock(hashtext(current_schema()), hashtext('locked out'))").execute(&mut *elsewhere).await.unwrap();
    upkeep.start();
    let overdue = async || upkeep.job_states().await.unwrap().into_iter().filter(|state| state.overdue).count();
    for _ in 0..200 {
        if overdue().await == 2 {
            elsewhere.rollback().await.unwrap();
            tokio::time::sleep(Duration::from_millis(300)).await;
            assert_eq!(overdue().await, 1, "the one that may run again does");
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{:?}", upkeep.job_states().await.unwrap());
}

#[tokio::test]
async fn a_job_that_fell_due_while_no_process_ran_runs_soon_after_the_start() {
    let house = House::start().await;
    sqlx::query(
        "insert into job_run (job, every_ms, last_started, last_succeeded) values ('daily', 1, now() - interval '2 days', now() - interval '2 days')",
    )
    .execute(house.mirror.pool())
    .await
    .unwrap();
    let upkeep = upkeep(&house);
    upkeep.every("daily", Duration::from_secs(86_400), || async { Ok(()) }.boxed());
    upkeep.start();
    for _ in 0..500 {
        if upkeep.job_states().await.unwrap()[0].last_succeeded.is_some_and(|at| Clock::System.now() - at < Span::hours(1)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{:?}", upkeep.job_states().await.unwrap());
}

#[tokio::test]
async fn one_runner_at_a_time_among_all_processes() {
    let house = House::start().await;
    let (running, most, runs) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    for _ in 0..3 {
        let upkeep = upkeep(&house);
        let (running, most, runs) = (running.clone(), most.clone(), runs.clone());
        upkeep.every("alone", Duration::from_millis(20), move || {
            let (running, most, runs) = (running.clone(), most.clone(), runs.clone());
            async move {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(30)).await;
                running.fetch_sub(1, Ordering::SeqCst);
                runs.fetch_add(1, Ordering::SeqCst);
                Ok(())
            }
            .boxed()
        });
        upkeep.start();
    }
    tokio::time::sleep(Duration::from_millis(800)).await;
    assert!(runs.load(Ordering::SeqCst) > 2);
    assert_eq!(most.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_idempotency_key_is_answered_once_and_replayed_after() {
    let house = House::start().await;
    let (db, now) = (&house.mirror, Clock::System.now());
    assert_eq!(db.idempotency_start("usr_1", "k", b"pay 5", now).await.unwrap(), Earlier::Nothing);
    assert_eq!(db.idempotency_start("usr_1", "k", b"pay 5", now).await.unwrap(), Earlier::Running);
    assert_eq!(db.idempotency_start("usr_1", "k", b"pay 6", now).await.unwrap(), Earlier::OtherRequest);
    assert_eq!(db.idempotency_start("usr_2", "k", b"pay 5", now).await.unwrap(), Earlier::Nothing, "keys belong to their callers");
    assert_eq!(db.idempotency_start("usr_1", "k", b"pay 5", now + Span::minutes(5)).await.unwrap(), Earlier::Nothing, "its process died");
    db.idempotency_answered("usr_1", "k", b"paid").await.unwrap();
    assert_eq!(db.idempotency_start("usr_1", "k", b"pay 5", now).await.unwrap(), Earlier::Answered(b"paid".to_vec()));
    db.idempotency_abandoned("usr_2", "k").await.unwrap();
    assert_eq!(db.idempotency_start("usr_2", "k", b"other", now).await.unwrap(), Earlier::Nothing);
    assert_eq!(db.idempotency_forget(now + Span::days(1)).await.unwrap(), 2);
}
