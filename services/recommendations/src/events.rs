//! What is heard: products from the catalog, behaviour from analytics. And what is told.

use std::collections::BTreeMap;

use api_analytics::{AnalyticsEvent, BehaviourKind, BehaviourRecorded, SubjectId, analytics_event};
use api_catalog::{CatalogEvent, ProductChanged, ProductId, ProductStatus, catalog_event};
use api_recommendations::{Placement, RecommendationsEvent, recommendations_event};
use kit_core::Time;
use kit_db::{Event, LoggedEvent};
use prost::Message;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::error::Error;
use crate::store::{self, Told};

/// An event of this service's log.
pub(crate) fn event(key: Uuid, body: recommendations_event::Body) -> Event {
    let kind = match body {
        recommendations_event::Body::TrainingRequested(_) => "training_requested",
        recommendations_event::Body::ModelTrained(_) => "model_trained",
        recommendations_event::Body::ModelPublished(_) => "model_published",
        recommendations_event::Body::ExperimentStarted(_) => "experiment_started",
        recommendations_event::Body::ExperimentStopped(_) => "experiment_stopped",
    };
    Event { key, tenant: None, kind, payload: RecommendationsEvent { body: Some(body) }.encode_to_vec(), change: None }
}

pub(crate) async fn hear_catalog(db: &mut PgConnection, events: Vec<LoggedEvent>) -> Result<(), Error> {
    let mut changed = BTreeMap::<Uuid, Told>::new();
    let mut removed = Vec::new();
    for event in events {
        match event.decode::<CatalogEvent>().map_err(Error::unreadable)?.body {
            Some(catalog_event::Body::ProductChanged(ProductChanged { product: Some(product) })) => {
                let id = product.product_id.parse::<ProductId>().map_err(Error::unreadable)?.uuid();
                if changed.get(&id).is_none_or(|before| before.version < product.version) {
                    let told = Told {
                        product: id,
                        tenant: product.tenant_id.parse().map_err(Error::unreadable)?,
                        version: product.version,
                        shown: product.status() == ProductStatus::Active,
                        title: product.title,
                        brand: product.brand,
                        categories: product.category_path,
                    };
                    changed.insert(id, told);
                }
            }
            Some(catalog_event::Body::ProductRemoved(gone)) => {
                let id: ProductId = gone.product_id.parse().map_err(Error::unreadable)?;
                removed.push((id.uuid(), gone.version));
            }
            Some(
                catalog_event::Body::ProductChanged(ProductChanged { product: None })
                | catalog_event::Body::ImportFinished(_)
                | catalog_event::Body::CategoriesChanged(_)
                | catalog_event::Body::PolicyChanged(_),
            )
            | None => {}
        }
    }
    if !changed.is_empty() {
        store::put_products(&mut *db, &changed.into_values().collect::<Vec<_>>()).await?;
    }
    if !removed.is_empty() {
        store::hide_products(db, &removed).await?;
    }
    Ok(())
}

pub(crate) async fn hear_analytics(db: &mut PgConnection, events: Vec<LoggedEvent>) -> Result<(), Error> {
    let mut steps = Vec::new();
    for event in events {
        match event.decode::<AnalyticsEvent>().map_err(Error::unreadable)?.body {
            Some(analytics_event::Body::BehaviourRecorded(told)) => steps.extend(Step::of(told, event.at)?),
            Some(analytics_event::Body::SubjectForgotten(told)) => {
                let subject: SubjectId = told.subject_id.parse().map_err(Error::unreadable)?;
                steps.retain(|step: &Step| step.subject != subject.uuid());
                store::forget_subject(&mut *db, subject.uuid()).await?;
            }
            None => {}
        }
    }
    store::add_steps(&mut *db, &steps).await?;
    for step in &steps {
        for (placement, product) in &step.clicks {
            store::note_click(&mut *db, step.subject, *placement, *product).await?;
        }
        if !step.bought.is_empty() {
            store::note_purchase(&mut *db, step.subject, &step.bought, step.at).await?;
        }
    }
    Ok(())
}

/// What a subject did, as far as it is about products.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) subject: Uuid,
    pub(crate) at: Time,
    pub(crate) kinds: Vec<i16>,
    pub(crate) products: Vec<Uuid>,
    /// (placement of the shelf, product)
    clicks: Vec<(i16, Uuid)>,
    bought: Vec<Uuid>,
}

/// The source of clicks on shelves, by placement.
const SOURCES: [(&str, Placement); 4] =
    [("shelf:home", Placement::Home), ("shelf:product", Placement::Product), ("shelf:cart", Placement::Cart), ("shelf:order", Placement::Order)];

impl Step {
    /// `None` when nothing was done with a product.
    fn of(told: BehaviourRecorded, at: Time) -> Result<Option<Self>, Error> {
        let subject: SubjectId = told.subject_id.parse().map_err(Error::unreadable)?;
        let mut step = Self { subject: subject.uuid(), at, kinds: Vec::new(), products: Vec::new(), clicks: Vec::new(), bought: Vec::new() };
        for event in &told.events {
            let Ok(product) = event.product_id.parse::<ProductId>() else { continue };
            let kind = event.kind();
            step.kinds.push(i16::try_from(event.kind).unwrap_or_default());
            step.products.push(product.uuid());
            step.at = event.occurred_at.as_ref().map_or(at, kit_rpc::time);
            match kind {
                BehaviourKind::Purchase => step.bought.push(product.uuid()),
                BehaviourKind::Click => {
                    let placement = SOURCES.iter().find(|(source, _)| *source == event.source).map(|(_, placement)| i32::from(*placement));
                    step.clicks.extend(placement.and_then(|placement| Some((i16::try_from(placement).ok()?, product.uuid()))));
                }
                _ => {}
            }
        }
        Ok((!step.products.is_empty()).then_some(step))
    }
}
