//! A seller's shipping methods, and what they cost.

use api_fulfillment::{
    CreateShippingMethodRequest, DeleteShippingMethodRequest, ListShippingMethodsRequest, Parcel, QuoteShippingRequest, RateKind, RateTier,
    ShippingMethod, ShippingTerms, UpdateShippingMethodRequest,
};
use api_identity::SignUpRequest;
use api_identity::identity_client::IdentityClient;
use api_tenants::tenants_client::TenantsClient;
use api_tenants::{ApplyRequest, ApproveRequest, Business};
use kit_rpc::Ctx;
use kit_rpc::proto::Money;
use tonic::Status;

use crate::stand::{Shop, Stand, fields, reason};

pub(crate) fn flat(name: &str, price: i64) -> ShippingTerms {
    ShippingTerms {
        name: name.to_owned(),
        rate: RateKind::Flat.into(),
        currency: "USD".to_owned(),
        flat_minor: price,
        min_days: 1,
        max_days: 3,
        ..ShippingTerms::default()
    }
}

/// Up to 1000 for 5.00, up to 5000 for 9.00.
fn table(name: &str, rate: RateKind) -> ShippingTerms {
    let tiers = vec![RateTier { up_to: 1_000, price_minor: 500 }, RateTier { up_to: 5_000, price_minor: 900 }];
    ShippingTerms { rate: rate.into(), tiers, ..flat(name, 0) }
}

pub(crate) async fn create(stand: &Stand, shop: &Shop, terms: ShippingTerms) -> Result<ShippingMethod, Status> {
    let create = CreateShippingMethodRequest { terms: Some(terms) };
    Ok(stand.client().create_shipping_method(shop.seller.request(create)).await?.into_inner().method.unwrap())
}

async fn update(stand: &Stand, shop: &Shop, method: &ShippingMethod, terms: ShippingTerms, version: Option<u32>) -> Result<ShippingMethod, Status> {
    let update = UpdateShippingMethodRequest { shipping_method_id: method.shipping_method_id.clone(), terms: Some(terms), if_version: version };
    Ok(stand.client().update_shipping_method(shop.seller.request(update)).await?.into_inner().method.unwrap())
}

async fn delete(stand: &Stand, shop: &Shop, method: &ShippingMethod) -> Result<(), Status> {
    let delete = DeleteShippingMethodRequest { shipping_method_id: method.shipping_method_id.clone() };
    stand.client().delete_shipping_method(shop.seller.request(delete)).await.map(|_| ())
}

pub(crate) async fn methods(stand: &Stand, shop: &Shop) -> Vec<ShippingMethod> {
    let list = ListShippingMethodsRequest {};
    stand.client().list_shipping_methods(shop.seller.request(list)).await.unwrap().into_inner().methods
}

fn names(methods: &[ShippingMethod]) -> Vec<&str> {
    methods.iter().map(|method| method.terms.as_ref().unwrap().name.as_str()).collect()
}

fn parcel(shop: &Shop, weight_grams: u64, goods: i64, currency: &str) -> Parcel {
    let goods = Money { amount_minor: goods, currency: currency.to_owned() };
    Parcel { tenant_id: shop.tenant.to_string(), weight_grams, goods: Some(goods) }
}

/// For each parcel (method, price) in the order offered.
async fn quotes(stand: &Stand, parcels: Vec<Parcel>, country: &str) -> Vec<Vec<(String, i64)>> {
    let ask = QuoteShippingRequest { parcels: parcels.clone(), country: country.to_owned() };
    let quotes = stand.client().quote_shipping(stand.market.service().request(ask)).await.unwrap().into_inner().quotes;
    assert_eq!(quotes.iter().map(|quote| &quote.tenant_id).collect::<Vec<_>>(), parcels.iter().map(|parcel| &parcel.tenant_id).collect::<Vec<_>>());
    let offers = quotes.into_iter().map(|quote| quote.options.into_iter().map(|option| (option.name, option.price.unwrap().amount_minor)).collect());
    offers.collect()
}

/// What a parcel of this shop to the United States is offered.
async fn offered(stand: &Stand, shop: &Shop, weight_grams: u64, goods: i64) -> Vec<(String, i64)> {
    quotes(stand, vec![parcel(shop, weight_grams, goods, "USD")], "US").await.remove(0)
}

fn offers(expected: &[(&str, i64)]) -> Vec<(String, i64)> {
    expected.iter().map(|(name, price)| ((*name).to_owned(), *price)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn prices_follow_the_kind_of_rate() {
    let stand = Stand::open().await;
    let (by_weight, by_price, free) = (stand.shop(), stand.shop(), stand.shop());
    create(&stand, &by_weight, table("Post", RateKind::ByWeight)).await.unwrap();
    create(&stand, &by_price, table("Post", RateKind::ByPrice)).await.unwrap();
    create(&stand, &free, ShippingTerms { free_above_minor: Some(5_000), ..flat("Courier", 499) }).await.unwrap();
    let none: &[(&str, i64)] = &[];
    for (amount, expected) in
        [(1, &[("Post", 500)][..]), (1_000, &[("Post", 500)]), (1_001, &[("Post", 900)]), (5_000, &[("Post", 900)]), (5_001, none)]
    {
        assert_eq!(offered(&stand, &by_weight, amount, 99_999).await, offers(expected), "{amount} g");
        assert_eq!(offered(&stand, &by_price, 99_999, i64::try_from(amount).unwrap()).await, offers(expected), "{amount} cents");
    }
    for (goods, price) in [(4_999, 499), (5_000, 0), (5_001, 0)] {
        assert_eq!(offered(&stand, &free, 1, goods).await, offers(&[("Courier", price)]), "goods for {goods}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cheapest_comes_first_then_the_fastest_and_only_what_serves_the_country() {
    let stand = Stand::open().await;
    let shop = stand.shop();
    create(&stand, &shop, ShippingTerms { max_days: 9, ..flat("Slow", 500) }).await.unwrap();
    create(&stand, &shop, ShippingTerms { max_days: 2, ..flat("Fast", 500) }).await.unwrap();
    create(&stand, &shop, flat("Dear", 900)).await.unwrap();
    create(&stand, &shop, ShippingTerms { countries: vec!["de".to_owned(), "FR".to_owned()], ..flat("Abroad", 100) }).await.unwrap();
    let to = async |country: &str| quotes(&stand, vec![parcel(&shop, 1, 1_000, "USD")], country).await.remove(0);
    assert_eq!(to("US").await, offers(&[("Fast", 500), ("Slow", 500), ("Dear", 900)]));
    assert_eq!(to("DE").await, offers(&[("Abroad", 100), ("Fast", 500), ("Slow", 500), ("Dear", 900)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_seller_is_quoted_with_its_own_methods_in_the_currency_of_the_goods() {
    let stand = Stand::open().await;
    let (anna, ben, new) = (stand.shop(), stand.shop(), stand.shop());
    create(&stand, &anna, flat("Anna's", 300)).await.unwrap();
    create(&stand, &ben, flat("Ben's", 400)).await.unwrap();
    let asked = vec![parcel(&ben, 1, 1_000, "USD"), parcel(&anna, 1, 1_000, "USD"), parcel(&new, 1, 1_000, "JPY")];
    let house = offers(&[("Standard", 600), ("Express", 1_800)]);
    assert_eq!(
        quotes(&stand, asked, "US").await,
        [offers(&[("Ben's", 400)]), offers(&[("Anna's", 300)]), house],
        "who never had any gets the house's"
    );
    // Nobody but services prices a basket for a seller.
    for outsider in [stand.market.nobody(), stand.market.buyer(), anna.seller.clone()] {
        let ask = QuoteShippingRequest { parcels: vec![parcel(&anna, 1, 1_000, "USD")], country: "US".to_owned() };
        assert!(stand.client().quote_shipping(outsider.request(ask)).await.is_err(), "{outsider:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_method_changes_at_once_under_its_version() {
    let stand = Stand::open().await;
    let shop = stand.shop();
    let made = create(&stand, &shop, flat("Courier", 500)).await.unwrap();
    assert_eq!(offered(&stand, &shop, 1, 1_000).await, offers(&[("Courier", 500)]));
    let changed = update(&stand, &shop, &made, flat("Courier", 700), Some(made.version)).await.unwrap();
    assert_eq!((changed.version, methods(&stand, &shop).await), (made.version + 1, vec![changed.clone()]));
    assert_eq!(offered(&stand, &shop, 1, 1_000).await, offers(&[("Courier", 700)]), "no old price is quoted");
    assert_eq!(reason(update(&stand, &shop, &made, flat("Courier", 1), Some(made.version)).await), "STALE_VERSION");
    assert_eq!(update(&stand, &shop, &made, flat("Courier", 800), None).await.unwrap().version, made.version + 2);

    delete(&stand, &shop, &made).await.unwrap();
    assert_eq!(reason(delete(&stand, &shop, &made).await), "METHOD_NOT_FOUND");
    assert_eq!(reason(update(&stand, &shop, &made, flat("Courier", 1), None).await), "METHOD_NOT_FOUND");
    assert!(methods(&stand, &shop).await.is_empty());
    assert!(offered(&stand, &shop, 1, 1_000).await.is_empty(), "who took the last one back does not get the house's again");
}

#[tokio::test(flavor = "multi_thread")]
async fn terms_that_cannot_be_are_refused_by_their_field() {
    let stand = Stand::open_with("max_methods = 2\n").await;
    let shop = stand.shop();
    let tier = |up_to| RateTier { up_to, price_minor: 100 };
    let wrong = [
        (ShippingTerms { name: String::new(), ..flat("", 1) }, "terms.name"),
        (ShippingTerms { rate: 0, ..flat("Courier", 1) }, "terms.rate"),
        (ShippingTerms { currency: "dollars".to_owned(), ..flat("Courier", 1) }, "terms.currency"),
        (ShippingTerms { currency: "XXQ".to_owned(), ..flat("Courier", 1) }, "terms.currency"),
        (flat("Courier", -1), "terms.flat_minor"),
        (ShippingTerms { countries: vec!["USA".to_owned()], ..flat("Courier", 1) }, "terms.countries"),
        (ShippingTerms { min_days: 4, ..flat("Courier", 1) }, "terms.max_days"),
        (ShippingTerms { tiers: vec![], ..table("Post", RateKind::ByWeight) }, "terms.tiers"),
        (ShippingTerms { tiers: vec![tier(500), tier(500)], ..table("Post", RateKind::ByPrice) }, "terms.tiers"),
    ];
    for (terms, field) in wrong {
        assert_eq!(fields(create(&stand, &shop, terms.clone()).await), [field], "{terms:?}");
    }
    assert!(methods(&stand, &shop).await.is_empty());
    let once = Shop { tenant: shop.tenant, seller: Ctx { idempotency_key: Some("once".into()), ..shop.seller.clone() } };
    let made = create(&stand, &once, flat("Courier", 500)).await.unwrap();
    assert_eq!(create(&stand, &once, flat("Courier", 500)).await.unwrap(), made, "the same request, not a second method");
    create(&stand, &shop, flat("Express", 900)).await.unwrap();
    assert_eq!(reason(create(&stand, &shop, flat("Third", 1)).await), "METHOD_LIMIT");
    assert_eq!(names(&methods(&stand, &shop).await), ["Courier", "Express"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_can_ship_as_soon_as_it_is_approved() {
    let stand = Stand::open().await;
    let sign_up = SignUpRequest { email: "anna@example.com".to_owned(), password: "seven blue kettles".to_owned(), ..SignUpRequest::default() };
    let mut identity = IdentityClient::new(stand.market.link("identity"));
    let session = identity.sign_up(stand.market.nobody().request(sign_up)).await.unwrap().into_inner().session.unwrap();
    let owner = stand.market.buyer_as(session.user.unwrap().user_id.parse().unwrap());
    let business = Business {
        legal_name: "Anna Ltd".to_owned(),
        contact_email: "anna@example.com".to_owned(),
        address: "1 Kiln Lane".to_owned(),
        ..Business::default()
    };
    let apply = ApplyRequest {
        store_name: "Anna's Mugs".to_owned(),
        business: Some(business),
        country: "DE".to_owned(),
        currency: "EUR".to_owned(),
        ..ApplyRequest::default()
    };
    let mut tenants = TenantsClient::new(stand.market.link("tenants"));
    let tenant_id = tenants.apply(owner.request(apply)).await.unwrap().into_inner().tenant.unwrap().tenant_id;
    let tenant = tenant_id.parse().unwrap();
    let shop = Shop { tenant, seller: stand.market.seller(tenant, &["fulfillment.read", "fulfillment.write"]) };
    stand.market.settle().await;
    assert!(methods(&stand, &shop).await.is_empty(), "an application ships nothing");

    let approve = ApproveRequest { tenant_id, ..ApproveRequest::default() };
    tenants.approve(stand.market.operator(&["tenants.write"]).request(approve)).await.unwrap();
    stand.market.settle().await;
    let seeded = methods(&stand, &shop).await;
    assert_eq!(names(&seeded), ["Standard", "Express"]);
    assert!(seeded.iter().all(|method| method.terms.as_ref().unwrap().currency == "EUR"));
    let ask = async |goods| quotes(&stand, vec![parcel(&shop, 1, goods, "EUR")], "DE").await.remove(0);
    assert_eq!(ask(4_989).await, offers(&[("Standard", 499), ("Express", 1_497)]));
    assert_eq!(ask(4_990).await, offers(&[("Standard", 0), ("Express", 1_497)]), "free above ten times its price");
}
