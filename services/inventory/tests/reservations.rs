//! Reservations through the contract, on a real database: races, repeats, expiry, proof.
#![expect(clippy::unwrap_used, reason = "a test tells by panicking")]

use api_catalog::VariantId;
use api_inventory::inventory_client::InventoryClient;
use api_inventory::{
    ConfirmReservationRequest, GetStockRequest, ProveStockRequest, ReleaseReservationRequest, ReservationId, ReserveLine, ReserveRequest,
    ReserveResponse, RestockRequest, SetStocksLine, SetStocksRequest, Stock, VariantKey,
};
use kit_core::TenantId;
use kit_rpc::{Link, problem_of};
use kit_test::Market;
use service_inventory::MODULE;

type Client = InventoryClient<Link>;

struct Shop {
    market: Market,
    client: Client,
    tenant: TenantId,
}

impl Shop {
    async fn open() -> Self {
        let market = kit_test::start(&[&MODULE]).await;
        let client = InventoryClient::new(market.link("inventory"));
        let tenant = market.ids.next();
        Self { market, client, tenant }
    }

    /// A new variant with so many pieces.
    async fn variant(&self, pieces: i64) -> VariantId {
        let variant: VariantId = self.market.ids.next();
        let lines = vec![SetStocksLine { variant_id: variant.to_string(), quantity: pieces, ..Default::default() }];
        let request = SetStocksRequest { tenant_id: self.tenant.to_string(), lines, reference: "test".to_owned() };
        self.client.clone().set_stocks(self.market.service().request(request)).await.unwrap();
        variant
    }

    fn line(&self, variant: VariantId, quantity: i64) -> ReserveLine {
        ReserveLine { tenant_id: self.tenant.to_string(), variant_id: variant.to_string(), quantity }
    }

    fn order(&self) -> ReservationId {
        self.market.ids.next()
    }

    async fn reserve(&self, order: ReservationId, lines: Vec<ReserveLine>) -> Result<ReserveResponse, tonic::Status> {
        let request = ReserveRequest { reservation_id: order.to_string(), lines, hold_seconds: 0 };
        self.client.clone().reserve(self.market.service().request(request)).await.map(tonic::Response::into_inner)
    }

    async fn confirm(&self, order: ReservationId) -> Result<(), tonic::Status> {
        let request = ConfirmReservationRequest { reservation_id: order.to_string(), tenant_ids: vec![self.tenant.to_string()] };
        self.client.clone().confirm_reservation(self.market.service().request(request)).await.map(|_| ())
    }

    async fn release(&self, order: ReservationId, lines: Vec<VariantKey>) -> Result<i64, tonic::Status> {
        let request = ReleaseReservationRequest { reservation_id: order.to_string(), tenant_ids: vec![self.tenant.to_string()], lines };
        self.client.clone().release_reservation(self.market.service().request(request)).await.map(|answer| answer.into_inner().released)
    }

    async fn restock(&self, id: &str, order: ReservationId, lines: Vec<ReserveLine>) -> Result<(), tonic::Status> {
        let request = RestockRequest { restock_id: id.to_owned(), reservation_id: order.to_string(), lines, damaged: false };
        self.client.clone().restock(self.market.service().request(request)).await.map(|_| ())
    }

    async fn stock(&self, variant: VariantId) -> Stock {
        let variants = vec![VariantKey { tenant_id: self.tenant.to_string(), variant_id: variant.to_string() }];
        let request = self.market.service().request(GetStockRequest { variants });
        self.client.clone().get_stock(request).await.unwrap().into_inner().stocks.remove(0)
    }

    async fn counts(&self, variant: VariantId) -> (i64, i64) {
        let stock = self.stock(variant).await;
        (stock.available, stock.reserved)
    }

    /// The journal and the holds say what the stock says.
    async fn assert_proved(&self) {
        let proof =
            self.client.clone().prove_stock(self.market.operator(&["health.read"]).request(ProveStockRequest::default())).await.unwrap().into_inner();
        assert!(proof.mismatches.is_empty(), "{:?}", proof.mismatches);
        assert!(proof.entries > 0);
    }
}

fn reason(status: tonic::Status) -> String {
    problem_of(&status).reason
}

#[tokio::test(flavor = "multi_thread")]
async fn of_five_hundred_for_a_hundred_pieces_exactly_a_hundred_win() {
    let shop = std::sync::Arc::new(Shop::open().await);
    let variant = shop.variant(100).await;
    let buyers: Vec<_> = (0..500)
        .map(|_| {
            let shop = shop.clone();
            tokio::spawn(async move {
                let order = shop.order();
                let answer = shop.reserve(order, vec![shop.line(variant, 1)]).await.unwrap();
                (order, answer.reserved)
            })
        })
        .collect();
    let mut won = Vec::new();
    for buyer in buyers {
        let (order, reserved) = buyer.await.unwrap();
        won.extend(reserved.then_some(order));
    }
    assert_eq!(won.len(), 100);
    assert_eq!(shop.counts(variant).await, (0, 100));
    for order in won {
        shop.confirm(order).await.unwrap();
    }
    assert_eq!(shop.counts(variant).await, (0, 0));
    shop.assert_proved().await;
}

#[tokio::test]
async fn all_lines_or_none_and_the_answer_tells_what_is_left() {
    let shop = Shop::open().await;
    let (plenty, scarce) = (shop.variant(10).await, shop.variant(2).await);
    let answer = shop.reserve(shop.order(), vec![shop.line(plenty, 1), shop.line(scarce, 3)]).await.unwrap();
    assert!(!answer.reserved);
    let short: Vec<_> = answer.shortages.iter().map(|short| (short.variant_id.clone(), short.wanted, short.available)).collect();
    assert_eq!(short, [(scarce.to_string(), 3, 2)]);
    assert_eq!((shop.counts(plenty).await, shop.counts(scarce).await), ((10, 0), (2, 0)));
}

#[tokio::test]
async fn every_step_asked_again_happens_once() {
    let shop = Shop::open().await;
    let variant = shop.variant(5).await;
    let order = shop.order();
    for _ in 0..2 {
        assert!(shop.reserve(order, vec![shop.line(variant, 3)]).await.unwrap().reserved);
        assert_eq!(shop.counts(variant).await, (2, 3));
    }
    assert_eq!(reason(shop.reserve(order, vec![shop.line(variant, 1)]).await.unwrap_err()), "RESERVATION_DIFFERS");
    for _ in 0..2 {
        shop.confirm(order).await.unwrap();
        assert_eq!(shop.counts(variant).await, (2, 0));
    }
    assert_eq!(reason(shop.release(order, Vec::new()).await.unwrap_err()), "RESERVATION_CONFIRMED");
    for _ in 0..2 {
        shop.restock("part one", order, vec![shop.line(variant, 2)]).await.unwrap();
        assert_eq!(shop.counts(variant).await, (4, 0));
    }
    assert_eq!(reason(shop.restock("part two", order, vec![shop.line(variant, 2)]).await.unwrap_err()), "RESTOCK_EXCEEDS_SALE");
    shop.assert_proved().await;
}

#[tokio::test]
async fn a_hold_can_be_given_up_by_line() {
    let shop = Shop::open().await;
    let (mug, lamp) = (shop.variant(5).await, shop.variant(5).await);
    let order = shop.order();
    shop.reserve(order, vec![shop.line(mug, 2), shop.line(lamp, 1)]).await.unwrap();
    let only_mug = vec![VariantKey { tenant_id: shop.tenant.to_string(), variant_id: mug.to_string() }];
    assert_eq!(shop.release(order, only_mug.clone()).await.unwrap(), 2);
    assert_eq!(shop.release(order, only_mug).await.unwrap(), 0);
    assert_eq!((shop.counts(mug).await, shop.counts(lamp).await), ((5, 0), (4, 1)));
    assert_eq!(shop.release(shop.order(), Vec::new()).await.unwrap(), 0, "an unknown reservation is fine");
    shop.assert_proved().await;
}

#[tokio::test]
async fn a_hold_runs_out_by_the_job_and_by_the_next_buyer_in_need() {
    let shop = Shop::open().await;
    let variant = shop.variant(1).await;
    let (first, second, third) = (shop.order(), shop.order(), shop.order());
    assert!(shop.reserve(first, vec![shop.line(variant, 1)]).await.unwrap().reserved);
    assert!(!shop.reserve(second, vec![shop.line(variant, 1)]).await.unwrap().reserved);
    shop.market.clock.advance(chrono::Duration::minutes(10));
    assert!(shop.reserve(second, vec![shop.line(variant, 1)]).await.unwrap().reserved, "nobody waits for the job");
    assert_eq!(reason(shop.confirm(first).await.unwrap_err()), "RESERVATION_LOST");
    shop.market.clock.advance(chrono::Duration::minutes(10));
    shop.market.run_job("inventory", "expire_holds").await;
    assert_eq!(shop.counts(variant).await, (1, 0));
    assert_eq!(reason(shop.confirm(second).await.unwrap_err()), "RESERVATION_LOST");
    assert_eq!(reason(shop.confirm(third).await.unwrap_err()), "RESERVATION_NOT_FOUND");
    shop.assert_proved().await;
}

#[tokio::test]
async fn an_import_sets_thousands_of_counts_once() {
    let shop = Shop::open().await;
    let lines: Vec<SetStocksLine> = (0..3000)
        .map(|n| SetStocksLine { variant_id: shop.market.ids.next::<api_catalog::VariantKind>().to_string(), quantity: n % 7, ..Default::default() })
        .collect();
    let request = SetStocksRequest { tenant_id: shop.tenant.to_string(), lines, reference: "imp_test".to_owned() };
    let set = |request: SetStocksRequest| async {
        shop.client.clone().set_stocks(shop.market.service().request(request)).await.unwrap().into_inner().changed
    };
    let some = request.lines.iter().filter(|line| line.quantity > 0).count();
    assert_eq!(usize::try_from(set(request.clone()).await).unwrap(), some);
    assert_eq!(set(request).await, 0, "the same again changes nothing");
    shop.assert_proved().await;
}

#[tokio::test]
async fn only_services_may_hold_pieces() {
    let shop = Shop::open().await;
    let variant = shop.variant(1).await;
    let request = ReserveRequest { reservation_id: shop.order().to_string(), lines: vec![shop.line(variant, 1)], hold_seconds: 0 };
    for ctx in [shop.market.nobody(), shop.market.buyer(), shop.market.seller(shop.tenant, &["inventory.write"])] {
        assert!(shop.client.clone().reserve(ctx.request(request.clone())).await.is_err());
    }
    assert_eq!(shop.counts(variant).await, (1, 0));
}
