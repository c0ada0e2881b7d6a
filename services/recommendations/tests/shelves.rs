//! Shelves through the contract, with analytics and search as they are and the logs of catalog, inventory and tenants played.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test tells by panicking")]

mod world;

use std::time::Duration;

use api_analytics::BehaviourKind;
use api_recommendations::{
    ListExperimentsRequest, ListModelsRequest, ModelState, Placement, PublishModelRequest, ReasonKind, ShelfKind, StartExperimentRequest,
    StopExperimentRequest, Strategy, TrainModelRequest,
};
use kit_core::Code;
use kit_rpc::problem_of;
use world::{World, device};

const GOODS: [&str; 12] = [
    "Red stoneware mug",
    "Blue stoneware mug",
    "Green stoneware mug",
    "Stoneware bowl",
    "Wireless headphones",
    "Wired headphones",
    "Headphone stand",
    "Headphone case",
    "Garden hose",
    "Garden gloves",
    "Garden shears",
    "Watering can",
];

#[tokio::test(flavor = "multi_thread")]
async fn what_was_looked_at_a_moment_ago_is_on_the_shelves_within_seconds() {
    let world = World::begin(&GOODS).await;
    let [red, blue, ..] = world.goods.as_slice() else { panic!("goods") };
    let visitor = device(1);
    let home = || world.shelves(Placement::Home, &[], &visitor);
    assert!(home().await.shelves.is_empty(), "nobody has looked at anything yet");
    world.act(&device(1), BehaviourKind::View, &[red]).await;
    let took = world.until("a shelf for the visitor", || async { home().await.personalised }).await;
    assert!(took < Duration::from_secs(5), "{took:?}");
    let shelves = home().await.shelves;
    let for_you = shelves.iter().find(|shelf| shelf.kind() == ShelfKind::ForYou).unwrap();
    let first = &for_you.items[0];
    assert_eq!((first.reason(), &first.because_product_id), (ReasonKind::Similar, red), "no model yet: it is like what was looked at");
    let mugs = &world.goods[1..4];
    assert!(mugs.contains(&first.product_id) && for_you.items.iter().all(|item| item.product_id != *red));
    let viewed = shelves.iter().find(|shelf| shelf.kind() == ShelfKind::RecentlyViewed).unwrap();
    assert_eq!(viewed.items[0].product_id, *red);
    // What cannot be bought any more is not recommended.
    world.stock(blue, 0).await;
    let offers_blue = || async {
        world.shelves(Placement::Product, &[red], "").await.shelves.iter().any(|shelf| shelf.items.iter().any(|item| item.product_id == *blue))
    };
    world.until("the blue mug is gone", || async { !offers_blue().await }).await;
    // Another visitor sees what is popular.
    let other = world.shelves(Placement::Home, &[], &device(2)).await;
    assert!(!other.personalised && other.shelves.iter().all(|shelf| shelf.kind() == ShelfKind::Popular));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_is_trained_measured_published_and_rolled_back() {
    let world = World::begin(&GOODS).await;
    let staff = world.market.operator(&["recommendations.write"]);
    // Three kinds of visitors, each among its own four products.
    for visitor in 0..60 {
        let own = visitor % 3 * 4;
        let visit: Vec<&String> = (0..4).map(|step| &world.goods[own + (step + visitor / 3) % 4]).collect();
        world.act(&device(visitor), BehaviourKind::View, &visit).await;
    }
    world.market.settle().await;
    let mut client = world.client();
    let asked = client.train_model(staff.request(TrainModelRequest {})).await.unwrap().into_inner();
    assert_eq!(asked.state(), ModelState::Training);
    world.market.run_job("recommendations", "train_models").await;
    let models = || async { world.client().list_models(staff.request(ListModelsRequest::default())).await.unwrap().into_inner().models };
    let trained = models().await.remove(0);
    assert_eq!((trained.state(), trained.progress_percent, trained.events), (ModelState::Published, 100, 240));
    let (model, popularity) = (trained.measures.unwrap(), trained.popularity.unwrap());
    assert!(model.cases > 0 && model.recall_at_20 > 0.9, "{model:?}");
    assert!(model.ndcg_at_20 > popularity.ndcg_at_20, "{model:?} {popularity:?}");

    // A new visitor to the garden is shown the garden, because of what they looked at.
    world.act(&device(99), BehaviourKind::View, &[&world.goods[8]]).await;
    let by_others = || async {
        let shelves = world.shelves(Placement::Home, &[], &device(99)).await.shelves;
        let for_you = shelves.into_iter().find(|shelf| shelf.kind() == ShelfKind::ForYou)?;
        for_you.items.into_iter().next().filter(|item| item.reason() == ReasonKind::AlsoViewed)
    };
    world.until("the model serves", || async { by_others().await.is_some() }).await;
    let first = by_others().await.unwrap();
    assert!(world.goods[9..].contains(&first.product_id) && first.because_product_id == world.goods[8]);

    client.train_model(staff.request(TrainModelRequest {})).await.unwrap();
    world.market.run_job("recommendations", "train_models").await;
    let second = models().await.remove(0);
    assert_eq!((second.state(), models().await[1].state()), (ModelState::Published, ModelState::Ready));
    let back = PublishModelRequest { model_id: trained.model_id.clone() };
    assert_eq!(client.publish_model(staff.request(back)).await.unwrap().into_inner().state(), ModelState::Published);
    assert_eq!(models().await[0].state(), ModelState::Ready);
    let refused = client.list_models(world.market.buyer().request(ListModelsRequest::default())).await.unwrap_err();
    assert_eq!(problem_of(&refused).code, Code::Forbidden);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_experiment_counts_who_saw_opened_and_bought() {
    let world = World::begin(&GOODS).await;
    let staff = world.market.operator(&["recommendations.write"]);
    let mut client = world.client();
    let asked = |treatment: Strategy| StartExperimentRequest {
        name: "Popular instead".to_owned(),
        placement: Placement::Home.into(),
        treatment: treatment.into(),
        treatment_percent: 50,
    };
    let refused = client.start_experiment(staff.request(asked(Strategy::Hybrid))).await.unwrap_err();
    assert_eq!(problem_of(&refused).reason, "SAME_STRATEGY");
    let begun = client.start_experiment(staff.request(asked(Strategy::Popular))).await.unwrap().into_inner();
    let refused = client.start_experiment(staff.request(asked(Strategy::Content))).await.unwrap_err();
    assert_eq!(problem_of(&refused).reason, "EXPERIMENT_RUNNING");
    let shown = || async {
        world.client().list_experiments(staff.request(ListExperimentsRequest::default())).await.unwrap().into_inner().experiments.remove(0)
    };
    for visitor in 0..40 {
        world
            .until("the visitor is in the experiment", || async {
                world.shelves(Placement::Home, &[], &device(visitor)).await;
                visitor > 0 || shown().await.arms.iter().map(|arm| arm.exposed).sum::<u64>() == 1
            })
            .await;
    }
    world.click(&device(3), "shelf:home", &world.goods[0]).await;
    world.click(&device(4), "shelf:cart", &world.goods[0]).await;
    world.market.settle().await;
    let counted = shown().await;
    let sum = |of: fn(&api_recommendations::Arm) -> u64| counted.arms.iter().map(of).sum::<u64>();
    assert_eq!((sum(|arm| arm.exposed), sum(|arm| arm.clicked), sum(|arm| arm.bought)), (40, 1, 0), "a click elsewhere does not count here");
    assert!(counted.arms.iter().all(|arm| arm.exposed > 8), "both arms have visitors: {:?}", counted.arms);
    let lift = counted.lift.unwrap();
    assert!(lift.low < lift.value && lift.value < lift.high);
    let stop = StopExperimentRequest { experiment_id: begun.experiment_id };
    assert!(client.stop_experiment(staff.request(stop.clone())).await.unwrap().into_inner().stopped_at.is_some());
    assert_eq!(problem_of(&client.stop_experiment(staff.request(stop)).await.unwrap_err()).reason, "EXPERIMENT_ENDED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forgotten_subject_leaves_nothing_behind() {
    let world = World::begin(&GOODS).await;
    let buyer = world.market.buyer();
    world.consent(&buyer, true).await;
    world.act_as(&buyer, BehaviourKind::View, &[&world.goods[0]]).await;
    let personalised = || async { world.shelves_as(&buyer, Placement::Home).await.personalised };
    world.until("shelves follow the buyer", &personalised).await;
    world.consent(&buyer, false).await;
    world.market.settle().await;
    assert!(!personalised().await);
    let left: i64 = sqlx::query_scalar("select count(*) from recommendations.trail").fetch_one(&mut world.market.owner().await).await.unwrap();
    assert_eq!(left, 0);
}
