//! The audit log, as operators see it: what was done, by whom, from where; and nothing that must stay secret.

use serde_json::Value;

use crate::house::{House, PASSWORD};

#[test]
fn the_audit_log_says_who_did_what_from_where() {
    let house = House::start();
    let secret = house.admin(&["robot", "team+ci", "--days", "9"]);
    house.admin(&["grant", "team", "write", "--to", "robot:ci", "--on", "team/app"]);
    house.push("ada", "team/app");
    let text = house.admin(&["audit", "--all", "--json"]);
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let found = |action: &str, target: &str| {
        let is_it = |line: &&Value| {
            line["action"] == action && line["target"].as_str().unwrap().starts_with(target)
        };
        lines.iter().find(is_it).unwrap_or_else(|| panic!("no {action} of {target} in {text}"))
    };
    assert_eq!(found("user.create", "user:ada")["by"], "system");
    assert_eq!(found("robot.create", "robot:team+ci")["namespace"], "team");
    let grants = lines.iter().filter(|line| line["action"] == "grant.put");
    assert!(grants.clone().any(|line| line["detail"] == "role=write to=robot:ci on=team/app"));
    let push = found("manifest.push", "repository:team/app@sha256:");
    assert_eq!(push["by"], "user:ada");
    assert_eq!(push["address"], "127.0.0.1");
    assert_eq!(push["outcome"], "done");
    assert_eq!(push["detail"], "tags=v1");
    assert_eq!(push["request_id"].as_str().unwrap().len(), 24);
    for hidden in [secret.as_str(), PASSWORD, "argon2"] {
        assert!(!text.contains(hidden), "{hidden} is in the audit log");
    }
    let of_ada = house.admin(&["audit", "--by", "user:ada", "--namespace", "team", "--limit", "1"]);
    assert!(of_ada.contains("\tuser:ada\tmanifest.push\trepository:team/app@"), "{of_ada}");
    assert_eq!(of_ada.lines().count(), 1);
    assert_eq!(house.admin(&["audit", "--since", "2200-01-01T00:00:00Z"]), "");
}
