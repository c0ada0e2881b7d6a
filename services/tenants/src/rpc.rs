//! Translation between the contract and the flows: parse, call, map.

use std::sync::Arc;

use api_tenants as api;
use api_tenants::tenants_server::Tenants as Contract;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use kit_core::{Email, Slug, TenantId, Time};
use kit_rpc::{Ctx, parse, required, status, timestamp};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::error::Error;
use crate::flows::{Application, Changes, Page, Tenants};
use crate::model::{Act, Plan, State, Tenant, line};
use crate::wire;

#[derive(Clone)]
pub(crate) struct Rpc(pub Arc<Tenants>);

type Answer<T> = Result<Response<T>, Status>;

const PAGE: usize = 20;

fn answer<T>(message: T) -> Answer<T> {
    Ok(Response::new(message))
}

fn bad_cursor() -> Status {
    status(Error::invalid("cursor", "is not one this list gave"))
}

fn limit(limit: u32) -> usize {
    usize::try_from(limit).ok().filter(|limit| *limit > 0).unwrap_or(PAGE)
}

fn page_by_time(wanted: u32, cursor: &str) -> Result<Page<Time>, Status> {
    let read = || {
        let (micros, id) = cursor.split_once('_')?;
        Some((Time::from_timestamp_micros(i64::from_str_radix(micros, 16).ok()?)?, Uuid::try_parse(id).ok()?))
    };
    let after = if cursor.is_empty() { None } else { Some(read().ok_or_else(bad_cursor)?) };
    Ok(Page { limit: limit(wanted), after })
}

fn page_by_name(wanted: u32, cursor: &str) -> Result<Page<String>, Status> {
    let read = || {
        let text = String::from_utf8(BASE64.decode(cursor).ok()?).ok()?;
        let (id, name) = text.split_once(' ')?;
        Some((name.to_owned(), Uuid::try_parse(id).ok()?)).filter(|(name, _)| !name.contains('\0'))
    };
    let after = if cursor.is_empty() { None } else { Some(read().ok_or_else(bad_cursor)?) };
    Ok(Page { limit: limit(wanted), after })
}

/// Cuts the extra row off and answers where the list goes on; "" at its end.
fn cut(tenants: &mut Vec<Tenant>, limit: usize, cursor: impl Fn(&Tenant) -> String) -> String {
    let more = tenants.len() > limit;
    tenants.truncate(limit);
    tenants.last().filter(|_| more).map(cursor).unwrap_or_default()
}

impl Rpc {
    /// An operator's act on a tenant.
    async fn act<T>(&self, request: &Request<T>, tenant_id: &str, act: Act, reason: &str, plan: Option<Plan>) -> Result<Option<api::Tenant>, Status> {
        let ctx = Ctx::of(request)?;
        ctx.require_operator("tenants.write")?;
        let tenant = self.0.act(&ctx, parse("tenant_id", tenant_id)?, act, reason.trim(), plan).await.map_err(status)?;
        Ok(Some(self.0.show(&tenant)))
    }
}

#[tonic::async_trait]
impl Contract for Rpc {
    async fn apply(&self, request: Request<api::ApplyRequest>) -> Answer<api::ApplyResponse> {
        let ctx = Ctx::of(&request)?;
        let r = request.into_inner();
        let application = Application {
            store_name: line(&r.store_name),
            slug: if r.slug.is_empty() { None } else { Some(parse("slug", &r.slug)?) },
            business: wire::business(required("business", r.business)?).map_err(status)?,
            country: r.country,
            currency: parse("currency", &r.currency)?,
            description: r.description,
            plan: wire::plan(r.plan).map_err(status)?.unwrap_or(Plan::Free),
        };
        let tenant = self.0.apply(&ctx, application).await.map_err(status)?;
        answer(api::ApplyResponse { tenant: Some(self.0.show(&tenant)) })
    }

    async fn list_mine(&self, request: Request<api::ListMineRequest>) -> Answer<api::ListMineResponse> {
        let mine = self.0.list_mine(Ctx::of(&request)?.require_user()?).await.map_err(status)?;
        let tenants = mine.iter().map(|(tenant, role)| api::MyTenant {
            tenant: Some(self.0.show(tenant)),
            role: role.map_or(api::StaffRole::Unspecified, api::StaffRole::from).into(),
        });
        answer(api::ListMineResponse { tenants: tenants.collect() })
    }

    async fn resubmit(&self, request: Request<api::ResubmitRequest>) -> Answer<api::ResubmitResponse> {
        let ctx = Ctx::of(&request)?;
        let r = request.into_inner();
        let business = wire::business(required("business", r.business)?).map_err(status)?;
        let tenant = self.0.resubmit(&ctx, parse("tenant_id", &r.tenant_id)?, business).await.map_err(status)?;
        answer(api::ResubmitResponse { tenant: Some(self.0.show(&tenant)) })
    }

    async fn list(&self, request: Request<api::ListRequest>) -> Answer<api::ListResponse> {
        Ctx::of(&request)?.require_operator("tenants.read")?;
        let r = request.get_ref();
        let page = page_by_time(r.limit, &r.cursor)?;
        let mut tenants = self.0.list(&page, wire::state(r.state).map_err(status)?, &r.query).await.map_err(status)?;
        let next_cursor = cut(&mut tenants, page.limit, |tenant| wire::time_cursor(tenant.applied_at, tenant.id));
        answer(api::ListResponse { tenants: tenants.iter().map(|tenant| self.0.show(tenant)).collect(), next_cursor })
    }

    async fn get(&self, request: Request<api::GetRequest>) -> Answer<api::GetResponse> {
        Ctx::of(&request)?.require_operator("tenants.read")?;
        let (tenant, steps) = self.0.get(parse("tenant_id", &request.get_ref().tenant_id)?).await.map_err(status)?;
        let history = steps.into_iter().map(|step| api::StateChange {
            state: State::from_text(&step.state).map_or(api::TenantState::Unspecified, Into::into).into(),
            reason: step.reason,
            actor: step.actor,
            at: Some(timestamp(step.at)),
        });
        answer(api::GetResponse { tenant: Some(self.0.show(&tenant)), history: history.collect() })
    }

    async fn start_review(&self, request: Request<api::StartReviewRequest>) -> Answer<api::StartReviewResponse> {
        let tenant = self.act(&request, &request.get_ref().tenant_id, Act::Review, "", None).await?;
        answer(api::StartReviewResponse { tenant })
    }

    async fn approve(&self, request: Request<api::ApproveRequest>) -> Answer<api::ApproveResponse> {
        let plan = wire::plan(request.get_ref().plan).map_err(status)?;
        let tenant = self.act(&request, &request.get_ref().tenant_id, Act::Approve, "", plan).await?;
        answer(api::ApproveResponse { tenant })
    }

    async fn reject(&self, request: Request<api::RejectRequest>) -> Answer<api::RejectResponse> {
        let tenant = self.act(&request, &request.get_ref().tenant_id, Act::Reject, &request.get_ref().reason, None).await?;
        answer(api::RejectResponse { tenant })
    }

    async fn suspend(&self, request: Request<api::SuspendRequest>) -> Answer<api::SuspendResponse> {
        let tenant = self.act(&request, &request.get_ref().tenant_id, Act::Suspend, &request.get_ref().reason, None).await?;
        answer(api::SuspendResponse { tenant })
    }

    async fn reactivate(&self, request: Request<api::ReactivateRequest>) -> Answer<api::ReactivateResponse> {
        let tenant = self.act(&request, &request.get_ref().tenant_id, Act::Reactivate, &request.get_ref().reason, None).await?;
        answer(api::ReactivateResponse { tenant })
    }

    async fn close(&self, request: Request<api::CloseRequest>) -> Answer<api::CloseResponse> {
        let tenant = self.act(&request, &request.get_ref().tenant_id, Act::Close, &request.get_ref().reason, None).await?;
        answer(api::CloseResponse { tenant })
    }

    async fn set_plan(&self, request: Request<api::SetPlanRequest>) -> Answer<api::SetPlanResponse> {
        let ctx = Ctx::of(&request)?;
        ctx.require_operator("tenants.write")?;
        let r = request.get_ref();
        let plan = wire::plan(r.plan).map_err(status)?.ok_or_else(|| status(Error::invalid("plan", "is required")))?;
        let tenant = self.0.set_plan(&ctx, parse("tenant_id", &r.tenant_id)?, plan, r.commission_bps).await.map_err(status)?;
        answer(api::SetPlanResponse { tenant: Some(self.0.show(&tenant)) })
    }

    async fn place_in_cell(&self, request: Request<api::PlaceInCellRequest>) -> Answer<api::PlaceInCellResponse> {
        let ctx = Ctx::of(&request)?;
        ctx.require_operator("tenants.write")?;
        let r = request.get_ref();
        let tenant = self.0.place(&ctx, parse("tenant_id", &r.tenant_id)?, &r.cell).await.map_err(status)?;
        answer(api::PlaceInCellResponse { tenant: Some(self.0.show(&tenant)) })
    }

    async fn list_plans(&self, _request: Request<api::ListPlansRequest>) -> Answer<api::ListPlansResponse> {
        let plans = Plan::ALL.map(|plan| {
            let terms = self.0.config.plan(plan);
            api::PlanTerms { plan: api::Plan::from(plan).into(), commission_bps: terms.commission_bps, quotas: Some(terms.into()) }
        });
        answer(api::ListPlansResponse { plans: plans.to_vec() })
    }

    async fn get_store(&self, request: Request<api::GetStoreRequest>) -> Answer<api::GetStoreResponse> {
        let tenant = self.0.get_store(&request.get_ref().slug).await.map_err(status)?;
        answer(api::GetStoreResponse { store: Some((&tenant).into()) })
    }

    async fn list_stores(&self, request: Request<api::ListStoresRequest>) -> Answer<api::ListStoresResponse> {
        let page = page_by_name(request.get_ref().limit, &request.get_ref().cursor)?;
        let mut tenants = self.0.list_stores(&page).await.map_err(status)?;
        let next_cursor =
            cut(&mut tenants, page.limit, |tenant| BASE64.encode(format!("{} {}", tenant.id.uuid().simple(), tenant.store.name.to_lowercase())));
        answer(api::ListStoresResponse { stores: tenants.iter().map(Into::into).collect(), next_cursor })
    }

    async fn get_mine(&self, request: Request<api::GetMineRequest>) -> Answer<api::GetMineResponse> {
        let tenant = Ctx::of(&request)?.require_seller("store.read")?;
        let (tenant, _) = self.0.get(tenant).await.map_err(status)?;
        answer(api::GetMineResponse { tenant: Some(self.0.show(&tenant)) })
    }

    async fn update_store(&self, request: Request<api::UpdateStoreRequest>) -> Answer<api::UpdateStoreResponse> {
        let ctx = Ctx::of(&request)?;
        let tenant = ctx.require_seller("store.write")?;
        let r = request.into_inner();
        let changes = Changes {
            name: r.name.as_deref().map(line),
            slug: r.slug.as_deref().map(|slug| parse::<Slug>("slug", slug)).transpose()?,
            description: r.description,
            logo_hash: r.logo_hash,
            accent_colour: r.accent_colour.map(|colour| colour.to_lowercase()),
            returns_policy: r.returns_policy,
            shipping_policy: r.shipping_policy,
            country: r.country,
            holiday: r.holiday,
            holiday_message: r.holiday_message,
            if_version: r.if_version,
        };
        let tenant = self.0.update_store(&ctx, tenant, changes).await.map_err(status)?;
        answer(api::UpdateStoreResponse { tenant: Some(self.0.show(&tenant)) })
    }

    async fn invite_staff(&self, request: Request<api::InviteStaffRequest>) -> Answer<api::InviteStaffResponse> {
        let ctx = Ctx::of(&request)?;
        let tenant = ctx.require_seller("staff.write")?;
        let r = request.get_ref();
        let (email, role) = (parse::<Email>("email", &r.email)?, wire::staff_role(r.role).map_err(status)?);
        let invite = self.0.invite_staff(&ctx, tenant, email, role).await.map_err(status)?;
        answer(api::InviteStaffResponse { invite: Some((&invite).into()) })
    }

    async fn withdraw_invite(&self, request: Request<api::WithdrawInviteRequest>) -> Answer<api::WithdrawInviteResponse> {
        let ctx = Ctx::of(&request)?;
        let tenant = ctx.require_seller("staff.write")?;
        let email: Email = parse("email", &request.get_ref().email)?;
        self.0.withdraw_invite(&ctx, tenant, &email).await.map_err(status)?;
        answer(api::WithdrawInviteResponse {})
    }

    async fn accept_invite(&self, request: Request<api::AcceptInviteRequest>) -> Answer<api::AcceptInviteResponse> {
        let ctx = Ctx::of(&request)?;
        let (tenant, role) = self.0.accept_invite(&ctx, &request.get_ref().token).await.map_err(status)?;
        answer(api::AcceptInviteResponse { store: Some((&tenant).into()), role: api::StaffRole::from(role).into() })
    }

    async fn list_staff(&self, request: Request<api::ListStaffRequest>) -> Answer<api::ListStaffResponse> {
        let ctx = Ctx::of(&request)?;
        let tenant = ctx.require_seller("store.read")?;
        let (staff, invites) = self.0.list_staff(&ctx, tenant).await.map_err(status)?;
        let staff = staff.into_iter().map(|(member, user)| {
            let user = user.unwrap_or_default();
            api::StaffMember {
                user_id: member.user.to_string(),
                name: user.name,
                email: user.email,
                role: api::StaffRole::from(member.role).into(),
                joined_at: Some(timestamp(member.joined_at)),
            }
        });
        answer(api::ListStaffResponse { staff: staff.collect(), invites: invites.iter().map(Into::into).collect() })
    }

    async fn change_staff_role(&self, request: Request<api::ChangeStaffRoleRequest>) -> Answer<api::ChangeStaffRoleResponse> {
        let ctx = Ctx::of(&request)?;
        let tenant = ctx.require_seller("staff.write")?;
        let r = request.get_ref();
        let role = wire::staff_role(r.role).map_err(status)?;
        self.0.change_staff_role(&ctx, tenant, parse("user_id", &r.user_id)?, role).await.map_err(status)?;
        answer(api::ChangeStaffRoleResponse {})
    }

    async fn revoke_staff(&self, request: Request<api::RevokeStaffRequest>) -> Answer<api::RevokeStaffResponse> {
        let ctx = Ctx::of(&request)?;
        let tenant = ctx.require_seller("staff.write")?;
        self.0.revoke_staff(&ctx, tenant, parse("user_id", &request.get_ref().user_id)?).await.map_err(status)?;
        answer(api::RevokeStaffResponse {})
    }

    async fn get_terms(&self, request: Request<api::GetTermsRequest>) -> Answer<api::GetTermsResponse> {
        Ctx::of(&request)?.require_service()?;
        let ids = request.get_ref().tenant_ids.iter().map(|id| parse::<TenantId>("tenant_ids", id)).collect::<Result<Vec<_>, _>>()?;
        let tenants = self.0.find_many(&ids).await.map_err(status)?;
        answer(api::GetTermsResponse { terms: tenants.iter().map(|tenant| wire::terms(tenant, &self.0.config)).collect() })
    }
}
