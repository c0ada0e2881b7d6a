//! The shelves of a page: who is it for, what did they do, what could stand there, what of it can be bought.

use std::collections::HashSet;
use std::sync::Arc;

use api_analytics::{BehaviourKind, IdentifyRequest, SubjectId};
use api_catalog::ProductId;
use api_recommendations::{Placement, ReasonKind, ShelfKind, Strategy};
use api_search::{GetListingsRequest, StockState};
use kit_db::Scope;
use kit_rpc::Ctx;
use uuid::Uuid;

use super::{Exposed, Present, Recommendations};
use crate::error::Error;
use crate::model::EVERYBODYS;
use crate::models::blend::{Did, Pick};
use crate::store::{self, Step};

/// What cannot be bought falls out, so more is found than asked for.
const WIDER: usize = 2;
/// search answers for so many listings at once.
const LISTINGS_AT_ONCE: usize = 100;

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Asked {
    pub(crate) placement: Placement,
    pub(crate) products: Vec<ProductId>,
    pub(crate) visitor_id: String,
    pub(crate) count: usize,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Shelves {
    pub(crate) shelves: Vec<(ShelfKind, Vec<Pick>)>,
    pub(crate) personalised: bool,
}

impl Recommendations {
    /// Shelves for nobody in particular are the same for all, so they are made once in a while.
    pub(crate) async fn shelves(&self, ctx: &Ctx, mut asked: Asked) -> Result<Arc<Shelves>, Error> {
        if let Some(subject) = self.subject(ctx, &asked.visitor_id).await? {
            return Ok(Arc::new(self.shelves_for(ctx, &asked, Some(subject)).await?));
        }
        asked.visitor_id.clear();
        if let Some(known) = self.answers.get(&asked) {
            return Ok(known);
        }
        let made = Arc::new(self.shelves_for(ctx, &asked, None).await?);
        self.answers.insert(asked, Arc::clone(&made));
        Ok(made)
    }

    async fn shelves_for(&self, ctx: &Ctx, asked: &Asked, subject: Option<Uuid>) -> Result<Shelves, Error> {
        let present = self.present();
        let trail = match subject {
            Some(subject) => self.trail(subject).await?,
            None => Vec::new(),
        };
        let strategy = self.strategy(&present, asked.placement, subject).await?;
        let products: Vec<Uuid> = asked.products.iter().map(|product| product.uuid()).collect();
        let mut shelves = propose(&present, asked, strategy, &trail, &products);
        self.keep_buyable(ctx, &mut shelves).await?;
        for (_, picks) in &mut shelves {
            picks.truncate(asked.count);
        }
        shelves.retain(|(_, picks)| !picks.is_empty());
        Ok(Shelves { shelves, personalised: !trail.is_empty() })
    }

    /// While analytics is away, everybody is nobody.
    async fn subject(&self, ctx: &Ctx, visitor_id: &str) -> Result<Option<Uuid>, Error> {
        if ctx.user().is_none() && visitor_id.is_empty() {
            return Ok(None);
        }
        let request = ctx.as_service("recommendations").request(IdentifyRequest { visitor_id: visitor_id.to_owned() });
        match self.analytics.clone().identify(request).await.map_err(Error::from) {
            Ok(answer) => Ok(answer.into_inner().subject_id.parse::<SubjectId>().ok().map(SubjectId::uuid)),
            Err(Error::Elsewhere) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What the subject did, newest first.
    async fn trail(&self, subject: Uuid) -> Result<Vec<Did>, Error> {
        let mut tx = self.db.begin(&Scope::Platform).await?;
        let steps = store::trail_of(&mut tx, subject, self.config.recent_events).await?;
        tx.rollback().await.map_err(kit_db::DbError::from)?;
        Ok(steps.iter().flat_map(did).collect())
    }

    /// The arm's strategy where an experiment runs, which the subject is now part of.
    async fn strategy(&self, present: &Present, placement: Placement, subject: Option<Uuid>) -> Result<Strategy, Error> {
        let running = present.experiments.iter().find(|experiment| i32::from(experiment.placement) == i32::from(placement));
        let (Some(experiment), Some(subject)) = (running, subject) else { return Ok(EVERYBODYS) };
        let treated = experiment.treats(subject);
        self.exposures.run(Exposed { experiment: experiment.experiment_id, subject, treated }).await?;
        Ok(experiment.strategy(treated))
    }

    async fn keep_buyable(&self, ctx: &Ctx, shelves: &mut [(ShelfKind, Vec<Pick>)]) -> Result<(), Error> {
        let wanted: HashSet<Uuid> = shelves.iter().flat_map(|(_, picks)| picks).map(|pick| pick.product).collect();
        let wanted: Vec<String> = wanted.into_iter().map(|product| ProductId::from(product).to_string()).collect();
        let mut buyable = HashSet::new();
        for product_ids in wanted.chunks(LISTINGS_AT_ONCE) {
            let request = ctx.as_service("recommendations").request(GetListingsRequest { product_ids: product_ids.to_vec() });
            let listings = self.search.clone().get_listings(request).await?.into_inner().listings;
            let in_stock = listings.into_iter().filter(|listing| listing.stock_state() != StockState::OutOfStock);
            buyable.extend(in_stock.filter_map(|listing| listing.product_id.parse::<ProductId>().ok().map(ProductId::uuid)));
        }
        for (_, picks) in shelves {
            picks.retain(|pick| buyable.contains(&pick.product));
        }
        Ok(())
    }
}

/// What an event says of its product, newest first.
fn did(step: &Step) -> impl Iterator<Item = Did> + '_ {
    step.products.iter().zip(&step.kinds).rev().filter_map(|(product, kind)| {
        let weight = weight(BehaviourKind::try_from(i32::from(*kind)).ok()?)?;
        Some(Did { product: *product, weight })
    })
}

/// What is bought is done with, what is in the cart is wanted most; what was taken out again says nothing.
pub(crate) fn weight(kind: BehaviourKind) -> Option<f32> {
    match kind {
        BehaviourKind::View | BehaviourKind::Click => Some(1.0),
        BehaviourKind::AddToCart => Some(1.5),
        BehaviourKind::Purchase => Some(0.8),
        BehaviourKind::RemoveFromCart | BehaviourKind::Search | BehaviourKind::Unspecified => None,
    }
}

fn propose(present: &Present, asked: &Asked, strategy: Strategy, trail: &[Did], products: &[Uuid]) -> Vec<(ShelfKind, Vec<Pick>)> {
    let (blend, count) = (&present.blend, asked.count * WIDER);
    let by_others = matches!(strategy, Strategy::Hybrid | Strategy::Collaborative | Strategy::Unspecified);
    let by_content = matches!(strategy, Strategy::Hybrid | Strategy::Content | Strategy::Unspecified);
    let mut shelves = Vec::new();
    match asked.placement {
        Placement::Home | Placement::Unspecified => {
            if strategy != Strategy::Popular && !trail.is_empty() {
                shelves.push((ShelfKind::ForYou, blend.for_you(trail, strategy, count)));
            }
            shelves.push((ShelfKind::RecentlyViewed, viewed(trail, &[], count)));
            shelves.push((ShelfKind::Popular, blend.popular(count)));
        }
        Placement::Product => {
            if by_content {
                shelves.push((ShelfKind::Similar, blend.similar(products, count)));
            }
            if by_others {
                shelves.push((ShelfKind::AlsoBought, blend.also_bought(products, count)));
                shelves.push((ShelfKind::AlsoViewed, blend.also_viewed(products, count)));
            }
            shelves.push((ShelfKind::RecentlyViewed, viewed(trail, products, count)));
        }
        Placement::Cart | Placement::Order => {
            if by_others {
                shelves.push((ShelfKind::AlsoBought, blend.also_bought(products, count)));
                shelves.push((ShelfKind::AlsoViewed, blend.also_viewed(products, count)));
            } else if by_content {
                shelves.push((ShelfKind::Similar, blend.similar(products, count)));
            }
        }
    }
    if strategy == Strategy::Popular || shelves.iter().all(|(_, picks)| picks.is_empty()) {
        shelves.retain(|(kind, _)| *kind != ShelfKind::Popular);
        let mut popular = blend.popular(count + products.len());
        popular.retain(|pick| !products.contains(&pick.product));
        shelves.push((ShelfKind::Popular, popular));
    }
    shelves
}

/// Each product once, the last looked at first.
fn viewed(trail: &[Did], without: &[Uuid], count: usize) -> Vec<Pick> {
    let mut picks: Vec<Pick> = Vec::new();
    for did in trail {
        if picks.len() < count && !without.contains(&did.product) && picks.iter().all(|pick| pick.product != did.product) {
            let score = picks.last().map_or(1.0, |last| last.score * 0.95);
            picks.push(Pick { product: did.product, score, reason: ReasonKind::Viewed, because: None });
        }
    }
    picks
}
