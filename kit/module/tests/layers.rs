//! The layers around a service, met through its generated client.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test tells by panicking")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use kit_core::Code;
use kit_rpc::{Ctx, problem_of};
use kit_sample::Stand;
use kit_sample::api::*;
use tonic::Status;

fn book(title: &str) -> AddBookRequest {
    AddBookRequest { title: title.to_owned(), copies: 1, ..Default::default() }
}

fn keyed(ctx: Ctx, key: &str) -> Ctx {
    Ctx { idempotency_key: Some(key.into()), ..ctx }
}

fn refused<T: std::fmt::Debug>(answer: Result<T, Status>) -> (Code, String) {
    let problem = problem_of(&answer.expect_err("a refusal"));
    (problem.code, problem.reason)
}

fn fields<T: std::fmt::Debug>(answer: Result<T, Status>) -> Vec<String> {
    problem_of(&answer.expect_err("a refusal")).violations.into_iter().map(|v| format!("{} {}", v.field, v.message)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_call_passes_the_layers() {
    let stand = Stand::open().await.unwrap();
    only_those_whom_the_contract_names_may_call(&stand).await;
    a_request_is_checked_whole_before_the_service_sees_it(&stand).await;
    a_repeated_write_is_answered_and_not_repeated(&stand).await;
    what_breaks_is_this_calls_failure_only(&stand).await;
    a_context_between_processes_is_needed(&stand).await;
    stand.house.stop().await;
}

async fn only_those_whom_the_contract_names_may_call(stand: &Stand) {
    let mut shelf = stand.shelf().unwrap();
    let nobody = || Ctx::anonymous("test");
    shelf.list_books(nobody().request(ListBooksRequest::default())).await.unwrap();
    assert_eq!(refused(shelf.add_book(nobody().request(book("x"))).await), (Code::Unauthenticated, "SIGN_IN_REQUIRED".to_owned()));
    shelf.add_book(stand.buyer().request(book("x"))).await.unwrap();
    let count = CountBooksRequest {};
    assert_eq!(refused(shelf.count_books(stand.operator("catalog.write").request(count)).await), (Code::Forbidden, "FORBIDDEN".to_owned()));
    assert_eq!(shelf.count_books(Ctx::service("test", "test").request(count)).await.unwrap().into_inner().count, 1);
    let unseen = shelf.add_book(stand.buyer().request(book("\u{202e} \u{200b}"))).await.unwrap_err();
    assert_eq!(kit_rpc::problem_of(&unseen).message, "title: is required");
    let update = || UpdateBookRequest { book_id: format!("bok_{}", "0".repeat(32)), ..Default::default() };
    assert_eq!(refused(shelf.update_book(stand.buyer().request(update())).await), (Code::Forbidden, "NO_TENANT".to_owned()));
    let of_several = Ctx { sells: true, ..stand.buyer() };
    assert_eq!(refused(shelf.update_book(of_several.request(update())).await), (Code::Forbidden, "TENANT_REQUIRED".to_owned()));
    let elsewhere = stand.seller(stand.ids.next(), "orders.write");
    assert_eq!(refused(shelf.update_book(elsewhere.request(update())).await), (Code::Forbidden, "FORBIDDEN".to_owned()));
    let seller = stand.seller(stand.ids.next(), "catalog.write");
    assert_eq!(refused(shelf.update_book(seller.request(update())).await), (Code::NotFound, "BOOK_NOT_FOUND".to_owned()));
}

async fn a_request_is_checked_whole_before_the_service_sees_it(stand: &Stand) {
    let mut shelf = stand.shelf().unwrap();
    let wrong = AddBookRequest {
        title: "x".repeat(41),
        genre: 7,
        pages: vec![
            Page { number: 1, text: String::new() },
            Page { number: 0, text: "y".repeat(21) },
            Page { number: 10_000, ..Default::default() },
            Page { number: 2, ..Default::default() },
        ],
        copies: -3,
        language: "fr".to_owned(),
        shop_id: "ten_1".to_owned(),
        ..Default::default()
    };
    assert_eq!(
        fields(shelf.add_book(stand.buyer().request(wrong)).await),
        [
            "title must be at most 40 characters long",
            "genre is not a known value",
            "pages[1].text must be at most 20 characters long",
            "pages[1].number must be between 1 and 9999",
            "pages[2].number must be between 1 and 9999",
            "copies must be at least 1",
            "language must be one of en, de",
            "shop_id must be an id: \"ten_\" followed by 32 hexadecimal digits",
            "pages must have at most 3 items",
        ]
    );
    assert_eq!(fields(shelf.add_book(stand.buyer().request(AddBookRequest::default())).await), ["title is required", "copies must be at least 1"]);
    shelf.add_book(stand.buyer().request(book(&"ü".repeat(40)))).await.expect("forty characters, though eighty bytes");
}

async fn a_repeated_write_is_answered_and_not_repeated(stand: &Stand) {
    let buyer = stand.buyer();
    let add = |ctx: &Ctx, title: &str| {
        let (mut shelf, request) = (stand.shelf().unwrap(), ctx.request(book(title)));
        async move { shelf.add_book(request).await.map(|answer| answer.into_inner().book.unwrap().book_id) }
    };
    let first = add(&keyed(buyer.clone(), "k1"), "Emma").await.unwrap();
    assert_eq!(add(&keyed(buyer.clone(), "k1"), "Emma").await.unwrap(), first);
    assert_eq!(refused(add(&keyed(buyer.clone(), "k1"), "Persuasion").await), (Code::Refused, "IDEMPOTENCY_KEY_REUSED".to_owned()));
    assert_ne!(add(&keyed(stand.buyer(), "k1"), "Emma").await.unwrap(), first, "keys are each caller's own");
    let full = refused(add(&keyed(buyer.clone(), "k2"), "one too many").await);
    assert_eq!(full, (Code::Conflict, "SHELF_FULL".to_owned()));
    assert_eq!(refused(add(&keyed(buyer.clone(), "k2"), "one too many").await), full, "a definite refusal is repeated too");
    for how in [break_request::How::Unspecified, break_request::How::Internal] {
        let answer = stand.shelf().unwrap().r#break(keyed(buyer.clone(), "k1").request(BreakRequest { how: how.into() })).await;
        assert_eq!(answer.is_ok(), how == break_request::How::Unspecified, "what anybody may call is neither kept nor replayed: {answer:?}");
    }
    let ctx = Arc::new(keyed(buyer, "k3"));
    let answers = futures::future::join_all((0..20).map(|_| add(&ctx, "Once"))).await;
    let made: std::collections::BTreeSet<_> = answers.iter().filter_map(|answer| answer.as_ref().ok()).collect();
    assert_eq!(made.len(), 1, "twenty at once make one book");
    for answer in answers.iter().filter(|answer| answer.is_err()) {
        assert_eq!(problem_of(answer.as_ref().unwrap_err()).reason, "IDEMPOTENCY_KEY_IN_USE");
    }
}

async fn what_breaks_is_this_calls_failure_only(stand: &Stand) {
    let mut shelf = stand.shelf().unwrap();
    let nobody = Ctx::anonymous("test");
    let how = |how: break_request::How| BreakRequest { how: how.into() };
    for broken in [break_request::How::Panic, break_request::How::Internal] {
        let status = shelf.r#break(nobody.request(how(broken))).await.unwrap_err();
        assert_eq!(problem_of(&status).code, Code::Internal);
        assert!(!status.message().contains("secret"), "causes are logged, not told: {}", status.message());
    }
    let hurried = Ctx { deadline: Some(Instant::now() + Duration::from_millis(50)), ..nobody.clone() };
    let started = Instant::now();
    assert_eq!(refused(shelf.r#break(hurried.request(how(break_request::How::Hang))).await).0, Code::Timeout);
    assert!(started.elapsed() < Duration::from_secs(2));
    shelf.r#break(nobody.request(how(break_request::How::Unspecified))).await.unwrap();
}

async fn a_context_between_processes_is_needed(stand: &Stand) {
    let status = stand.shelf().unwrap().list_books(ListBooksRequest::default()).await.unwrap_err();
    assert_eq!(status.message(), "the call carries no context");
}
