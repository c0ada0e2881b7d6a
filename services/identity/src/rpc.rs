//! Translation between the contract and the flows: parse, call, map.

use std::sync::Arc;

use api_identity as api;
use api_identity::identity_server::Identity as Contract;
use kit_core::{Country, Currency, Email, Time};
use kit_rpc::{Ctx, parse, required};
use tonic::{Request, Response, Status};
use uuid::Uuid;

use crate::error::{Error, status};
use crate::flows::{Authenticated, Changes, Identity, Page, SignIn, SignUp, checked_address};
use crate::model::policy;
use crate::{model, wire};

#[derive(Clone)]
pub(crate) struct Rpc(pub Arc<Identity>);

type Answer<T> = Result<Response<T>, Status>;

const PAGE: usize = 20;

fn answer<T>(message: T) -> Answer<T> {
    Ok(Response::new(message))
}

/// A name as people write it: one line, no control characters.
fn name(text: &str) -> Result<String, Status> {
    let name = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if name.chars().any(char::is_control) { Err(status(Error::invalid("name", "contains a control character"))) } else { Ok(name) }
}

fn device(text: String) -> Result<String, Status> {
    if text.chars().any(char::is_control) { Err(status(Error::invalid("device", "contains a control character"))) } else { Ok(text) }
}

/// Empty: English.
fn language(text: &str) -> Result<String, Status> {
    let text = if text.is_empty() { "en" } else { text };
    let language = model::language(text).ok_or_else(|| status(Error::invalid("language", "must be a BCP 47 tag, as in en or pt-BR")))?;
    Ok(language.to_owned())
}

/// A list continues after the last one seen: its creation time in microseconds and its id.
fn page(limit: u32, cursor: &str) -> Result<Page, Status> {
    let limit = usize::try_from(limit).ok().filter(|limit| *limit > 0).unwrap_or(PAGE);
    if cursor.is_empty() {
        return Ok(Page { limit, after: None });
    }
    let read = || {
        let (micros, id) = cursor.split_once('_')?;
        Some((Time::from_timestamp_micros(i64::from_str_radix(micros, 16).ok()?)?, Uuid::try_parse(id).ok()?))
    };
    let after = read().ok_or_else(|| status(Error::invalid("cursor", "is not one this list gave")))?;
    Ok(Page { limit, after: Some(after) })
}

#[tonic::async_trait]
impl Contract for Rpc {
    async fn sign_up(&self, request: Request<api::SignUpRequest>) -> Answer<api::SignUpResponse> {
        let ctx = Ctx::of(&request)?;
        let r = request.into_inner();
        let wish = SignUp {
            email: parse("email", &r.email)?,
            password: r.password,
            name: name(&r.name)?,
            language: language(&r.language)?,
            device: device(r.device)?,
        };
        let issued = self.0.sign_up(&ctx, wish).await.map_err(status)?;
        answer(api::SignUpResponse { session: Some(issued.into()) })
    }

    async fn sign_in(&self, request: Request<api::SignInRequest>) -> Answer<api::SignInResponse> {
        let ctx = Ctx::of(&request)?;
        let r = request.into_inner();
        let wish = SignIn { email: parse("email", &r.email)?, password: r.password, device: device(r.device)? };
        let issued = self.0.sign_in(&ctx, wish).await.map_err(status)?;
        answer(api::SignInResponse { session: Some(issued.into()) })
    }

    async fn refresh(&self, request: Request<api::RefreshRequest>) -> Answer<api::RefreshResponse> {
        let ctx = Ctx::of(&request)?;
        let issued = self.0.refresh(&ctx, &request.get_ref().refresh_token).await.map_err(status)?;
        answer(api::RefreshResponse { session: Some(issued.into()) })
    }

    async fn sign_out(&self, request: Request<api::SignOutRequest>) -> Answer<api::SignOutResponse> {
        let ctx = Ctx::of(&request)?;
        self.0.sign_out(&ctx, &request.get_ref().token).await.map_err(status)?;
        answer(api::SignOutResponse {})
    }

    async fn start_guest(&self, request: Request<api::StartGuestRequest>) -> Answer<api::StartGuestResponse> {
        let ctx = Ctx::of(&request)?;
        let r = request.into_inner();
        let issued = self.0.start_guest(&ctx, &language(&r.language)?, &device(r.device)?).await.map_err(status)?;
        answer(api::StartGuestResponse { session: Some(issued.into()) })
    }

    async fn verify_email(&self, request: Request<api::VerifyEmailRequest>) -> Answer<api::VerifyEmailResponse> {
        let ctx = Ctx::of(&request)?;
        let person = self.0.verify_email(&ctx, &request.get_ref().token).await.map_err(status)?;
        answer(api::VerifyEmailResponse { user: Some((&person).into()) })
    }

    async fn resend_verification(&self, request: Request<api::ResendVerificationRequest>) -> Answer<api::ResendVerificationResponse> {
        let ctx = Ctx::of(&request)?;
        self.0.resend_verification(&ctx, ctx.require_user()?).await.map_err(status)?;
        answer(api::ResendVerificationResponse {})
    }

    async fn request_password_reset(&self, request: Request<api::RequestPasswordResetRequest>) -> Answer<api::RequestPasswordResetResponse> {
        let ctx = Ctx::of(&request)?;
        let email: Email = parse("email", &request.get_ref().email)?;
        self.0.request_password_reset(&ctx, &email).await.map_err(status)?;
        answer(api::RequestPasswordResetResponse {})
    }

    async fn reset_password(&self, request: Request<api::ResetPasswordRequest>) -> Answer<api::ResetPasswordResponse> {
        let ctx = Ctx::of(&request)?;
        let r = request.get_ref();
        self.0.reset_password(&ctx, &r.token, &r.password).await.map_err(status)?;
        answer(api::ResetPasswordResponse {})
    }

    async fn change_password(&self, request: Request<api::ChangePasswordRequest>) -> Answer<api::ChangePasswordResponse> {
        let ctx = Ctx::of(&request)?;
        let r = request.get_ref();
        let keep = if r.keep_session_id.is_empty() { None } else { Some(parse("keep_session_id", &r.keep_session_id)?) };
        self.0.change_password(&ctx, ctx.require_user()?, &r.old_password, &r.new_password, keep).await.map_err(status)?;
        answer(api::ChangePasswordResponse {})
    }

    async fn get_jwks(&self, _request: Request<api::GetJwksRequest>) -> Answer<api::GetJwksResponse> {
        answer(api::GetJwksResponse { keys: self.0.keys.published() })
    }

    async fn get_profile(&self, request: Request<api::GetProfileRequest>) -> Answer<api::GetProfileResponse> {
        let ctx = Ctx::of(&request)?;
        let known = self.0.person(ctx.require_user()?).await.map_err(status)?.ok_or_else(|| status(Error::UserNotFound))?;
        answer(api::GetProfileResponse {
            user: Some((&known.person).into()),
            memberships: known.memberships.iter().map(Into::into).collect(),
            permissions: ctx.permissions.iter().cloned().collect(),
            tenant_id: ctx.tenant.map(|tenant| tenant.to_string()).unwrap_or_default(),
        })
    }

    async fn update_profile(&self, request: Request<api::UpdateProfileRequest>) -> Answer<api::UpdateProfileResponse> {
        let ctx = Ctx::of(&request)?;
        let user = ctx.require_user()?;
        let r = request.get_ref();
        let changes = Changes {
            name: r.name.as_deref().map(name).transpose()?,
            language: r.language.as_deref().map(language).transpose()?,
            currency: r.currency.as_deref().map(|code| parse::<Currency>("currency", code)).transpose()?,
            if_version: r.if_version,
        };
        let person = self.0.update_profile(&ctx, user, changes).await.map_err(status)?;
        answer(api::UpdateProfileResponse { user: Some((&person).into()) })
    }

    async fn list_addresses(&self, request: Request<api::ListAddressesRequest>) -> Answer<api::ListAddressesResponse> {
        let saved = self.0.list_addresses(Ctx::of(&request)?.require_user()?).await.map_err(status)?;
        answer(api::ListAddressesResponse { addresses: saved.into_iter().map(Into::into).collect() })
    }

    async fn add_address(&self, request: Request<api::AddAddressRequest>) -> Answer<api::AddAddressResponse> {
        let ctx = Ctx::of(&request)?;
        let r = request.into_inner();
        let address = required("address", r.address)?;
        let saved = self.0.add_address(&ctx, ctx.require_user()?, address.into(), r.default).await.map_err(status)?;
        answer(api::AddAddressResponse { address: Some(saved.into()) })
    }

    async fn update_address(&self, request: Request<api::UpdateAddressRequest>) -> Answer<api::UpdateAddressResponse> {
        let ctx = Ctx::of(&request)?;
        let r = request.into_inner();
        let (id, address) = (parse("address_id", &r.address_id)?, required("address", r.address)?);
        let saved = self.0.update_address(&ctx, ctx.require_user()?, id, address.into(), r.default).await.map_err(status)?;
        answer(api::UpdateAddressResponse { address: Some(saved.into()) })
    }

    async fn delete_address(&self, request: Request<api::DeleteAddressRequest>) -> Answer<api::DeleteAddressResponse> {
        let ctx = Ctx::of(&request)?;
        let id = parse("address_id", &request.get_ref().address_id)?;
        self.0.delete_address(&ctx, ctx.require_user()?, id).await.map_err(status)?;
        answer(api::DeleteAddressResponse {})
    }

    async fn check_address(&self, request: Request<api::CheckAddressRequest>) -> Answer<api::CheckAddressResponse> {
        let address = required("address", request.into_inner().address)?;
        let checked = checked_address(address.into()).map_err(status)?;
        answer(api::CheckAddressResponse { address: Some(checked.into()) })
    }

    async fn list_countries(&self, _request: Request<api::ListCountriesRequest>) -> Answer<api::ListCountriesResponse> {
        let countries = Country::all().iter().map(|country| api::Country {
            code: country.code.to_owned(),
            name: country.name.to_owned(),
            required: country.required.iter().map(|field| (*field).to_owned()).collect(),
            postal_code_example: country.postal_code_example(),
        });
        answer(api::ListCountriesResponse { countries: countries.collect() })
    }

    async fn list_sessions(&self, request: Request<api::ListSessionsRequest>) -> Answer<api::ListSessionsResponse> {
        let listed = self.0.list_sessions(Ctx::of(&request)?.require_user()?).await.map_err(status)?;
        answer(api::ListSessionsResponse { sessions: listed.into_iter().map(Into::into).collect() })
    }

    async fn revoke_session(&self, request: Request<api::RevokeSessionRequest>) -> Answer<api::RevokeSessionResponse> {
        let ctx = Ctx::of(&request)?;
        let session = parse("session_id", &request.get_ref().session_id)?;
        self.0.revoke_session(&ctx, ctx.require_user()?, session).await.map_err(status)?;
        answer(api::RevokeSessionResponse {})
    }

    async fn list_users(&self, request: Request<api::ListUsersRequest>) -> Answer<api::ListUsersResponse> {
        Ctx::of(&request)?.require_operator("users.read")?;
        let r = request.get_ref();
        let page = page(r.limit, &r.cursor)?;
        let role = wire::optional_role(r.role).map_err(status)?;
        let mut known = self.0.list_users(&page, &r.query, role).await.map_err(status)?;
        let more = known.len() > page.limit;
        known.truncate(page.limit);
        let last = known.last().filter(|_| more).map(|k| format!("{:x}_{}", k.person.created_at.timestamp_micros(), k.person.id.uuid().simple()));
        answer(api::ListUsersResponse { users: known.iter().map(Into::into).collect(), next_cursor: last.unwrap_or_default() })
    }

    async fn get_user(&self, request: Request<api::GetUserRequest>) -> Answer<api::GetUserResponse> {
        Ctx::of(&request)?.require_operator("users.read")?;
        let known = self.0.get_user(parse("user_id", &request.get_ref().user_id)?).await.map_err(status)?;
        answer(api::GetUserResponse { user: Some((&known).into()) })
    }

    async fn disable_user(&self, request: Request<api::DisableUserRequest>) -> Answer<api::DisableUserResponse> {
        let ctx = Ctx::of(&request)?;
        ctx.require_operator("users.write")?;
        let r = request.get_ref();
        let person = self.0.disable_user(&ctx, parse("user_id", &r.user_id)?, &r.reason).await.map_err(status)?;
        answer(api::DisableUserResponse { user: Some((&person).into()) })
    }

    async fn enable_user(&self, request: Request<api::EnableUserRequest>) -> Answer<api::EnableUserResponse> {
        let ctx = Ctx::of(&request)?;
        ctx.require_operator("users.write")?;
        let person = self.0.enable_user(&ctx, parse("user_id", &request.get_ref().user_id)?).await.map_err(status)?;
        answer(api::EnableUserResponse { user: Some((&person).into()) })
    }

    async fn grant_platform_role(&self, request: Request<api::GrantPlatformRoleRequest>) -> Answer<api::GrantPlatformRoleResponse> {
        let ctx = Ctx::of(&request)?;
        ctx.require_operator("users.write")?;
        let (user, role) = (parse("user_id", &request.get_ref().user_id)?, wire::role(request.get_ref().role).map_err(status)?);
        self.0.grant_on_platform(&ctx, user, role).await.map_err(status)?;
        answer(api::GrantPlatformRoleResponse {})
    }

    async fn revoke_platform_role(&self, request: Request<api::RevokePlatformRoleRequest>) -> Answer<api::RevokePlatformRoleResponse> {
        let ctx = Ctx::of(&request)?;
        ctx.require_operator("users.write")?;
        let (user, role) = (parse("user_id", &request.get_ref().user_id)?, wire::role(request.get_ref().role).map_err(status)?);
        self.0.revoke_on_platform(&ctx, user, role).await.map_err(status)?;
        answer(api::RevokePlatformRoleResponse {})
    }

    async fn authenticate(&self, request: Request<api::AuthenticateRequest>) -> Answer<api::AuthenticateResponse> {
        Ctx::of(&request)?.require_service()?;
        let r = request.get_ref();
        let wanted = if r.tenant_id.is_empty() { None } else { Some(parse("tenant_id", &r.tenant_id)?) };
        let authenticated = self.0.authenticate(&r.token, wanted).await.map_err(status)?;
        answer(who(&authenticated))
    }

    async fn grant_role(&self, request: Request<api::GrantRoleRequest>) -> Answer<api::GrantRoleResponse> {
        let ctx = Ctx::of(&request)?;
        ctx.require_service()?;
        let r = request.get_ref();
        let role = wire::role(r.role).map_err(status)?;
        self.0.grant_in_tenant(&ctx, parse("user_id", &r.user_id)?, parse("tenant_id", &r.tenant_id)?, role).await.map_err(status)?;
        answer(api::GrantRoleResponse {})
    }

    async fn revoke_role(&self, request: Request<api::RevokeRoleRequest>) -> Answer<api::RevokeRoleResponse> {
        let ctx = Ctx::of(&request)?;
        ctx.require_service()?;
        let r = request.get_ref();
        self.0.revoke_in_tenant(&ctx, parse("user_id", &r.user_id)?, parse("tenant_id", &r.tenant_id)?).await.map_err(status)?;
        answer(api::RevokeRoleResponse {})
    }

    async fn list_memberships(&self, request: Request<api::ListMembershipsRequest>) -> Answer<api::ListMembershipsResponse> {
        Ctx::of(&request)?.require_service()?;
        let r = request.get_ref();
        let held = match (r.user_id.as_str(), r.tenant_id.as_str()) {
            (user, "") if !user.is_empty() => self.0.memberships_of(parse("user_id", user)?).await,
            ("", tenant) if !tenant.is_empty() => self.0.memberships_in(parse("tenant_id", tenant)?).await,
            _ => Err(Error::invalid("user_id", "name either a user or a tenant")),
        };
        answer(api::ListMembershipsResponse { memberships: held.map_err(status)?.iter().map(Into::into).collect() })
    }

    async fn get_users(&self, request: Request<api::GetUsersRequest>) -> Answer<api::GetUsersResponse> {
        Ctx::of(&request)?.require_service()?;
        let r = request.get_ref();
        let ids = r.user_ids.iter().map(|id| parse::<kit_core::UserId>("user_ids", id).map(kit_core::UserId::uuid)).collect::<Result<Vec<_>, _>>()?;
        let emails = r.emails.iter().map(|email| parse::<Email>("emails", email).map(|email| email.to_string())).collect::<Result<Vec<_>, _>>()?;
        let people = self.0.get_users(&ids, &emails).await.map_err(status)?;
        answer(api::GetUsersResponse { users: people.iter().map(Into::into).collect() })
    }

    async fn ensure_operator(&self, request: Request<api::EnsureOperatorRequest>) -> Answer<api::EnsureOperatorResponse> {
        let ctx = Ctx::of(&request)?;
        ctx.require_service()?;
        let r = request.get_ref();
        let email: Email = parse("email", &r.email)?;
        let (person, created) = self.0.ensure_operator(&ctx, &email, &r.password, &name(&r.name)?).await.map_err(status)?;
        answer(api::EnsureOperatorResponse { user: Some((&person).into()), created })
    }
}

fn who(authenticated: &Authenticated) -> api::AuthenticateResponse {
    let Authenticated { known, session, tenant } = authenticated;
    let person = &known.person;
    let tenant_ids: std::collections::BTreeSet<_> = known.memberships.iter().filter_map(|m| m.tenant).collect();
    api::AuthenticateResponse {
        user_id: person.id.to_string(),
        guest: person.guest,
        tenant_id: tenant.map(|tenant| tenant.to_string()).unwrap_or_default(),
        permissions: policy::permissions(&known.memberships, *tenant).into_iter().map(str::to_owned).collect(),
        session_id: session.to_string(),
        name: person.name.clone(),
        email: person.email.as_ref().map(ToString::to_string).unwrap_or_default(),
        language: person.language.clone(),
        tenant_ids: tenant_ids.iter().map(ToString::to_string).collect(),
    }
}
