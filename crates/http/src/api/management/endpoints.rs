//! All end-points of the management API, in one table.

use http::Method;

use super::table::{Endpoint, endpoint};
use super::{
    access, audit, counts, grants, history, identities, immutability, invitations, manifests,
    namespaces, open_api, organizations, pins, readable, repositories, retention, robots,
    tag_immutability, tags, teams, tokens, trust, usage, users, whoami, writes,
};

/// The table: a method, a path, the operation's name, what it does, who does it.
#[rustfmt::skip]
pub(super) fn all() -> Vec<Endpoint> {
    const ROBOT: &str = "/namespaces/{namespace}/robots/{robot}";
    const REPOSITORY: &str = "/repositories/{repository}";
    const RETENTION: &str = "/repositories/{repository}/retention";
    let (get, post, put, patch, delete) =
        (Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE);
    vec![
        endpoint(get.clone(), "/", "read_api", "This API, to be read by people.", readable::page),
        endpoint(get.clone(), "/openapi.json", "describe_api", "The description of this API (OpenAPI 3.1).", open_api::get),
        endpoint(get.clone(), "/whoami", "whoami", "Who asks, and the most that their secret is good for.", whoami::get),

        endpoint(get.clone(), "/users", "list_users", "Users, by name.", users::list),
        endpoint(post.clone(), "/users", "create_user", "Makes a user.", users::create),
        endpoint(get.clone(), "/users/{user}", "get_user", "A user.", users::get),
        endpoint(patch.clone(), "/users/{user}", "update_user", "Changes what is known of a user, or disables them.", users::update),
        endpoint(delete.clone(), "/users/{user}", "delete_user", "Deletes a user, whose namespace must be empty.", users::delete),
        endpoint(put.clone(), "/users/{user}/password", "set_password", "Gives a user another password.", users::set_password),
        endpoint(get.clone(), "/users/{user}/tokens", "list_tokens", "The personal tokens of a user.", tokens::list),
        endpoint(post.clone(), "/users/{user}/tokens", "create_token", "Makes a personal token, and shows its secret once.", tokens::create),
        endpoint(delete.clone(), "/users/{user}/tokens/{token}", "delete_token", "Ends a personal token.", tokens::delete),
        endpoint(get.clone(), "/users/{user}/identities", "list_identities", "Who a user is at identity providers.", identities::list),
        endpoint(put.clone(), "/users/{user}/identities/{provider}", "link_identity", "Says who a user is at an identity provider.", identities::link),
        endpoint(delete.clone(), "/users/{user}/identities/{provider}", "unlink_identity", "Ends that, with the groups and sessions that came with it.", identities::unlink),
        endpoint(post.clone(), "/sign-up", "sign_up", "Makes an account for who asks.", invitations::sign_up),
        endpoint(post.clone(), "/invitations", "create_invitation", "Invites somebody to sign up.", invitations::create),

        endpoint(get.clone(), "/organizations", "list_organizations", "The organizations of who asks; all, for an administrator.", organizations::list),
        endpoint(post.clone(), "/organizations", "create_organization", "Makes an organization.", organizations::create),
        endpoint(get.clone(), "/organizations/{organization}", "get_organization", "An organization.", organizations::get),
        endpoint(delete.clone(), "/organizations/{organization}", "delete_organization", "Deletes an organization, which must be empty.", organizations::delete),
        endpoint(get.clone(), "/namespaces/{namespace}", "get_namespace", "The namespace of a user or an organization.", namespaces::get),
        endpoint(patch.clone(), "/namespaces/{namespace}", "update_namespace", "Changes what holds for all repositories of a namespace.", namespaces::update),
        endpoint(get.clone(), "/namespaces/{namespace}/teams", "list_teams", "The teams of a namespace.", teams::list),
        endpoint(post.clone(), "/namespaces/{namespace}/teams", "create_team", "Makes a team.", teams::create),
        endpoint(delete.clone(), "/namespaces/{namespace}/teams/{team}", "delete_team", "Deletes a team, with its grants.", teams::delete),
        endpoint(get.clone(), "/namespaces/{namespace}/teams/{team}/members", "list_members", "Who is in a team.", teams::members),
        endpoint(put.clone(), "/namespaces/{namespace}/teams/{team}/members/{user}", "add_member", "Puts a user into a team.", teams::add_member),
        endpoint(delete.clone(), "/namespaces/{namespace}/teams/{team}/members/{user}", "remove_member", "Takes a user out of a team.", teams::remove_member),
        endpoint(get.clone(), "/namespaces/{namespace}/teams/{team}/groups", "get_team_groups", "Which groups of identity providers fill a team.", identities::groups),
        endpoint(put.clone(), "/namespaces/{namespace}/teams/{team}/groups", "set_team_groups", "Says which groups fill a team, in place of those before.", identities::set_groups),
        endpoint(get.clone(), "/namespaces/{namespace}/teams/{team}/groups/members", "list_group_members", "Who is in a team by such a group.", identities::group_members),
        endpoint(get.clone(), "/namespaces/{namespace}/grants", "list_grants", "Who was given which role.", grants::list),
        endpoint(put.clone(), "/namespaces/{namespace}/grants", "put_grant", "Gives a role, in place of the subject's on the same pattern.", grants::put),
        endpoint(delete.clone(), "/namespaces/{namespace}/grants", "remove_grant", "Takes a grant away.", grants::remove),
        endpoint(get.clone(), "/namespaces/{namespace}/robots", "list_robots", "The robots of a namespace.", robots::list),
        endpoint(post.clone(), "/namespaces/{namespace}/robots", "create_robot", "Makes a robot, and shows its secret once.", robots::create),
        endpoint(get.clone(), ROBOT, "get_robot", "A robot.", robots::get),
        endpoint(patch.clone(), ROBOT, "update_robot", "Disables a robot, or has it end at another time.", robots::update),
        endpoint(delete.clone(), ROBOT, "delete_robot", "Deletes a robot, with its grants.", robots::delete),
        endpoint(post.clone(), "/namespaces/{namespace}/robots/{robot}/secret", "rotate_robot", "Gives a robot a new secret, shows it once, and ends the old one.", robots::rotate),
        endpoint(get.clone(), "/namespaces/{namespace}/robots/{robot}/trust", "list_trust_rules", "Whose workloads stand for a robot.", trust::list),
        endpoint(post.clone(), "/namespaces/{namespace}/robots/{robot}/trust", "create_trust_rule", "Has workloads of an issuer stand for a robot.", trust::create),
        endpoint(delete.clone(), "/namespaces/{namespace}/robots/{robot}/trust/{rule}", "delete_trust_rule", "Ends a trust rule, and what workloads got by it.", trust::delete),
        endpoint(get.clone(), "/namespaces/{namespace}/immutability", "list_namespace_immutability", "The policies by which tags freeze in all repositories of a namespace.", immutability::list),
        endpoint(post.clone(), "/namespaces/{namespace}/immutability", "create_namespace_immutability", "Makes such a policy.", immutability::create),
        endpoint(get.clone(), "/namespaces/{namespace}/immutability/{policy}", "get_namespace_immutability", "Such a policy.", immutability::get),
        endpoint(put.clone(), "/namespaces/{namespace}/immutability/{policy}", "update_namespace_immutability", "Has such a policy say something else.", immutability::update),
        endpoint(delete.clone(), "/namespaces/{namespace}/immutability/{policy}", "delete_namespace_immutability", "Takes such a policy away.", immutability::delete),

        endpoint(get.clone(), "/namespaces/{namespace}/usage", "get_namespace_usage", "How much a namespace holds, and may hold.", usage::namespace_usage),
        endpoint(get.clone(), "/namespaces/{namespace}/usage/repositories", "list_usage", "How much the repositories of a namespace hold.", usage::list),
        endpoint(get.clone(), "/namespaces/{namespace}/quota", "get_namespace_quota", "How much a namespace may hold.", usage::namespace_quota),
        endpoint(put.clone(), "/namespaces/{namespace}/quota", "set_namespace_quota", "Says how much a namespace may hold, in place of what was said before.", usage::set_namespace_quota),
        endpoint(delete.clone(), "/namespaces/{namespace}/quota", "remove_namespace_quota", "Has a namespace hold as much as it likes.", usage::remove_namespace_quota),

        endpoint(get.clone(), "/repositories", "list_repositories", "The repositories that who asks may pull from.", repositories::list),
        endpoint(get.clone(), REPOSITORY, "get_repository", "A repository.", repositories::get),
        endpoint(patch.clone(), REPOSITORY, "update_repository", "Says who may pull from a repository without a grant.", repositories::update),
        endpoint(post.clone(), "/repositories/{repository}/rename", "rename_repository", "Gives a repository another name, here or in another namespace.", repositories::rename),
        endpoint(get.clone(), RETENTION, "get_retention", "Which tags of a repository are kept, and how far that policy is.", retention::get),
        endpoint(put.clone(), RETENTION, "set_retention", "Sets the policy of retention, as a draft: it drops nothing until it is previewed and enabled.", retention::set),
        endpoint(delete.clone(), RETENTION, "remove_retention", "Takes the policy of retention away; nothing more is dropped.", retention::remove),
        endpoint(get.clone(), "/repositories/{repository}/retention/plan", "list_retention_plan", "What the policy says of each tag, and which rule.", retention::plan),
        endpoint(post.clone(), "/repositories/{repository}/retention/preview", "preview_retention", "What the policy, or a given one, would drop.", retention::preview),
        endpoint(post.clone(), "/repositories/{repository}/retention/enable", "enable_retention", "Has a version of the policy that was previewed drop tags from now on.", retention::enable),
        endpoint(post.clone(), "/repositories/{repository}/running", "report_running", "Says that a manifest runs somewhere, for a while.", retention::report_running),
        endpoint(get.clone(), "/repositories/{repository}/tags", "list_tag_records", "The tags of a repository, or those that there were at a time.", tags::list),
        endpoint(get.clone(), "/repositories/{repository}/tags/{tag}", "get_tag", "A tag, or where it stood at a time.", tags::get),
        endpoint(delete.clone(), "/repositories/{repository}/tags/{tag}", "delete_tag", "Deletes a tag; its manifest stays.", tags::delete),
        endpoint(get.clone(), "/repositories/{repository}/tags/{tag}/immutability", "get_tag_immutability", "What the policies of a repository and of its namespace say of a tag.", tag_immutability::get),
        endpoint(get.clone(), "/repositories/{repository}/tag-immutability", "list_tag_immutability", "The same, of all tags.", tag_immutability::list),
        endpoint(get.clone(), "/repositories/{repository}/immutability", "list_immutability", "The policies by which tags freeze in a repository; those of its namespace hold as well.", immutability::list),
        endpoint(post.clone(), "/repositories/{repository}/immutability", "create_immutability", "Makes such a policy.", immutability::create),
        endpoint(get.clone(), "/repositories/{repository}/immutability/{policy}", "get_immutability", "Such a policy.", immutability::get),
        endpoint(put.clone(), "/repositories/{repository}/immutability/{policy}", "update_immutability", "Has such a policy say something else.", immutability::update),
        endpoint(delete.clone(), "/repositories/{repository}/immutability/{policy}", "delete_immutability", "Takes such a policy away.", immutability::delete),
        endpoint(get.clone(), "/repositories/{repository}/tags/{tag}/history", "list_tag_history", "The changes of a tag, the newest first.", history::of_tag),
        endpoint(post.clone(), "/repositories/{repository}/tags/{tag}/rollback", "roll_back_tag", "Has a tag stand again where it stood.", history::roll_back),
        endpoint(get.clone(), "/repositories/{repository}/history", "list_history", "The changes of all tags of a repository, the newest first.", history::of_repository),
        endpoint(get.clone(), "/repositories/{repository}/pins", "list_pins", "What keeps manifests of a repository whatever tags do.", pins::list),
        endpoint(put.clone(), "/repositories/{repository}/pins/{pin}", "put_pin", "Pins a manifest, or has its pin last longer.", pins::put),
        endpoint(delete.clone(), "/repositories/{repository}/pins/{pin}", "delete_pin", "Takes a pin away.", pins::delete),
        endpoint(get.clone(), "/repositories/{repository}/manifests", "list_manifest_records", "The manifests of a repository.", manifests::list),
        endpoint(get.clone(), "/repositories/{repository}/manifests/{digest}", "get_manifest", "A manifest.", manifests::get),
        endpoint(delete.clone(), "/repositories/{repository}/manifests/{digest}", "delete_manifest_record", "Deletes a manifest, with all tags on it.", manifests::delete),
        endpoint(get.clone(), "/repositories/{repository}/usage", "get_repository_usage", "How much a repository holds, and may hold.", usage::repository_usage),
        endpoint(get.clone(), "/repositories/{repository}/quota", "get_repository_quota", "How much a repository may hold.", usage::repository_quota),
        endpoint(put.clone(), "/repositories/{repository}/quota", "set_repository_quota", "Says how much a repository may hold, within what its namespace may.", usage::set_repository_quota),
        endpoint(delete.clone(), "/repositories/{repository}/quota", "remove_repository_quota", "Has a repository hold as much as its namespace lets it.", usage::remove_repository_quota),
        endpoint(get.clone(), "/usage", "get_usage", "How much all of the registry holds, and what sharing saves.", usage::all),
        endpoint(get.clone(), "/repositories/{repository}/counts", "list_counts", "How often a repository was pulled, by hours or days.", counts::range),
        endpoint(get.clone(), "/repositories/{repository}/counts/trend", "get_trend", "How often a repository was pulled lately, and before that.", counts::trend),
        endpoint(get.clone(), "/repositories/{repository}/counts/manifests", "list_top_manifests", "The manifests that were pulled most.", counts::top_manifests),
        endpoint(get.clone(), "/counts/repositories", "list_top_repositories", "The repositories that were pulled most.", counts::top_repositories),

        endpoint(get.clone(), "/repositories/{repository}/writes", "get_writes", "Whether a repository may be written to, and which pushes are under way.", writes::get),
        endpoint(put.clone(), "/repositories/{repository}/writes", "set_writes", "Makes a repository read-only, drains it, or makes it writable.", writes::put),
        endpoint(get.clone(), "/writes", "get_all_writes", "Whether anything may be written, and which pushes are under way.", writes::get_all),
        endpoint(put.clone(), "/writes", "set_all_writes", "Makes everything read-only, drains it, or makes it writable.", writes::put_all),

        endpoint(get.clone(), "/access/explain", "explain_access", "What somebody may do with a repository, and why.", access::explain),
        endpoint(get, "/audit", "list_audit", "Who did what.", audit::list),
    ]
}
