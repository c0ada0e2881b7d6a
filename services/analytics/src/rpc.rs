//! Translation between the contract and the flows.

use api_analytics as api;
use api_analytics::analytics_server::Analytics as Contract;
use kit_rpc::{Ctx, status, timestamp};
use tonic::{Request, Response, Status};

use crate::flows::Analytics;
use crate::store::{Choice, Minute};

const DEFAULT_MINUTES: u32 = 60;

pub(crate) struct Rpc(pub(crate) Analytics);

#[tonic::async_trait]
impl Contract for Rpc {
    async fn record_events(&self, request: Request<api::RecordEventsRequest>) -> Result<Response<api::RecordEventsResponse>, Status> {
        let ctx = Ctx::of(&request)?;
        let recorded = self.0.record(ctx.user().or(ctx.on_behalf_of), request.into_inner()).await.map_err(status)?;
        Ok(Response::new(api::RecordEventsResponse { recorded: u32::try_from(recorded).unwrap_or(u32::MAX) }))
    }

    async fn get_consent(&self, request: Request<api::GetConsentRequest>) -> Result<Response<api::Consent>, Status> {
        let user = Ctx::of(&request)?.require_user()?;
        let choice = self.0.choice(user).await.map_err(status)?;
        Ok(Response::new(choice.map(consent).unwrap_or_default()))
    }

    async fn set_consent(&self, request: Request<api::SetConsentRequest>) -> Result<Response<api::Consent>, Status> {
        let user = Ctx::of(&request)?.require_user()?;
        let asked = request.get_ref();
        let choice = self.0.choose(user, asked.given, &asked.visitor_id).await.map_err(status)?;
        Ok(Response::new(consent(choice)))
    }

    async fn identify(&self, request: Request<api::IdentifyRequest>) -> Result<Response<api::IdentifyResponse>, Status> {
        let ctx = Ctx::of(&request)?;
        ctx.require_service()?;
        let subject = self.0.identify(ctx.on_behalf_of, &request.get_ref().visitor_id).await.map_err(status)?;
        Ok(Response::new(api::IdentifyResponse { subject_id: subject.map(|subject| subject.to_string()).unwrap_or_default() }))
    }

    async fn get_intake(&self, request: Request<api::GetIntakeRequest>) -> Result<Response<api::GetIntakeResponse>, Status> {
        Ctx::of(&request)?.require_operator("analytics.read")?;
        let asked = request.get_ref().minutes;
        let minutes = self.0.intake(if asked == 0 { DEFAULT_MINUTES } else { asked }).await.map_err(status)?;
        Ok(Response::new(api::GetIntakeResponse { minutes: minutes.iter().map(minute).collect() }))
    }
}

fn consent(choice: Choice) -> api::Consent {
    api::Consent { given: choice.consented, changed_at: Some(timestamp(choice.changed_at)) }
}

fn minute(minute: &Minute) -> api::IntakeMinute {
    api::IntakeMinute { minute: Some(timestamp(minute.minute)), kind: minute.kind().into(), events: minute.events() }
}
