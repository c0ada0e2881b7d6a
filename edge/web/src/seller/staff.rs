//! Who works for the shop: members and their roles, invitations under way.

use api_tenants::{
    ChangeStaffRoleRequest, InviteStaffRequest, ListStaffRequest, ListStaffResponse, RevokeStaffRequest, StaffMember, StaffRole,
    WithdrawInviteRequest,
};
use axum::extract::{Path, State};
use axum::response::IntoResponse;
use http::StatusCode;
use kit_rpc::problem_of;
use maud::{Markup, html};

use super::{desk, working};
use crate::failure::{Failure, Page};
use crate::portal::{moment, word};
use crate::session::{Here, Posted};
use crate::site::{Site, Web};
use crate::ui::form::{self, Form, Input};
use crate::ui::{self, Tone, show};
use crate::visit::Visit;

const ROLES: [(&str, &str); 3] = [
    ("seller_manager", "Manager: products, stock, orders"),
    ("inventory_operator", "Stock and sending"),
    ("seller_admin", "Owner: everything, staff and money too"),
];

fn role_of(form: &Form) -> i32 {
    StaffRole::from_str_name(&format!("STAFF_ROLE_{}", form.get("role").to_uppercase())).unwrap_or_default().into()
}

fn role_word(role: StaffRole) -> String {
    role.as_str_name().trim_start_matches("STAFF_ROLE_").to_lowercase()
}

async fn load(site: &Site, visit: &Visit) -> Result<ListStaffResponse, Failure> {
    Ok(site.tenants.clone().list_staff(visit.ctx.request(ListStaffRequest {})).await?.into_inner())
}

pub(crate) async fn list(State(site): State<Web>, here: Here) -> Page {
    working(&here)?;
    Ok(view(&here, &load(&site, &here).await?, &Form::default()).into_response())
}

pub(crate) async fn invite(State(site): State<Web>, here: Here, Posted(form): Posted) -> Page {
    working(&here)?;
    let request = InviteStaffRequest { email: form.text("email"), role: role_of(&form) };
    let failed = site.tenants.clone().invite_staff(here.ctx.request(request)).await.err();
    answer(&site, &here, form, failed, "Invited. The link is in their mailbox.").await
}

pub(crate) async fn withdraw(State(site): State<Web>, here: Here, Posted(form): Posted) -> Page {
    working(&here)?;
    let failed = site.tenants.clone().withdraw_invite(here.ctx.request(WithdrawInviteRequest { email: form.text("invited") })).await.err();
    answer(&site, &here, Form::default(), failed, "Invitation withdrawn.").await
}

/// A member's new role, or their last day, by the last word of the address.
pub(crate) async fn act(State(site): State<Web>, here: Here, Path((user_id, act)): Path<(String, String)>, Posted(form): Posted) -> Page {
    working(&here)?;
    let mut tenants = site.tenants.clone();
    let (failed, told) = match act.as_str() {
        "role" => {
            (tenants.change_staff_role(here.ctx.request(ChangeStaffRoleRequest { user_id, role: role_of(&form) })).await.err(), "Role changed.")
        }
        "revoke" => (tenants.revoke_staff(here.ctx.request(RevokeStaffRequest { user_id })).await.err(), "They no longer work for the shop."),
        _ => return Err(Failure::not_found()),
    };
    answer(&site, &here, Form::default(), failed, told).await
}

async fn answer(site: &Site, visit: &Visit, form: Form, failed: Option<tonic::Status>, told: &str) -> Page {
    let Some(status) = failed else { return Ok(site.redirect("/seller/staff", Tone::Good, told)) };
    let page = view(visit, &load(site, visit).await?, &form.rejected(&problem_of(&status)));
    Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
}

fn view(visit: &Visit, found: &ListStaffResponse, form: &Form) -> Markup {
    let manages = visit.may("seller:staff.write");
    let body = html! {
        div.mb4 { (form.summary()) }
        div.with-aside {
            div.stack.loose {
                section.card.flush {
                    header { h2 { "People" } }
                    table.table.cards {
                        thead { tr { th scope="col" { "Name" } th scope="col" { "Role" } th scope="col" { "Since" } @if manages { th scope="col" { span.sr { "Remove" } } } } }
                        tbody { @for member in &found.staff { (member_row(visit, member, manages)) } }
                    }
                }
                @if !found.invites.is_empty() { section.card.flush { header { h2 { "Invited" } } (invites(visit, found, manages)) } }
            }
            @if manages {
                aside { section.card.stack { h2 { "Invite someone" } (form::post(visit, "/seller/staff", html! { div.stack {
                    (Input::email("email", "E-mail address").show(form))
                    (Input::select("role", "Role", ROLES).show(form))
                    button.btn.block type="submit" { (ui::icon("send")) "Invite" }
                } })) } }
            }
        }
    };
    desk(visit, "/seller/staff", "Staff", "Who may do what in your shop.", html! {}, body)
}

fn member_row(visit: &Visit, member: &StaffMember, manages: bool) -> Markup {
    let mine = visit.ctx.user().is_some_and(|user| user.to_string() == member.user_id);
    let role = role_word(member.role());
    let address = |act: &str| format!("/seller/staff/{}/{act}", member.user_id);
    let label = format!("Role of {}", member.email);
    html! {
        tr {
            th scope="row" { (member.name) @if mine { " " span.tiny.hush { "you" } } div.small.hush { (member.email) } }
            td data-label="Role" {
                @if manages && !mine {
                    (form::post(visit, &address("role"), html! { div.row.tight { select.select-inline name="role" aria-label=(label) { @for (value, shown) in ROLES { option value=(value) selected[value == role] { (shown.split(':').next().unwrap_or(shown)) } } } button.btn.outline.small type="submit" { "Change" } } }))
                } @else { (word(&role, "")) }
            }
            td data-label="Since" { @if let Some(joined) = &member.joined_at { (show::date(kit_rpc::time(joined))) } @else { span.hush { "–" } } }
            @if manages { td { @if !mine { (form::post(visit, &address("revoke"), html! { button.btn.danger.quiet.small.square type="submit" title="Remove" data-confirm="Take this person off the staff?" { (ui::icon("trash-2")) span.sr { "Remove" } } })) } } }
        }
    }
}

fn invites(visit: &Visit, found: &ListStaffResponse, manages: bool) -> Markup {
    html! {
        table.table.cards {
            thead { tr { th scope="col" { "E-mail" } th scope="col" { "Role" } th scope="col" { "Valid until" } @if manages { th scope="col" { span.sr { "Withdraw" } } } } }
            tbody {
                @for invite in &found.invites {
                    tr {
                        th scope="row" { (invite.email) }
                        td data-label="Role" { (word(invite.role().as_str_name(), "STAFF_ROLE_")) }
                        td data-label="Valid until" { (moment(invite.expires_at.as_ref())) }
                        @if manages { td { (form::post(visit, "/seller/staff/withdraw", html! { input type="hidden" name="invited" value=(invite.email); button.btn.danger.quiet.small type="submit" { "Withdraw" } })) } }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
pub(crate) fn samples() -> Vec<(&'static str, Markup)> {
    use crate::visit::sample::seller;
    use api_tenants::Invite;
    let member = |id: &str, name: &str, role: StaffRole| StaffMember {
        user_id: id.to_owned(),
        name: name.to_owned(),
        email: "someone@example.com".to_owned(),
        role: role.into(),
        ..Default::default()
    };
    let staff = vec![
        member("usr_0198f0d1000070008000000000000001", "Ann Smith", StaffRole::SellerAdmin),
        member("usr_2", "Ben", StaffRole::InventoryOperator),
    ];
    let found = ListStaffResponse {
        staff,
        invites: vec![Invite { email: "new@example.com".to_owned(), role: StaffRole::SellerManager.into(), ..Default::default() }],
    };
    let mut reader = seller();
    reader.ctx.permissions = std::sync::Arc::new(["seller:store.read".to_owned()].into_iter().collect());
    let refused =
        Form::default().with("email", "someone@example.com").rejected(&problem_of(&kit_rpc::violation("email", "works for the shop already")));
    vec![
        ("seller-staff", view(&seller(), &found, &Form::default())),
        ("seller-staff-read", view(&reader, &found, &Form::default())),
        ("seller-staff-wrong", view(&seller(), &found, &refused)),
    ]
}
