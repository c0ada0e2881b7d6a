//! Recording through the contract, on a real database: consent first, pseudonyms after.
#![expect(clippy::unwrap_used, reason = "a test tells by panicking")]

use api_analytics::analytics_client::AnalyticsClient;
use api_analytics::{BehaviourEvent, BehaviourKind, GetConsentRequest, GetIntakeRequest, IdentifyRequest, RecordEventsRequest, SetConsentRequest};
use api_catalog::ProductKind;
use kit_core::Code;
use kit_rpc::{Ctx, Link, problem_of};
use kit_test::Market;
use service_analytics::MODULE;

const DEVICE: &str = "0123456789abcdef0123456789abcdef";

struct World {
    market: Market,
}

impl World {
    async fn begin() -> Self {
        Self { market: kit_test::start(&[&MODULE]).await }
    }

    fn analytics(&self) -> AnalyticsClient<Link> {
        AnalyticsClient::new(self.market.link("analytics"))
    }

    fn view(&self) -> BehaviourEvent {
        let product = self.market.ids.next::<ProductKind>();
        BehaviourEvent { kind: BehaviourKind::View.into(), product_id: product.to_string(), ..Default::default() }
    }

    async fn record(&self, ctx: &Ctx, visitor: &str, consented: bool, events: Vec<BehaviourEvent>) -> u32 {
        let request = RecordEventsRequest { visitor_id: visitor.to_owned(), consented, events };
        self.analytics().record_events(ctx.request(request)).await.unwrap().into_inner().recorded
    }

    async fn subject(&self, user: Option<&Ctx>, visitor: &str) -> String {
        let on_behalf_of = user.and_then(Ctx::user);
        let ctx = Ctx { on_behalf_of, ..self.market.service() };
        self.analytics().identify(ctx.request(IdentifyRequest { visitor_id: visitor.to_owned() })).await.unwrap().into_inner().subject_id
    }

    async fn choose(&self, ctx: &Ctx, given: bool, visitor: &str) {
        let request = SetConsentRequest { given, visitor_id: visitor.to_owned() };
        assert_eq!(self.analytics().set_consent(ctx.request(request)).await.unwrap().into_inner().given, given);
    }

    /// How many entries of each kind the log holds, and whether any of them names this text.
    async fn log(&self, kind: &str, text: &str) -> (i64, bool) {
        let mut db = self.market.owner().await;
        let query = sqlx::query_as(
            "select count(*) filter (where kind = $1), coalesce(bool_or(strpos(encode(payload, 'escape') || actor || coalesce(host(address), ''), $2) > 0), false)
             from analytics.event_log",
        );
        query.bind(kind).bind(text).fetch_one(&mut db).await.unwrap()
    }
}

#[tokio::test]
async fn nothing_is_recorded_of_who_did_not_agree() {
    let world = World::begin().await;
    let (nobody, buyer) = (world.market.nobody(), world.market.buyer());
    assert_eq!(world.record(&nobody, DEVICE, false, vec![world.view()]).await, 0);
    assert_eq!(world.record(&buyer, "", false, vec![world.view()]).await, 0);
    assert_eq!(world.record(&nobody, DEVICE, true, vec![world.view(), world.view()]).await, 2);
    world.choose(&buyer, false, "").await;
    assert_eq!(world.record(&buyer, DEVICE, true, vec![world.view()]).await, 0, "the account's choice goes before the device's");
    assert_eq!(world.log("behaviour_recorded", DEVICE).await, (1, false), "one entry for one request, and it does not name the device");
}

#[tokio::test]
async fn withdrawing_cuts_the_tie_and_tells_everybody_to_forget() {
    let world = World::begin().await;
    let buyer = world.market.buyer();
    world.choose(&buyer, true, DEVICE).await;
    let before = world.subject(Some(&buyer), "").await;
    assert_eq!(before, world.subject(None, DEVICE).await, "what the device did before belongs to the account");
    world.record(&buyer, "", false, vec![world.view()]).await;
    world.choose(&buyer, false, "").await;
    assert_eq!(world.subject(Some(&buyer), "").await, "");
    world.choose(&buyer, true, "").await;
    let after = world.subject(Some(&buyer), "").await;
    assert!(!after.is_empty() && after != before);
    assert_eq!(world.log("subject_forgotten", &buyer.actor_text()).await, (1, false));
    let consent = world.analytics().get_consent(buyer.request(GetConsentRequest {})).await.unwrap().into_inner();
    assert!(consent.given && consent.changed_at.is_some());
}

#[tokio::test]
async fn one_wrong_event_refuses_the_whole_request_and_says_which() {
    let world = World::begin().await;
    let purchase = BehaviourEvent { kind: BehaviourKind::Purchase.into(), ..world.view() };
    let request = RecordEventsRequest { visitor_id: DEVICE.to_owned(), consented: true, events: vec![world.view(), purchase] };
    let refused = world.analytics().record_events(world.market.nobody().request(request)).await.unwrap_err();
    let problem = problem_of(&refused);
    assert_eq!((problem.code, problem.violations[0].field.as_str()), (Code::Invalid, "events[1].kind"));
    assert_eq!(world.log("behaviour_recorded", DEVICE).await.0, 0);
}

#[tokio::test]
async fn intake_counts_what_came_in_and_only_staff_sees_it() {
    let world = World::begin().await;
    let nobody = world.market.nobody();
    let many: Vec<BehaviourEvent> = (0..40).map(|number| BehaviourEvent { visitor_id: format!("{DEVICE}{}", number % 4), ..world.view() }).collect();
    assert_eq!(world.record(&nobody, "", true, many).await, 40);
    let staff = world.market.operator(&["analytics.read"]);
    let intake = world.analytics().get_intake(staff.request(GetIntakeRequest { minutes: 5 })).await.unwrap().into_inner().minutes;
    assert_eq!(intake.iter().map(|minute| (minute.kind(), minute.events)).collect::<Vec<_>>(), [(BehaviourKind::View, 40)]);
    assert_eq!(world.log("behaviour_recorded", DEVICE).await, (4, false), "one entry for each visitor");
    let refused = world.analytics().get_intake(world.market.buyer().request(GetIntakeRequest::default())).await.unwrap_err();
    assert_eq!(problem_of(&refused).code, Code::Forbidden);
}
