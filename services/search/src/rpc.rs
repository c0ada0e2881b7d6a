//! The contract, translated: parse, call, map.

use std::sync::Arc;

use api_catalog::ProductId;
use api_search as api;
use api_search::search_server::Search as Contract;
use kit_rpc::{Ctx, parse, status, timestamp};
use tonic::{Request, Response, Status};

use crate::flows::Search;
use crate::store::{QueryRow, SynonymRow};

#[derive(Clone)]
pub(crate) struct Rpc(pub(crate) Search);

type Answer<T> = Result<Response<T>, Status>;

const DEFAULT_LIMIT: u32 = 20;

#[tonic::async_trait]
impl Contract for Rpc {
    async fn search(&self, request: Request<api::SearchRequest>) -> Answer<api::SearchResponse> {
        let found = self.0.search(request.into_inner()).await.map_err(status)?;
        Ok(Response::new(Arc::unwrap_or_clone(found)))
    }

    async fn suggest(&self, request: Request<api::SuggestRequest>) -> Answer<api::SuggestResponse> {
        Ok(Response::new(self.0.suggest(request.into_inner()).await.map_err(status)?))
    }

    async fn get_listing(&self, request: Request<api::GetListingRequest>) -> Answer<api::Listing> {
        let product: ProductId = parse("product_id", &request.get_ref().product_id)?;
        let listing = self.0.get_listing(product).await.map_err(status)?;
        Ok(Response::new(Arc::unwrap_or_clone(listing)))
    }

    async fn get_listings(&self, request: Request<api::GetListingsRequest>) -> Answer<api::GetListingsResponse> {
        let asked = &request.get_ref().product_ids;
        let products: Vec<ProductId> =
            asked.iter().enumerate().map(|(place, id)| parse(&format!("product_ids[{place}]"), id)).collect::<Result<_, _>>()?;
        let listings = self.0.get_listings(&products).await.map_err(status)?;
        Ok(Response::new(api::GetListingsResponse { listings: listings.into_iter().map(Arc::unwrap_or_clone).collect() }))
    }

    async fn list_same_products(&self, request: Request<api::ListSameProductsRequest>) -> Answer<api::ListSameProductsResponse> {
        Ok(Response::new(self.0.same_products(request.into_inner()).await.map_err(status)?))
    }

    async fn list_synonyms(&self, request: Request<api::ListSynonymsRequest>) -> Answer<api::ListSynonymsResponse> {
        Ctx::of(&request)?.require_operator("search.write")?;
        let asked = request.into_inner();
        let limit = if asked.limit == 0 { DEFAULT_LIMIT } else { asked.limit };
        let rows = self.0.list_synonyms(&asked.cursor, i64::from(limit)).await.map_err(status)?;
        let full = usize::try_from(limit).is_ok_and(|limit| rows.len() >= limit);
        let next_cursor = rows.last().filter(|_| full).map(|row| row.term.clone()).unwrap_or_default();
        Ok(Response::new(api::ListSynonymsResponse { rules: rows.into_iter().map(Into::into).collect(), next_cursor }))
    }

    async fn set_synonyms(&self, request: Request<api::SetSynonymsRequest>) -> Answer<api::SynonymRule> {
        let ctx = Ctx::of(&request)?;
        ctx.require_operator("search.write")?;
        let asked = request.into_inner();
        let row = self.0.put_synonyms(&ctx, &asked.term, asked.synonyms).await.map_err(status)?;
        Ok(Response::new(row.into()))
    }

    async fn delete_synonyms(&self, request: Request<api::DeleteSynonymsRequest>) -> Answer<api::DeleteSynonymsResponse> {
        let ctx = Ctx::of(&request)?;
        ctx.require_operator("search.write")?;
        self.0.delete_synonyms(&ctx, &request.get_ref().term).await.map_err(status)?;
        Ok(Response::new(api::DeleteSynonymsResponse {}))
    }

    async fn list_queries(&self, request: Request<api::ListQueriesRequest>) -> Answer<api::ListQueriesResponse> {
        Ctx::of(&request)?.require_operator("search.write")?;
        let asked = request.into_inner();
        let limit = if asked.limit == 0 { DEFAULT_LIMIT } else { asked.limit };
        let rows = self.0.list_queries(asked.nothing_found, i64::from(limit)).await.map_err(status)?;
        Ok(Response::new(api::ListQueriesResponse { queries: rows.into_iter().map(Into::into).collect() }))
    }

    async fn reindex(&self, request: Request<api::ReindexRequest>) -> Answer<api::ReindexResponse> {
        let ctx = Ctx::of(&request)?;
        ctx.require_operator("search.write")?;
        let listings = self.0.reindex(&ctx).await.map_err(status)?;
        Ok(Response::new(api::ReindexResponse { listings }))
    }

    async fn get_index_status(&self, request: Request<api::GetIndexStatusRequest>) -> Answer<api::GetIndexStatusResponse> {
        Ctx::of(&request)?.require_operator("search.write")?;
        let now = self.0.index_status().await.map_err(status)?;
        Ok(Response::new(api::GetIndexStatusResponse {
            documents: now.documents,
            listing_revision: now.listing_revision,
            index_revision: now.index_revision,
            rebuilding: now.rebuilding,
            bytes_on_disk: now.bytes_on_disk,
        }))
    }
}

impl From<QueryRow> for api::QueryCount {
    fn from(row: QueryRow) -> Self {
        Self { query: row.query, searches: row.searches, found: row.found, last_at: Some(timestamp(row.last_at)) }
    }
}

impl From<SynonymRow> for api::SynonymRule {
    fn from(row: SynonymRow) -> Self {
        Self { term: row.term, synonyms: row.synonyms, changed_at: Some(timestamp(row.changed_at)) }
    }
}
